"""Back-tests as records: what was tried, on how many days, and whether exactly this draft was."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django_fsm import can_proceed

from gates.models import Automation, BackTest, GateVersion
from gates.models.automation import STEPS
from gates.stop import Refused
from ledger import book, clock, sets

SUBJECT = "backtest"
VIEW, RUN = "gates.view_backtest", "gates.run_backtest"
MOST_DAYS = 366
OPEN = (BackTest.State.PLANNED, BackTest.State.RUNNING)
MEMBERS = ("rows", "result", "applies_to")  # what a gate judges by; its words change no decision


def digest_of(name: str, content: Mapping[str, Any]) -> str:
    """Names exactly what a gate judges by: another row, result or kind gives another digest."""
    judged = {"name": name, **{member: _plain(content[member]) for member in MEMBERS}}
    return hashlib.sha256(json.dumps(judged, sort_keys=True).encode()).hexdigest()


def digest(one: GateVersion) -> str:
    """The digest of a stored version."""
    return digest_of(one.name, {member: getattr(one, member) for member in MEMBERS})


def of(one: GateVersion) -> BackTest | None:
    """The newest back-test of exactly this content, in any state."""
    return BackTest.objects.filter(digest=digest(one)).order_by("-id").first()


def is_done(one: GateVersion) -> bool:
    """Whether exactly this content was back-tested to the end."""
    return BackTest.objects.filter(digest=digest(one), state=BackTest.State.DONE).exists()


def require(one: GateVersion) -> None:
    """Raises Refused 409 unless there is a finished back-test of exactly this draft."""
    if not is_done(one):
        raise Refused(409, "backtest", f"{one} was not back-tested as it stands now; run its back-test, then submit it")


def ask(
    *, by: User, gate: GateVersion | None = None, automation: str = "", stage: str = "", days: int = 30
) -> BackTest:
    """Plan a back-test of a gate's version, or of an automation as its rules, gates and limits are now.

    `stage` judges as if the automation were in it. One of the same content that is under way is returned instead.
    Raises Refused: 403 permission, 422 with the field.
    """
    if not (by.is_active and by.has_perm(RUN)):
        raise Refused(403, "permission", f"your account may not run back-tests; it needs the permission {RUN}")
    if type(days) is not int or not 1 <= days <= MOST_DAYS:
        raise Refused(422, "days", f"days: a whole number from 1 to {MOST_DAYS}")
    if stage and stage not in STEPS:
        raise Refused(422, "stage", f"stage: must be one of {', '.join(STEPS)}")
    if (gate is None) == (not automation):
        raise Refused(422, "automation", "automation: name an automation or a gate, one of them")
    if automation and not Automation.objects.filter(name=automation).exists():
        known = ", ".join(Automation.objects.order_by("name").values_list("name", flat=True))
        raise Refused(422, "automation", f"automation: there is no automation {automation[:60]!r}; there are {known}")
    named = digest(gate) if gate is not None else _of_automation(automation, stage)
    with transaction.atomic():
        sets.run("select pg_advisory_xact_lock(hashtext(%(digest)b))", {"digest": named})
        going = BackTest.objects.filter(digest=named, days=days, state__in=OPEN).first()
        if going is not None:
            return going
        made = BackTest(
            gate=gate, automation=automation, stage=stage, digest=named, days=days, asked_by=by, state_version=1,
            since=clock.now() - timedelta(days=days),
        )  # fmt: skip
        made.save()
        write(made, "backtest", f"user:{by.pk}", str(made.state))
    return made


def cancel(key: int, *, by: User) -> BackTest:
    """Give a back-test up; what it counted so far is kept and proves nothing. Raises Refused 403, 404, 409."""
    if not (by.is_active and by.has_perm(RUN)):
        raise Refused(403, "permission", f"your account may not cancel back-tests; it needs the permission {RUN}")
    with transaction.atomic():
        one = BackTest.objects.select_for_update(of=("self",)).filter(pk=key).first()
        if one is None:
            raise Refused(404, "unknown", "there is no such back-test")
        if not can_proceed(one.cancel):
            raise Refused(409, "state", f"{one} is {one.get_state_display().lower()}; there is nothing to cancel")
        step(one, "cancel", f"user:{by.pk}")
    return one


def step(one: BackTest, verb: str, actor: str, error: str = "") -> None:
    """Take one step, in the caller's transaction, with its ledger row."""
    prior = str(one.state)
    getattr(one, verb)()
    if verb == "begin":
        one.began_at = clock.now()
    else:
        one.ended_at, one.lease_until = clock.now(), None
    one.error = error[:300]
    one.save()
    write(one, verb, actor, prior)


def write(one: BackTest, decision: str, actor: str, prior: str) -> None:
    """The ledger row of one step."""
    about = {"gate": one.gate_id, "automation": one.automation, "stage": one.stage, "days": one.days}
    book.write_rows([
        {
            "subject_kind": SUBJECT, "subject_id": str(one.pk), "decision": decision, "actor": actor,
            "prior_state": prior, "post_state": str(one.state), "state_version": one.state_version,
            "outcome": str(one.state), "inputs": {**about, "digest": one.digest, "counts": one.counts},
            "reasons": [{"rule": "reason", "reason": one.error}] if one.error else [],
        }
    ])  # fmt: skip


def _of_automation(name: str, stage: str) -> str:
    return hashlib.sha256(f"automation:{name}:{stage}".encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A list of kinds in any order is the same list; rows keep theirs."""
    is_kinds = isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)
    return sorted(value) if is_kinds else value
