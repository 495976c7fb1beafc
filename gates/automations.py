"""Stepping an automation, or a segment of it: up one step on evidence, down at once; pages, API and shell call this."""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_fsm import can_proceed

from gates import policy
from gates.models import Automation, Segment
from gates.models.automation import STEPS, Staged
from gates.rollout import KIND, RANK, TIER, evidence, ladder, lowering, people
from gates.stop import Refused
from ledger import book, clock

VERBS = {
    "shadow": "to_shadow", "suggest": "to_suggest", "canary": "to_canary", "ten": "to_ten", "half": "to_half",
    "full": "to_full", "paused": "pause",
}  # fmt: skip
LONGEST_REASON, LONGEST_KEY = 300, 80


def step_to(name: str, stage: str, *, by: User, reason: str, segment: str = "") -> Automation:
    """Move an automation, or one segment of it, to a stage. A segment nobody lowered yet begins where the rest is.

    A step up needs all of `ladder.NEEDS`. A step down withdraws what was planned and not sent, in this transaction.
    Raises Refused: 403 permission or four eyes, 404 unknown, 409 no such step or evidence missing, 422 a field.
    """
    if stage not in VERBS:
        raise Refused(422, "stage", f"stage: must be one of {', '.join(VERBS)}")
    reason = said(reason)
    check_segment(segment)
    try:
        with transaction.atomic():
            one = locked(name)
            part = _part(one, segment) if segment else None
            _step(one, part, stage, by, reason)
    except Refused as refusal:
        if refusal.code in ("permission", "four_eyes", "evidence"):
            _write_refusal(name, segment, VERBS[stage], by, refusal)
        raise
    policy.forget()
    return one


def pause(name: str, *, by: User, reason: str) -> Automation:
    """It acts no more and suggests no more until somebody resumes it; any of its owners may."""
    return step_to(name, Automation.State.PAUSED, by=by, reason=reason)


def quarantine(name: str, *, by: User, reason: str) -> tuple[Automation, list[int]]:
    """Pause it and open an exception that is closed with a post-mortem; it comes back no higher than suggesting.

    Returns it and the ids of the items. Raises Refused as `pause`.
    """
    with transaction.atomic():
        one = locked(name)
        people.permit_down(one, by)
        prior = str(one.state)
        if prior == Automation.State.PAUSED:
            if one.fell_at is not None:
                raise Refused(409, "step", f"{name} is in quarantine already, or it fell; see its items")
            withdrawn = 0
        else:
            one.pause()
            withdrawn = lowering.withdraw(name, "paused", actor=f"user:{by.pk}", why=said(reason))
        one.stage_before_pause = min(one.stage_before_pause or prior, "suggest", key=_rank)
        lowering.fell(one, one, f"quarantine: {said(reason)}")
        _entered(one, "paused")
        if prior == Automation.State.PAUSED:
            one.state_version += 1
        _save(one, None, reason)
        inputs = {"withdrawn": withdrawn}
        book.write_rows([lowering.row(one, None, "pause", prior, f"user:{by.pk}", said(reason), inputs=inputs)])
        sentence = f"{one.title} is in quarantine. Find the cause, and say what keeps it from coming again."
        opened = lowering.tell(one, lowering.QUARANTINE, sentence, said(reason), evidence=inputs)
    policy.forget()
    return one, opened


def fall_back(name: str, why: str, *, rule: str = "schema_drift", actor: str = "system:drift", to: str = "suggest",
              segment: str = "") -> bool:  # fmt: skip
    """Have an automation that acts ask a person instead, because it can no longer be trusted.

    In the caller's transaction. True when it fell; one that observes, asks or is paused stays as it is. Its owner has
    to sign again before it goes up; owner and fallback get an item each.
    """
    one = Automation.objects.select_for_update(of=("self",)).filter(name=name).first()
    part = Segment.objects.select_for_update(of=("self",)).filter(automation=one, key=segment).first()
    staged: Staged | None = part if segment else one
    if one is None or staged is None or staged.state not in STEPS[2:]:
        return False
    prior = str(staged.state)
    getattr(staged, VERBS[to])()
    staged.stage_before_pause = "suggest" if to == Staged.State.PAUSED else ""
    lowering.fell(one, staged, why)
    _entered(staged, to)
    _save(one, part, why)
    withdrawn = lowering.withdraw(name, to, actor=actor, why=why, segment=segment)
    row = lowering.row(one, part, VERBS[to], prior, actor, why, inputs={"withdrawn": withdrawn})
    book.write_rows([{**row, "reasons": [{"rule": rule, "reason": why}]}])
    about = f"{one.title}, {segment}" if segment else one.title
    now = "asks a person again" if to == "suggest" else "is paused"
    sentence = f"{about} {now}: {why}. {withdrawn} planned actions were withdrawn; its owner has to sign again."
    lowering.tell(one, lowering.FELL, sentence, why, evidence={"was": prior, "withdrawn": withdrawn, "rule": rule})
    transaction.on_commit(policy.forget)
    return True


def place(name: str, stage: str, *, why: str, ages: Sequence[int] = ()) -> Automation:
    """Put an automation into a stage without evidence. For demonstrations and tests on simulators only.

    Each step is a ledger row that says so; `ages` are the days that each step is to be back, the first one first.
    Raises Refused 403 anywhere but on a development machine.
    """
    if not settings.MESHLINE_DEV:
        raise Refused(403, "evidence", "a stage is earned; only a development machine puts an automation into one")
    back = list(ages)
    with transaction.atomic():
        one = locked(name)
        while one.state != stage:
            at = clock.now() - timedelta(days=back.pop(0) if back else 0)
            prior = str(one.state)
            rises = prior in STEPS and stage in STEPS and RANK[prior] < RANK[stage]
            target = STEPS[STEPS.index(prior) + 1] if rises else stage
            getattr(one, VERBS[target])()
            one.stage_before_pause = prior if target == "paused" else ""
            _entered(one, target)
            one.stage_since = at
            _save(one, None, why)
            row = lowering.row(one, None, VERBS[target], prior, "system:dev", f"put here without evidence: {why}")
            book.write_rows([{**row, "recorded_at": at}])
    policy.forget()
    return one


def _step(one: Automation, part: Segment | None, stage: str, by: User, reason: str) -> None:
    staged: Staged = part or one
    verb, prior = getattr(staged, VERBS[stage]), str(staged.state)
    is_back = prior == Staged.State.PAUSED
    rises = RANK[stage] > RANK[prior]
    people.permit_up(by) if rises else people.permit_down(one, by)
    about = f"{one.name}, {part.key}," if part else one.name
    if not can_proceed(verb):
        raise Refused(409, "step", f"{about} is {prior}; from there it cannot step to {stage}")
    if is_back and _rank(stage) > _rank(staged.stage_before_pause or STEPS[0]):
        had = staged.stage_before_pause or STEPS[0]
        raise Refused(409, "step", f"{about} was paused in {had}; it resumes there or lower, not in {stage}")
    if part is not None and rises and RANK[stage] > RANK[str(one.state)]:
        raise Refused(409, "step", f"{one.name} is {one.state}; a segment of it cannot be higher")
    if rises and not is_back:
        people.refuse_authors(one, by)
        refuse_unearned(one, part)
    verb()
    staged.stage_before_pause = prior if stage == "paused" else ""
    _entered(staged, stage)
    _save(one, part, reason)
    actor, key = f"user:{by.pk}", part.key if part else ""
    down = lowering.share_lowered(prior, stage)
    withdrawn = lowering.withdraw(one.name, stage, actor=actor, why=reason, segment=key) if down else 0
    book.write_rows(
        [lowering.row(one, part, VERBS[stage], prior, actor, reason, inputs={"withdrawn": withdrawn} if down else {})]
    )


def refuse_unearned(one: Automation, part: Segment | None) -> None:
    """Raises Refused 409 that lists each condition that is not met, with its numbers."""
    found = evidence.of([one], with_segments=part is not None)
    missing = ladder.unmet(found[f"{one.name}/{part.key}" if part else one.name], evidence.bars())
    if missing:
        raise Refused(409, "evidence", f"{one.name} cannot step up yet. {ladder.listed(missing)}")


def _entered(staged: Staged, stage: str) -> None:
    now = clock.now()
    staged.stage_since = now
    acts = stage in STEPS[2:]
    staged.acting_since = (staged.acting_since or now) if acts else None


def _rank(stage: str) -> int:
    return RANK.get(stage, 0)


def said(reason: str) -> str:
    """The reason, for the ledger. Raises Refused 422."""
    text = reason.replace("\x00", "").strip()
    if not text:
        raise Refused(422, "reason", "reason: say why, it goes into the ledger")
    if len(text) > LONGEST_REASON:
        raise Refused(422, "reason", f"reason: at most {LONGEST_REASON} characters, this has {len(text)}")
    return text


def check_segment(segment: str) -> None:
    """Raises Refused 422 for what is no segment."""
    head, _, name = segment.partition(":")
    if segment and not (head in (TIER, KIND) and name and len(segment) <= LONGEST_KEY and segment.isprintable()):
        raise Refused(422, "segment", f"segment: must be {TIER}:<name> or {KIND}:<ticket kind>, not {segment[:40]!r}")


def locked(name: str) -> Automation:
    """The automation under a lock. Raises Refused 404."""
    one = Automation.objects.select_for_update(of=("self",)).filter(name=name).first()
    if one is None:
        raise Refused(404, "unknown", f"there is no automation named {name[:60]}")
    return one


def _part(one: Automation, key: str) -> Segment:
    """The segment under a lock; made where the rest of the automation is, if there was none."""
    state = {"state": str(one.state), "stage_before_pause": one.stage_before_pause}
    Segment.objects.get_or_create(automation=one, key=key, defaults={**state, "stage_since": one.stage_since})
    return Segment.objects.select_for_update(of=("self",)).get(automation=one, key=key)


def _save(one: Automation, part: Segment | None, why: str) -> None:
    one._change_reason = why[:100]
    (part or one).save()


def _write_refusal(name: str, segment: str, verb: str, by: User, refusal: Refused) -> None:
    one = Automation.objects.filter(name=name).first()
    part = Segment.objects.filter(automation=one, key=segment).first() if segment else None
    if one is not None and (part is not None or not segment):
        state = str((part or one).state)
        row = lowering.row(one, part, verb, state, f"user:{by.pk}", refusal.message[:300])
        book.write_rows([{**row, "outcome": "refused", "error_code": refusal.code}])
