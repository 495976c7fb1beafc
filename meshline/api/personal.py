"""Stored JSON for people who may not see personal data: the same members, with what names somebody left out."""

from collections.abc import Mapping
from typing import Any

from ledger import cells
from meshline.console.bodies import EMAIL, PERSONAL

HIDDEN = "•••"
DEEPEST = 32


def shown(value: Any, *, in_full: bool, depth: int = 0) -> Any:
    """The value as it may be given: members that hold names or addresses masked, e-mail addresses in texts too."""
    if in_full or value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return EMAIL.sub(lambda found: cells.masked(found.group()), value)
    if depth > DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if str(name).lower() in PERSONAL and one else shown(one, in_full=False, depth=depth + 1)
            for name, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [shown(one, in_full=False, depth=depth + 1) for one in value]
    return shown(str(value), in_full=False)


def email(address: str, *, in_full: bool) -> str:
    """An address, or no more of it than its domain."""
    return address if in_full else cells.masked(address)
