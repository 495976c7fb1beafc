"""What an account looks like after years, made in one call and without events: for drills of whole lists."""

from typing import TYPE_CHECKING

from sync.sandbox.stripe import build, objects
from sync.sandbox.wire import Json

if TYPE_CHECKING:
    from sync.sandbox.stripe.simulator import Stripe

DAY = 86_400


def plant_subscriptions(stripe: "Stripe", params: Json) -> Json:
    """`count` subscriptions at `mrr` (4900) in `currency` (usd), all of one customer and made a day ago."""
    now = stripe.clock.stamp() - DAY
    given = {"mrr": int(params.get("mrr", 4900)), "currency": str(params.get("currency", "usd"))}
    owner = stripe.account.customers.add(build.customer(stripe.ids, now, {"name": "Years", "email": "y@sandbox.test"}))
    price = stripe.account.prices.add(build.price(stripe.ids, now, given))
    asked = {**given, "customer": owner["id"]}
    made = [
        stripe.account.subscriptions.add(build.subscription(stripe.ids, now, asked, price))["id"]
        for _ in range(int(params["count"]))
    ]
    return {"subscriptions": made, "customer": owner["id"]}


def plant_refunds(stripe: "Stripe", params: Json) -> Json:
    """Refunds of `charge`, one for each of `rows`: `amount`, and `mark`, the action that it names; made a day ago."""
    paid = stripe.account.charges.get(str(params["charge"]))
    made = []
    for given in params["rows"]:
        labels = {"metadata": {"meshline_action": given["mark"]}} if given.get("mark") else {}
        row = objects.give_back(stripe, paid, int(given["amount"]), labels, stripe.clock.stamp() - DAY)
        row["created"] = stripe.clock.stamp() - DAY
        made.append(row["id"])
    return {"refunds": made}


PLAYS = {"plant_subscriptions": plant_subscriptions, "plant_refunds": plant_refunds}
