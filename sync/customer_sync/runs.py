"""Starting, pausing, resuming and cancelling runs: one door for pages, API, command and schedule."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_fsm import can_proceed
from django_q.tasks import async_task

from gates.playbooks import customer_sync as playbook
from gates.stop import Refused
from ledger import book, clock, sets
from ledger.identity import lane_of, new_action_id
from ledger.models import Customer, Event, EventBody, ExternalId
from sync.customer_sync import profiles, troubles
from sync.customer_sync.models import SyncProfileVersion, SyncRun
from sync.customer_sync.profiles import RUN

TASK = "sync.customer_sync.jobs.work"
SOURCE, EVENT_KIND = "meshline", "sync.run"
MOST_IDS = 1000
ACTOR = "system:customer_sync"
OPEN = (SyncRun.State.PLANNED, SyncRun.State.RUNNING, SyncRun.State.PAUSED)
VERBS = ("pause", "resume", "cancel")
ENDS = ("cancel", "finish", "fail")


def start(
    profile: str, mode: str, *, by: User | None, ids: Sequence[str | int] = (), since: str = "", ring: bool = True
) -> SyncRun:
    """Plan a run of a profile and ring for a worker; `by` is None for the schedule.

    A single run names its customers by internal ids of the ERP. Raises Refused: 403 permission, 404 no such profile,
    409 while another run over all customers of the profile goes on, 422 mode or ids.
    """
    if by is not None:
        _permit(by, f"start {mode}", profile)
    if mode not in SyncRun.Mode.values:
        raise Refused(422, "mode", f"mode: must be one of {', '.join(SyncRun.Mode.values)}")
    wanted = _ids(ids)
    if mode == SyncRun.Mode.SINGLE and not wanted:
        raise Refused(422, "ids", "ids: name at least one customer by its internal id in the ERP")
    version = profiles.current(profile)
    with transaction.atomic():
        _alone(version, mode)
        event = _event(version, mode, wanted)
        run = SyncRun.objects.create(
            version=version, mode=mode, started_by=by, event=event, account=account(), ids=wanted, since=since,
            total=len(wanted) or None,
        )  # fmt: skip
        book.write_rows([row_of(run, "start", actor(by), "planned", {"mode": mode, "ids": len(wanted)})])
        if ring:
            async_task(TASK, run.pk)
    return run


def single(customer_id: int, *, by: User) -> SyncRun:
    """Sync one customer of ours now, by the shipped profile. Raises Refused as `start`, 404, 409 without an ERP id."""
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise Refused(404, "customer", "there is no such customer")
    links = ExternalId.objects.filter(customer=customer, system="netsuite", kind="customer")
    ids = list(links.order_by("id").values_list("value", flat=True)[:MOST_IDS])
    _permit(by, "start single", profiles.DEFAULT, customer)
    if not ids:
        raise Refused(409, "not_linked", "this customer is not linked to a customer of the ERP; nothing was started")
    return start(profiles.DEFAULT, SyncRun.Mode.SINGLE, by=by, ids=ids)


def step(run_id: int, verb: str, *, by: User, version: int | None = None) -> SyncRun:
    """Pause, resume or cancel a run. Raises Refused: 403 permission, 404 unknown, 409 not from here or changed, 422."""
    if verb not in VERBS:
        raise Refused(422, "verb", f"verb: must be one of {', '.join(VERBS)}")
    _permit(by, verb, str(run_id))
    with transaction.atomic():
        run = SyncRun.objects.select_for_update(of=("self",)).filter(pk=run_id).first()
        if run is None:
            raise Refused(404, "run", f"there is no sync run {run_id}")
        if version is not None and version != run.state_version:
            words = f"the run is {run.get_state_display().lower()} by now; load the page again and decide on that"
            raise Refused(409, "version", words)
        if not can_proceed(getattr(run, verb)):
            raise Refused(409, "state", f"the run is {run.get_state_display().lower()}; it cannot {verb} from there")
        move(run, verb, actor(by))
        if verb == "cancel":
            withdraw(run, actor(by))
        if verb == "resume":
            async_task(TASK, run.pk)
    return run


def move(run: SyncRun, verb: str, by: str, why: str = "") -> None:
    """One step of a locked run with its ledger row, in the caller's transaction."""
    prior = str(run.state)
    getattr(run, verb)()
    now = clock.now()
    run.why = why[:300]
    if verb == "begin":
        run.began_at = now
    if verb in ENDS:
        run.ended_at = now
    if verb != "begin":
        run.lease_token = run.lease_until = None
    run.save()
    if verb in ENDS:
        if verb == "finish":
            troubles.settle_configuration(run.pk, run.account, is_full=run.mode == SyncRun.Mode.MASS)
        troubles.give_back(run.pk)
    book.write_rows([row_of(run, verb, by, prior, {"rows": run.rows, "counts": run.counts}, why)])


def withdraw(run: SyncRun, by: str) -> int:
    """Take back what was planned by a run and not begun; what the billing system has is still written back."""
    rows = sets.run(
        """select id, state, state_version, customer_id, correlation_id, key from ledger_action
            where event_id = %(event)b and kind = any(%(kinds)b::text[]) and lease_token is null and tries = 0
              and state in ('held', 'in_review', 'approved', 'parked') order by id for update skip locked""",
        {"event": run.event_id, "kinds": [playbook.CREATE, playbook.UPDATE]},
    )
    reasons = [{"rule": "person", "reason": f"sync run {run.pk} was cancelled"}]
    moves = [
        book.Move(
            "action", row[0], "supersede", row[1], "superseded", row[2], by, changes=book.lease_free(),
            row={"customer_id": row[3], "correlation_id": row[4], "key": row[5], "event_id": run.event_id,
                 "reasons": reasons},
        )
        for row in rows
    ]  # fmt: skip
    return len(book.move(moves, strict=False)) if moves else 0


def account() -> str:
    """The account of the ERP that is connected."""
    return str(settings.MESHLINE_PROVIDERS["netsuite"]["account"])


def actor(by: User | None) -> str:
    """Who started it, as the ledger names them."""
    return f"user:{by.pk}" if by else ACTOR


def row_of(
    run: SyncRun, decision: str, by: str, prior: str, inputs: dict[str, Any] | None = None, why: str = ""
) -> dict[str, Any]:
    """A ledger row about a run."""
    reasons = [{"rule": "reason", "reason": why}] if why else []
    return {
        "subject_kind": "sync_run", "subject_id": str(run.pk), "event_id": run.event_id, "decision": decision,
        "actor": by, "prior_state": prior, "post_state": str(run.state), "state_version": run.state_version,
        "inputs": inputs or {}, "reasons": reasons, "outcome": str(run.state),
    }  # fmt: skip


def _alone(version: SyncProfileVersion, mode: str) -> None:
    """Two walks over the same customers at once would only be in each other's way. Raises Refused 409."""
    if mode == SyncRun.Mode.SINGLE:
        return
    sets.run("select id from sync_syncprofile where id = %(id)b for update", {"id": version.profile_id})
    going = SyncRun.objects.filter(version__profile=version.profile_id, state__in=OPEN)
    other = going.exclude(mode=SyncRun.Mode.SINGLE).order_by("-id").first()
    if other is not None:
        words = f"sync run {other.pk} of this profile is {other.get_state_display().lower()}; let it end or cancel it"
        raise Refused(409, "running", words)


def _event(version: SyncProfileVersion, mode: str, ids: Sequence[str]) -> Event:
    """What a run's actions come from: an event that is over when it is stored."""
    now = clock.now()
    said = {"profile": version.profile.name, "version": version.version, "mode": mode, "ids": list(ids[:20])}
    raw = sets.to_json(said).encode()
    sha = hashlib.sha256(raw).digest()
    event = Event.objects.create(
        source=SOURCE, provider_event_id=f"sync-{new_action_id()}", type=EVENT_KIND, kind=EVENT_KIND,
        object_id=version.profile.name, occurred_at=now, received_at=now, enqueued_at=now, done_at=now,
        lane=lane_of(f"{SOURCE}:sync"), state=Event.State.PROCESSED, verdict="done: a sync run was started",
        body_sha=sha, correlation_id=uuid4(),
    )  # fmt: skip
    EventBody.objects.create(event_id=event.pk, received_at=now, sha=sha, raw=raw)
    return event


def _ids(ids: Sequence[str | int]) -> list[str]:
    found = list(dict.fromkeys(str(one).strip() for one in ids))
    if len(found) > MOST_IDS:
        raise Refused(422, "ids", f"ids: at most {MOST_IDS:,}, these are {len(found):,}")
    for one in found:
        if not (one.isascii() and one.isdigit() and len(one) <= 18):
            raise Refused(422, "ids", f"ids: {one[:40]!r} is no internal id of the ERP, which is a whole number")
    return found


def _permit(by: User, decision: str, about: str, customer: Customer | None = None) -> None:
    """Raises Refused 403, and leaves a row."""
    if by.is_active and by.has_perm(RUN):
        return
    kind, subject, state = ("customer", str(customer.pk), str(customer.state)) if customer else (
        "sync_profile", about[:60], "kept"
    )  # fmt: skip
    row = {
        "subject_kind": kind, "subject_id": subject, "customer_id": customer.pk if customer else None,
        "decision": "sync", "actor": f"user:{by.pk}", "prior_state": state, "post_state": state, "outcome": "refused",
        "error_code": "permission", "inputs": {"asked": decision},
    }  # fmt: skip
    book.write_rows([row])
    raise Refused(403, "permission", f"your account may not sync customers; it needs the permission {RUN}")
