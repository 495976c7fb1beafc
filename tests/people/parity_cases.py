"""Sixty proposals: every kind, amounts on both sides of the limits, tiers, contract states, disputes, requesters."""

from dataclasses import dataclass, field

from ledger.models import ContextRecord
from tests import factories as f

TIERS = ("starter", "growth", "enterprise")
ASKERS = ("Support", "Billing Resolver", "Support Manager")
READ = "2026-11-21T00:00:00+00:00"
# minor units, currency and what the customer paid: below, at and above what one person may give; and one of no limit
MONEY = (
    (300, "usd", 4_900), (50_000, "usd", 60_000), (50_001, "usd", 60_000), (49_999, "eur", 49_999),
    (50_001, "eur", 70_000), (1, "jpy", 980_000), (7_500_000, "jpy", 7_600_000), (7_500_001, "jpy", 7_600_000),
    (1_230, "kwd", 49_000), (100, "isk", 490_000), (12_345, "gbp", 20_000), (50_001, "gbp", 50_001),
)  # fmt: skip
REFUND = "payment.refund"
KINDS = (
    *["contract.suspend"] * 14, *["contract.downgrade"] * 12, *["contract.restore"] * 10, *["ticket.note"] * 7,
    *["ticket.tag"] * 5, *[REFUND] * len(MONEY),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One thing that a person asks for, of a contract of its own."""

    n: int
    kind: str
    state: str
    tier: str
    asker: str
    disputes: int = 0
    fraud: bool = False
    params: dict = field(default_factory=dict)
    bought: dict = field(default_factory=dict)

    @property
    def contract(self):
        return f"mesh-con-parity-{self.n:02d}"

    @property
    def customer(self):
        return f"mesh-cus-parity-{self.n:02d}"

    @property
    def is_for_specialists(self):
        return bool(self.disputes or self.fraud)


def cases(payments):
    """All sixty; `payments` are what was collected for each of MONEY."""
    return [_case(n, kind, payments) for n, kind in enumerate(KINDS)]


def _case(n, kind, payments):
    states = {"contract.restore": ("suspended",), "contract.suspend": ("past_due", "active")}
    bought = payments[n - len(KINDS) + len(MONEY)] if kind == REFUND else {}
    return Case(
        n, kind, states.get(kind, ("active", "past_due"))[n % len(states.get(kind, "ab"))], TIERS[n % 3],
        ASKERS[n // 3 % 3], disputes=int(n % 5 == 0), fraud=n % 11 == 0, params=_params(n, kind, bought), bought=bought,
    )  # fmt: skip


def _params(n, kind, bought):
    if kind == REFUND:
        return {name: bought[name] for name in ("payment", "amount_minor", "currency")} | {"reason": "duplicate"}
    return {
        "contract.suspend": {"invoice": "in_1"} if n % 2 else {},
        "contract.downgrade": {"plan": ("free", "team")[n % 2]},
        "contract.restore": {"undoes": "contract.suspend"}, "ticket.note": {"text": f"Called them, {n}."},
        "ticket.tag": {"tags": ["billing", f"case_{n}"]},
    }[kind]  # fmt: skip


def collect(sandbox):
    """Customers at the payment provider with one collected payment each."""
    made = []
    for minor, currency, paid in MONEY:
        customer = play(sandbox, "create_customer", name="Initech Labs", email="ap@initech.example")["customer"]
        sub = play(sandbox, "create_subscription", customer=customer, mrr=paid, currency=currency)["subscription"]
        done = play(sandbox, "pay_invoice", subscription=sub)
        bought = {"payment": done["charge"], "amount_minor": minor, "currency": currency}
        made.append({**bought, "customer": customer, "subscription": sub})
    return made


def play(sandbox, verb, **params):
    return sandbox.post(f"/_play/stripe/{verb}", params)


def lay_out(case):
    """The customer, contract and everything known about them, the same each time."""
    customer = f.CustomerFactory(external_id=case.customer, name=f"Customer {case.n}", tier=case.tier)
    owed = {"in_1": {"first_failed": 1, "newest": [1, 1, 0]}}
    contract = f.ContractFactory(
        external_id=case.contract, customer=customer, state=case.state, plan="growth", dunning=owed
    )
    for system, kind in (("netsuite", "contract"), ("zendesk", "ticket")):
        f.ExternalIdFactory(system=system, kind=kind, value=f"{case.n}", customer=customer, contract=contract)
    for kind in ("customer", "subscription") if case.bought else ():
        more = {} if kind == "customer" else {"contract": contract}
        f.ExternalIdFactory(kind=kind, value=case.bought[kind], customer=customer, **more)
    billing = {"synced_at": READ, "open_disputes": case.disputes, "fraud_flag": case.fraud}
    ContextRecord.objects.create(customer=customer, blocks={f"billing:{contract.pk}": billing})
    if case.kind == "contract.restore":
        f.ActionFactory(
            state="applied", customer=customer, contract=contract, target=f"done:{case.n}",
            business_key=f"done:{case.n}",
        )  # fmt: skip
    return contract
