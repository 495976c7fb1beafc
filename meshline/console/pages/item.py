"""The page of a review item: everything for the decision, and the decision itself."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gates import review
from gates.cells import item_tag
from gates.models import Approval, ReviewItem
from ledger import cells
from ledger.models import Action, ContextRecord, Event, ExternalId, LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import decision_words, event_words, kind_words, verdict_words, why_words
from meshline.console import facts, parts
from meshline.console.page import Block, Page, present
from sync.models import Attempt

MOST = 40
PREVIEWS = {
    "in_review": "What will happen if you approve",
    "unknown": "What was sent; nobody knows whether it happened",
    "failed": "What was sent and refused; a retry sends the same again",
    "parked": "What is held by the stop",
}
REASONS = (
    "Checked with the customer",
    "Agreed with billing",
    "Customer paid meanwhile",
    "Wrong customer or contract",
    "Duplicate",
)
NEEDS_REASON = {"approve", "reject", "retry"}
KEYS = {"approve": "a", "reject": "r", "retry": "t", "check": "u"}
WHAT_RETRY_DOES = "Retry sends the same bytes under the same key, so a write that did happen is not repeated."


def build(request: HttpRequest, record: ReviewItem) -> Page:
    """Read everything about one item in a fixed number of queries."""
    related = (
        "action__requested_by",
        "action__contract",
        "action__event",
        "customer__context",
        "event",
        "owner",
        "resolved_by",
    )
    item = ReviewItem.objects.select_related(*related).get(pk=record.pk)
    action, story = item.action, Story.read(item)
    approvals = list(Approval.objects.filter(action=action).select_related("by")) if action else []
    main = [
        parts.preview(action, PREVIEWS.get(action.state, "What it changes")) if action else _about_event(item),
        parts.answers(action) if action else None,
        Block(
            "Timeline", template="console/timeline.html", data=story.entries(), empty="Nothing happened yet.", wide=True
        ),
        parts.ledger_rows(
            story.rows,
            parts.list_of("ledger_ledgerrow", correlation=item.correlation_id or ""),
            "No ledger rows yet: nothing was sent.",
            story.names,
        ),
        parts.attempts(story.attempts, parts.list_of("sync_attempt", action=action.pk)) if action else None,
    ]
    return Page(
        title=f"{item} {kind_words(item.kind)}",
        sentence=cells.theirs(item.sentence, 500),
        tag=item_tag(item),
        line=_line(item),
        doors=[parts.door(one) for one in _links(item)],
        main=present(main),
        side=_side(item, story),
        back=(reverse("admin:gates_reviewitem_changelist"), "Review queue"),
        correlation=str(item.correlation_id or ""),
        template="console/item.html",
        more={"item": item, "action": action, "approvals": _approvals(action, approvals), **decision(request, item)},
    )


def decision(request: HttpRequest, item: ReviewItem) -> dict[str, Any]:
    """The bar at the bottom: buttons with what forbids them, and the versions the page was drawn with."""
    verbs = review.verbs(item, request.user)  # type: ignore[arg-type]
    buttons = [{"verb": one, "key": KEYS.get(one.name, ""), "needs_reason": one.name in NEEDS_REASON} for one in verbs]
    resolved = item.state == ReviewItem.State.RESOLVED
    mine = item.owner_id == request.user.pk and item.state == ReviewItem.State.CLAIMED
    return {
        "buttons": [] if resolved else buttons,
        "off": [] if resolved else [one for one in verbs if not one.allowed],
        "version": item.action.state_version if item.action else item.state_version,
        "preview_hash": item.action.preview_hash if item.action else "",
        "may_claim": request.user.has_perm("gates.claim_item") and not resolved,
        "mine": mine,
        "reasons": REASONS,
        "retry_text": WHAT_RETRY_DOES,
        "resolved": resolved,
    }


def _line(item: ReviewItem) -> list[tuple[str, Any]]:
    """The facts of the item in one line."""
    resolved = item.state == ReviewItem.State.RESOLVED
    owner = (
        cells.theirs(item.owner.get_username(), 40)
        if item.owner
        else format_html("{}, nobody yet", cells.plain(item.owner_group, 40))
    )
    line = [("Due", cells.due(item.due_at, over=resolved)), ("Owner", owner)]
    if item.state == ReviewItem.State.CLAIMED and item.claimed_until:
        line.append(("Claimed until", cells.moment(item.claimed_until)))
    if item.amount_minor is not None:
        line.append(("Amount", cells.amount(item.amount_minor, item.currency)))
    line.append(("Why here", format_html("{}", cells.plain(item.reason or why_words(item.why), 300))))
    if resolved:
        who = item.resolved_by.get_username() if item.resolved_by else "Meshline"
        line.append(("Settled", format_html("{} by {}", cells.moment(item.resolved_at), cells.theirs(who, 40))))
    return line


def _approvals(action: Action | None, given: list[Approval]) -> SafeString | str:
    """How many people agreed so far, where more than one has to."""
    if action is None or (not given and review.needed(action) == 1):
        return ""
    names = ", ".join(
        f"{one.by.get_username()} {one.given_at:%H:%M} UTC ({cells.plain(one.reason, 80)})"
        for one in given
        if not one.voided_at
    )
    count = sum(1 for one in given if not one.voided_at)
    return format_html("{} of {} approvals{}", count, review.needed(action), f": {names}" if names else "")


def _links(item: ReviewItem) -> list[ExternalId]:
    if item.customer_id is None:
        return []
    contract = item.action.contract_id if item.action else None
    return list(
        ExternalId.objects.filter(customer=item.customer_id).filter(Q(contract=None) | Q(contract=contract))[:12]
    )


def _about_event(item: ReviewItem) -> Block:
    """An item that no action stands behind: the event is what has to be read."""
    return Block(
        "What a person has to read",
        pairs=[("Event", page_of(item.event, event_words(item.event.kind) if item.event else ""))],
        text="Open the event to see what arrived. Reject closes this item as read; "
        "Replay, on the event's page, judges it again.",
        wide=True,
    )


def _side(item: ReviewItem, story: "Story") -> list[Block]:
    """What is known of the customer, and what people said."""
    blocks: list[Block] = []
    customer, contract = item.customer, item.action.contract if item.action else None
    if customer is not None:
        pairs = [("Customer", page_of(customer, cells.theirs(customer))), ("Tier", customer.get_tier_display())]
        pairs.append(("Monthly revenue", cells.amount(customer.mrr_minor, customer.currency)))
        if contract is not None:
            pairs += [
                ("Contract", page_of(contract, cells.code(contract.external_id, keep=12))),
                ("State", cells.tag(contract.state, contract.get_state_display())),
                ("Plan", cells.theirs(contract.plan) if contract.plan else cells.dash()),
            ]
        blocks.append(Block("Customer", pairs=pairs))
        blocks += facts.context_blocks(
            ContextRecord.objects.filter(customer=customer).first()
            if not hasattr(customer, "context")
            else customer.context
        )
    blocks.append(Block("Comments", template="console/comments.html", data=story.comments or [None], anchor="comments"))
    return blocks


class Story:
    """Everything that happened around one item, read once."""

    def __init__(
        self, events: list[Event], rows: list[LedgerRow], attempts: list[Attempt], comments: list[Any]
    ) -> None:
        self.events, self.rows, self.attempts, self.comments = events, rows, attempts, comments
        self.names = actor_names(row.actor for row in rows)

    @classmethod
    def read(cls, item: ReviewItem) -> "Story":
        """By correlation id, the thread through all of it."""
        thread = item.correlation_id
        events = list(Event.objects.filter(correlation_id=thread).order_by("id")[:MOST]) if thread else []
        if not events and item.event:
            events = [item.event]
        wanted = Q(correlation_id=thread) if thread else Q(pk__in=[])
        rows = list(
            LedgerRow.objects.filter(wanted | Q(action_id=item.action_id) if item.action_id else wanted).order_by("id")[
                :MOST
            ]
        )
        attempts = list(Attempt.objects.filter(action=item.action_id).order_by("id")[:MOST]) if item.action_id else []
        return cls(events, rows, attempts, list(item.comments.select_related("author")[:MOST]))

    def entries(self) -> list[tuple[Any, str, str, Any, Any]]:
        """Events, decisions and attempts in the order they happened: (time, tone, title, detail, link)."""
        told: list[tuple[Any, str, str, Any, Any]] = []
        for event in self.events:
            detail = cells.theirs(verdict_words(event.verdict) if event.verdict else event.get_state_display(), 160)
            title = f"{cells.system(event.source)}: {event_words(event.kind).lower()}"
            told.append((event.received_at, "event", title, detail, page_of(event, "event")))
        for row in self.rows:
            who = self.names.get(row.actor, row.actor)
            reason = next(
                (str(one.get("reason")) for one in row.reasons if isinstance(one, dict) and one.get("reason")), ""
            )
            detail = format_html(
                "{} {}",
                cells.theirs(reason, 160),
                format_html('<span class="quiet">by {}</span>', cells.plain(who, 40)),
            )
            title = f"{row.subject_kind.capitalize()}: {decision_words(row.decision).lower()}"
            tone = cells.TONES.get(row.post_state, "grey")
            told.append(
                (
                    row.recorded_at,
                    tone,
                    title + ("" if row.outcome != "refused" else " (refused)"),
                    detail,
                    page_of(row, f"row #{row.pk}"),
                )
            )
        for one in self.attempts:
            title = f"{cells.system(one.provider)} was {'written to' if one.is_write else 'asked'}"
            detail = format_html("{} in {} ms", one.status or f"no answer ({one.error})", one.ms)
            told.append((one.began_at, "wire", title, detail, page_of(one, "attempt")))
        return sorted(told, key=lambda entry: entry[0])
