"""The entitlement snapshot: what is known of a customer and a contract, each value with the age of its source."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger import cells, clock
from ledger.models import ContextRecord, Contract, Customer
from ledger.readonly import page_of
from meshline.console import facts
from meshline.console.page import Block
from sync import enrich, refresh

SHOWN_PENDING = timedelta(seconds=3)
LOST = timedelta(minutes=2)
MOST_INVOICES = 6
OF_A_DEAL = ("deal", "account")  # what is read before anything of a signed deal is billed
OPEN_INVOICE = ("open", "past_due", "uncollectible")


@dataclass(frozen=True, slots=True)
class Source:
    """One block of the context: which system it is from, when it was read, and whether that is too long ago."""

    name: str
    system: str
    block: Mapping[str, Any]
    read_at: datetime | None

    @property
    def stale(self) -> bool:
        """Whether decisions that need it wait for a fresh read."""
        limit = timedelta(seconds=settings.MESHLINE_CONTEXT_MAX_AGE_SECONDS)
        return self.read_at is None or clock.now() - self.read_at > limit

    @property
    def age(self) -> SafeString:
        """`Stripe 38 s`, amber and in words when it is over its limit."""
        if self.read_at is None:
            return format_html('<span class="age is-stale">{} {}</span>', self.system, "never read")
        old, late = cells.length(clock.now() - self.read_at), self.stale
        return format_html(
            '<time class="age{}" datetime="{}" title="{}">{} {}{}</time>',
            " is-stale" if late else "", self.read_at.isoformat(), cells.utc(self.read_at), self.system, old,
            ", too old" if late else "",
        )  # fmt: skip


def sources(record: ContextRecord | None, contract_id: int | None) -> dict[str, Source]:
    """The blocks of a contract by name; a block of the customer as a whole serves where the contract has none."""
    blocks = record.blocks if record is not None and isinstance(record.blocks, Mapping) else {}
    found = {}
    billed = any(f"{name}:{contract_id}" in blocks or name in blocks for name in refresh.BLOCKS)
    for name in refresh.BLOCKS if billed else OF_A_DEAL:
        raw = blocks.get(f"{name}:{contract_id}", blocks.get(name))
        if isinstance(raw, Mapping):
            found[name] = Source(name, cells.system(enrich.PROVIDER_OF[name]), raw, facts.instant(raw.get("synced_at")))
    return found


def unread(found: Mapping[str, Source]) -> list[str]:
    """Systems that nothing was read from yet."""
    seen = {one.system for one in found.values()}
    return [system for name in refresh.BLOCKS if (system := cells.system(enrich.PROVIDER_OF[name])) not in seen]


@dataclass(frozen=True, slots=True)
class Reading:
    """The reading a person asked for: going on, lost, or what came of it."""

    pending_for: str = ""
    lost: bool = False
    failed: tuple[tuple[str, str], ...] = ()
    at: datetime | None = None


def reading(record: ContextRecord | None) -> Reading:
    """How the last fresh read goes or went."""
    if record is None:
        return Reading()
    note = record.blocks.get(refresh.NOTE) if isinstance(record.blocks, Mapping) else None
    failed = note.get("failed") if isinstance(note, Mapping) else None
    told = tuple(
        (cells.system(enrich.PROVIDER_OF.get(str(name), str(name))), cells.plain(why, 200))
        for name, why in (failed.items() if isinstance(failed, Mapping) else ())
    )
    since = record.pending_since
    waited = clock.now() - since if since else timedelta()
    return Reading(
        cells.length(waited) if since else "", waited > LOST, told,
        facts.instant(note.get("synced_at")) if isinstance(note, Mapping) else None,
    )  # fmt: skip


def block(
    customer: Customer, contract: Contract | None, record: ContextRecord | None, refunds: Any, *, may_refresh: bool
) -> Block:
    """The box beside the decision. `refunds` is the sum of 30 days against its limit, ready to be shown."""
    found = sources(record, contract.pk if contract else None)
    data = {
        "pairs": _pairs(customer, contract, found, refunds),
        "invoices": invoices(found),
        "open_invoices": sum(1 for one in invoices(found) if one["open"]),
        "ages": [one.age for one in found.values()],
        "unread": unread(found),
        "stale": any(one.stale for one in found.values()),
        "reading": reading(record),
        "may_refresh": may_refresh,
        "customer": customer,
    }
    return Block("Entitlement snapshot", template="console/snapshot.html", data=data, anchor="snapshot")


def _pairs(
    customer: Customer, contract: Contract | None, found: Mapping[str, Source], refunds: Any
) -> list[tuple[str, Any]]:
    billing = found["billing"].block if "billing" in found else {}
    pairs: list[tuple[str, Any]] = [
        ("Customer", format_html("{}, {}", page_of(customer, cells.theirs(customer, 80)), customer.get_tier_display()))
    ]
    if contract is not None:
        until = format_html(" to {}", cells.moment(contract.ends_at)) if contract.ends_at else ""
        pairs += [
            ("Plan", cells.theirs(contract.plan) if contract.plan else cells.dash()),
            (
                "Contract",
                format_html(
                    "{} {}{}", cells.tag(contract.state, contract.get_state_display()),
                    page_of(contract, cells.code(contract.external_id, keep=8)), until,
                ),
            ),
        ]  # fmt: skip
    subscription = str(billing.get("subscription_status") or "")
    pairs += [
        ("Subscription", cells.tag(subscription, subscription.replace("_", " ")) if subscription else cells.dash()),
        ("Monthly revenue", cells.amount(customer.mrr_minor, customer.currency)),
        ("Customer for", tenure(contract)),
        ("Open disputes", _loud(billing.get("open_disputes"), bad=bool(billing.get("open_disputes")))),
        ("Fraud warning", _loud(facts.value("", billing.get("fraud_flag")), bad=bool(billing.get("fraud_flag")))),
    ]
    if refunds is not None:
        pairs.append(("Refunds in 30 days", refunds))
    coming = next_try(found)
    if coming is not None:
        pairs.append(("Next payment try", cells.ago(coming)))
    return pairs


def _loud(value: Any, *, bad: bool) -> Any:
    if value is None:
        return cells.dash()
    return format_html('<b class="is-bad">{}</b>', value) if bad else value


def tenure(contract: Contract | None) -> str:
    """How long the contract runs, in years and months."""
    if contract is None or contract.started_at is None:
        return "not known, so it counts as long"
    now = clock.now()
    months = max(0, (now.year - contract.started_at.year) * 12 + now.month - contract.started_at.month)
    return f"{months // 12} y {months % 12} m" if months >= 12 else f"{months} m"


def invoices(found: Mapping[str, Source]) -> list[dict[str, Any]]:
    """The invoices of the billing block as rows of number, status, amount, what is open, tries."""
    rows = found["billing"].block.get("invoices") if "billing" in found else None
    return [
        {
            "number": cells.theirs(one.get("number") or one.get("id") or "", 40),
            "status": cells.tag(_tone(one), str(one.get("status") or "unknown").replace("_", " ")),
            "open": one.get("status") in OPEN_INVOICE,
            "amount": _money(one, "amount_due"),
            "left": _money(one, "amount_remaining"),
            "tries": one.get("attempt_count") or 0,
        }
        for one in (rows if isinstance(rows, list) else [])[:MOST_INVOICES]
        if isinstance(one, Mapping)
    ]


def _tone(invoice: Mapping[str, Any]) -> str:
    return {"paid": "applied", "open": "past_due", "uncollectible": "failed"}.get(str(invoice.get("status")), "")


def _money(invoice: Mapping[str, Any], name: str) -> SafeString:
    value = invoice.get(name)
    return cells.amount(value if isinstance(value, int) else None, str(invoice.get("currency") or ""))


def next_try(found: Mapping[str, Source]) -> datetime | None:
    """When the billing provider next tries to collect an open invoice."""
    rows = found["billing"].block.get("invoices") if "billing" in found else None
    times = [
        facts.instant(one["next_attempt_at"])
        for one in (rows if isinstance(rows, list) else [])
        if isinstance(one, Mapping) and one.get("next_attempt_at") and one.get("status") in OPEN_INVOICE
    ]
    return min((one for one in times if one is not None), default=None)
