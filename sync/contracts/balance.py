"""Lines of the billing provider's balance, with the object that each is of, as reads show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gates.playbooks.accounting import Fact
from sync.contracts import members
from sync.contracts.members import DriftError
from sync.contracts.refunds import MARK


def fact(row: Mapping[str, Any]) -> Fact:
    """Read one line whose `source` came expanded, or is none; DriftError where not even its id and time are readable.

    Any other member that cannot be read is said as its `flaw`: one strange line keeps nobody from reading the others.
    """
    made_at = members.unix_time(row, "created")
    if made_at is None:
        raise DriftError("created", "empty")
    name = members.text(row, "id")
    try:
        return _whole(row, name, made_at)
    except DriftError as error:
        return Fact(name, _category(row), 0, 0, "", made_at, flaw=str(error)[:100])


def _category(row: Mapping[str, Any]) -> str:
    try:
        return members.text_or_blank(row, "reporting_category")
    except DriftError:
        return ""


def _whole(row: Mapping[str, Any], name: str, made_at: datetime) -> Fact:
    found = row.get("source")
    if found is not None and not isinstance(found, dict):
        raise DriftError("source", "is not expanded")
    source: Mapping[str, Any] = found or {}
    is_charge = source.get("object") == "charge"
    return Fact(
        id=name,
        category=members.text_or_blank(row, "reporting_category") or members.text(row, "type"),
        amount=members.integer(row, "amount"),
        fee=members.integer(row, "fee"),
        currency=members.currency(row),
        made_at=made_at,
        source=members.text_or_blank(source, "id"),
        source_minor=_amount(source),
        source_currency=members.currency(source) if source.get("currency") else "",
        status=members.text_or_blank(source, "status"),
        customer=members.reference(source, "customer"),
        charge=members.text(source, "id") if is_charge else members.reference(source, "charge"),
        mark=members.labels(source).get(MARK, "") if source else "",
    )


def _amount(source: Mapping[str, Any]) -> int | None:
    """What was collected or given back, in the currency of the object itself; of what leaves us it may be below 0."""
    name = "amount_captured" if "amount_captured" in source else "amount"
    return members.integer(source, name) if source.get(name) is not None else None
