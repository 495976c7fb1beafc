"""Which checks there are beside that of customers: their lists, in the order they are read, and how they are joined.

Our own lists come last: what happened while the others were read is then seen as what moved, not as missing.
"""

from django.conf import settings

from sync.reconcile.matching import AMOUNT, DIFFERS, LEFT, RIGHT, Field, Leg
from sync.reconcile.pairing import Pairing, Reader
from sync.reconcile.sides import accounting, netsuite, own, stripe, zendesk

RESOLVER, SUPPORT, ENGINEER = "Billing Resolver", "Support Manager", "Automation Engineer"
CONTRACT_WRITES = ("contract.suspend", "contract.downgrade", "contract.restore", "contract.cancel")
ENDS = ("subscription.cancel", "subscription.uncancel")

SUBSCRIPTIONS = Pairing(
    "subscriptions", "Subscriptions at billing and contracts in the ERP", "stripe", "netsuite",
    {"billing": ("stripe", stripe.subscriptions), "books": ("netsuite", netsuite.contracts)}, {},
    (
        Leg(
            "billing", "books", ("stripe", "subscription"), ("netsuite", "contract"),
            (
                Field("ended", owner="stripe"), Field("standing", owner="stripe", optional=True),
                Field("monthly amount", AMOUNT, owner="netsuite", optional=True),
            ),
            group=RESOLVER, writes=(*CONTRACT_WRITES, *ENDS), excused="yes",
        ),
    ),
    group=RESOLVER,
)  # fmt: skip
INVOICES = Pairing(
    "invoices", "Invoices at billing and in the ERP", "stripe", "netsuite",
    {"billing": ("stripe", stripe.invoices), "books": ("netsuite", netsuite.invoices)}, {},
    (
        Leg(
            "billing", "books", ("stripe", "invoice"), ("netsuite", "invoice"),
            (
                Field("void", owner="stripe"), Field("total", AMOUNT, owner="stripe"),
                *([Field("paid", owner="stripe", optional=True)] if settings.MESHLINE_RECONCILE_INVOICES == "all"
                  else []),
            ),
            (LEFT, RIGHT, DIFFERS) if settings.MESHLINE_RECONCILE_INVOICES == "all" else (LEFT, DIFFERS),
            group=RESOLVER, excused="yes",
        ),
    ),
    group=RESOLVER,
)  # fmt: skip
REFUNDS = Pairing(
    "refunds", "Refunds of ours, at billing and in the ERP", "meshline", "stripe",
    {"given": ("stripe", stripe.refunds), "books": ("netsuite", netsuite.memos)},
    {"ours": own.refunds, "booked": own.booked},
    (
        Leg(
            "ours", "billing", ("meshline", "refund"), ("stripe", "refund"),
            (Field("amount", AMOUNT, owner="stripe"), Field("refund", owner="stripe", optional=True)), group=RESOLVER,
        ),
        Leg(
            "booked", "books", ("meshline", "refund"), ("netsuite", "creditmemo"),
            (Field("amount", AMOUNT, owner="stripe"),), (RIGHT, DIFFERS), mark="credit_memo", group=RESOLVER,
            writes=("credit_memo.create",),
        ),
        Leg(
            "given", "books", ("stripe", "refund"), ("netsuite", "creditmemo"), (), (LEFT,), mark="memo_of",
            group=RESOLVER,
        ),
    ),
    group=RESOLVER, feeds={"given": ("given", "billing")}, counts_doubles=("billing", "books", "booked"),
)  # fmt: skip
TICKETS = Pairing(
    "tickets", "States of tickets", "zendesk", "meshline", {"desk": ("zendesk", zendesk.tickets)},
    {"ours": own.tickets},
    (
        Leg(
            "desk", "ours", ("zendesk", "ticket"), ("meshline", "ticket"), (Field("state", owner="zendesk"),),
            (LEFT, DIFFERS), group=SUPPORT, writes=("ticket.reply", "outreach.ticket"),
        ),
    ),
    group=SUPPORT,
)  # fmt: skip
SOURCES: dict[str, tuple[str, Reader]] = {
    "refunds": ("stripe", stripe.marked("refunds")), "billing_customers": ("stripe", stripe.marked("customers")),
    "subscriptions": ("stripe", stripe.marked("subscriptions")),
    "erp_customers": ("netsuite", netsuite.marked("customer")),
    "erp_contracts": ("netsuite", netsuite.marked("contract")),
    "erp_invoices": ("netsuite", netsuite.marked("invoice")),
    "erp_memos": ("netsuite", netsuite.marked("creditmemo")), "tickets": ("zendesk", zendesk.opened),
}  # fmt: skip
ACTIONS = Pairing(
    "actions", "What we did and what the systems have of it", "meshline", "providers",
    SOURCES,
    {"made": own.made, "marks": own.marks},
    (
        Leg("made", "objects", ("meshline", "action"), ("providers", "record"), kinds=(RIGHT,), group=ENGINEER),
        Leg("marks", "marked", ("meshline", "action"), ("providers", "record"), kinds=(LEFT,), group=ENGINEER),
    ),
    group=ENGINEER, counts_doubles=("marked",), also=own.doubtful,
    # A list that is not whole lacks only its own records: `made` leaves those out, and the rest is judged.
    feeds=dict.fromkeys(SOURCES, ()),
)  # fmt: skip
EVENTS = Pairing(
    "events", "Events at billing and our inbox", "stripe", "meshline", {"billing": ("stripe", stripe.events)},
    {"inbox": own.inbox},
    (
        Leg(
            "billing", "inbox", ("stripe", "event"), ("meshline", "event"), kinds=(RIGHT,), group=ENGINEER,
            is_echo=True,
        ),
    ),
    group=ENGINEER, counts_doubles=("billing",), is_window=True,
)  # fmt: skip
ACCOUNTING = Pairing(
    "accounting", "Billing's balance and the ERP's books", "stripe", "netsuite",
    {
        "balance": ("stripe", accounting.balance), "payments": ("netsuite", accounting.payments),
        "journals": ("netsuite", accounting.journals),
    },
    {},
    (
        Leg(
            "billing", "books", ("stripe", "balance_transaction"), ("netsuite", "record"),
            (Field("amount", AMOUNT, owner="stripe"),), group=RESOLVER, writes=accounting.WRITES,
        ),
    ),
    group=RESOLVER, totals=accounting.totals,
    feeds={"balance": ("billing",), "payments": ("books",), "journals": ("books",)},
)  # fmt: skip
PAIRINGS = (SUBSCRIPTIONS, INVOICES, REFUNDS, TICKETS, ACTIONS, EVENTS, ACCOUNTING)
