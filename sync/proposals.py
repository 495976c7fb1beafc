"""What a person asks for: through the same gates, with another person's yes where money or a contract moves."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from gates import policy
from gates.playbooks import dunning
from gates.stop import Refused
from gates.types import Proposal
from ledger import book, clock, sets, wake
from ledger.identity import lane_of, new_action_id
from ledger.models import Action, Contract, Event, EventBody
from sync import actions, correlate, facts
from sync.actions.base import ActionKind
from sync.actions.params import problem
from sync.booking import Booking, Cause
from sync.facts import Known

PERMISSION = "gates.propose_action"
SOURCE, EVENT_KIND = "meshline", "action.asked"
REASON_LENGTH = 400  # it is shown within a sentence that has 500


def propose(kind: str, contract: str | int, params: Mapping[str, Any], *, by: User, reason: str) -> Action:
    """Ask for an action on a contract (its external id or number); returns it in the state it was judged into.

    Raises Refused: 403 permission, 404 no such contract, 409 a duplicate or not possible as things stand, 422 a field.
    """
    chosen, words = _kind(kind), _reason(reason)
    contract_id = _contract(contract)
    if not (by.is_active and by.has_perm(PERMISSION)):
        _write_refusal(contract_id, by)
        raise Refused(403, "permission", f"your account may not ask for actions; it needs the permission {PERMISSION}")
    wrong = problem(chosen.asks_for, params)
    if wrong:
        raise Refused(422, "params", wrong)
    with transaction.atomic():
        known = _locked(contract_id)
        proposal = _proposal(chosen, known, params, words)
        event = _event(known, proposal)
        cause = Cause(event.pk, event.correlation_id, "", requested_by=by.pk, reverses=_reversed(known, proposal))
        into = Booking(policy.current(), clock.now())
        _refuse_unwanted(proposal, known, into)
        action_id = into.propose(proposal, known, cause)
        into.write()
        action = Action.objects.filter(pk=action_id).first()
        if action is None:
            raise Refused(409, "duplicate", f"{chosen.verb}: the same is under way already; nothing was asked for")
        wake.ring()
    return action


def _kind(name: str) -> ActionKind:
    if name not in actions.ACTIONS:
        raise Refused(422, "kind", f"kind: must be one of {', '.join(sorted(actions.ACTIONS))}")
    return actions.get(name)


def _reason(reason: str) -> str:
    words = reason.strip() if isinstance(reason, str) else ""
    if not words or len(words) > REASON_LENGTH or "\x00" in words:
        raise Refused(422, "reason", f"reason: a text of 1 to {REASON_LENGTH} characters; it is shown to who decides")
    return words


def _contract(contract: str | int) -> int:
    """The number of the contract."""
    named = {"pk": contract} if isinstance(contract, int) else {"external_id": str(contract)}
    found = Contract.objects.filter(**named).values_list("pk", flat=True).first()
    if found is None:
        raise Refused(404, "contract", f"contract: there is no contract {str(contract)[:64]!r}")
    return found


def _locked(contract_id: int) -> Known:
    """Everything known of a contract, held against whoever else books for its customer."""
    customer_id = Contract.objects.values_list("customer_id", flat=True).get(pk=contract_id)
    correlate.lock_customers([customer_id])
    return correlate.load([contract_id])[contract_id]


def _proposal(chosen: ActionKind, known: Known, params: Mapping[str, Any], words: str) -> Proposal:
    key = chosen.business_key(known, params)[:240]
    return Proposal(chosen.name, f"asked:{key}", key, words, dict(params), chosen.risk, chosen.needs)


def _refuse_unwanted(proposal: Proposal, known: Known, into: Booking) -> None:
    """What could not be done, or would be withdrawn at once, is said now and not an hour later."""
    chosen = actions.get(proposal.kind)
    judged_on = facts.build(known, now=into.now, business_key=proposal.business_key, executing=False)
    reason = chosen.unfit(known, proposal.params) or dunning.withdraw_reason(
        judged_on, proposal.business_key, known.memo, proposal.kind
    )
    if reason:
        raise Refused(409, "not_possible", f"{chosen.verb}: not possible now, {reason}; nothing was asked for")


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


def _event(known: Known, proposal: Proposal) -> Event:
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
    )  # fmt: skip
    EventBody.objects.create(event_id=event.pk, received_at=now, sha=sha, raw=raw)
    return event


def _write_refusal(contract_id: int, by: User) -> None:
    contract = Contract.objects.get(pk=contract_id)
    row = {
        "subject_kind": "contract", "subject_id": str(contract.pk), "customer_id": contract.customer_id,
        "decision": "propose", "actor": f"user:{by.pk}", "prior_state": str(contract.state),
        "post_state": str(contract.state), "outcome": "refused", "error_code": "permission",
    }  # fmt: skip
    book.write_rows([row])
