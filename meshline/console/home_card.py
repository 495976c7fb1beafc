"""A number on Home."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Card:
    """One number, what it means, where it comes from, and what stands beside it.

    `formula` is shown on hover and while the number has the focus, with `at`, when it was computed. `key` opens it.
    """

    title: str
    number: Any
    url: str
    about: Any
    formula: str
    tone: str = ""
    about_url: str = ""
    about_tone: str = ""
    at: Any = None
    key: str = ""
