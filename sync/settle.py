"""The main thread's half of carrying out actions: booking what was judged and what providers answered, in sets."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from gates import playbooks, policy, stop
from gates.models import StopSwitch
from ledger import book, claim, clock, sets
from sync import booking, confirmed, correlate, retry, session
from sync.actions.base import Accepted, Confirmation, Declined, NotDone
from sync.booking import Booking, Cause
from sync.claimed import Claimed
from sync.errors import ConflictError, PermanentError, ProviderError, TransientError, UnconfirmedError, WriteHalted
from sync.executor import Judged, Sent
from sync.reconcile import ownership

POLL_SECONDS, MOST_POLL_SECONDS = 5.0, 900.0
JOB_FOR = timedelta(minutes=10)
FACTS_FOR = timedelta(minutes=30)
MAX_REMAKES = 3
ACTOR = confirmed.ACTOR


def open_scopes() -> Any:
    """A test of one action against the stop as it stands now: one statement for a whole batch."""
    states = dict(StopSwitch.objects.values_list("scope", "state"))

    def stopped(one: Claimed) -> bool:
        if one.kind.about_nobody:
            return False  # the stop is when somebody has to be told
        customer = stop.of_customer(one.known.refs.external_id if one.known else "")
        scopes = (stop.ALL, *stop.scopes_of(one.provider, one.automation), customer)
        return states.get(stop.ALL) != "running" or any(states.get(scope, "running") != "running" for scope in scopes)

    return stopped


def book_judged(judged: Sequence[Judged], token: int) -> list[Claimed]:
    """Book these judgements in one transaction; returns the actions whose frozen request may be sent now."""
    going: list[Claimed] = []
    with transaction.atomic():
        correlate.lock_customers(result.one.customer_id for result in judged)
        ours = claim.ours([result.one.id for result in judged], token)
        stopped = open_scopes()
        into = Booking(policy.current(), clock.now())
        for result in judged:
            if result.one.id not in ours:
                continue
            if result.one.known is not None:
                for name, block in result.blocks.items():
                    into.note_block(result.one.known, name, block)
            if result.error is not None:
                _unreadable(result, into, token)
            elif result.is_overtaken:
                _overtaken(result, into)
            elif _decided(result, into, stopped):
                going.append(result.one)
        if going:
            session.durable()  # key and frozen request are on disk before the first byte leaves
        moved = book.move(into.moves, strict=False)
        claim.release_actions(list({one.id for one in into.moves} - moved), token)  # somebody was faster
        into.moves = []
        into.write()
    return [one for one in going if one.id in moved]


def _decided(result: Judged, into: Booking, stopped: Any) -> bool:
    """Note what one judgement leads to; True when the action is on its way to be sent."""
    one, decision = result.one, result.decision
    assert decision is not None
    assert result.facts is not None
    judged = booking.judged(one.proposal(), result.facts, decision)
    row = {"reasons": booking.reasons_of(decision), "inputs": judged["facts"], "rule_version": decision.rule_version}
    kept = {**judged, "waiting_since": None}
    match decision.verb:
        case "supersede":
            reasons = [{"rule": "withdrawn", "reason": _withdrawn(result)}, *row["reasons"]]
            _step(into, one, "supersede", "superseded", kept | _free(), row | {"reasons": reasons})
            into.close(one.id, "superseded")
        case "hold":
            _step(into, one, "hold", "held", kept | _free(decision.until), row)
        case "ask" | "observe":
            _step(into, one, "ask", "in_review", kept | _free(), row)
            into.ask(_as_row(one), decision, into.policies.owner_of(one.automation))
            if decision.verb == "ask":
                _tell(result, into)
        case _:
            return _approved(result, into, kept, row, halted=stopped(one))
    return False


def _tell(result: Judged, into: Booking) -> None:
    """Whoever has to correct it is told outside, too, once for what set the action off."""
    one = result.one
    assert one.known is not None
    assert result.facts is not None
    if one.event_id is not None:  # it is what keeps the same words from being said twice
        for proposal in playbooks.after_asked(one.kind_name, one.business_key, result.facts):
            into.propose(proposal, one.known, _cause(one))


def _approved(result: Judged, into: Booking, kept: dict[str, Any], row: dict[str, Any], *, halted: bool) -> bool:
    one = result.one
    if one.state == "held":
        _step(into, one, "approve", "approved", kept, row)
    if halted:
        reasons = [{"rule": "emergency_stop", "reason": "writes are stopped"}]
        _step(into, one, "park", "parked", kept | _free(), row | {"reasons": reasons})
        return False
    changes = {**kept, "tries": one.tries + 1, "sent_at": into.now, "unknown_since": None, "looks": 0, "job_ref": ""}
    if result.request is not None:
        version = result.facts.mapping if result.facts else 0
        changes["request"] = {**result.request.as_json(), "mapping": version}
        if one.work is not None:
            one.work.request = result.request
    one.tries, one.job_ref = one.tries + 1, ""
    if one.work is not None:
        one.work.sent_at = into.now
    _step(into, one, "send", "sending", changes, row)
    return True


def _overtaken(result: Judged, into: Booking) -> None:
    """It was refused, and what it said was corrected since: the same thing asked anew, with its own key, is judged."""
    one = result.one
    assert one.known is not None
    base, _, count = one.target.partition("#")
    reasons = [{"rule": "changed_meanwhile", "reason": "what it says was corrected since it was refused"}]
    _step(into, one, "supersede", "superseded", _free(), {"reasons": reasons})
    into.close(one.id, "superseded")
    into.propose(replace(one.proposal(), target=f"{base}#{int(count or 1) + 1}"), one.known, _cause(one))


def _withdrawn(result: Judged) -> str:
    assert result.one.known is not None
    assert result.facts is not None
    one = result.one
    return playbooks.withdraw_reason(result.facts, one.business_key, result.one.known.memo, one.kind_name)


def _unreadable(result: Judged, into: Booking, token: int) -> None:
    """The facts cannot be had: wait without counting, and after half an hour, or when refused, ask a person."""
    one, error = result.one, result.error
    assert error is not None
    since = one.waiting_since or into.now
    if isinstance(error, TransientError | UnconfirmedError) and into.now - since < FACTS_FOR:
        waited = (into.now - since).total_seconds()
        wait = max(_first(), min(60.0, waited), error.retry_after.total_seconds() if error.retry_after else 0.0)
        claim.release_actions([one.id], token, wait=wait, error=_said(error))
        sets.run("update ledger_action set waiting_since = %(at)b where id = %(id)b", {"at": since, "id": one.id})
        return
    reasons = [{"rule": "facts_unreadable", "verdict": "review", "reason": _said(error)}]
    _step(into, one, "ask", "in_review", _free() | {"last_error": _said(error)}, {"reasons": reasons})
    _item(into, one, "facts_unreadable", _said(error))


def book_sent(sent: Sequence[Sent], token: int) -> None:
    """Book what providers answered, all in one transaction; only what was confirmed becomes applied."""
    with transaction.atomic():
        correlate.lock_customers(result.one.customer_id for result in sent)
        ours = claim.ours([result.one.id for result in sent], token)
        fresh = correlate.load(result.one.contract_id for result in sent if result.one.contract_id)
        into = Booking(policy.current(), clock.now())
        for result in sent:
            if result.one.id in ours:
                result.one.known = fresh.get(result.one.contract_id or 0, result.one.known)
                _outcome(result, into, token)
        into.write()


def _outcome(result: Sent, into: Booking, token: int) -> None:
    one, answer, error = result.one, result.answer, result.error
    if isinstance(answer, Confirmation):
        _confirm(one, answer, into)
    elif isinstance(answer, Accepted):
        _accepted(one, answer, into, token)
    elif isinstance(answer, Declined):
        _fail(one, PermanentError(answer.message, provider=one.provider, code=answer.code), into)
    elif isinstance(answer, NotDone):
        _not_done(one, into, token)
    elif one.state == "unknown" or one.job_ref:
        _still_unknown(one, error, result.crash, into, token)
    elif isinstance(error, WriteHalted):
        _halted(one, error, into)
    elif isinstance(error, ConflictError) and one.kind.remake_on_conflict:
        _remake(one, error, into)
    elif isinstance(error, UnconfirmedError | ConflictError) or error is None:
        _doubt(one, _said(error) if error else result.crash, error, into)
    elif isinstance(error, TransientError):
        _back_off(one, error, into)
    else:
        _fail(one, error, into)


def _confirm(one: Claimed, answer: Confirmation, into: Booking) -> None:
    """The provider's own word: action, contract, links and what follows, together."""
    assert one.work is not None
    assert one.known is not None
    stored = {"id": answer.id, **answer.said}
    latency = int((into.now - one.sent_at).total_seconds() * 1000) if one.sent_at else None
    _step(
        into, one, "confirm", "applied",
        {**_free(), "confirmation": stored, "applied_at": into.now, "last_error": "", "error_code": "", "job_ref": ""},
        {"applied_at": into.now, "confirmation_id": answer.id[:255], "latency_ms": latency},
    )  # fmt: skip
    into.close(one.id, "confirmed")
    one.work.known = one.known
    row = {"event_id": one.event_id, "action_id": one.id, "correlation_id": one.correlation_id, "key": one.key}
    for verb, prior, post in one.kind.moves(one.work):
        if one.known.state == prior:
            into.move_contract(one.known, verb, post, ACTOR, row)
    # the confirmation is the ERP's own record: what was read before the write is history
    if one.kind.risk.contract and answer.said.keys() & {"status", "plan"}:
        said = {name: answer.said[name] for name in ("status", "plan") if name in answer.said}
        block = one.known.blocks.get("entitlement", {})
        into.note_block(one.known, "entitlement", {**block, **said, "synced_at": into.now.isoformat()})
    into.done.setdefault(one.kind_name, []).append((one.work, answer))
    changes = one.kind.changes(one.work)
    if changes:
        confirmed.change_contract(one, changes)
    into.links += [  # the id of a customer there is no finer than a customer here
        (one.customer_id, link, None if link[1] == "customer" else one.contract_id) for link in answer.links
    ]
    if one.reverses_id is not None:
        confirmed.compensate(one, into)
    confirmed.move_customer(one, into, row)
    told = {**stored, **one.kind.follow(one.work, answer)}
    for proposal in playbooks.after_applied(one.kind_name, one.business_key, one.params, one.known.memo, told):
        undoes = one.id if proposal.kind == one.kind.inverse else None
        cause = confirmed.agreed(replace(_cause(one, anew=False), reverses=undoes), proposal.kind)
        into.propose(proposal, one.known, cause)


def _cause(one: Claimed, *, anew: bool = True) -> Cause:
    """What follows comes from what it came from; only the same asked `anew` is still what an assistant asked for."""
    cause = Cause(one.event_id, one.correlation_id, one.automation, requested_by=one.requested_by_id)
    return replace(cause, confidence=one.confidence, assistant=one.assistant) if anew else cause


def _accepted(one: Claimed, answer: Accepted, into: Booking, token: int) -> None:
    """A job runs: ask again in a while, ever more rarely; after ten minutes it is in doubt and asked on.

    A person is told where the provider waits for somebody, and of money that is late.
    """
    age = into.now - (one.sent_at or into.now)
    wait = max(POLL_SECONDS, min(MOST_POLL_SECONDS, age.total_seconds() / 20))
    is_late = one.state == "sending" and age > JOB_FOR
    if is_late:
        changes = _free(_in(wait)) | {"unknown_since": into.now}
        _step(into, one, "doubt", "unknown", changes, {"outcome": "job is late"})
    elif not one.job_ref:
        changes = _free(_in(wait)) | {"job_ref": answer.ref[:500], "in_lane": True}
        _step(into, one, "accepted", one.state, changes, {})
    else:
        claim.release_actions([one.id], token, wait=wait)
    if answer.waits_for or (is_late and one.kind.risk.money):
        _item(into, one, "waits_at_provider", answer.waits_for or "accepted, but not done after ten minutes")


def _not_done(one: Claimed, into: Booking, token: int) -> None:
    """Looked up and not there. Believed once the slowest write would have come through."""
    age = into.now - (one.sent_at or into.now)
    if age < one.kind.settle:
        _look_again(one, "not there yet", into, token)
        return
    at = retry.next_attempt(one.tries, into.now, random.random(), first=_first(), patient=one.kind.patient)
    if at is None:
        _fail(one, TransientError("tried six times without effect", provider=one.provider, code="retries_over"), into)
    else:
        changes = _free(at) | {"unknown_since": None, "looks": 0, "job_ref": ""}
        _step(into, one, "back_off", "approved", changes, {"outcome": "not done, looked up"})


def _still_unknown(one: Claimed, error: ProviderError | None, crash: str, into: Booking, token: int) -> None:
    """The question itself failed, or the job was refused."""
    if error is not None and one.job_ref and not isinstance(error, TransientError | UnconfirmedError):
        _fail(one, error, into)
    else:
        _look_again(one, _said(error) if error else crash, into, token)


def _look_again(one: Claimed, said: str, into: Booking, token: int) -> None:
    since = one.unknown_since or one.sent_at or into.now
    ways: dict[str, Any] = {"first": _first(), "patient": one.kind.patient}
    at = retry.next_look(one.looks, since, into.now, random.random(), **ways) if one.kind.is_findable else None
    if at is None and one.state == "unknown":
        reasons = [{"rule": "outcome_unknown", "verdict": "review", "reason": said}]
        _step(into, one, "ask", "in_review", _free() | {"last_error": said}, {"reasons": reasons})
        _item(into, one, "outcome_unknown", f"nobody can tell whether it was done: {said}")
        return
    wait = ((at or into.now) - into.now).total_seconds() if at else POLL_SECONDS
    claim.release_actions([one.id], token, wait=wait, error=said)
    sets.run("update ledger_action set looks = looks + 1 where id = %(id)b", {"id": one.id})


def _doubt(one: Claimed, said: str, error: ProviderError | None, into: Booking) -> None:
    at = into.now + max(timedelta(seconds=_first()), one.kind.settle or timedelta())
    changes = _free(at) | {"unknown_since": into.now, "looks": 0, "last_error": said, "error_code": _code(error)}
    _step(into, one, "doubt", "unknown", changes, {"error_code": _code(error)})


def _halted(one: Claimed, error: WriteHalted, into: Booking) -> None:
    """Nothing left. The stop parks it; a lease that was lost or a switch that cannot be read only sends it back."""
    changes = _free(_in(_first())) | {"tries": max(0, one.tries - 1), "last_error": error.message}
    _step(into, one, "back_off", "approved", changes, {"error_code": error.code, "outcome": "nothing left"})
    if error.code == "stopped":
        _step(into, one, "park", "parked", _free(), {"reasons": [{"rule": "emergency_stop", "reason": error.message}]})


def _back_off(one: Claimed, error: ProviderError, into: Booking) -> None:
    """Not done for certain: again after 1, 2, 4, 8, 16 s with the same key and bytes, then a person."""
    paced = error.status == 429
    tries = one.tries - 1 if paced else one.tries
    waits: dict[str, Any] = {"retry_after": error.retry_after, "first": _first(), "patient": one.kind.patient}
    if (at := retry.next_attempt(max(1, tries), into.now, random.random(), **waits)) is None:
        _fail(one, error, into)
        return
    changes = _free(at) | {"tries": tries, "last_error": _said(error), "error_code": _code(error)}
    _step(into, one, "back_off", "approved", changes, {"error_code": _code(error), "outcome": "tried again later"})


def _fail(one: Claimed, error: ProviderError | None, into: Booking) -> None:
    said = _said(error) if error else "failed"
    changes = _free() | {"last_error": said, "error_code": _code(error)}
    _step(into, one, "fail", "failed", changes, {"error_code": _code(error)})
    _item(into, one, _code(error) or "failed", said)
    if error is not None:
        ownership.note(one.id, one.customer_id, one.known.refs.external_id if one.known else "", error)


def _remake(one: Claimed, error: ProviderError, into: Booking) -> None:
    """What it changes was changed by somebody else: these bytes can never succeed. A new action takes its place."""
    base, _, count = one.business_key.partition("#")
    number = int(count or 1) + 1
    if number > MAX_REMAKES or one.known is None:
        _fail(one, error, into)
        return
    _step(
        into, one, "fail", "failed", _free() | {"error_code": "changed_meanwhile"}, {"error_code": "changed_meanwhile"}
    )
    _step(
        into, one, "supersede", "superseded", {}, {"reasons": [{"rule": "changed_meanwhile", "reason": _said(error)}]}
    )
    again = replace(one.proposal(), target=f"{one.target.partition('#')[0]}#{number}", business_key=f"{base}#{number}")
    into.propose(again, one.known, _cause(one))


def _step(into: Booking, one: Claimed, verb: str, post: str, changes: dict[str, Any], row: dict[str, Any]) -> None:
    into.moves.append(book.step(one, verb, post, ACTOR, changes=changes, row=row))
    if verb == "ask":
        into.void.append(one.id)
    one.state, one.state_version = post, one.state_version + 1


def _item(into: Booking, one: Claimed, why: str, reason: str) -> None:
    into.items.append(
        {
            **_as_row(one), "action_id": one.id, "kind": one.kind_name, "why": why[:60], "reason": reason,
            "sentence": booking.sentence(one.kind_name, one.because),
            "owner_group": into.policies.owner_of(one.automation),
            "error_code": why[:60] if one.state == "failed" else "",
        }
    )  # fmt: skip
    for extra in ("id", "because", "contract_id", "looked"):
        into.items[-1].pop(extra, None)


def _as_row(one: Claimed) -> dict[str, Any]:
    return {
        "id": one.id, "customer_id": one.customer_id, "kind": one.kind_name, "because": one.because,
        "amount_minor": one.amount_minor, "currency": one.currency, "correlation_id": one.correlation_id,
        "provider": one.provider, "automation": one.automation, "tier": one.known.tier if one.known else "",
        "confidence": one.confidence, "contract_id": one.contract_id, "looked": one.looked,
    }  # fmt: skip


def _free(at: Any = None) -> dict[str, Any]:
    return book.lease_free(at)


def _in(seconds: float) -> Any:
    return clock.now() + timedelta(seconds=seconds)


def _first() -> float:
    return float(settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS)


def _said(error: ProviderError | None) -> str:
    return f"{error.provider}: {error.message}"[:490] if error else ""


def _code(error: ProviderError | None) -> str:
    return (error.code or (str(error.status) if error.status else type(error).__name__))[:60] if error else ""
