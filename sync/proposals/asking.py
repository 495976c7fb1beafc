"""Asking for an action, and looking at what would become of it without asking."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import transaction

from gates import assistants, decide, limits, playbooks, policy
from gates.stop import Refused
from gates.types import Facts, Proposal
from ledger import book, clock, sets, wake
from ledger.identity import lane_of, new_action_id
from ledger.models import Action, Contract, Event, EventBody
from sync import actions, booking, correlate
from sync.actions.base import ActionKind
from sync.actions.params import problem
from sync.booking import Booking, Cause
from sync.facts import Known
from sync.proposals import live

PERMISSION = "gates.propose_action"
SOURCE, EVENT_KIND = "meshline", "action.asked"
REASON_LENGTH = 400  # it is shown within a sentence that has 500
OVER = ("rejected", "superseded", "observed", "applied", "compensated")


def propose(
    kind: str, contract: str | int, params: Mapping[str, Any], *, by: User, reason: str, confidence: float | None = None
) -> Action:
    """Ask for an action on a contract (its external id or number); returns it in the state it was judged into.

    An assistant says how sure it is, 0 to 1; a person decides whatever it says. Nobody else says so.
    Raises Refused: 403 permission, 404 no such contract, 409 a duplicate or not possible as things stand, 422 a field.
    """
    chosen, words = kind_of(kind), reason_of(reason)
    contract_id = _contract(contract)
    _permit(contract_id, by, "propose", PERMISSION)
    check_fields(chosen, params)
    is_program = sure_of(by, confidence)
    seen = live.read(chosen, contract_id, params)
    with transaction.atomic():
        known = seen.onto(locked(contract_id))
        proposal = proposal_of(chosen, known, params, words)
        reverses = _reversed(known, proposal)
        into = Booking(policy.current(), clock.now())
        refuse_unwanted(proposal, known, into)
        event = event_of(known, proposal)
        cause = Cause(
            event.pk, event.correlation_id, "", requested_by=by.pk, reverses=reverses, confidence=confidence,
            assistant=is_program,
        )  # fmt: skip
        action = stored(proposal, known, cause, into)
        seen.keep(action.pk, event.pk)
        wake.ring()
    return action


def preview(
    kind: str, contract: str | int, params: Mapping[str, Any], *, by: User, but: UUID | None = None
) -> dict[str, Any]:
    """What `propose` would come to now; nothing is stored. `but` is the action that is being edited, if one is.

    Returns kind, verb, contract, state (it would be judged into), until, preview (rows of system, field, now, after),
    preview_hash, answers, failing (those that did not pass), amount_minor, currency, amount_30d_minor, needed (how
    many people have to agree), duplicate_of (the open action that is the same), irreversible, inverse, runbook.
    Raises Refused as `propose` does.
    """
    chosen = kind_of(kind)
    contract_id = _contract(contract)
    _permit(contract_id, by, "preview", "gates.edit_action" if but else PERMISSION)
    check_fields(chosen, params)
    seen = live.read(chosen, contract_id, params, is_noted=False)
    known = seen.onto(correlate.load([contract_id])[contract_id])
    proposal = proposal_of(chosen, known, params, "preview")
    into = Booking(policy.current(), clock.now())
    refuse_unwanted(proposal, known, into)
    cause = Cause(
        None, uuid4(), "", requested_by=by.pk, edited_by=by.pk if but else None, assistant=assistants.is_assistant(by)
    )
    judged_on = into.facts(proposal, known, cause, but=but)
    decision = decide.decide(proposal, judged_on, into.policies.by_hand())
    rows, fingerprint = booking.shown(proposal, judged_on, decision.rule_version)
    answers = booking.answers_of(decision)
    return {
        "kind": kind, "verb": chosen.verb, "contract": known.refs.contract_external_id, "state": decision.state,
        "until": decision.until, "preview": rows, "preview_hash": fingerprint, "answers": answers,
        "failing": [one for one in answers if one["verdict"] != "pass"],
        "amount_minor": proposal.amount_minor, "currency": proposal.currency,
        "amount_30d_minor": judged_on.amount_30d_minor, "needed": _needed(decision.state, answers),
        "duplicate_of": duplicate_of(proposal, known, but), "irreversible": bool(chosen.final_because(params)),
        "inverse": chosen.inverse_of(params), "runbook": chosen.runbook,
    }  # fmt: skip


def _needed(state: str, answers: list[dict[str, Any]]) -> int:
    return 0 if state != "in_review" else 2 if limits.needs_two(answers) else 1


# --- steps that editing and undoing share


def kind_of(name: str) -> ActionKind:
    """A registered kind. Raises Refused 422."""
    if name not in actions.ACTIONS:
        raise Refused(422, "kind", f"kind: must be one of {', '.join(sorted(actions.offered()))}")
    return actions.get(name)


def sure_of(by: User, confidence: float | None) -> bool:
    """Whether an assistant asks. Raises Refused 422 where it does not say how sure it is, or a person does."""
    is_program = assistants.is_assistant(by)
    if is_program and (confidence is None or not 0 <= confidence <= 1):
        raise Refused(422, "confidence", "confidence: is required of an assistant, a number from 0 to 1")
    if not is_program and confidence is not None:
        raise Refused(422, "confidence", "confidence: only assistants say how sure they are; leave it out")
    return is_program


def reason_of(reason: Any) -> str:
    """Why somebody asks. Raises Refused 422."""
    words = reason.strip() if isinstance(reason, str) else ""
    if not words or len(words) > REASON_LENGTH or not _is_text(words):
        raise Refused(422, "reason", f"reason: a text of 1 to {REASON_LENGTH} characters; it is shown to who decides")
    return words


def _is_text(words: str) -> bool:
    return "\x00" not in words and not any("\ud800" <= one <= "\udfff" for one in words)


def check_fields(chosen: ActionKind, params: Any) -> None:
    """Raises Refused 422 for the first field that breaks its rule."""
    wrong = problem(chosen.asks_for, params)
    if wrong:
        raise Refused(422, "params", wrong)


def locked(contract_id: int) -> Known:
    """Everything known of a contract, held against whoever else books for its customer."""
    customer_id = Contract.objects.values_list("customer_id", flat=True).get(pk=contract_id)
    correlate.lock_customers([customer_id])
    return correlate.load([contract_id])[contract_id]


def proposal_of(chosen: ActionKind, known: Known, params: Mapping[str, Any], words: str) -> Proposal:
    """What a person asks for, as judgement sees it."""
    key = chosen.business_key(known, params)[:240]
    minor, currency = chosen.amount(params)
    return Proposal(
        chosen.name, f"asked:{key}", key, words, dict(params), chosen.risk_of(params), chosen.needs, minor, currency
    )


def refuse_unwanted(proposal: Proposal, known: Known, into: Booking) -> None:
    """What could not be done, or would be withdrawn at once, is said now and not an hour later."""
    chosen = actions.get(proposal.kind)
    wrong = chosen.wrong(known, proposal.params)
    if wrong:
        raise Refused(422, "params", wrong)
    reason = chosen.unfit(known, proposal.params) or withdrawn(proposal, known, into)
    if reason:
        raise Refused(409, "not_possible", f"{chosen.verb}: not possible now, {reason}; nothing was asked for")


def withdrawn(proposal: Proposal, known: Known, into: Booking) -> str:
    """Why a worker would drop it on the facts of now; empty when it would not."""
    judged_on: Facts = into.facts(proposal, known, Cause(None, uuid4(), ""))
    return playbooks.withdraw_reason(judged_on, proposal.business_key, known.memo, proposal.kind)


def duplicate_of(proposal: Proposal, known: Known, but: UUID | None = None) -> str | None:
    """The open action of the same customer, kind and business key."""
    same = Action.objects.filter(
        customer=known.refs.customer_id, kind=proposal.kind, business_key=proposal.business_key
    )
    found = (pk for pk in same.exclude(state__in=OVER).values_list("pk", flat=True) if pk != but)
    return next((str(pk) for pk in found), None)


def event_of(known: Known, proposal: Proposal, correlation_id: UUID | None = None) -> Event:
    """Every action has an event; a person's asking is one that is over when it is stored."""
    now = clock.now()
    said = {"kind": proposal.kind, "contract": known.refs.contract_external_id, "params": proposal.params}
    raw = sets.to_json({**said, "reason": proposal.because}).encode()
    sha = hashlib.sha256(raw).digest()
    event = Event.objects.create(
        source=SOURCE, provider_event_id=f"asked-{new_action_id()}", type=EVENT_KIND, kind=EVENT_KIND,
        object_id=known.refs.contract_external_id, occurred_at=now, received_at=now, enqueued_at=now, done_at=now,
        lane=lane_of(f"{SOURCE}:{known.refs.contract_external_id}"), state=Event.State.PROCESSED,
        verdict=f"done: a person asked for {proposal.kind}", customer_id=known.refs.customer_id, body_sha=sha,
        correlation_id=correlation_id or uuid4(),
    )  # fmt: skip
    EventBody.objects.create(event_id=event.pk, received_at=now, sha=sha, raw=raw)
    return event


def stored(proposal: Proposal, known: Known, cause: Cause, into: Booking) -> Action:
    """Judge and store it. Raises Refused 409 where the same is under way."""
    action_id = into.propose(proposal, known, cause)
    into.write()
    action = Action.objects.filter(pk=action_id).first()
    if action is None:
        verb = actions.get(proposal.kind).verb
        raise Refused(409, "duplicate", f"{verb}: the same is under way already; nothing was asked for")
    return action


def _contract(contract: str | int) -> int:
    """The number of the contract."""
    named = {"pk": contract} if isinstance(contract, int) else {"external_id": str(contract)}
    found = Contract.objects.filter(**named).values_list("pk", "customer__erased_at").first()
    if found is None:
        raise Refused(404, "contract", f"contract: there is no contract {str(contract)[:64]!r}")
    if found[1] is not None:
        raise Refused(409, "erased", "contract: its customer was erased; nothing can be done to it from here")
    return found[0]


def _reversed(known: Known, proposal: Proposal) -> UUID | None:
    """The newest applied action that this one undoes; each is undone once."""
    undoes = proposal.params.get("undoes")
    if undoes is None:
        return None
    newest = Action.objects.filter(contract=known.refs.contract_id, kind=undoes, state=Action.State.APPLIED)
    found = newest.order_by("-applied_at", "-id").values_list("pk", flat=True).first()
    if found is None:
        words = f"params.undoes: no confirmed {undoes} of this contract is there to be undone"
        raise Refused(409, "nothing_applied", words)
    return found


def _permit(contract_id: int, by: User, decision: str, permission: str) -> None:
    """Raises Refused 403, and leaves a row."""
    if by.is_active and by.has_perm(permission):
        return
    contract = Contract.objects.get(pk=contract_id)
    row = {
        "subject_kind": "contract", "subject_id": str(contract.pk), "customer_id": contract.customer_id,
        "decision": decision, "actor": f"user:{by.pk}", "prior_state": str(contract.state),
        "post_state": str(contract.state), "outcome": "refused", "error_code": "permission",
    }  # fmt: skip
    book.write_rows([row])
    raise Refused(403, "permission", f"your account may not ask for actions; it needs the permission {permission}")
