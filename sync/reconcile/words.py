"""Differences in words: what it is, and what would put it right. No values: sentences travel to queues and chats."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.text import capfirst

from ledger import cells, money
from ledger.words import from_identifier
from sync.reconcile import checks
from sync.reconcile.models import Delta

WHY = {
    "customer_renamed": "was renamed", "customer_inactive": "was made inactive",
    "organization_merged": "was merged into another one", "organization_deleted": "was deleted",
}  # fmt: skip


# What would put it right, where it is another thing than the usual one.
OF_CLASSES = {
    "echo": "nothing: the next run closes it, or calls it a difference when it stays",
    "unknown_outcome": "open the action and have it checked; the provider's own record decides whether it was done",
}
OF_CHECKS = {
    (
        "subscriptions",
        "missing_left",
    ): "find out which subscription the contract is about, and correct its id in the ERP",
    (
        "subscriptions",
        "missing_right",
    ): "make the contract in the ERP with this subscription's id, or end the subscription",
    ("refunds", "missing_left"): "look who made the refund in our name; finance books it by hand where it stands",
    ("refunds", "missing_right"): "finance compares the payment with the books and writes what is missing by hand",
    ("invoices", "missing_left"): "correct the invoice's number in the ERP, or void it there",
    ("invoices", "missing_right"): "replicate the invoice into the ERP, or accept it with a reason",
    ("tickets", "missing_left"): "look the ticket up at the support desk: it was deleted or merged and nobody told us",
    ("tickets", "field_differs"): "the support desk decides: open the ticket there, its next change is heard again",
    (
        "actions",
        "missing_left",
    ): "look at the record: it carries a mark of ours, and no confirmed action of ours made it",
    (
        "actions",
        "missing_right",
    ): "look whether the record was deleted; if so, compensate the action or ask for it anew",
    (
        "accounting",
        "missing_right",
    ): "ask for the record from here; where finance booked it by hand, give that record this external id, or accept it",
    (
        "accounting",
        "missing_left",
    ): "have finance void the record in the ERP: billing moved no such money, or took it back",
    ("accounting", "field_differs"): "billing decides: have finance void the record, then ask for it anew",
    ("accounting", "duplicate"): "have finance void all but the one record that carries the external id",
    ("events", "missing_right"): "fetch the event; when many are missing, look at the webhook in Connections",
}


def class_words(kind: str, check_name: str, count: int = 1, about: str = "") -> str:
    """A class as a clause; of a missing record the system that lacks it, since nobody knows which side is which."""
    left, right = map(_system, checks.sides(check_name, about))
    many = count != 1
    return {
        "echo": "echoes of our own writes" if many else "echo of our own write",
        "unknown_outcome": "unknown outcomes" if many else "unknown outcome",
        "missing_left": f"missing in {left}",
        "missing_right": f"missing in {right}",
        "field_differs": "fields differ" if many else "field differs",
        "duplicate": "duplicates" if many else "duplicate",
        "identity": "identity",
    }.get(kind, kind)


def counts_words(counts: Mapping[str, int], check_name: str) -> str:
    """How many there are of each class: `1 duplicate, 4 fields differ`; "" for none."""
    return ", ".join(f"{count} {class_words(kind, check_name, count)}" for kind, count in sorted(counts.items()))


def title(delta: Delta) -> str:
    """Its class, and the field or the side."""
    about = cells.plain(delta.field, 60)
    if delta.kind == Delta.Kind.IDENTITY:
        about = from_identifier(delta.field).lower()
    elif delta.kind == Delta.Kind.DUPLICATE:
        return f"Duplicate in {cells.system(delta.field)}"
    head = capfirst(class_words(delta.kind, delta.check_name, about=delta.field))
    about = about.partition(".")[2] if is_leg(delta) else about
    return f"{head}: {about}" if about else head


def is_leg(delta: Delta) -> bool:
    """Whether what it names begins with the part of the check that found it."""
    found = checks.CHECKS.get(delta.check_name)
    return found is not None and delta.field.partition(".")[0] in found.sides


TOTALS = {
    "payment": "payments", "refund": "refunds", "fee": "fees", "fee_back": "fees given back",
    "dispute": "disputes taken back", "dispute_back": "disputes returned", "net": "net of all",
}  # fmt: skip


def totals_cells(totals: Sequence[Sequence[Any]]) -> list[tuple[str, str, str, str]]:
    """What was added up, as rows: of what, the two sides with their number of records, and what one lacks."""
    return [
        (
            f"{TOTALS.get(word, word)}, {currency.upper()}", f"{money.display(left_minor, currency)} ({left})",
            f"{money.display(right_minor, currency)} ({right})", money.display(right_minor - left_minor, currency),
        )
        for word, currency, left, left_minor, right, right_minor in totals
    ]  # fmt: skip


def totals_lines(totals: Sequence[Sequence[Any]], left: str, right: str) -> list[str]:
    """The same as lines for a shell."""
    return [
        f"        {what}: {left} {one}, {right} {other}, difference {gap}"
        for what, one, other, gap in totals_cells(totals)
    ]


def totals_by_name(totals: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """The same for programs, in minor units."""
    names = ("of", "currency", "left_records", "left_minor", "right_records", "right_minor")
    return [dict(zip(names, one, strict=True)) for one in totals]


def _system(name: str) -> str:
    return {"providers": "the other systems", "meshline": "Meshline"}.get(name) or cells.system(name)


def sentence(delta: Delta) -> str:
    """What differs, by ids."""
    left, right = map(_system, checks.sides(delta.check_name, delta.field))
    return {
        "echo": f"{delta.key}: one side already shows a write of ours of the last minutes, the other does not yet.",
        "unknown_outcome": f"{delta.key}: nobody knows yet whether a write of ours was carried out.",
        "missing_left": f"{delta.key} is in {right}, but no record of {left} carries it.",
        "missing_right": f"{delta.key} is in {left}, but no record of {right} carries it.",
        "field_differs": f"{delta.key}: {delta.field} is another one in {left} than in {right}.",
        "duplicate": f"{delta.key} belongs to several records of {cells.system(delta.field)}.",
        "identity": f"{delta.key} {WHY.get(delta.field, 'changed')}: somebody has to confirm who it is.",
    }[delta.kind]


def fix(delta: Delta) -> str:
    """What would put it right; the system whose word counts is copied from, never into."""
    left, right = map(_system, checks.sides(delta.check_name, delta.field))
    told = OF_CHECKS.get((delta.check_name, str(delta.kind))) or OF_CLASSES.get(str(delta.kind))
    if told:
        return told
    if delta.kind == Delta.Kind.FIELD_DIFFERS:
        if delta.owner_system == "netsuite":
            return f"{right} decides about {delta.field}: correct it in {left}, or in {right} where that is wrong"
        return f"{cells.system(delta.owner_system)} decides about {delta.field}: correct it in {right}"
    return {
        "missing_left": f"put the external id back into the deal in {left}, or find out whose customer this is",
        "missing_right": f"look for it in {right} and give it this external id again; if it is gone, finance makes it "
        f"there under the same external id",
        "duplicate": f"merge the records in {cells.system(delta.field)} and keep the one with the external id",
        "identity": "look at both names and confirm who the customer is",
    }[delta.kind]
