"""Differences in words: what it is, and what would put it right. No values: sentences travel to queues and chats."""

from collections.abc import Mapping

from django.utils.text import capfirst

from ledger import cells
from ledger.words import from_identifier
from sync.reconcile import checks
from sync.reconcile.models import Delta

WHY = {
    "customer_renamed": "was renamed", "customer_inactive": "was made inactive",
    "organization_merged": "was merged into another one", "organization_deleted": "was deleted",
}  # fmt: skip


def class_words(kind: str, check_name: str, count: int = 1) -> str:
    """A class as a clause; of a missing record the system that lacks it, since nobody knows which side is which."""
    left, right = map(cells.system, checks.sides(check_name))
    many = count != 1
    return {
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
    head = capfirst(class_words(delta.kind, delta.check_name))
    return f"{head}: {about}" if about else head


def sentence(delta: Delta) -> str:
    """What differs, by ids."""
    left, right = map(cells.system, checks.sides(delta.check_name))
    return {
        "missing_left": f"{delta.key} is in {right}, but no record of {left} carries it.",
        "missing_right": f"{delta.key} is in {left}, but no record of {right} carries it.",
        "field_differs": f"{delta.key}: {delta.field} is another one in {left} than in {right}.",
        "duplicate": f"{delta.key} belongs to several records of {cells.system(delta.field)}.",
        "identity": f"{delta.key} {WHY.get(delta.field, 'changed')}: somebody has to confirm who it is.",
    }[delta.kind]


def fix(delta: Delta) -> str:
    """What would put it right; the system whose word counts is copied from, never into."""
    left, right = map(cells.system, checks.sides(delta.check_name))
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
