"""How review items and gates look in a list or on a page."""

from typing import Any

from django.db.models import F
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gates import rules
from gates.models import ReviewItem
from gates.rules.typed import FIELDS
from ledger import cells
from ledger.models import Action
from ledger.readonly import page_of
from ledger.words import rule_words

# Late ones have the earliest due time, so they come first by themselves.
ORDER = ("due_at", F("customer__mrr_minor").desc(nulls_last=True), "id")


def item_tag(one: ReviewItem) -> SafeString:
    """The state of an item in words; an action that failed or is in doubt says so itself."""
    action: Action | None = one.action
    if one.state == ReviewItem.State.RESOLVED:
        return cells.tag("resolved", (one.resolution or "resolved").capitalize())
    if action is not None and action.state in ("unknown", "failed", "parked", "sending", "approved"):
        return cells.tag(action.state, action.get_state_display())
    return cells.tag(one.state, one.get_state_display())


def customer_cell(one: ReviewItem) -> SafeString:
    """A customer's name and the letter of the tier."""
    if one.customer is None:
        return cells.dash()
    letter = format_html(
        ' <abbr class="tier" title="{}">{}</abbr>', one.customer.get_tier_display(), one.customer.tier[:1].upper()
    )
    return format_html("{}{}", page_of(one.customer, cells.theirs(one.customer, 60)), letter)


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
    value = (
        {True: "yes", False: "no"}.get(row["value"], row["value"])
        if isinstance(row.get("value"), bool)
        else row.get("value")
    )
    shown = ", ".join(map(str, value)) if isinstance(value, list) else value
    return f"{field} {OPERATORS.get(str(row.get('op')), row.get('op'))} {shown}"


def rule_titles() -> list[str]:
    """The built-in rules in the order they judge."""
    return [rule_words(rule.__name__) for rule in rules.RULES]
