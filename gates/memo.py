"""The dunning memo of a contract: payment events folded by the provider's time, so that arrival order does not matter.

Shape: `{invoice id: {"first_failed", "newest", "next_attempt", "attempts", "paid_at", "closed_at", "number",
"amount_due", "currency", "late"}}`, times as Unix seconds. Folding is commutative, associative and idempotent: any
order of the same events, with any repeats, ends in the same memo.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

KEEP_SETTLED = 24


@dataclass(frozen=True, slots=True)
class PaymentSeen:
    """One payment event of one invoice. `outcome` is failed, paid or closed; `at` the provider's own time."""

    invoice_id: str
    outcome: str
    at: datetime
    next_attempt_at: datetime | None = None
    attempt_count: int = 0
    number: str = ""
    amount_due: int | None = None
    currency: str = ""
    late: bool = False


def fold(memo: Mapping[str, Any], seen: PaymentSeen) -> dict[str, Any]:
    """The memo with one more event in it."""
    entry = dict(memo.get(seen.invoice_id, {}))
    at = int(seen.at.timestamp())
    if seen.outcome == "failed":
        entry["first_failed"] = min(entry.get("first_failed", at), at)
        version = [at, seen.attempt_count, int(seen.next_attempt_at.timestamp()) if seen.next_attempt_at else 0]
        said = {"number": seen.number, "amount_due": seen.amount_due, "currency": seen.currency}
        if (version, _rank(said)) >= (entry.get("newest", [0, 0, 0]), _rank(entry)):
            entry |= {"newest": version, **said}
        if seen.late:  # one that came too late is enough for a person to look, whichever came first
            entry["late"] = True
    else:
        name = "paid_at" if seen.outcome == "paid" else "closed_at"
        entry[name] = min(entry.get(name, at), at)
    return _trim({**memo, seen.invoice_id: entry})


def _rank(said: Mapping[str, Any]) -> tuple[str, int, str]:
    """Decides between two failures of the same moment: any order will do, as long as it is always the same."""
    return said.get("number", ""), said.get("amount_due") or 0, said.get("currency", "")


def _trim(memo: dict[str, Any]) -> dict[str, Any]:
    """Old settled invoices are dropped; what is owed is always kept."""
    settled = sorted((_settled_at(entry), key) for key, entry in memo.items() if _settled_at(entry))
    for _, key in settled[:-KEEP_SETTLED]:
        del memo[key]
    return memo


def _settled_at(entry: Mapping[str, Any]) -> int:
    times = [entry[name] for name in ("paid_at", "closed_at") if name in entry]
    return min(times) if times else 0


def owes(entry: Mapping[str, Any]) -> bool:
    """Whether a payment of this invoice failed and nothing settled it: a settled invoice never becomes owed again."""
    return "first_failed" in entry and not _settled_at(entry)


def owed(memo: Mapping[str, Any]) -> list[str]:
    """The invoices that are owed, first failure first."""
    return sorted((key for key, entry in memo.items() if owes(entry)), key=lambda key: (memo[key]["first_failed"], key))


def failed_at(entry: Mapping[str, Any]) -> datetime | None:
    """When it first failed."""
    return datetime.fromtimestamp(entry["first_failed"], UTC) if "first_failed" in entry else None


def next_attempt(entry: Mapping[str, Any]) -> datetime | None:
    """The provider's next planned try, by the newest failure known."""
    seconds = entry.get("newest", [0, 0, 0])[2]
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
