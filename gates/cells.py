"""How review items and gates look in a list or on a page."""

from datetime import timedelta
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from gates import accounts, rules
from gates.models import GateVersion, ReviewItem
from gates.rules.typed import FIELDS
from ledger import cells, clock, money
from ledger.models import Action
from ledger.readonly import page_of
from ledger.words import rule_words

# Late ones have the earliest due time, so they come first by themselves.
ORDER = accounts.ORDER


def item_tag(one: ReviewItem) -> SafeString:
    """The state of an item in words; an action that failed or is in doubt says so itself."""
    action: Action | None = one.action
    if one.state == ReviewItem.State.RESOLVED:
        return cells.tag("resolved", (one.resolution or "resolved").capitalize())
    if action is not None and action.state in ("unknown", "failed", "parked", "sending", "approved"):
        return cells.tag(action.state, action.get_state_display())
    return cells.tag(one.state, one.get_state_display())


def due_badge(one: ReviewItem) -> SafeString:
    """Time left to decide: amber below a quarter of what was promised, an hour at most; resting where it is paused.

    A script counts it down from `datetime`; `data-soon` says from how many seconds on it is amber.
    """
    if one.state == ReviewItem.State.RESOLVED:
        return cells.due(one.due_at, over=True)
    if one.paused_at is not None:
        text, _ = cells.left(one.due_at, one.paused_at)
        title = f"the clock rests since {cells.utc(one.paused_at)}: the customer has to answer"
        return format_html('<span class="due is-paused" title="{}">paused, {}</span>', title, text)
    soon = min(cells.SOON, timedelta(seconds=one.target_seconds) / 4)
    text, urgency = cells.left(one.due_at, clock.now())
    if urgency == "soon" and one.due_at - clock.now() > soon:
        urgency = "fine"
    return format_html(
        '<time class="due is-{}" datetime="{}" title="due {}" data-soon="{}">{}</time>',
        urgency, one.due_at.isoformat(timespec="seconds"), cells.utc(one.due_at), int(soon.total_seconds()), text,
    )  # fmt: skip


SHORT = len("mesh-cus-") + 8  # who has no name yet is told apart by so much of our own number


def customer_cell(one: ReviewItem) -> SafeString:
    """A customer's name and the letter of the tier."""
    if one.customer is None:
        return cells.dash()
    letter = format_html(
        ' <abbr class="tier" title="{}">{}</abbr>', one.customer.get_tier_display(), one.customer.tier[:1].upper()
    )
    name, number = one.customer.name, one.customer.external_id
    label = cells.theirs(name, 60) if name else format_html('<span title="{}">{}…</span>', number, number[:SHORT])
    return format_html("{}{}", page_of(one.customer, label), letter)


OPERATORS = {
    "is": "is",
    "is_not": "is not",
    "over": "over",
    "at_least": "at least",
    "under": "under",
    "one_of": "one of",
}


def row_words(row: dict[str, Any]) -> str:
    """One row of a gate as a clause: `open disputes of the customer over 0`."""
    field = FIELDS[row["field"]][2] if row.get("field") in FIELDS else str(row.get("field"))
    return f"{field} {OPERATORS.get(str(row.get('op')), row.get('op'))} {value_words(row.get('value'))}"


def value_words(value: Any) -> str:
    """The value of a row: limits in each currency's own decimals."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(money.display(minor, currency) for currency, minor in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def gate_tag(one: GateVersion) -> SafeString:
    """Where a version of a gate stands now, by its state and its times."""
    now, state = clock.now(), one.state
    if state == GateVersion.State.LIVE and one.retired_at is not None and one.retired_at <= now:
        return cells.tag("withdrawn", "Replaced")
    if state == GateVersion.State.LIVE and one.valid_from > now:
        return cells.tag("submitted", "Scheduled")
    if state == GateVersion.State.WITHDRAWN and one.retired_at is not None:
        return cells.tag("withdrawn", "Retired")
    return cells.tag(state, one.get_state_display())


def rule_titles() -> list[str]:
    """The built-in rules in the order they judge."""
    return [rule_words(rule.__name__) for rule in rules.RULES]
