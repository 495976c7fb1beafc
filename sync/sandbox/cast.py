"""Who appears in the story: customers with what they bought and what will become of them."""

import random
from dataclasses import dataclass
from enum import StrEnum

from sync.sandbox.remote import Remote

FIRST = (
    "Northwind", "Initech", "Blue Harbor", "Kestrel", "Juniper", "Halcyon", "Redwood", "Pixel", "Orchard", "Summit",
    "Copper", "Lantern", "Meridian", "Cobalt", "Willow", "Falcon", "Granite", "Harvest", "Ivory", "Nimbus",
)  # fmt: skip
SECOND = ("Robotics", "Labs", "Logistics", "Foods", "Media", "Health", "Textiles", "Energy", "Studios", "Analytics")
PLANS = (("starter", 4_900), ("growth", 19_900), ("scale", 89_000))
CURRENCIES = ("usd", "usd", "usd", "eur", "gbp", "jpy")
PER_MINOR = {"jpy": 100}  # a currency without minor units: the same price has two digits less


class Fate(StrEnum):
    """What the week holds for a customer."""

    PUNCTUAL = "pays at once"
    RETRIED = "pays by a retry inside the window"
    LATE = "pays after the suspension"
    NEVER = "never pays"
    DISPUTED = "disputes an earlier payment"
    WARNED = "a bank warns of fraud"
    STRANGER = "is unknown to the ERP"
    VOIDED = "has the invoice voided"
    ENDED = "leaves"


SINGLE = (Fate.DISPUTED, Fate.WARNED, Fate.STRANGER, Fate.VOIDED, Fate.ENDED)
SHARES = ((Fate.PUNCTUAL, 0.34), (Fate.RETRIED, 0.34), (Fate.LATE, 0.13), (Fate.NEVER, 0.19))
LEAST = len(SINGLE) + len(SHARES)


@dataclass
class Customer:
    """One customer; the ids are the providers' own."""

    name: str
    fate: Fate
    plan: str
    mrr: int
    currency: str
    months: int
    stripe: str = ""
    subscription: str = ""
    erp_customer: str = ""
    erp_contract: str = ""
    invoice: str = ""
    charge: str = ""


def gather(count: int, rng: random.Random) -> list[Customer]:
    """So many customers, at least one of each fate, in an order of chance."""
    fates = [*SINGLE, *(fate for fate, _ in SHARES)]
    rest = max(0, count - len(fates))
    for fate, share in SHARES[1:]:
        fates += [fate] * round(rest * share)
    fates += [Fate.PUNCTUAL] * (count - len(fates))
    rng.shuffle(fates)
    names = [f"{first} {second}" for second in SECOND for first in FIRST]
    rng.shuffle(names)
    return [_customer(name, fate, rng) for name, fate in zip(names, fates, strict=False)]


def _customer(name: str, fate: Fate, rng: random.Random) -> Customer:
    plan, price = rng.choice(PLANS)
    currency = rng.choice(CURRENCIES)
    return Customer(name, fate, plan, price // PER_MINOR.get(currency, 1), currency, rng.randint(1, 6))


def enter(one: Customer, remote: Remote) -> None:
    """The customer subscribes; unless it is a stranger, sales has it in the ERP with a contract."""
    mail = f"ap@{one.name.lower().replace(' ', '-')}.example"
    one.stripe = remote.play("stripe", "create_customer", name=one.name, email=mail)["customer"]
    bought = remote.play(
        "stripe", "create_subscription", customer=one.stripe, mrr=one.mrr, currency=one.currency, history=one.months
    )
    one.subscription = bought["subscription"]
    if one.fate is Fate.STRANGER:
        return
    made = remote.play("netsuite", "create_customer", name=one.name, email=mail, stripe_customer=one.stripe)
    one.erp_customer = made["id"]
    one.erp_contract = remote.play(
        "netsuite", "create_contract", customer=one.erp_customer, subscription=one.subscription, plan=one.plan,
        started=f"20{26 - (one.months + 11) // 12}-03-01",
    )["id"]  # fmt: skip
