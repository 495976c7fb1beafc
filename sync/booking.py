"""What one batch decided, gathered while judging and written together: a few statements for any number of events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from gates import blocklist, decide, items, limits, preview
from gates.policy import Policies
from gates.types import Decision, Facts, Policy, Proposal
from ledger import book, sets
from ledger.identity import lane_of, new_action_id
from sync import actions, correlate, facts
from sync.actions.base import Confirmation, Work
from sync.claims import drafts
from sync.facts import Known
from sync.onboarding import checklists

PAYS = "subscription:"  # blocks that say what a customer pays in a month


@dataclass(frozen=True, slots=True)
class Cause:
    """What a proposal comes from."""

    event_id: int | None
    correlation_id: UUID
    automation: str
    late: bool = False
    requested_by: int | None = None
    reverses: UUID | None = None
    edited_by: int | None = None
    confidence: float | None = None
    assistant: bool = False


@dataclass(slots=True)
class Booking:
    """The rows of one transaction. `write` puts them in; nothing before that touches the database."""

    policies: Policies
    now: datetime
    actions: list[dict[str, Any]] = field(default_factory=list)
    moves: list[book.Move] = field(default_factory=list)
    memos: dict[int, dict[str, Any]] = field(default_factory=dict)
    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    closed: dict[str, list[Any]] = field(default_factory=dict)
    void: list[Any] = field(default_factory=list)
    endings: list[dict[str, Any]] = field(default_factory=list)
    links: list[tuple[int, correlate.Link, int | None]] = field(default_factory=list)
    done: dict[str, list[tuple[Work, Confirmation]]] = field(default_factory=dict)
    looked: list[dict[str, Any]] = field(default_factory=list)
    last_look: drafts.Looked = drafts.NOTHING

    def propose(self, proposal: Proposal, known: Known, cause: Cause) -> UUID:
        """Judge one proposal and take its action in; returns the action's id."""
        judged_on = self.facts(proposal, known, cause)
        decision = decide.decide(proposal, judged_on, policy_for(self.policies, cause.automation))
        action = _action_row(proposal, known, cause, judged_on, decision)
        self.actions.append(action)
        if judged_on.said:
            self.looked += drafts.rows_of(self.last_look, action)
        if decision.state == "in_review":
            item = {**action, "tier": known.tier, "confidence": judged_on.confidence}
            self.ask(item, decision, self.policies.owner_of(cause.automation))
        return action["id"]

    def facts(self, proposal: Proposal, known: Known, cause: Cause, *, but: UUID | None = None) -> Facts:
        """What a proposal is judged on, with what the customer got in 30 days; `but` is the action itself."""
        amount = proposal.amount_minor
        if amount is not None:
            amount += limits.spent_minor(known.refs.customer_id, proposal.currency, but=but) + sum(
                one["amount_minor"] for one in self.actions if _adds_to(one, known.refs.customer_id, proposal.currency)
            )
        refs = known.refs
        blocked = blocklist.hit(
            proposal.kind, proposal.params, refs.external_id, refs.contract_external_id, known.tier
        )  # fmt: skip
        is_edited = cause.edited_by is not None
        said = self._said(proposal, known)
        sure = cause.confidence if proposal.confidence is None else proposal.confidence
        about = facts.About(
            str(but or ""), amount, is_edited, cause.late, cancel_blocked=blocked, automation=cause.automation,
            confidence=sure, assistant=cause.assistant, said=said,
        )  # fmt: skip
        key = proposal.business_key
        built = facts.build(known, now=self.now, business_key=key, executing=False, about=about)
        built = replace(built, ticket_kind=facts.ticket_kind(proposal.kind, proposal.params))
        return replace(built, cooled_at=self._cooled_at(proposal, known, cause)) if but is None else built

    def _said(self, proposal: Proposal, known: Known) -> drafts.Said:
        """What the words that leave with it claim; those of this batch's confirmations count already."""
        if not drafts.texts_of(proposal.kind):
            return ()
        refs = known.refs
        pending = drafts.confirmed_now(self.done, refs.customer_id) if self.done else ()
        looked = drafts.look(proposal.kind, proposal.params, refs.customer_id, refs.contract_id or None, pending)
        self.last_look = looked
        return looked.said

    def _cooled_at(self, proposal: Proposal, known: Known, cause: Cause) -> datetime | None:
        """Until when the automation has to wait, as it did the same for the customer a short time ago."""
        cooling = policy_for(self.policies, cause.automation).cooling
        if not cooling:
            return None
        mine = [
            one["automation"] == cause.automation
            for one in self.actions
            if (one["customer_id"], one["kind"]) == (known.refs.customer_id, proposal.kind)
        ]
        last = limits.last_done(cause.automation, proposal.kind, known.refs.customer_id)
        return self.now + cooling if any(mine) else last + cooling if last else None

    def ask(self, action: Mapping[str, Any], decision: Decision, owner_group: str) -> None:
        """Open an item for an action that needs a person."""
        worst, looked = decision.worst, action.get("looked")
        if looked is not None:
            self.looked += drafts.rows_of(looked, action)
        self.items.append(
            {
                "action_id": action["id"], "customer_id": action["customer_id"], "kind": action["kind"],
                "sentence": sentence(action["kind"], action["because"]), "why": worst.rule if worst else "asked",
                "reason": worst.reason if worst else "", "owner_group": owner_group,
                "amount_minor": action.get("amount_minor"), "currency": action.get("currency", ""),
                "correlation_id": action["correlation_id"], "provider": actions.get(action["kind"]).provider,
                "automation": action.get("automation", ""), "tier": action.get("tier", ""),
                "confidence": action.get("confidence"),
            }
        )  # fmt: skip

    def move_contract(
        self, known: Known, verb: str, post: str, actor: str, row: dict[str, Any], changes: dict[str, Any] | None = None
    ) -> None:
        """One step of a contract, with further columns; what is judged after it in this batch sees it."""
        self.moves.append(
            book.Move(
                "contract", known.refs.contract_id, verb, known.state, post, known.version, actor,
                changes=dict(changes or {}), row={"customer_id": known.refs.customer_id, **row},
            )
        )  # fmt: skip
        known.state, known.version = post, known.version + 1

    def note_block(self, known: Known, block: str, content: dict[str, Any]) -> None:
        """Remember facts of a contract; the block's name carries the contract, as a customer may have several."""
        known.blocks[block] = content
        self.blocks.setdefault(known.refs.customer_id, {})[f"{block}:{known.refs.contract_id}"] = content

    def drop(self, ids: Sequence[UUID]) -> None:
        """What was proposed a moment ago in this very batch is not wanted any more: it was never there."""
        self.actions[:] = [one for one in self.actions if one["id"] not in ids]
        self.items[:] = [one for one in self.items if one.get("action_id") not in ids]

    def close(self, action_id: Any, resolution: str) -> None:
        """The open item of this action is settled."""
        self.closed.setdefault(resolution, []).append(action_id)

    def write(self) -> None:
        """Everything, in the caller's transaction. Raises StaleState when somebody moved one of the records."""
        stored = set(book.propose(self.actions))
        for move in self.moves:
            if move.subject == "contract" and move.id in self.memos:
                move.changes["dunning"] = self.memos.pop(move.id)
        book.move(self.moves)
        if self.memos:
            sets.run(
                """update ledger_contract k set dunning = v.memo::jsonb, updated_at = now()
                   from unnest(%(id)b::bigint[], %(memo)b::text[]) as v(id, memo) where k.id = v.id""",
                {"id": list(self.memos), "memo": [sets.to_json(memo) for memo in self.memos.values()]},
            )
        correlate.store_blocks(self.blocks)
        paying = [customer for customer, found in self.blocks.items() if any(name.startswith(PAYS) for name in found)]
        if paying:
            correlate.note_revenue(paying)
        correlate.remember(self.links, "system:executor")
        for kind, confirmed in self.done.items():
            actions.get(kind).keep(confirmed)
        new = {row["id"] for row in self.actions}
        drafts.store([one for one in self.looked if one["action_id"] in stored or one["action_id"] not in new])
        items.open_items([one for one in self.items if one.get("action_id") not in new or one["action_id"] in stored])
        for resolution, ids in self.closed.items():
            items.close_for(ids, resolution)
        items.void_approvals(self.void)
        checklists.follow(
            checklists.Booked([one for one in self.actions if one["id"] in stored], self.moves, self.done)
        )


def sentence(kind: str, because: str) -> str:
    """What will happen and why, in plain words."""
    return f"{actions.get(kind).verb}: {because}."


def answers_of(decision: Decision) -> list[dict[str, Any]]:
    """Every rule's answer as it is stored and shown."""
    return [
        {
            "rule": one.rule, "verdict": str(one.verdict), "reason": one.reason, "version": one.version,
            "until": one.until.isoformat() if one.until else None,
        }
        for one in decision.answers
    ]  # fmt: skip


def shown(proposal: Proposal, judged_on: Facts, rule_version: str) -> tuple[list[dict[str, Any]], str]:
    """What a person would be shown of this proposal now, and the fingerprint that an approval of it is bound to."""
    rows = actions.get(proposal.kind).preview(judged_on, proposal.params)
    amount = (proposal.amount_minor, proposal.currency)
    return rows, preview.fingerprint(proposal.kind, proposal.target, proposal.params, rows, rule_version, amount)


def judged(proposal: Proposal, judged_on: Facts, decision: Decision) -> dict[str, Any]:
    """The columns of an action that come from judging it."""
    rows, fingerprint = shown(proposal, judged_on, decision.rule_version)
    return {
        "preview": rows, "preview_hash": fingerprint,
        "answers": answers_of(decision), "facts": {**facts.for_ledger(judged_on), "policy": decision.basis},
        "rule_version": decision.rule_version,
        "judged_version": judged_on.contract_version,
    }  # fmt: skip


def reasons_of(decision: Decision) -> list[dict[str, Any]]:
    """What did not pass, for the ledger row."""
    return [
        {"rule": one.rule, "verdict": str(one.verdict), "reason": one.reason, "version": one.version}
        for one in decision.failing
    ]


def _action_row(proposal: Proposal, known: Known, cause: Cause, judged_on: Facts, decision: Decision) -> dict[str, Any]:
    kind = actions.get(proposal.kind)
    action_id = new_action_id()
    row = {
        "id": action_id, "state": decision.state, "decision": decision.verb, "kind": proposal.kind,
        "provider": kind.provider, "automation": cause.automation, "mode": decision.mode,
        "customer_id": known.refs.customer_id or None, "contract_id": known.refs.contract_id or None,
        "event_id": cause.event_id,
        "target": proposal.target, "business_key": proposal.business_key, "params": dict(proposal.params),
        "because": proposal.because, "irreversible": proposal.risk.irreversible, "amount_minor": proposal.amount_minor,
        "currency": proposal.currency, "correlation_id": cause.correlation_id,
        "key": kind.key(action_id, proposal.params),
        "lane": lane_of(kind.lane(known.refs.customer_id, proposal.business_key)),
        "requested_by_id": cause.requested_by, "edited_by_id": cause.edited_by, "reverses_id": cause.reverses,
        "reasons": reasons_of(decision), "actor": _actor(cause),
        **judged(proposal, judged_on, decision),
    }  # fmt: skip
    if proposal.withdrawn:
        row["reasons"] = [{"rule": "withdrawn", "reason": proposal.withdrawn}, *row["reasons"]]
    if decision.until:
        row["available_at"] = decision.until
    return row


def _adds_to(one: Mapping[str, Any], customer_id: int, currency: str) -> bool:
    """Whether an action of this batch, not stored yet, counts to what the customer gets."""
    same = one["customer_id"] == customer_id and one["currency"] == currency
    return same and one["amount_minor"] is not None and one["state"] not in ("observed", "superseded")


def _actor(cause: Cause) -> str:
    if cause.edited_by:
        return f"user:{cause.edited_by}"
    if cause.requested_by:
        return f"user:{cause.requested_by}"
    return f"automation:{cause.automation}" if cause.automation else "system:refunds"


def policy_for(policies: Policies, automation: str) -> Policy:
    """The policy of an action: its automation's, or the plain gates where a person asked."""
    return policies.of(automation) if automation else policies.by_hand()
