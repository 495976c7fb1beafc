"""The page of a review item: everything for the decision, and the decision itself."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gates import review
from gates.cells import item_tag
from gates.models import ReviewItem
from ledger import cells
from ledger.models import Action, ContextRecord
from ledger.readonly import page_of
from ledger.words import event_words, kind_words, why_words
from meshline.console import (
    bar,
    claims,
    delta_pages,
    dispute_item,
    incident_item,
    judgement,
    onboarding_item,
    parts,
    routing_item,
    runbook_pages,
    snapshot,
    ticket_item,
)
from meshline.console.page import Block, Page, present
from meshline.console.pages import item_blocks
from meshline.console.pages.item_story import Story, currency_of
from meshline.console.queue import walk
from sync import refresh

RELATED = (
    "action__requested_by", "action__edited_by", "action__contract", "action__event", "customer__context", "event",
    "owner", "resolved_by", "handoff__by",
)  # fmt: skip
PREVIEWS = {
    "in_review": "What will happen if you approve",
    "unknown": "What was sent; nobody knows whether it happened",
    "failed": "What was sent and refused; a retry sends the same again",
    "parked": "What is held by the stop",
}


def build(request: HttpRequest, record: ReviewItem) -> Page:
    """Read everything about one item in a fixed number of queries."""
    item = whole(record)
    action, story = item.action, Story.read(item, request.user.pk or 0)
    agreed = approvals(action, story)
    more = {
        "item": item, "action": action, "approvals": agreed, "here": story.here,
        "here_sig": ",".join(story.here), **bar.context(request, item, story),
    }  # fmt: skip
    return Page(
        title=f"{item} {kind_words(item.kind)}{f', {cells.plain(item.customer, 80)}' if item.customer else ''}",
        sentence=_sentence(item, story),
        tag=item_tag(item),
        line=_line(item),
        doors=[parts.door(one) for one in sorted(story.links, key=lambda one: (one.system, one.kind))],
        main=_main(request, item, story, agreed),
        side=_side(request, item, story),
        back=(_queue(request), "Review queue"),
        correlation=str(item.correlation_id or ""),
        live=bar.live_url(item),
        template="console/item.html",
        more=more,
    )


def whole(record: ReviewItem) -> ReviewItem:
    """The item with everything its page looks at. One that was read without its customer is read again as it is now."""
    is_whole = all(getattr(ReviewItem, name).is_cached(record) for name in ("action", "customer", "owner"))
    item = record if is_whole else ReviewItem.objects.select_related(*RELATED).get(pk=record.pk)
    if item.action is not None and item.action.customer_id == item.customer_id:
        item.action.customer = item.customer
    return item


def address(item: ReviewItem) -> str:
    """The page's own address."""
    return reverse("admin:gates_reviewitem_change", args=[item.pk])


def _queue(request: HttpRequest) -> str:
    """Back to the view somebody came from."""
    return walk.back_url(request)


def _main(request: HttpRequest, item: ReviewItem, story: Story, agreed: str) -> list[Block]:
    """What is decided on, what judged it, what happened, what people said, and what is kept of it."""
    action = item.action
    note = item_blocks.handoff_note(item, story, agreed, request.build_absolute_uri(address(item)))
    disputed = dispute_item.block(item)
    shown = parts.preview(action, PREVIEWS.get(action.state, "What it changes"), request) if action else None
    return present(
        [
            shown or onboarding_item.block(item) or incident_item.block(item) or delta_pages.of_item(item)
            or ticket_item.block(item) or disputed or _about_event(item),
            disputed if shown else None,
            judgement.block(action, story.gate) if action else None,
            claims.block(item),
            item_blocks.timeline(request, item, story),
            parts.ledger_rows(
                story.rows, parts.list_of("ledger_ledgerrow", correlation=item.correlation_id or ""),
                "No ledger rows yet: nothing was sent.", story.names,
            ),
            parts.attempts(story.attempts, parts.list_of("sync_attempt", action=action.pk)) if action else None,
            item_blocks.comments(item, story),
            item_blocks.evidence(item, story),
            Block("Handoff note", template="console/handoff.html", data=note, wide=True, anchor="handoff"),
        ]
    )  # fmt: skip


def _side(request: HttpRequest, item: ReviewItem, story: Story) -> list[Block]:
    """What is known of the customer, the clock, what people do about such a thing, and what else waits."""
    customer, contract = item.customer, item.action.contract if item.action else None
    known = None
    if customer is not None:
        context: ContextRecord | None = getattr(customer, "context", None)
        may_refresh = request.user.has_perm(refresh.PERMISSION)
        refunds = refunded(item, story)
        known = snapshot.block(customer, contract, context, refunds, may_refresh=may_refresh)
    return present(
        [
            known,
            item_blocks.clock_block(item),
            routing_item.block(item, story),
            ticket_item.note(item, request, story.links),
            runbook_pages.block(item, request),
            item_blocks.related(story) if customer is not None else None,
        ]
    )


def _sentence(item: ReviewItem, story: Story) -> SafeString:
    """What will happen, to whom, how much, why a person is asked; and whether a claim in it is true."""
    action = item.action
    is_told = action is None or bool(action.facts.get("assistant"))
    mark = claims.mark(item.sentence, item.kind, story.confirmed_kinds) if is_told else ""
    if action is None:
        return format_html("{} {}", cells.theirs(item.sentence, 500), mark)
    asked = (
        format_html("{} asks", cells.theirs(action.requested_by.get_username(), 40))
        if action.requested_by
        else format_html("The automation {} asks", cells.plain(action.automation or "of Meshline", 60))
    )
    edited = (
        format_html(", edited by {}", cells.theirs(action.edited_by.get_username(), 40)) if action.edited_by else ""
    )
    why = judgement.headline(action)
    because = format_html(" A person is asked because {}.", why) if why else ""
    amount = (
        format_html(" <b>{}</b>", cells.amount(action.amount_minor, action.currency)) if action.amount_minor else ""
    )
    return format_html(
        '{} {}{} <span class="asked">{}{}.{}</span>',
        cells.theirs(item.sentence, 500),
        mark,
        amount,
        asked,
        edited,
        because,
    )


def _line(item: ReviewItem) -> list[tuple[str, Any]]:
    """The facts of the item in one line."""
    resolved = item.state == ReviewItem.State.RESOLVED
    owner = (
        cells.theirs(item.owner.get_username(), 40)
        if item.owner
        else format_html("{}, nobody yet", cells.plain(item.owner_group, 40))
    )
    line: list[tuple[str, Any]] = [("Due", cells.due(item.due_at, over=resolved)), ("Owner", owner)]
    if item.state == ReviewItem.State.CLAIMED and item.claimed_until:
        line.append(("Claimed until", cells.moment(item.claimed_until)))
    if item.amount_minor is not None:
        line.append(("Amount", cells.amount(item.amount_minor, item.currency)))
    if item.action is not None and item.action.last_error and not resolved:
        line.append(("What went wrong", cells.theirs(item.action.last_error, 300)))
    if item.confidence is not None:
        line.append(("Confidence", f"{item.confidence:.0%}"))
    line.append(("Why here", format_html("{}", cells.plain(item.reason or why_words(item.why), 300))))
    if resolved:
        who = item.resolved_by.get_username() if item.resolved_by else "Meshline"
        line.append(("Settled", format_html("{} by {}", cells.moment(item.resolved_at), cells.theirs(who, 40))))
    return line


def approvals(action: Action | None, story: Story) -> str:
    """How many people agreed so far, and who, where more than one has to or somebody did: `1 of 2 approvals: ...`."""
    given = [one for one in story.approvals if one["voided_at"] is None] if action else []
    wanted = review.needed(action) if action is not None else 0
    if action is None or (not given and wanted == 1):
        return ""
    names = ", ".join(f"{one['name']} {one['given_at']:%H:%M} UTC ({cells.plain(one['reason'], 80)})" for one in given)
    voided = sum(1 for one in story.approvals if one["voided_at"] is not None)
    void = f"; {voided} earlier ended because what was shown changed" if voided else ""
    return f"{len(given)} of {wanted} approvals{f': {names}' if names else ''}{void}"


def refunded(item: ReviewItem, story: Story) -> Any:
    """What the customer was given in 30 days, pending included, against the limit; this item's amount beside it."""
    action, customer = item.action, item.customer
    currency, spent = currency_of(item), story.spent_minor
    if customer is None or not currency:
        return cells.dash()
    limit = judgement.limit_of(currency, story.raw["gates"])
    shown = cells.amount(spent, currency)
    of = format_html(" of {}", cells.amount(limit, currency)) if limit is not None else ""
    own = action.amount_minor if action and action.amount_minor else 0
    over = limit is not None and spent + own > limit
    this = format_html(", with this one {}", cells.amount(spent + own, currency)) if own else ""
    return format_html('<b class="is-bad">{}{}{}</b>' if over else "{}{}{}", shown, of, this)


def _about_event(item: ReviewItem) -> Block:
    """An item that no action stands behind: the event is what has to be read."""
    return Block(
        "What a person has to read",
        pairs=[("Event", page_of(item.event, event_words(item.event.kind) if item.event else ""))],
        text="Open the event to see what arrived. Reject closes this item as read; "
        "Replay, on the event's page, judges it again.",
        wide=True,
    )
