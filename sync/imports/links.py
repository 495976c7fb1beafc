"""What people do with a file of links: begin, confirm, discard. Every change has its ledger row, without addresses."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates.routing_edit import reason_of
from gates.stop import Refused
from ledger import book, clock
from ledger.models import Customer
from sync import correlate
from sync.customer_sync import links as erp_links
from sync.customer_sync import runs
from sync.imports import checking, reading
from sync.imports.models import LinkImport, LinkImportRow
from sync.portal import backfill

PERMISSION = "sync.import_links"
STANDS = timedelta(hours=24)
KEPT = timedelta(days=30)
BATCH = 1000
MOST_OPEN = 5
SYSTEM = "system:imports"


def begin(raw: bytes, *, by: User, name: str = "", queue: bool = True) -> LinkImport:
    """Read a file and store its rows to be checked; nothing else is written.

    Raises Refused: 403 permission, 409 too many wait for a decision, 422 a file that cannot be read.
    """
    permit(by, "begin_import")
    lines = reading.read(raw)
    now = clock.now()
    with transaction.atomic():
        open_ones = LinkImport.objects.filter(state__in=("checking", "ready"))
        if open_ones.count() >= MOST_OPEN:
            raise Refused(409, "open", f"{MOST_OPEN} imports wait for a decision; confirm or discard one first")
        batch = LinkImport.objects.create(
            file_name=reading.neutral(name)[:120], file_sha=hashlib.sha256(raw).hexdigest(), asked_by=_actor(by),
            asked_at=now, expires_at=now + STANDS, state_version=1,
        )  # fmt: skip
        LinkImportRow.objects.bulk_create((_row(batch, line) for line in lines), batch_size=BATCH)
        _book(batch, "begin_import", batch.state, _actor(by), inputs={"rows": len(lines), "file_sha": batch.file_sha})
        if queue:
            checking.start(batch)
    return batch


def check(import_id: int) -> LinkImport:
    """Go on checking; when every row has a verdict the import waits for a decision. Ends early when its time is up."""
    batch = _found(import_id)
    if batch.state != LinkImport.State.CHECKING or checking.rows_of(batch):
        return batch
    with transaction.atomic():
        batch = _locked(import_id)
        if batch.state != LinkImport.State.CHECKING:
            return batch
        batch.digest, batch.counts, batch.checked_at = digest(batch), counts(batch), clock.now()
        _move(batch, "finish_check", SYSTEM, "", {**batch.counts})
    return batch


def confirm(import_id: int, *, by: User, digest_seen: str, reason: str) -> LinkImport:
    """Write the links of all good rows, as they were shown; each with its ledger row, and a portal link.

    Raises Refused: 403, 404, 409 not ready, over, or changed since it was shown (it is checked again), 422 reason.
    """
    permit(by, "apply_import", import_id)
    said = reason_of(reason)
    try:
        with transaction.atomic():
            batch = _locked(import_id)
            _must_be_ready(batch)
            if digest_seen != batch.digest or digest_seen != digest(batch):
                raise Refused(409, "changed", "the rows are not those that were shown; look at them again")
            rows = list(LinkImportRow.objects.filter(batch=batch, verdict=LinkImportRow.Verdict.LINK))
            if not rows:
                raise Refused(409, "nothing", "no row of it would be linked; discard it")
            _apply(batch, rows, _actor(by))
            batch.decided_by, batch.decided_at, batch.reason = _actor(by), clock.now(), said
            _move(batch, "apply", _actor(by), said, {"linked": len(rows), "digest": batch.digest})
            LinkImportRow.objects.filter(batch=batch).exclude(email="").update(email="")
    except _ChangedError as changed:
        recheck(import_id)
        raise Refused(409, "changed", f"{changed}; nothing was written, and all rows are checked again") from None
    return batch


def discard(import_id: int, *, by: User, reason: str) -> LinkImport:
    """Give an import up; its rows are removed. Raises Refused: 403, 404, 409 decided already, 422 reason."""
    permit(by, "discard_import", import_id)
    said = reason_of(reason)
    with transaction.atomic():
        batch = _locked(import_id)
        if batch.state not in (LinkImport.State.CHECKING, LinkImport.State.READY):
            raise Refused(409, "state", f"this import is {batch.get_state_display().lower()}; nothing was changed")
        batch.decided_by, batch.decided_at, batch.reason = _actor(by), clock.now(), said
        _move(batch, "discard", _actor(by), said, {})
        LinkImportRow.objects.filter(batch=batch).delete()
    return batch


def recheck(import_id: int) -> None:
    """Look at all rows that a file could hold anew."""
    with transaction.atomic():
        batch = _locked(import_id)
        if batch.state != LinkImport.State.READY:
            return
        LinkImportRow.objects.filter(batch=batch, verdict__in=("link", "same")).update(verdict="", tries=0)
        batch.digest = ""
        _move(batch, "recheck", SYSTEM, "something changed since it was shown", {})
        checking.start(batch)


def expire_due() -> int:
    """End imports nobody decided on in time, and forget the rows of old ones; returns how many ended."""
    due = LinkImport.objects.filter(state__in=("checking", "ready"), expires_at__lte=clock.now())
    ended = 0
    for import_id in list(due.values_list("pk", flat=True)):
        with transaction.atomic():
            batch = _locked(import_id)
            if batch.state in (LinkImport.State.CHECKING, LinkImport.State.READY):
                _move(batch, "expire", SYSTEM, "nobody decided within a day", {})
                LinkImportRow.objects.filter(batch=batch).delete()
                ended += 1
    old = LinkImport.objects.filter(state=LinkImport.State.APPLIED, decided_at__lt=clock.now() - KEPT)
    LinkImportRow.objects.filter(batch__in=old).delete()
    return ended


def resume() -> int:
    """Ring for imports whose check stopped: a worker died, or the provider was paused."""
    waiting = list(LinkImport.objects.filter(state=LinkImport.State.CHECKING, expires_at__gt=clock.now()))
    for batch in waiting:
        checking.start(batch)
    return len(waiting)


def waiting(import_id: int) -> int:
    """How many rows have no verdict yet."""
    return LinkImportRow.objects.filter(batch=import_id, verdict="").count()


def counts(batch: LinkImport) -> dict[str, int]:
    """Rows by verdict."""
    found = dict.fromkeys(("link", "same", "bad"), 0)
    for verdict in LinkImportRow.objects.filter(batch=batch).values_list("verdict", flat=True).iterator():
        found[verdict or "waiting"] = found.get(verdict or "waiting", 0) + 1
    return found


def digest(batch: LinkImport) -> str:
    """What the rows say, in one hash: confirming names it, so that what is written is what was shown."""
    made = hashlib.sha256()
    columns = ("number", "internal_id", "billing_customer", "customer_id", "now_linked", "verdict", "reason")
    for row in LinkImportRow.objects.filter(batch=batch).order_by("number").values_list(*columns).iterator():
        made.update("\x1f".join(str(one) for one in row).encode() + b"\x1e")
    return made.hexdigest()


class _ChangedError(Exception):
    """What was shown is not so any more."""


def _apply(batch: LinkImport, rows: Sequence[LinkImportRow], actor: str) -> None:
    """Links, portal links and ledger rows. Raises _ChangedError where a customer or an id is not as it was shown."""
    keys = [one.customer_id for one in rows if one.customer_id is not None]
    correlate.lock_customers(keys)
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        changed = [one.row.number for one in checking.locally(part) if one.verdict != checking.LINK]
        if changed:
            raise _ChangedError(f"row {changed[0]} and {len(changed) - 1} more are not as they were shown")
        links = [(int(one.customer_id or 0), ("stripe", "customer", one.billing_customer), None) for one in part]
        if not correlate.remember(links, actor):
            raise _ChangedError("an id was linked elsewhere meanwhile")
        states = dict(Customer.objects.filter(pk__in=[one[0] for one in links]).values_list("pk", "state"))
        book.write_rows([_linked(batch, one, states, actor) for one in part])
    known = [
        (int(one.internal_id), int(one.customer_id or 0), one.billing_customer, one.billing_account)
        for one in rows
        if one.internal_id.isdigit()
    ]
    erp_links.imported(runs.account(), known)
    wanted = {int(one.customer_id or 0): one.billing_customer for one in rows}
    backfill.make_for(wanted, actor=actor, reason=f"import {batch.pk}")


def _linked(batch: LinkImport, row: LinkImportRow, states: dict[int, str], actor: str) -> dict[str, Any]:
    """A link moves nothing of the customer; the row says which id was given to whom, and by which file."""
    state = str(states[int(row.customer_id or 0)])
    return {
        "subject_kind": "customer", "subject_id": str(row.customer_id), "customer_id": row.customer_id,
        "decision": "link", "actor": actor, "prior_state": state, "post_state": state, "outcome": "linked",
        "inputs": {"system": "stripe", "id": row.billing_customer, "import": batch.pk, "row": row.number},
    }  # fmt: skip


def _row(batch: LinkImport, line: reading.Line) -> LinkImportRow:
    return LinkImportRow(
        batch=batch, number=line.number, internal_id=line.internal_id, billing_customer=line.stripe_id,
        email=line.email, verdict=checking.BAD if line.wrong else checking.WAITING, reason=line.wrong[:300],
    )  # fmt: skip


def _must_be_ready(batch: LinkImport) -> None:
    if batch.state != LinkImport.State.READY:
        raise Refused(409, "state", f"this import is {batch.get_state_display().lower()}; there is nothing to confirm")
    if batch.expires_at <= clock.now():
        raise Refused(409, "expired", "it was checked more than a day ago; read the file again")


def _move(batch: LinkImport, verb: str, actor: str, reason: str, inputs: dict[str, Any]) -> None:
    prior = str(batch.state)
    getattr(batch, verb)()
    batch.save()
    _book(batch, f"{verb}_import", prior, actor, reason=reason, inputs=inputs)


def _book(
    batch: LinkImport, decision: str, prior: str, actor: str, *, reason: str = "", inputs: dict[str, Any] | None = None
) -> None:
    row = {
        "subject_kind": "link_import", "subject_id": str(batch.pk), "decision": decision, "actor": actor,
        "prior_state": str(prior), "post_state": str(batch.state), "state_version": batch.state_version,
        "outcome": str(batch.state), "inputs": inputs or {},
        "reasons": [{"rule": "reason", "reason": reason}] if reason else [],
    }  # fmt: skip
    book.write_rows([row])


def _found(import_id: int) -> LinkImport:
    batch = LinkImport.objects.filter(pk=import_id).first()
    if batch is None:
        raise Refused(404, "import", "there is no such import")
    return batch


def _locked(import_id: int) -> LinkImport:
    batch = LinkImport.objects.select_for_update().filter(pk=import_id).first()
    if batch is None:
        raise Refused(404, "import", "there is no such import")
    return batch


def permit(by: User, decision: str, import_id: int | None = None) -> None:
    """Raises Refused without the permission, after writing the refusal down."""
    if by.is_active and by.has_perm(PERMISSION):
        return
    batch = LinkImport.objects.filter(pk=import_id).first() if import_id else None
    state = str(batch.state) if batch else "checking"
    row = {
        "subject_kind": "link_import", "subject_id": str(import_id or "new"), "decision": decision,
        "actor": _actor(by), "prior_state": state, "post_state": state, "outcome": "refused",
        "error_code": "permission",
    }  # fmt: skip
    book.write_rows([row])
    raise Refused(403, "permission", f"your account may not import links; it needs the permission {PERMISSION}")


def _actor(by: User) -> str:
    return f"user:{by.pk}"
