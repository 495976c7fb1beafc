"""Values of the ledger's and the gates' pages as template filters."""

from typing import Any

from django import template

from ledger import cells, money, words

register = template.Library()

register.filter("utc", cells.utc)


@register.filter
def tag(state: str, label: str) -> Any:
    """A state in words and colour."""
    return cells.tag(state, label)


@register.filter
def money_of(row: Any) -> str:
    """The amount of a record."""
    return money.display(row.amount_minor, row.currency)


@register.filter
def grouped(number: int) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"


@register.filter
def in_words(state: str) -> str:
    """A state as it stands in a sentence."""
    return words.state_words(state)


@register.filter
def state_in(state: str) -> Any:
    """A state as a tag, in the words of a sentence."""
    return cells.tag(state, words.state_words(state).capitalize())
