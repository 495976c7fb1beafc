"""Runbooks: which one fits an item, who did which step, and changes of them with a version each.

A step is `{"text", "verb"}`; the verb, where there is one, runs behind the same door as its button on the item's page.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from gates.models import ReviewItem, Runbook, RunbookTick
from gates.routing_edit import group_of, reason_of, save
from gates.stop import Refused
from ledger import book, clock, words

PERMISSION, TICKS = "gates.edit_runbook", "gates.claim_item"
VERBS = ("rollback", "check", "retry")
PROPOSE = "propose:"
ABOUT = ("kinds", "whys", "errors", "alerts")
STALE = timedelta(days=90)
MOST_STEPS, LONGEST_STEP = 40, 600
NAME = re.compile(r"[A-Za-z0-9_.:\-]{1,60}")


@dataclass(frozen=True, slots=True)
class RunbookFields:
    """Everything a person says about a runbook. `applies_to` has lists under kinds, whys, errors and alerts."""

    title: str
    when: str
    owner_group: str
    applies_to: Mapping[str, Sequence[str]]
    steps: Sequence[Mapping[str, str]]
    reason: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class Done:
    """A step of a runbook that somebody did for an item."""

    step: int
    by: str
    by_id: int
    at: datetime


def for_item(item: ReviewItem) -> Runbook | None:
    """The runbook of an item: what names its error wins over what names why it is here, and that over its kind."""
    found = all_for(item)
    return found[0] if found else None


def all_for(item: ReviewItem) -> list[Runbook]:
    """Every runbook that fits an item, the closest first."""
    ranked = [(rank, one.title, one) for one in Runbook.objects.all() if (rank := _rank(one, item))]
    return [one for _, _, one in sorted(ranked, key=lambda entry: (-entry[0], entry[1]))]


def _rank(runbook: Runbook, item: ReviewItem) -> int:
    """How closely a runbook fits: 0 not at all. Which of its kinds, whys and errors name the item, errors first."""
    about = runbook.applies_to
    error = bool(item.error_code) and item.error_code in about.get("errors", ())
    why = item.why in about.get("whys", ())
    kind = item.kind in about.get("kinds", ())
    return 4 * error + 2 * why + kind


def is_stale(runbook: Runbook, now: datetime) -> bool:
    """Not tested for 90 days, or never."""
    return runbook.tested_at is None or now - runbook.tested_at > STALE


def compensates(runbook: Runbook) -> bool:
    """Whether one of its steps undoes something."""
    return any(one.get("verb") == "rollback" or one.get("verb", "").startswith(PROPOSE) for one in runbook.steps)


def done(item_id: int, runbook: Runbook) -> dict[int, Done]:
    """The steps of the present version that were ticked for an item, by number."""
    ticks = RunbookTick.objects.filter(item=item_id, runbook=runbook, version=runbook.version).select_related("by")
    return {one.step: Done(one.step, one.by.get_username(), one.by_id, one.at) for one in ticks}


def tick(item_id: int, runbook_id: int, step: int, *, by: User) -> RunbookTick:
    """Say that a step (from 1) was done for an item. Doing it twice changes nothing.

    Raises Refused: 403 permission, 404 no such item, runbook or step.
    """
    _permit_ticks(item_id, by, "tick")
    with transaction.atomic():
        item, runbook = _place(item_id, runbook_id, step)
        made, is_new = RunbookTick.objects.get_or_create(
            item=item, runbook=runbook, version=runbook.version, step=step, defaults={"by": by}
        )
        if is_new:
            _remark(item, runbook, step, by, "tick")
    return made


def untick(item_id: int, runbook_id: int, step: int, *, by: User) -> None:
    """Take back one's own tick. Raises Refused as `tick` does, and 403 for somebody else's."""
    _permit_ticks(item_id, by, "untick")
    with transaction.atomic():
        item, runbook = _place(item_id, runbook_id, step)
        made = RunbookTick.objects.filter(item=item, runbook=runbook, version=runbook.version, step=step).first()
        if made is None:
            return
        if made.by_id != by.pk:
            raise Refused(
                403, "not_yours", f"step {step} was ticked by {made.by.get_username()}; only they take it back"
            )
        made.delete()
        _remark(item, runbook, step, by, "untick")


def _permit_ticks(item_id: int, by: User, decision: str) -> None:
    """Raises Refused without the permission, after writing the refusal down."""
    if by.is_active and by.has_perm(TICKS):
        return
    item = ReviewItem.objects.filter(pk=item_id).first()
    if item is not None:
        book.write_rows([_row_of(item, by, decision, "refused", "permission", {}) | {"error_code": "permission"}])
    raise Refused(403, "permission", f"your account may not tick steps; it needs the permission {TICKS}")


def _place(item_id: int, runbook_id: int, step: int) -> tuple[ReviewItem, Runbook]:
    item = ReviewItem.objects.select_for_update(of=("self",)).filter(pk=item_id).first()
    runbook = Runbook.objects.filter(pk=runbook_id).first()
    if item is None or runbook is None:
        raise Refused(404, "unknown", "there is no such review item or runbook")
    if not 1 <= step <= len(runbook.steps):
        raise Refused(404, "step", f"{runbook.title} has no step {step} by now; it has {len(runbook.steps)}")
    return item, runbook


def _remark(item: ReviewItem, runbook: Runbook, step: int, by: User, decision: str) -> None:
    """A tick moves nothing; the row says who did what, where the rest of the item's story is told."""
    said = f"step {step} of {runbook.title}, version {runbook.version}"
    about = {"runbook": runbook.pk, "version": runbook.version, "step": step}
    outcome = "done" if decision == "tick" else "taken back"
    book.write_rows([_row_of(item, by, decision, outcome, said, about)])


def _row_of(
    item: ReviewItem, by: User, decision: str, outcome: str, reason: str, about: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "subject_kind": "item", "subject_id": str(item.pk), "action_id": item.action_id, "event_id": item.event_id,
        "customer_id": item.customer_id, "decision": decision, "actor": f"user:{by.pk}", "prior_state": item.state,
        "post_state": item.state, "state_version": item.state_version, "correlation_id": item.correlation_id,
        "outcome": outcome, "reasons": [{"rule": "runbook", "reason": reason}], "inputs": dict(about),
    }  # fmt: skip


def save_runbook(runbook_id: int | None, said: RunbookFields, *, by: User, version: int = 0) -> Runbook:
    """Change or add a runbook; each change is a new version, which has to be tested anew.

    Raises Refused: 403 permission, 404 unknown, 409 changed since or the title is taken, 422 a field.
    """
    decision = "edit_runbook" if runbook_id else "add_runbook"
    _permit_edit(runbook_id, by, decision)
    steps, about = _check(said)
    with transaction.atomic():
        runbook = _locked(runbook_id) if runbook_id else Runbook(slug=_slug(said.title), version=0)
        if runbook_id and runbook.version != version:
            raise Refused(409, "stale", f"{runbook.title} has version {runbook.version} by now; nothing was saved")
        was = len(runbook.steps)
        runbook.title, runbook.when, runbook.owner_group = said.title.strip(), said.when.strip(), said.owner_group
        runbook.applies_to, runbook.steps = about, steps
        runbook.version, runbook.updated_at = runbook.version + 1, clock.now()
        runbook.tested_at, runbook.tested_by = None, None
        _save_once(runbook, said.reason)
        _row(runbook, decision, by, said.reason, {"steps_before": was, "steps": len(steps), "applies_to": about})
    return runbook


def record_test(runbook_id: int, *, by: User, version: int) -> Runbook:
    """Somebody walked through this version and it holds. Raises Refused: 403, 404, 409 changed since."""
    _permit_edit(runbook_id, by, "test_runbook")
    with transaction.atomic():
        runbook = _locked(runbook_id)
        if runbook.version != version:
            raise Refused(409, "stale", f"{runbook.title} has version {runbook.version} by now; test that one")
        runbook.tested_at, runbook.tested_by = clock.now(), by
        save(runbook, f"tested version {version}")
        _row(runbook, "test_runbook", by, f"version {version} was walked through", {"version": version})
    return runbook


def _permit_edit(runbook_id: int | None, by: User, decision: str) -> None:
    """Raises Refused without the permission, after writing the refusal down."""
    if by.is_active and by.has_perm(PERMISSION):
        return
    known = Runbook.objects.filter(pk=runbook_id).first() if runbook_id else None
    runbook = known or Runbook(slug="new", version=0)
    _row(runbook, decision, by, "permission", {}, refused=True)
    raise Refused(403, "permission", f"your account may not change runbooks; it needs the permission {PERMISSION}")


def _locked(runbook_id: int) -> Runbook:
    found = Runbook.objects.select_for_update(of=("self",)).filter(pk=runbook_id).first()
    if found is None:
        raise Refused(404, "unknown", "there is no such runbook")
    return found


def _save_once(runbook: Runbook, reason: str) -> None:
    try:
        with transaction.atomic():
            save(runbook, reason)
    except IntegrityError as error:
        raise Refused(409, "title", "title: there is a runbook with this title already") from error


def _slug(title: str) -> str:
    return slugify(title)[:60] or f"runbook-{clock.now():%Y%m%d%H%M%S}"


def _row(
    runbook: Runbook, decision: str, by: User, reason: str, about: Mapping[str, Any], *, refused: bool = False
) -> None:
    row = {
        "subject_kind": "runbook", "subject_id": runbook.slug, "decision": decision, "actor": f"user:{by.pk}",
        "prior_state": "in force", "post_state": "in force", "state_version": runbook.version,
        "outcome": "refused" if refused else "changed", "error_code": "permission" if refused else "",
        "reasons": [{"rule": "reason", "reason": reason}], "inputs": dict(about),
    }  # fmt: skip
    book.write_rows([row])


def _check(said: RunbookFields) -> tuple[list[dict[str, str]], dict[str, list[str]]]:
    """The steps and what they apply to, clean. Raises Refused naming the field and its rule."""
    reason_of(said.reason)
    for name, text, most in (("title", said.title, 120), ("when", said.when, 300)):
        if not 1 <= len(text.strip()) <= most or "\x00" in text:
            raise Refused(422, name, f"{name}: 1 to {most} characters, this has {len(text.strip())}")
    group_of(said.owner_group, "owner_group")
    about = {name: sorted({one.strip() for one in said.applies_to.get(name, ()) if one.strip()}) for name in ABOUT}
    for name, named in about.items():
        wrong = next((one for one in named if not NAME.fullmatch(one)), None)
        if wrong is not None or len(named) > 60:
            raise Refused(
                422, name, f"{name}: names of letters, digits, - _ . and :, at most 60 of them; not {wrong!r}"
            )
    return [_step(number, one) for number, one in enumerate(_enough(said.steps), start=1)], about


def _enough(steps: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    if not 1 <= len(steps) <= MOST_STEPS:
        raise Refused(422, "steps", f"steps: 1 to {MOST_STEPS}, one a line, these are {len(steps)}")
    return steps


def _step(number: int, one: Mapping[str, str]) -> dict[str, str]:
    text, verb = one.get("text", "").strip(), one.get("verb", "").strip()
    if not 1 <= len(text) <= LONGEST_STEP or "\x00" in text:
        raise Refused(
            422, "steps", f"steps: step {number} has {len(text)} characters, 1 to {LONGEST_STEP} are possible"
        )
    if verb and verb not in VERBS and verb.removeprefix(PROPOSE) not in words.KINDS:
        raise Refused(422, "steps", f"steps: step {number} has the verb {verb[:60]!r}; there are {verb_list()}")
    return {"text": text, "verb": verb}


def verb_list() -> str:
    """The verbs a step may carry, in words."""
    return f"{', '.join(VERBS)}, and {PROPOSE} with a kind of action, such as {PROPOSE}{next(iter(words.KINDS))}"
