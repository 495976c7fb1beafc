"""The cells of lists as template filters, so that a value looks the same wherever it stands."""

from typing import Any

from django import template

from gates.cells import customer_cell, due_badge, item_tag
from ledger import cells, words
from ledger.readonly import page_of
from meshline.console import shell

register = template.Library()

register.filter("moment", cells.moment)
register.filter("ago", cells.ago)
register.filter("theirs", cells.theirs)
register.filter("due", cells.due)
register.filter("system", cells.system)
register.filter("scope", shell.scope_words)
register.filter("kind", words.kind_words)
register.filter("why", words.why_words)
register.filter("happened", words.event_words)
register.filter("verdict", words.verdict_words)
register.filter("item_tag", item_tag)
register.filter("due_badge", due_badge)
register.filter("customer_cell", customer_cell)
register.filter("page_of", page_of)


@register.filter
def moment_s(at: Any) -> Any:
    """A point in time to the second."""
    return cells.moment(at, seconds=True)


@register.filter
def money(record: Any) -> Any:
    """The amount of a record in its own currency."""
    return cells.amount(record.amount_minor, record.currency)


@register.filter
def state_tag(record: Any) -> Any:
    """The state of any record."""
    return cells.tag(record.state, record.get_state_display())


@register.filter
def is_odd(node: Any, odd: set[tuple[str, str]]) -> bool:
    """Whether a member of a body is not the same in every body."""
    return (node.path, node.value) in odd
