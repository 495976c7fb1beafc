"""Claimed actions as plain data: what a thread needs to carry one out, and what booking its outcome needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from gates import blocklist
from gates import spent as spending
from gates.types import Facts, Proposal
from ledger import sets
from sync import actions, correlate, facts
from sync.actions.base import ActionKind, Work
from sync.claims import drafts
from sync.facts import Known
from sync.wiretypes import FrozenRequest

SQL = """
select a.id, a.kind, a.provider, a.automation, a.state, a.state_version, a.key, a.params, a.business_key,
       a.correlation_id, a.contract_id, a.customer_id, a.event_id, a.request, a.job_ref, a.sent_at, a.unknown_since,
       a.tries, a.looks, a.target, a.because, a.amount_minor, a.currency, a.mode, a.waiting_since, a.reverses_id,
       a.rule_version, a.requested_by_id, a.edited_by_id,
       (select coalesce(jsonb_agg(jsonb_build_array(p.preview_hash, p.rules)), '[]'::jsonb) from gates_approval p
         where p.action_id = a.id and p.voided_at is null),
       (select e.late from ledger_event e where e.id = a.event_id),
       coalesce(case when a.edited_by_id is not null then (select max(r.recorded_at) from ledger_ledgerrow r
          where r.action_id = a.id and r.decision = 'edit') end, a.created_at),
       (a.facts ->> 'confidence')::float8, coalesce((a.facts ->> 'assistant')::bool, false)
  from ledger_action a where a.id = any(%(ids)b::uuid[])"""
LEASED_SQL = f"{SQL} and a.lease_token = %(token)b"


@dataclass(slots=True)
class Claimed:
    """One leased action. Has what `ledger.book.step` reads of an action."""

    id: UUID
    kind_name: str
    provider: str
    automation: str
    state: str
    state_version: int
    key: str
    params: dict[str, Any]
    business_key: str
    correlation_id: UUID
    contract_id: int | None
    customer_id: int
    event_id: int | None
    request: dict[str, Any] | None
    job_ref: str
    sent_at: datetime | None
    unknown_since: datetime | None
    tries: int
    looks: int
    target: str
    because: str
    amount_minor: int | None
    currency: str
    mode: str
    waiting_since: datetime | None
    reverses_id: UUID | None
    rule_version: str
    requested_by_id: int | None
    edited_by_id: int | None
    approvals: list[tuple[str, list[str]]]
    late: bool | None
    asked_at: datetime
    confidence: float | None
    assistant: bool
    spent_minor: int = 0
    blocked: str = ""
    looked: drafts.Looked = drafts.NOTHING
    known: Known | None = None
    work: Work | None = field(default=None, repr=False)

    @property
    def kind(self) -> ActionKind:
        """What it is."""
        return actions.get(self.kind_name)

    @property
    def is_about_customer(self) -> bool:
        """Whether what is known of the customer alone is enough, and there is no more."""
        return bool(not self.contract_id and self.customer_id and self.kind.about_customer)

    @property
    def was_retried(self) -> bool:
        """A person sends it again after it was refused: its request was frozen, and no try of this round has begun."""
        return self.request is not None and self.tries == 0

    def proposal(self, withdrawn: str = "") -> Proposal:
        """The proposal it came from, to be judged again."""
        return Proposal(
            self.kind_name, self.target, self.business_key, self.because, self.params, self.kind.risk_of(self.params),
            self.kind.needs,
            self.amount_minor, self.currency, withdrawn=withdrawn,
        )  # fmt: skip

    def approved_rules(self, preview_hash: str) -> frozenset[str]:
        """The rules that people saw failing when they agreed to exactly this preview; of another one, none."""
        return frozenset(rule for bound_to, rules in self.approvals if bound_to == preview_hash for rule in rules)

    def facts(self, now: datetime) -> Facts:
        """The facts as known now, for a judgement right before sending."""
        assert self.known is not None
        amount = None if self.amount_minor is None else self.spent_minor + self.amount_minor
        is_edited = self.edited_by_id is not None
        about = facts.About(str(self.id), amount, is_edited, bool(self.late), self.asked_at, self.blocked)
        about = replace(
            about, automation=self.automation, confidence=self.confidence, assistant=self.assistant,
            said=self.looked.said,
        )  # fmt: skip
        built = facts.build(self.known, now=now, business_key=self.business_key, executing=True, about=about)
        return replace(built, ticket_kind=facts.ticket_kind(self.kind_name, self.params))


def load(ids: Sequence[Any], token: int, now: datetime) -> list[Claimed]:
    """The claimed actions with their contract and facts: two statements for all. In the order of their ids."""
    return _with_known(sets.run(LEASED_SQL, {"ids": list(ids), "token": token}), now)


def peek(ids: Sequence[Any], now: datetime) -> list[Claimed]:
    """The same of actions that nobody holds, to look at and not to carry out."""
    return _with_known(sets.run(SQL, {"ids": list(ids)}), now)


def _with_known(rows: Sequence[tuple[Any, ...]], now: datetime) -> list[Claimed]:
    claimed = sorted((Claimed(*row) for row in rows), key=lambda one: one.id)
    known = correlate.load(one.contract_id for one in claimed if one.contract_id)
    spent = spending.by_action([one.id for one in claimed if one.amount_minor is not None])
    alone = correlate.load_customers(one.customer_id for one in claimed if one.is_about_customer)
    for one in claimed:
        one.known = _own(alone.get(one.customer_id) if one.is_about_customer else known.get(one.contract_id or 0))
        if one.known is None and (one.kind.about_nobody or (one.kind.about_account and not one.customer_id)):
            one.known = _own(correlate.NOBODY)
        one.spent_minor = spent.get(one.id, 0)
        if one.known is not None:
            refs = one.known.refs
            one.blocked = blocklist.hit(
                one.kind_name, one.params, refs.external_id, refs.contract_external_id, one.known.tier
            )
            one.looked = drafts.look(one.kind_name, one.params, refs.customer_id, refs.contract_id or None)
            one.work = _work(one, one.known, now)
    for name in {one.kind_name for one in claimed}:
        actions.get(name).prepare([one.work for one in claimed if one.kind_name == name and one.work])
    return claimed


def _own(known: Known | None) -> Known | None:
    """What is read live is read by threads, for one action each: two of one contract do not share it."""
    return known and replace(known, blocks=dict(known.blocks))


def _work(one: Claimed, known: Known, now: datetime) -> Work:
    return Work(
        id=str(one.id), kind=one.kind_name, state=one.state, version=one.state_version, key=one.key,
        params=one.params, business_key=one.business_key, correlation_id=str(one.correlation_id), known=known,
        facts=one.facts(now), request=FrozenRequest.from_json(one.request) if one.request else None,
        job_ref=one.job_ref, sent_at=one.sent_at, is_repeat=one.request is not None, tries=one.tries,
    )  # fmt: skip
