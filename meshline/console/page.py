"""What the page of a record is made of: a sentence, a line of facts, and blocks of pairs, tables or text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db import models
from django.http import HttpRequest, HttpResponse


@dataclass(slots=True)
class Block:
    """One box of a page: pairs, a table, or a text; `empty` says what is normal when there is nothing in it."""

    title: str
    pairs: Sequence[tuple[str, Any]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    text: str = ""
    empty: str = ""
    note: Any = ""
    more: tuple[str, str] | None = None
    template: str = ""
    data: Any = None
    wide: bool = False
    anchor: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether only the words for nothing are shown."""
        return not (self.pairs or self.rows or self.text or self.data)


@dataclass(slots=True)
class Page:
    """The page of one record."""

    title: str
    sentence: Any = ""
    tag: Any = ""
    line: Sequence[tuple[str, Any]] = ()
    doors: Sequence[Any] = ()
    main: list[Block] = field(default_factory=list)
    side: list[Block] = field(default_factory=list)
    back: tuple[str, str] = ("", "")
    correlation: str = ""
    live: str = ""
    template: str = "console/record.html"
    more: dict[str, Any] = field(default_factory=dict)


def present(blocks: Iterable[Block | None]) -> list[Block]:
    """The blocks that are there for this person."""
    return [one for one in blocks if one is not None]


class Site(Protocol):
    """What views need of the site they stand on."""

    def draw(
        self, request: HttpRequest, template: str, context: dict[str, Any], status: int | None = None
    ) -> HttpResponse:
        """A page of ours inside the shell."""
        ...

    def show(
        self, request: HttpRequest, record: models.Model, *, status: int | None = None, **more: Any
    ) -> HttpResponse:
        """The page of one record."""
        ...
