"""Changing what waits for a decision: what people agree to afterwards is the changed action, and nothing else."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gates import decide, items, policy
from gates.models import Comment, ReviewItem
from gates.review import decisions, door
from gates.review.door import Case
from gates.stop import Refused
from gates.types import Decision, Proposal
from ledger import book, clock
from ledger.identity import lane_of
from ledger.models import Action
from sync import actions, booking, correlate
from sync.actions.base import ActionKind
from sync.booking import Booking, Cause, policy_for
from sync.claims import drafts
from sync.facts import Known
from sync.proposals import live
from sync.proposals.asking import check_fields, event_of, kind_of, proposal_of, reason_of, refuse_unwanted, stored
from sync.proposals.live import Seen

PERMISSION = door.PERMISSIONS["edit"]
EDITABLE = ("in_review", "failed")


def edit(item_id: int, params: Mapping[str, Any], *, by: User, reason: str, version: int) -> Action:
    """Change what an action asks for: `params` are the fields that change, the others stay.

    What waits is changed in place: judged again, with a new preview, and every approval is void. Once a request was
    frozen its bytes are what they are: then a new action takes its place, with an item of its own. Who edits does not
    approve. Raises Refused: 403 permission, 404 no such item, 409 state, version, duplicate or not possible, 422 a
    field, or nothing that changes.
    """
    said = reason_of(reason)
    seen = _read(item_id, params, by)
    made: list[Action] = []

    def change(case: Case) -> None:
        action = decisions.in_state(case, EDITABLE, version)
        _refuse_in_doubt(action)
        chosen = kind_of(action.kind)
        known = seen.onto(_known(action))
        proposal = _changed(action, chosen, known, _merged(chosen, action, params))
        into = Booking(policy.current(), clock.now())
        refuse_unwanted(proposal, known, into)
        if action.request is None and action.state == Action.State.IN_REVIEW:
            _in_place(case, action, proposal, known, into)
        else:
            action = _anew(case, action, proposal, known, into)
        Comment.objects.create(item=case.item, author=by, text=f"Edited: {said}")
        seen.keep(action.pk, action.event_id)
        made.append(action)

    door.run(item_id, by, "edit", change)
    return Action.objects.get(pk=made[0].pk)


def _read(item_id: int, params: Mapping[str, Any], by: User) -> Seen:
    """What only the provider knows, for who may edit; a version that changed meanwhile is refused by the door."""
    item = ReviewItem.objects.select_related("action").filter(pk=item_id).first()
    action = item.action if item else None
    if action is None or action.contract_id is None or not (by.is_active and by.has_perm(PERMISSION)):
        return Seen()
    chosen = kind_of(action.kind)
    return live.read(chosen, action.contract_id, _merged(chosen, action, params))


def _merged(chosen: ActionKind, action: Action, params: Any) -> dict[str, Any]:
    """All parameters after the edit. Raises Refused 422."""
    if not isinstance(params, Mapping):
        raise Refused(422, "params", "params: must be an object")
    unknown = sorted(str(name) for name in params if name not in chosen.asks_for)
    if unknown:
        known = ", ".join(chosen.asks_for) or "none"
        raise Refused(422, "params", f"params.{unknown[0][:60]}: is not known here; known are {known}")
    merged = {**action.params, **params}
    check_fields(chosen, {name: merged[name] for name in chosen.asks_for if name in merged})
    if merged == action.params:
        raise Refused(422, "params", "params: nothing is changed by this; say what shall be different")
    return merged


def _refuse_in_doubt(action: Action) -> None:
    """What may have been done already is no draft any more."""
    if action.state == Action.State.IN_REVIEW and action.unknown_since is not None:
        raise Refused(
            409, "outcome_unknown", "nobody knows yet whether this was done; find that out first, nothing was edited"
        )


def _known(action: Action) -> Known:
    known = correlate.load([action.contract_id or 0]).get(action.contract_id or 0)
    if known is None and action.contract_id is None and actions.get(action.kind).about_customer:
        known = correlate.load_customers([action.customer_id or 0]).get(action.customer_id or 0)
    if known is None:
        raise Refused(409, "not_possible", "the action is about no contract that is known; nothing was edited")
    return known


def _changed(action: Action, chosen: ActionKind, known: Known, params: dict[str, Any]) -> Proposal:
    """The proposal after the edit. Keys that an automation gave are kept: by them it finds its plans again."""
    asked = proposal_of(chosen, known, params, action.because)
    kept = action.business_key.partition("#")[0] != chosen.business_key(known, action.params)[:240]
    if not kept:
        return asked
    minor, currency = chosen.amount(params)
    return Proposal(
        action.kind, action.target, action.business_key, action.because, params,
        chosen.risk_of(params), chosen.needs, minor,
        currency,
    )  # fmt: skip


def _cause(action: Action, by: User, event_id: int | None) -> Cause:
    late = bool(action.event and action.event.late)
    return Cause(
        event_id, action.correlation_id, action.automation, late, requested_by=action.requested_by_id,
        reverses=action.reverses_id, edited_by=by.pk, confidence=action.facts.get("confidence"),
        assistant=bool(action.facts.get("assistant")),
    )  # fmt: skip


def _asks(decision: Decision) -> Decision:
    """An edited action always asks; one whose automation may only observe by now is not edited."""
    if decision.verb != "ask":
        raise Refused(409, "not_possible", "the automation behind this is paused or only observes; nothing was edited")
    return decision


def _in_place(case: Case, action: Action, proposal: Proposal, known: Known, into: Booking) -> None:
    judged_on = into.facts(proposal, known, _cause(action, case.by, action.event_id), but=action.pk)
    decision = _asks(decide.decide(proposal, judged_on, policy_for(into.policies, action.automation)))
    judged = booking.judged(proposal, judged_on, decision)
    lane = actions.get(proposal.kind).lane(known.refs.customer_id, proposal.business_key)
    changes = {
        **judged, "params": dict(proposal.params), "amount_minor": proposal.amount_minor,
        "currency": proposal.currency, "business_key": proposal.business_key, "target": proposal.target,
        "lane": lane_of(lane), "edited_by_id": case.by.pk,
    }  # fmt: skip
    row = {
        "reasons": booking.reasons_of(decision), "inputs": judged["facts"], "rule_version": decision.rule_version,
        "amount_minor": proposal.amount_minor, "currency": proposal.currency, "outcome": "edited",
    }  # fmt: skip
    try:
        with transaction.atomic():
            book.move([book.step(action, "edit", "in_review", case.actor, changes=changes, row=row)])
    except IntegrityError as error:
        verb = actions.get(proposal.kind).verb
        raise Refused(409, "duplicate", f"{verb}: the same is under way already; nothing was edited") from error
    items.void_approvals([action.pk])
    about = {"id": action.pk, "kind": action.kind, "customer_id": action.customer_id}
    if judged_on.said:
        drafts.store(drafts.rows_of(into.last_look, {**about, "contract_id": action.contract_id}))
    _retell(case, proposal, decision)


def _retell(case: Case, proposal: Proposal, decision: Decision) -> None:
    """The item says what is asked now."""
    item, worst = case.item, decision.worst
    item.amount_minor, item.currency = proposal.amount_minor, proposal.currency
    item.why, item.reason = (worst.rule[:60], worst.reason[:500]) if worst else ("asked", "")
    item.state_version += 1
    door.touched(item)
    item.save()


def _anew(case: Case, action: Action, proposal: Proposal, known: Known, into: Booking) -> Action:
    """A new action in the old one's place; the old one is superseded first, so that the two are never open at once."""
    reason = "changed after its request was frozen: a new action takes its place"
    row = {"reasons": [{"rule": "edited", "reason": reason}]}
    book.move([book.step(action, "supersede", "superseded", case.actor, row=row)])
    items.void_approvals([action.pk])
    decisions.settle(case, "edited")
    event = event_of(known, proposal, action.correlation_id)
    made = stored(proposal, known, _cause(action, case.by, event.pk), into)
    if made.state != Action.State.IN_REVIEW:
        raise Refused(409, "not_possible", "the automation behind this is paused or only observes; nothing was edited")
    return made
