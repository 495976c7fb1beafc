"""What one customer got in thirty days: the sum that the amount tiers compare, judged again under a lock."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gates import policy, recompute
from gates.rules import typed
from gates.types import Facts, Gate, Proposal, Risk, RuleResult, Verdict
from ledger import clock, sets
from ledger.models import Action

WINDOW = timedelta(days=30)
FIELD = "amount_30d"
TWO_PEOPLE = str(Verdict.REVIEW_TWO)
# What an action's kind declares and its row does not keep: a row about these counts as holding, which asks a person.
NOT_KEPT = ("contract", "customer_visible", "reverses")
_OURS_SQL = """
select coalesce(sum(amount_minor), 0)::bigint from ledger_action
 where customer_id = %(customer)b and currency = %(currency)b and amount_minor is not null and mode = 'live'
   and (%(but)b::uuid is null or id <> %(but)b::uuid)
   and (state in ('approved', 'held', 'parked', 'sending', 'unknown')
     or (state in ('proposed', 'in_review', 'failed') and (%(but)b::uuid is null or id < %(but)b::uuid))
     or (state = 'applied' and coalesce(applied_at, created_at) > %(since)b::timestamptz))"""
# Beside our own actions: refunds that people made at the provider, and those of ours that came back after all.
ELSEWHERE = """
select coalesce(sum(case when r.post_state in ('failed', 'canceled') then -r.amount_minor else r.amount_minor end), 0)
  from ledger_ledgerrow r
 where r.customer_id = {customer} and r.subject_kind = 'refund' and r.currency = {currency}
   and r.recorded_at > %(since)b::timestamptz
   and ((r.outcome = 'by_hand' and (r.decision = 'record' or r.post_state in ('failed', 'canceled')))
     or (r.outcome = 'ours' and r.prior_state = 'succeeded' and r.post_state in ('failed', 'canceled')))"""
_HERE = {"customer": "%(customer)b", "currency": "%(currency)b"}
SPENT_SQL = f"select greatest(0, ({_OURS_SQL}) + ({ELSEWHERE.format(**_HERE)}))"


def spent_minor(customer_id: int, currency: str, *, but: UUID | None = None, before: datetime | None = None) -> int:
    """Minor units that money actions gave one customer in the 30 days up to `before` (now), pending ones included.

    What was approved or may be in the air counts always. What still waits for a decision counts where it is older
    than `but`, so that of several that wait, the later ones meet the limit. `but` itself is left out.
    """
    since = (before or clock.now()) - WINDOW
    asked = {"customer": customer_id, "currency": currency, "but": but, "since": since}
    return int(sets.run(SPENT_SQL, asked)[0][0])


def total_minor(action: Action) -> int | None:
    """The 30-day sum with this action in it, minor units of its currency; None where it moves no money."""
    if action.amount_minor is None or action.customer_id is None:
        return None
    return action.amount_minor + spent_minor(action.customer_id, action.currency, but=action.pk)


def answers_now(action: Action) -> list[dict[str, Any]]:
    """The stored answers, with those of the gates over the 30-day sum given anew by what the sum is now.

    Hold the customer's row to be sure that nobody else's approval changes the sum meanwhile.
    """
    answers: list[dict[str, Any]] = list(action.answers)
    gates = [gate for gate in policy.current().gates if any(row["field"] == FIELD for row in gate.rows)]
    total = total_minor(action) if gates else None
    if total is None:
        return answers
    facts = replace(_facts(action), amount_30d_minor=total)
    fresh = {gate.name: typed.evaluate(_known_rows(gate), _proposal(action), facts) for gate in gates}
    same = [_merged(one, fresh.pop(one["rule"])) if one["rule"] in fresh else one for one in answers]
    return same + [_merged(None, one) for one in fresh.values() if one.verdict is not Verdict.PASS]


def needs_two(answers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether two different people have to agree."""
    return any(one["verdict"] == TWO_PEOPLE for one in answers)


def _merged(before: dict[str, Any] | None, now: RuleResult) -> dict[str, Any]:
    """The answer as it is stored and shown; one that did not change stays as it was."""
    if before is not None and before["verdict"] == str(now.verdict):
        return before
    return {
        "rule": now.rule, "verdict": str(now.verdict), "reason": now.reason, "version": now.version, "until": None,
    }  # fmt: skip


def _known_rows(gate: Gate) -> Gate:
    return replace(gate, rows=tuple(row for row in gate.rows if row["field"] not in NOT_KEPT))


def _facts(action: Action) -> Facts:
    """What the action was judged on; nothing where nothing was stored."""
    return recompute.facts_of(action.facts) if "now" in action.facts else Facts(now=clock.now())


def _proposal(action: Action) -> Proposal:
    risk = Risk(irreversible=action.irreversible, money=True)
    return Proposal(
        action.kind, action.target, action.business_key, action.because, action.params, risk,
        amount_minor=action.amount_minor, currency=action.currency,
    )  # fmt: skip


LAST_SQL = """
select max(created_at) from ledger_action
 where customer_id = %(customer)b and kind = %(kind)b and automation = %(automation)b
   and state in ('approved', 'parked', 'sending', 'unknown', 'applied', 'held')"""


def last_done(automation: str, kind: str, customer_id: int) -> datetime | None:
    """When the automation last did, or planned, this for the customer; None when never."""
    found: datetime | None = sets.run(LAST_SQL, {"customer": customer_id, "kind": kind, "automation": automation})[0][0]
    return found
