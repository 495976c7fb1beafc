"""Rows for looking at: a small company on an ordinary day.

`manage.py shell -c "from tests.console.seed import fill; fill()"` fills a development database.
"""

import random
import uuid
from datetime import timedelta
from typing import Any

from ledger import clock
from tests import factories as f
from tests.console.cases import make_case

NAMES = (
    "Initech Labs",
    "Acme Foods",
    "Hooli Retail",
    "Umbra Robotics",
    "Stark Health",
    "Wayne Media",
    "Contoso Energy",
    "Tyrell Logistics",
    "Soylent Kitchens",
    "Globex Travel",
    "Vandelay Imports",
    "Müller & Söhne GmbH",
)


def fill(items: int = 14) -> None:
    """Customers with contracts, events, actions in every state, items, attempts and ledger rows."""
    chance, people = random.Random(4), make_people()
    made = [make_customer(name, index, chance) for index, name in enumerate(NAMES)]
    for index in range(items):
        make_case(*made[index % len(made)], index, chance, people)
    make_surroundings()


def make_people() -> dict[str, Any]:
    """One person for each group that matters, all with the same password for a development database."""
    people = {}
    for name, groups in (
        ("priya", ["Billing Resolver"]),
        ("dana", ["Support"]),
        ("miguel", ["Support Manager"]),
        ("lena", ["Revenue Ops Lead"]),
    ):
        people[name] = f.User.objects.filter(username=name).first() or f.UserFactory(username=name, groups=groups)
        people[name].set_password("a long password")
        people[name].save()
    return people


def make_customer(name: str, index: int, chance: random.Random) -> tuple[Any, Any]:
    """A customer, known everywhere, with a contract and what was read about it."""
    now = clock.now()
    mrr, currency = chance.choice([19900, 49900, 128000, 4500]), "jpy" if index == 7 else "usd"
    customer = f.CustomerFactory(
        name=name,
        email=f"ap@{name.partition(' ')[0].lower()}.example",
        tier=("enterprise", "growth", "starter")[index % 3],
        mrr_minor=mrr,
        currency=currency,
        owner="dana",
        state="synced",
    )
    invoice = f"in_1Q{index:02d}fK2eZvKYlo2C"
    failed = int((now - timedelta(hours=20 + index)).timestamp())
    memo = {
        invoice: {
            "first_failed": failed,
            "newest": [failed, 2, int((now + timedelta(hours=30)).timestamp())],
            "number": f"INV-22{index:02d}",
            "amount_due": mrr,
            "currency": currency,
        }
    }
    old = {
        **memo[invoice],
        "number": f"INV-21{index:02d}",
        "paid_at": failed - 900_000,
        "first_failed": failed - 1_000_000,
    }
    contract = f.ContractFactory(
        customer=customer,
        state="past_due" if index % 4 else "suspended",
        plan=("scale", "growth", "team")[index % 3],
        amount_minor=mrr,
        currency=currency,
        started_at=now - timedelta(days=400 + index),
        ends_at=now + timedelta(days=130),
        dunning={**memo, f"{invoice}old": old},
    )
    for system, kind, value in (
        ("stripe", "customer", f"cus_N{index:02d}ffrFZ7dM2a"),
        ("stripe", "subscription", f"sub_1M{index:02d}WLkd"),
        ("netsuite", "contract", str(10186 + index)),
        ("zendesk", "ticket", str(48213 + index)),
    ):
        f.ExternalIdFactory(
            customer=customer,
            system=system,
            kind=kind,
            value=value,
            linked_by="system",
            contract=contract if kind in ("subscription", "contract") else None,
            url=f"https://{system}.example/{kind}s/{value}",
        )
    f.ContextFactory(customer=customer, blocks=known(invoice, mrr, currency, index, now))
    return customer, contract


def known(invoice: str, mrr: int, currency: str, index: int, now: Any) -> dict[str, Any]:
    """The blocks of a context record."""
    rows = [
        {
            "number": f"INV-22{index:02d}",
            "status": "open",
            "amount_due": mrr,
            "currency": currency,
            "attempt_count": 2,
            "amount_remaining": mrr,
        }
    ]
    rows.append(
        {
            "number": f"INV-21{index:02d}",
            "status": "paid",
            "amount_due": mrr,
            "currency": currency,
            "attempt_count": 1,
            "amount_remaining": 0,
        }
    )
    live = {"live": True}
    return {
        "billing": {
            "synced_at": (now - timedelta(seconds=38)).isoformat(),
            "subscription_status": "past_due",
            **live,
            "period_end": (now + timedelta(days=9)).isoformat(),
            "cancel_at_period_end": False,
            "open_disputes": index % 2,
            "fraud_flag": index == 5,
            "invoices": rows,
        },
        "entitlement": {
            "synced_at": (now - timedelta(minutes=4 if index % 3 else 55)).isoformat(),
            "record": str(10186 + index),
            "status": "active",
            "plan": "scale",
            "started_at": (now - timedelta(days=400)).isoformat(),
            "ends_at": None,
            "last_action": "",
            **live,
        },
        "support": {
            "synced_at": (now - timedelta(minutes=2)).isoformat(),
            "ticket": str(48213 + index),
            "status": "open",
            "updated_at": now.isoformat(),
            "tags": ["billing", "vip"],
            **live,
        },
    }


def make_surroundings() -> None:
    """Connections, workers, refusals and an event only a person can read."""
    now = clock.now()
    f.ProviderStateFactory(provider="stripe", last_success_at=now - timedelta(seconds=2))
    f.ProviderStateFactory(
        provider="netsuite",
        breaker="open",
        opened_at=now,
        probe_at=now + timedelta(seconds=28),
        last_error="503 Service Unavailable",
        last_error_at=now - timedelta(seconds=9),
        last_success_at=now - timedelta(minutes=3),
    )
    for slot in range(3):
        f.DrainSlot.objects.update_or_create(
            slot=slot, defaults={"host": "worker-1:412", "seen_at": now - timedelta(seconds=slot)}
        )
    for index, job in enumerate(("sweep", "tick", "partitions")):
        f.JobRunFactory(
            job=job,
            planned_at=now - timedelta(minutes=index),
            started_at=now - timedelta(minutes=index),
            finished_at=now - timedelta(minutes=index) + timedelta(seconds=2),
            outcome="0 leases taken back, 2 holds due",
        )
    f.RefusalFactory(
        address="203.0.113.9", headers={"user-agent": "curl/8"}, body_head=b'{"id": "evt_forged"}', body_bytes=20
    )
    odd = f.EventFactory(
        state="parked",
        kind="unknown",
        type="invoice.payment_failed",
        verdict="parked: the amount appears twice",
        provider_event_id=f"evt_odd{uuid.uuid4().hex[:6]}",
    )
    f.EventBodyFactory(
        event_id=odd.pk, raw=b'{"id": "evt_odd", "amount": 1, "amount": 2, "n": 123456789012345678901234567890}'
    )
    f.ReviewItemFactory(
        action=None,
        event=odd,
        kind="unknown",
        sentence="A delivery repeats its amount, so nobody but a person can tell what is meant.",
        why="oddity",
        owner_group="Automation Engineer",
    )
