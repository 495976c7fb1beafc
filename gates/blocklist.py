"""The list of what may not be cancelled: customers, tiers, contracts and reasons, with who put them there and why.

No stage and no approval gets past an entry; taking it off is a person's own decision with a row of its own.
"""

import time
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gates.models import CancellationBlock
from gates.stop import Refused
from ledger import book, clock
from ledger.models import Contract, Customer

PERMISSION = "gates.edit_cancellation_block"
KIND = "subscription.cancel"
REASONS = ("requested_by_customer", "unpaid", "fraudulent", "duplicate", "other")
FRESH_SECONDS = 0.5
MOST = 1000
What = CancellationBlock.What
Key = tuple[str, str]

_held: list[tuple[float, dict[Key, int]]] = []


def hit(kind: str, params: Mapping[str, Any], customer: str, contract: str, tier: str) -> str:
    """The entry by which this may not be cancelled, as `tier enterprise (entry 3)`; empty where none stands.

    Reads the list at most every half second; call it where the database may be used.
    """
    if kind != KIND:
        return ""
    named = {What.CUSTOMER: customer, What.CONTRACT: contract, What.TIER: tier, What.REASON: params.get("reason")}
    for what, value in named.items():
        entry = current().get((str(what), str(value or "")))
        if entry is not None:
            return f"{what} {value} (entry {entry})"
    return ""


def current() -> dict[Key, int]:
    """The entries that stand: (what, value) -> number."""
    if not _held or time.monotonic() - _held[0][0] >= FRESH_SECONDS:
        rows = CancellationBlock.objects.filter(ended_at=None).values_list("what", "value", "pk")
        _held[:] = [(time.monotonic(), {(what, value): pk for what, value, pk in rows})]
    return _held[0][1]


def forget() -> None:
    """What was read is old."""
    _held.clear()


def add(what: str, value: str, why: str, *, by: User) -> CancellationBlock:
    """Put something on the list. Raises Refused: 403 permission, 409 it is there already, 422 a field."""
    _permit(by, "add_block", 0)
    value, why = _value(what, value.strip()), _why(why)
    if CancellationBlock.objects.filter(ended_at=None).count() >= MOST:
        raise Refused(422, "value", f"value: the list has {MOST} entries; take some off, or block a whole tier")
    try:
        with transaction.atomic():
            made = CancellationBlock.objects.create(what=what, value=value, why=why, added_by=by)
            _write(made.pk, "add_block", by, {"what": what, "value": value})
    except IntegrityError:
        raise Refused(409, "value", f"value: {what} {value} is on the list already") from None
    forget()
    return made


def end(key: int, why: str, *, by: User) -> CancellationBlock:
    """Take an entry off. Raises Refused: 403 permission, 404 no such entry, 422 without a reason."""
    _permit(by, "end_block", key)
    said = _why(why)
    with transaction.atomic():
        found = CancellationBlock.objects.select_for_update(of=("self",)).filter(pk=key, ended_at=None).first()
        if found is None:
            raise Refused(404, "unknown", "there is no such entry on the list; perhaps somebody took it off")
        found.ended_at, found.ended_by = clock.now(), by
        found.save(update_fields=["ended_at", "ended_by"])
        _write(key, "end_block", by, {"what": found.what, "value": found.value}, said)
    forget()
    return found


def _value(what: str, value: str) -> str:
    """What is named has to be there. Raises Refused 422."""
    if what not in What.values:
        raise Refused(422, "what", f"what: one of {', '.join(What.values)}")
    choices = {What.TIER: Customer.Tier.values, What.REASON: list(REASONS)}.get(What(what))
    if choices is not None:
        if value not in choices:
            raise Refused(422, "value", f"value: a {what} is one of {', '.join(choices)}")
        return value
    model = Customer if what == What.CUSTOMER else Contract
    if not value.isprintable() or not model._default_manager.filter(external_id=value[:64]).exists():
        shown = "cus_..." if what == What.CUSTOMER else "con_..."
        raise Refused(422, "value", f"value: there is no {what} {value[:64]!r}; give its external id ({shown})")
    return value


def _why(why: str) -> str:
    said = why.strip()
    if not 1 <= len(said) <= 300 or not said.isprintable():
        raise Refused(422, "why", f"why: 1 to 300 characters on one line, this has {len(said)}; no personal data")
    return said


def _permit(by: User, decision: str, key: int) -> None:
    if by.is_active and by.has_perm(PERMISSION):
        return
    _write(key, decision, by, {}, "permission", outcome="refused")
    raise Refused(403, "permission", f"your account may not change the list; it needs the permission {PERMISSION}")


def _write(
    key: int, decision: str, by: User, about: Mapping[str, Any], reason: str = "", *, outcome: str = "changed"
) -> None:
    row = {
        "subject_kind": "routing", "subject_id": f"block:{key}", "decision": decision, "actor": f"user:{by.pk}",
        "prior_state": "in force", "post_state": "in force", "outcome": outcome, "inputs": dict(about),
        "reasons": [{"rule": "reason", "reason": reason}] if reason else [],
        "error_code": "permission" if outcome == "refused" else "",
    }  # fmt: skip
    book.write_rows([row])
