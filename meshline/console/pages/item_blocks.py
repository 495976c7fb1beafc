"""The smaller boxes of a review item's page: its clock, the timeline, what else concerns the customer, the evidence."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates import memo as memos
from gates.cells import item_tag
from gates.models import ReviewItem
from ledger import cells, clock
from ledger.models import Action, LedgerRow
from ledger.readonly import page_of
from ledger.words import decision_words, event_words, kind_words, rule_words, subject_words, verdict_words
from meshline.console import claims, facts, parts
from meshline.console.page import Block
from meshline.console.pages.item_story import Story
from sync.models import Attempt

STORIES = {"compact": "compact", "all": "all", "raw": "raw"}
SIGNALS = {"billing": "Stripe", "entitlement": "NetSuite", "support": "Zendesk"}
# Which system's word decides about which of the facts that an action is judged on.
TRUSTED = {
    "subscription_status": "billing",
    "open_disputes": "billing",
    "fraud_flag": "billing",
    "invoice": "billing",
    "erp_status": "entitlement",
    "plan": "entitlement",
    "ticket_status": "support",
}


# --- the clock


def clock_block(item: ReviewItem) -> Block:
    """The burn line: opened, first touched, rests, bumps, due; the share of the time that is gone as a meter."""
    resolved = item.state == ReviewItem.State.RESOLVED
    ended = item.resolved_at if resolved and item.resolved_at else (item.paused_at or clock.now())
    whole = (item.due_at - item.created_at).total_seconds()
    gone = (ended - item.created_at).total_seconds()
    percent = 100 if whole <= 0 else max(0, min(100, int(100 * gone / whole)))
    steps: list[tuple[str, Any]] = [("Opened", cells.moment(item.created_at))]
    if item.touched_at:
        steps.append(("First touched", format_html("{} after {}", cells.moment(item.touched_at), _since(item))))
    elif item.touch_due_at and not resolved:
        steps.append(("First touch due", cells.due(item.touch_due_at)))
    if item.paused_at:
        steps.append(("Rests", format_html("since {}: the customer has to answer", cells.ago(item.paused_at))))
    if item.snoozed_until and item.state == ReviewItem.State.SNOOZED:
        steps.append(("Waits until", cells.moment(item.snoozed_until)))
    if item.bumps:
        steps.append(("Bumped", f"{item.bumps} time{'s' if item.bumps > 1 else ''}"))
    if item.bump_at and not resolved:
        steps.append(("Next bump", cells.ago(item.bump_at)))
    steps.append(("Settled" if resolved else "Due", cells.moment(item.resolved_at if resolved else item.due_at)))
    data = {
        "percent": percent,
        "late": ended > item.due_at,
        "steps": steps,
        "target": cells.length(timedelta(seconds=item.target_seconds)),
        "left": "" if resolved else cells.due(item.due_at),
        "resolved": resolved,
        "routed_by": cells.plain(item.routed_by, 120),
        "group": cells.plain(item.owner_group, 60),
        "fallback": cells.plain(item.fallback_group, 60),
    }
    return Block("Clock", template="console/sla.html", data=data)


def _since(item: ReviewItem) -> str:
    return cells.length(item.touched_at - item.created_at) if item.touched_at else ""


# --- the timeline


def timeline(request: HttpRequest, item: ReviewItem, story: Story) -> Block:
    """What happened, in order: compact (what moved), all (every row and exchange), raw (with the bodies)."""
    mode = STORIES.get(request.GET.get("story", ""), "compact")
    shown = entries(story, every=mode != "compact")
    hidden = len(entries(story, every=True)) - len(shown)
    raw = _raw(request, story) if mode == "raw" else []
    data = {"entries": shown, "mode": mode, "modes": list(STORIES), "hidden": hidden, "raw": raw, "item": item}
    return Block("Timeline", template="console/story.html", data=data, wide=True, anchor="timeline")


Entry = tuple[datetime, str, str, Any, Any]


def entries(story: Story, *, every: bool) -> list[Entry]:
    """Events, decisions and exchanges as (time, tone, title, detail, link), oldest first."""
    told: list[Entry] = [_of_event(event) for event in story.events]
    for row in story.rows:
        if every or row.prior_state != row.post_state or row.outcome == "refused" or row.decision == "approval":
            told.append(_of_row(row, story.names))
    told += [_of_attempt(one) for one in story.attempts if every or one.is_write]
    return sorted(told, key=lambda entry: entry[0])


def _of_event(event: Any) -> Entry:
    detail = cells.theirs(verdict_words(event.verdict) if event.verdict else event.get_state_display(), 160)
    title = f"{cells.system(event.source)}: {event_words(event.kind).lower()}"
    return event.received_at, "event", title, detail, page_of(event, "event")


def _of_row(row: LedgerRow, names: Mapping[str, str]) -> Entry:
    reasons = (str(one.get("reason")) for one in row.reasons if isinstance(one, dict) and one.get("reason"))
    by = format_html('<span class="quiet">by {}</span>', cells.plain(names.get(row.actor, row.actor), 40))
    title = f"{subject_words(row.subject_kind).capitalize()}: {decision_words(row.decision).lower()}"
    refused = " (refused)" if row.outcome == "refused" else ""
    tone = cells.TONES.get(row.post_state, "grey")
    detail = format_html("{} {}", cells.theirs(next(reasons, ""), 160), by)
    return row.recorded_at, tone, title + refused, detail, page_of(row, f"row #{row.pk}")


def _of_attempt(one: Attempt) -> Entry:
    title = f"{cells.system(one.provider)} was {'written to' if one.is_write else 'asked'}"
    detail = format_html("{} in {} ms", one.status or f"no answer ({one.error})", one.ms)
    return one.began_at, "wire", title, detail, page_of(one, "attempt")


def _raw(request: HttpRequest, story: Story) -> list[tuple[str, str]]:
    """The bodies of the exchanges as text, for those who may see them; addresses are masked for the others."""
    bodies = Attempt.objects.filter(pk__in=[one.pk for one in story.attempts]).order_by("id")
    told = []
    for one in bodies:
        head = f"{cells.system(one.provider)} {one.method} {one.path[:120]} → {one.status or one.error}"
        text = f"{parts.laid_out(one.request_body)}\n\n{parts.laid_out(one.response_body)}".strip()
        told.append((cells.plain(head, 200), unaddressed(request, text)))
    return told


def unaddressed(request: HttpRequest, text: str) -> str:
    """A text with its e-mail addresses masked, unless the person may see them."""
    return text if parts.may_see_personal(request) else parts.masked(text)


# --- comments, related items


def comments(item: ReviewItem, story: Story) -> Block:
    """What people wrote, and beside words that claim something whether the ledger confirms it."""
    told: list[Any] = [
        {
            **one,
            "mark": claims.mark(str(one["text"]), item.kind, story.confirmed_kinds),
            "text": cells.theirs(one["text"], 4000),
        }
        for one in story.comments
    ]
    return Block("Comments", template="console/comments.html", data=told or [None], wide=True, anchor="comments")


def related(story: Story) -> Block:
    """What else a person had or has to decide about this customer in ninety days."""
    rows = [
        (page_of(one), item_tag_plain(one), kind_words(one.kind), cells.ago(one.created_at))
        for one in story.related[::-1]
    ]
    return Block(
        "Other items of this customer", columns=("Item", "State", "What", "Opened"), rows=rows,
        empty="None in the last 90 days.", note=f"{len(rows)} in 90 days" if rows else "",
    )  # fmt: skip


def item_tag_plain(one: ReviewItem) -> SafeString:
    """The state of an item whose action was not read."""
    if one.state == ReviewItem.State.RESOLVED:
        return item_tag(one)
    return cells.tag(one.state, one.get_state_display())


# --- the evidence of the handoff


def evidence(item: ReviewItem, story: Story) -> Block:
    """First signal, trusted fields, who overrode what, and what remains: as stored, completed by what is there now."""
    kept = item.evidence if isinstance(item.evidence, Mapping) else {}
    pairs: list[tuple[str, Any]] = [
        ("First signal", _stored(kept, "first_signal") or _first_signal(story)),
        ("Trusted", _stored(kept, "trusted", "trusted_field", "trusted_fields") or _trusted(item.action)),
        ("Overridden by", _stored(kept, "override", "override_by") or _override(item, story)),
        ("Remains", _stored(kept, "remains") or remains(item, story)),
    ]
    known = ("first_signal", "trusted", "trusted_field", "trusted_fields", "override", "override_by", "remains")
    pairs += [(facts.label(str(name)), facts.value(str(name), kept[name])) for name in kept if name not in known]
    if item.cause:
        pairs += [
            ("Cause", cells.theirs(item.cause, 300)),
            ("Corrected by", cells.theirs(item.corrective_action, 300)),
            ("Prevented by", cells.theirs(item.prevention, 300)),
        ]
    return Block("Evidence", wide=True, pairs=pairs, note="kept with the item" if kept else "")


def _stored(kept: Mapping[str, Any], *names: str) -> Any:
    found = next((name for name in names if kept.get(name)), None)
    return facts.value(found, kept[found]) if found else None


def _first_signal(story: Story) -> Any:
    if not story.events:
        return "A person asked; no event came before"
    first = min(story.events, key=lambda one: one.received_at)
    text = f"{cells.system(first.source)}: {event_words(first.kind).lower()}"
    return format_html("{} {}", page_of(first, text), cells.moment(first.received_at, seconds=True))


def _trusted(action: Action | None) -> Any:
    """The facts whose owner's word it was judged on, each with its system and when it was read."""
    if action is None or not isinstance(action.facts, Mapping):
        return cells.dash()
    read = action.facts.get("synced_at")
    told: list[tuple[Any, ...]] = []
    for name, block in TRUSTED.items():
        value = action.facts.get(name)
        if value in (None, "", {}) or isinstance(value, Mapping):
            continue
        at = facts.instant(read.get(block)) if isinstance(read, Mapping) else None
        read_at = f", read {at:%H:%M:%S} UTC" if at else ""
        told.append((facts.label(name), facts.value(name, value), SIGNALS[block], read_at))
    return format_html_join("; ", "{} {} ({}{})", told[:5]) if told else cells.dash()


def _override(item: ReviewItem, story: Story) -> Any:
    """Who said yes although which rules asked."""
    told = [
        f"{one['name']} {one['given_at']:%d %b %H:%M} UTC"
        + (f" over {', '.join(rule_words(str(rule)).lower() for rule in one['rules'])}" if one["rules"] else "")
        for one in story.approvals
        if one["voided_at"] is None and one["given_at"] is not None
    ]
    return cells.theirs("; ".join(told), 300) if told else "Nobody so far"


def remains(item: ReviewItem, story: Story) -> Any:
    """What is still to be done for the contract once this is settled."""
    contract = item.action.contract if item.action else None
    owed = memos.owed(contract.dunning) if contract is not None else []
    told = [f"{len(owed)} unpaid invoice{'s' if len(owed) > 1 else ''}"] if owed else []
    told += [f"{kind_words(one['kind']).lower()} ({one['state'].replace('_', ' ')})" for one in story.raw["open"][:4]]
    if contract is not None and contract.state in ("suspended", "past_due"):
        told.append(f"contract {contract.get_state_display().lower()}")
    return "; ".join(told).capitalize() if told else "Nothing that Meshline knows of"


# --- the note people paste elsewhere


def handoff_note(item: ReviewItem, story: Story, approvals: str, url: str) -> str:
    """The item in plain lines for a ticket or a chat: ids, states, amounts and times; no names of customers."""
    action, customer = item.action, item.customer
    doubt = "" if action is None or action.state == "applied" else " (not confirmed by the provider)"
    lines = [
        f"{item}: {item.sentence}",
        f"State: {(action or item).get_state_display()}{doubt}",
        f"Why a person: {item.reason or item.why}",
        f"Customer: {customer.external_id if customer else 'not known'}",
        f"Approvals: {approvals or 'none'}",
        f"Due: {cells.utc(item.due_at)}, owner {item.owner.get_username() if item.owner else item.owner_group}",
    ]
    for row in action.preview if action else ():
        if isinstance(row, Mapping):
            said = {name: row.get(name) for name in ("system", "field", "now", "after")}
            lines.append("Would change: " + ", ".join(f"{name} {value}" for name, value in said.items() if value))
    last = story.rows[-1] if story.rows else None
    if last is not None:
        lines.append(
            f"Last ledger row: #{last.pk} {decision_words(last.decision).lower()} {cells.utc(last.recorded_at)}"
        )
    lines += [f"Correlation: {item.correlation_id or '-'}", url]
    return cells.plain("\n".join(lines), 6000).replace("[U+000A]", "\n")
