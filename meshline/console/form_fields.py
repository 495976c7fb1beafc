"""Fields of our own forms: what is drawn, what was typed, and which field a refusal is about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from gates.stop import Refused

MOST_TYPED, MOST_LINES = 60_000, 1000


@dataclass(slots=True)
class Field:
    """One field: text, area, number, date, select, checks or hidden. `chosen` are the values of checks."""

    name: str
    label: str
    value: str = ""
    kind: str = "text"
    longest: int = 255
    rows: int = 3
    required: bool = True
    help: str = ""
    choices: Sequence[tuple[str, str]] = ()
    chosen: Sequence[str] = ()
    least: int | None = None
    most: int | None = None
    error: str = ""
    prefix: str = ""  # of its id, where several forms of a page have a field of this name
    options: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether the boxes of a group of checks are unfolded."""
        return bool(self.chosen or self.error)


def filled(fields: list[Field], request: HttpRequest | None, refusal: Refused | None) -> list[Field]:
    """The fields with what was typed where a refusal brings the form back, and the refusal at its field."""
    for one in fields:
        if request is not None and request.method == "POST":
            if one.kind == "checks":
                one.chosen = many(request, one.name)
            elif one.name != "version":
                one.value = text(request, one.name)
        if refusal is not None and refusal.code == one.name:
            one.error = refusal.message
        one.options = [
            (value, words, value in one.chosen if one.kind == "checks" else value == one.value)
            for value, words in one.choices
        ]
    return fields


def text(request: HttpRequest, name: str) -> str:
    """What was typed, without NUL, which no column holds."""
    return request.POST.get(name, "")[:MOST_TYPED].replace("\x00", "")


def many(request: HttpRequest, name: str) -> list[str]:
    """The boxes that were ticked."""
    return [one.replace("\x00", "")[:100] for one in request.POST.getlist(name)[:200]]


def lines(request: HttpRequest, name: str) -> list[str]:
    """The lines that were typed, without empty ones."""
    return [one.strip() for one in text(request, name).splitlines()[:MOST_LINES] if one.strip()]


def number(request: HttpRequest, name: str, *, most: int, words: str = "") -> int:
    """A whole number from 0, or Refused naming the field."""
    typed = text(request, name).strip()
    if not (typed.isascii() and typed.isdigit() and len(typed) < 18 and int(typed) <= most):
        if name == "version":
            raise Refused(422, name, "the page did not say which version you saw; reload it and try again")
        raise Refused(422, name, f"{words or name.replace('_', ' ')}: a whole number from 0 to {most:,}")
    return int(typed)


def maybe(request: HttpRequest, name: str, *, most: int, words: str = "") -> int | None:
    """As `number`, or nothing where nothing was typed."""
    return number(request, name, most=most, words=words) if text(request, name).strip() else None


def key(value: Any) -> int | None:
    """A row's number from an address, or None where it cannot be one."""
    typed = str(value or "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 18 else None
