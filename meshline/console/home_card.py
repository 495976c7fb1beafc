"""A number on Home."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Card:
    """One number, what it means, where it comes from, and what stands beside it."""

    title: str
    number: Any
    url: str
    about: Any
    formula: str
    tone: str = ""
    about_url: str = ""
    about_tone: str = ""
