"""Stored JSON as people read it: amounts in their currency, times in words, lists as tables. Everything is escaped."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ledger import cells, clock
from ledger.models import ContextRecord
from ledger.words import from_identifier
from meshline.console.page import Block

BLOCKS = {
    "billing": "Billing",
    "entitlement": "Entitlement",
    "support": "Support desk",
    "erp": "ERP",
}
MONEY = ("amount", "amount_due", "amount_remaining", "amount_paid", "mrr", "total")
LABELS = {
    "mrr_minor": "Monthly revenue",
    "mrr": "Monthly revenue",
    "erp_status": "Status in the ERP",
    "id": "Id",
    "next_attempt_at": "Next payment try",
    "attempt_count": "Payment tries",
    "fraud_flag": "Fraud warning",
    "open_disputes": "Open disputes",
    "erp_record_id": "ERP record",
    "tenure_months": "Customer for",
    "number": "Invoice",
    "amount_remaining": "Open",
    "amount_due": "Amount",
    "period_end": "Paid period ends",
    "cancel_at_period_end": "Ends after this period",
    "record": "Record",
    "ticket": "Ticket",
    "last_action": "Last changed by action",
    "ends_at": "Contract ends",
    "started_at": "Contract began",
    "updated_at": "Changed",
}
PLAIN_WORD = re.compile(r"[a-z]+(_[a-z]+)*")
SHORT = ("number", "status", "amount_remaining", "amount_due")
OLDEST, NEWEST = 0, 4_102_444_800  # outside of these a number is no time of ours (1970 to 2100)
MOST_ROWS = 12


def label(name: str) -> str:
    """A member's name in words."""
    return LABELS.get(name) or from_identifier(name.removesuffix("_minor").removesuffix("_at"))


def value(name: str, raw: Any, currency: str = "") -> Any:
    """One stored value as it is shown."""
    if raw is None or raw == "":
        return cells.dash()
    if isinstance(raw, bool):
        return "yes" if raw else "no"
    if isinstance(raw, int) and (name.endswith("_minor") or name in MONEY):
        return cells.amount(raw, currency)
    if name == "tenure_months" and isinstance(raw, int):
        years, months = divmod(raw, 12)
        return f"{years} y {months} m" if years else f"{months} m"
    if name.endswith(("_at", "_end", "_until")) or name in ("at", "now", "until"):
        at = instant(raw)
        if at is not None:
            return cells.moment(at)
    if isinstance(raw, Mapping):
        return inline(raw)
    if isinstance(raw, (list, tuple)):
        return format_html_join(", ", "{}", ((value("", one),) for one in raw[:MOST_ROWS])) or cells.dash()
    if PLAIN_WORD.fullmatch(str(raw)) and name.endswith(("status", "state", "tier")):
        return str(raw).replace("_", " ")
    return cells.theirs(raw, 300)


def instant(raw: Any) -> datetime | None:
    """A stored time: ISO text or Unix seconds; None for what is none."""
    try:
        if isinstance(raw, (int, float)):
            return datetime.fromtimestamp(raw, UTC) if OLDEST < raw < NEWEST else None
        at = parse_datetime(str(raw))
    except (ValueError, OverflowError):
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def inline(raw: Mapping[str, Any]) -> SafeString:
    """A small object in one line."""
    currency = str(raw.get("currency") or "")
    shown = ((label(name), value(name, one, currency)) for name, one in raw.items() if name != "currency")
    return format_html_join(", ", "{}: {}", shown) or cells.dash()


def pairs(raw: Mapping[str, Any], *, skip: Sequence[str] = ()) -> list[tuple[str, Any]]:
    """An object as names and values; lists of objects are left to `tables`."""
    currency = str(raw.get("currency") or "")
    return [
        (label(name), value(name, one, currency))
        for name, one in raw.items()
        if name not in (*skip, "currency") and not _is_table(one)
    ]


def _is_table(raw: Any) -> bool:
    return isinstance(raw, (list, tuple)) and bool(raw) and all(isinstance(one, Mapping) for one in raw)


def table(raw: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """A list of objects as columns and rows."""
    known = list(dict.fromkeys(name for one in raw[:MOST_ROWS] for name in one if name != "currency"))
    names = ([name for name in SHORT if name in known] if "number" in known else known)[:3]
    rows = [[value(name, one.get(name), str(one.get("currency") or "")) for name in names] for one in raw[:MOST_ROWS]]
    return [label(name) for name in names], rows


def context_blocks(record: ContextRecord | None) -> list[Block]:
    """What is known of a customer, source by source, each with its age."""
    if record is None or not record.blocks:
        return [
            Block(
                "What we know", empty="Nothing was read about this customer yet. It is read when an event calls for it."
            )
        ]
    made = []
    for name, raw in record.blocks.items():
        if not isinstance(raw, Mapping):
            continue
        made.append(
            Block(
                BLOCKS.get(name) or from_identifier(name), pairs=pairs(raw, skip=("synced_at", "live")), note=age(raw)
            )
        )
        for member, rows in raw.items():
            if _is_table(rows):
                columns, shown = table(rows)
                made.append(Block(label(member), columns=columns, rows=shown, note=age(raw)))
    if record.pending_since:
        made.insert(
            0,
            Block("Pending", text=f"A read has been going on for {cells.length(clock.now() - record.pending_since)}."),
        )
    return made


def age(block: Mapping[str, Any]) -> SafeString:
    """How old a block is; past its limit it says so in words and colour."""
    read = instant(block.get("synced_at"))
    if read is None:
        return format_html('<span class="age is-stale">{}</span>', "never read")
    old = clock.now() - read
    stale = old > timedelta(seconds=settings.MESHLINE_CONTEXT_MAX_AGE_SECONDS)
    words = f"read {cells.length(old)} ago" + (", stale" if stale else "")
    return format_html(
        '<time class="age{}" datetime="{}" title="{}">{}</time>',
        " is-stale" if stale else "",
        read.isoformat(),
        cells.utc(read),
        words,
    )
