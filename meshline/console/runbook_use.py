"""Which runbooks are asked for, and how often each was used and led to an end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Count, Max, Q
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.text import capfirst

from gates import runbooks
from gates.models import ReviewItem, Runbook, RunbookTick
from gates.runbooks import ABOUT
from ledger import cells, clock
from ledger.words import kind_words, why_words

PERIOD = timedelta(days=30)
MOST_ITEMS = 20


@dataclass(frozen=True, slots=True)
class Use:
    """How often a runbook was used in 30 days: items, how many of them are settled, and the last items."""

    used: int
    settled: int
    steps: int
    items: list[tuple[ReviewItem, int, datetime]]

    @property
    def words(self) -> str:
        """As one clause."""
        items = "1 item" if self.used == 1 else f"{self.used} items"
        return f"{items}, {self.settled} settled" if self.used else "not once"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list."""

    runbook: Runbook
    about: str
    used: int
    settled: str
    stale: bool
    compensates: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for."""

    query: str = ""
    about: str = ""
    owner: str = ""
    stale: str = ""
    undo: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> "Wanted":
        """Unknown values find nothing, they are no error."""
        given = {
            name: request.GET.get(name, "").replace("\x00", "")[:120] for name in ("about", "owner", "stale", "undo")
        }
        return cls(query=request.GET.get("q", "").replace("\x00", "").strip()[:120], **given)

    @property
    def is_narrow(self) -> bool:
        """Whether anything is left out."""
        return self != Wanted()

    def as_pairs(self) -> list[tuple[str, str]]:
        """The filters as hidden fields of the search."""
        named = {"about": self.about, "owner": self.owner, "stale": self.stale, "undo": self.undo}
        return [(name, value) for name, value in named.items() if value]

    def fits(self, row: Row) -> bool:
        """Whether a line is shown."""
        one, term = row.runbook, self.query.casefold()
        text = " ".join((one.title, one.when, one.slug, *(step["text"] for step in one.steps))).casefold()
        return (
            term in text
            and (not self.about or any(self.about in one.applies_to.get(name, ()) for name in ABOUT))
            and (not self.owner or self.owner == one.owner_group)
            and (not self.stale or self.stale == ("yes" if row.stale else "no"))
            and (not self.undo or self.undo == ("yes" if row.compensates else "no"))
        )


def rows(wanted: Wanted) -> list[Row]:
    """The lines of the list: two statements."""
    now = clock.now()
    use = used_in(now)
    found = [
        Row(
            one, applies_words(one), *_share(use.get(one.pk)), runbooks.is_stale(one, now), runbooks.compensates(one),
        )
        for one in Runbook.objects.select_related("tested_by")
    ]  # fmt: skip
    return [one for one in found if wanted.fits(one)]


def used_in(now: datetime) -> Mapping[int, tuple[int, int]]:
    """Runbook -> items it was used for in 30 days, and how many of these are settled."""
    ticks = RunbookTick.objects.filter(at__gte=now - PERIOD).values("runbook").order_by()
    settled = Count("item", distinct=True, filter=Q(item__state=ReviewItem.State.RESOLVED))
    counted = ticks.annotate(used=Count("item", distinct=True), settled=settled)
    return {one["runbook"]: (one["used"], one["settled"]) for one in counted}


def _share(use: tuple[int, int] | None) -> tuple[int, str]:
    used, settled = use or (0, 0)
    return used, f"{100 * settled // used} %" if used else ""


def of(runbook: Runbook, now: datetime) -> Use:
    """Everything about the use of one runbook."""
    used, settled = used_in(now).get(runbook.pk, (0, 0))
    ticks = RunbookTick.objects.filter(runbook=runbook).values("item").order_by()
    last = list(ticks.annotate(n=Count("id"), at=Max("at")).order_by("-at")[:MOST_ITEMS])
    items = ReviewItem.objects.select_related("action").in_bulk([one["item"] for one in last])
    return Use(used, settled, len(runbook.steps), [(items[one["item"]], one["n"], one["at"]) for one in last])


def named_words(name: str, one: str) -> str:
    """One thing a runbook applies to, in words."""
    if name == "kinds":
        return kind_words(one)
    return why_words(one) if name == "whys" else one


def applies_words(runbook: Runbook) -> str:
    """What it applies to, in a few words."""
    named = [cells.plain(named_words(name, one), 60) for name in ABOUT for one in runbook.applies_to.get(name, ())]
    told = list(dict.fromkeys(named))
    return capfirst(", ".join(told[:3])) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def chips(wanted: Wanted) -> list[dict[str, Any]]:
    """The filters as links."""
    about = {
        one for book in Runbook.objects.all() for name in ("kinds", "whys") for one in book.applies_to.get(name, ())
    }
    owners = Group.objects.order_by("name").values_list("name", flat=True)
    told = sorted(((one, kind_words(one) if "." in one else why_words(one).capitalize()) for one in about),
                  key=lambda pair: pair[1])  # fmt: skip
    return [
        _chip(wanted, "about", "Applies to", told),
        _chip(wanted, "owner", "Owner", [(one, one) for one in owners]),
        _chip(wanted, "stale", "Tested", [("no", "In the last 90 days"), ("yes", "Stale after 90 days")]),
        _chip(wanted, "undo", "Compensation", [("yes", "Has a step that undoes"), ("no", "Has none")]),
    ]


def _chip(wanted: Wanted, name: str, title: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
    value = getattr(wanted, name)
    links = [{"words": "Any", "url": _address(replace(wanted, **{name: ""})), "on": not value}]
    links += [
        {"words": words, "url": _address(replace(wanted, **{name: key})), "on": value == key} for key, words in choices
    ]
    chosen = next((words for key, words in choices if key == value), cells.plain(value, 40))
    return {"title": title, "links": links, "chosen": chosen}


def _address(wanted: Wanted) -> str:
    pairs = [*wanted.as_pairs(), *([("q", wanted.query)] if wanted.query else [])]
    return f"?{urlencode(pairs)}"
