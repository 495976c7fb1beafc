"""The page of the queue: what to decide, in the order of work, with the next thing one key away."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from gates.models import Preference
from ledger import cells
from ledger.readonly import actor_names
from meshline.console import shell
from meshline.console.page import Site
from meshline.console.queue import bulk_words, rows, saved, tabs
from meshline.console.queue.address import Asked, BadAddress
from meshline.console.queue.cells import MORE, row
from meshline.console.queue.chips import CHIPS, Chip

VIEW = "gates.view_reviewitem"


@dataclass(slots=True)
class Choice:
    """A chip as it is drawn: its choices are (words, address, is chosen)."""

    label: str
    chosen: str
    choices: list[tuple[str, str, bool]]


@dataclass(slots=True)
class Refusal:
    """What is said on top of a page that did nothing."""

    message: str
    code: str = "address"


@dataclass(slots=True)
class Listed:
    """The list as tests and templates see it."""

    result_list: list[Any]
    result_count: int


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The queue as the address asks for it; an address that makes no sense is refused in words, with nothing read."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    given = {name: values[-1] for name, values in request.GET.lists() if values}
    try:
        asked = Asked.read(given, request.user)
    except BadAddress as error:
        return draw(site, request, Asked(request.user), refusal=Refusal(str(error)), status=400, nothing=True)
    return draw(site, request, asked)


def draw(
    site: Site, request: HttpRequest, asked: Asked, *, refusal: Any = None, status: int = 200, nothing: bool = False
) -> HttpResponse:
    """The page. `nothing` leaves the rows out: they would not be what was asked for."""
    views = saved.of(asked.user)
    numbers = tabs.count(asked.user, asked.condition(), saved.conditions(views, asked.user))
    found, more = ([], False) if nothing else rows.page(asked)
    columns = chosen_columns(asked.user)
    shown = [row(one, asked, columns) for one in found]
    total = 0 if nothing else numbers.matching if not asked.is_ended else len(found)
    live: dict[str, Any] = {"since": numbers.newest, **({"view": asked.query} if asked.query else {})}
    context: dict[str, Any] = {
        "title": "Review queue",
        "asked": asked,
        "cl": Listed(found, total),
        "total": "" if nothing or asked.is_ended else total,
        "rows": shown,
        "span": 9 + len(columns),
        "columns": [MORE[name][0] for name in columns],
        "column_choices": [(name, label, name in columns) for name, (label, _) in MORE.items()],
        "tabs": tab_links(asked, numbers),
        "views": saved.links(views, asked, numbers),
        "saving": saved.offer(request, views, asked),
        "chips": [chip_of(name, chip, asked, numbers) for name, chip in CHIPS.items() if is_drawn(name, chip, asked)],
        "verbs": bulk_words.buttons(asked.user),
        "retry_off": bulk_words.why_not("retry", asked.user),
        "clear": asked.with_tab(asked.tab).url,
        "may_claim": asked.user.has_perm("gates.claim_item"),
        "newer": asked.at(asked.page - 1).url if asked.page > 1 else "",
        "older": asked.at(asked.page + 1).url if more else "",
        "empty": None if shown or nothing else empty(request, asked, numbers),
        "live_url": f"{reverse('admin:queue_live')}?{urlencode(live)}",
        "refusal": refusal,
    }
    return site.draw(request, "console/queue.html", context, status)


def tab_links(asked: Asked, numbers: tabs.Numbers) -> list[dict[str, Any]]:
    """The views everybody has, with their counts."""
    known = {**tabs.TABS, "": tabs.ALL}
    return [
        {
            "label": tab.label,
            "count": numbers.tabs[name],
            "url": asked.with_tab(name).url,
            "current": name == asked.tab,
            "alarm": name in ("breached", "failed") and numbers.tabs[name] > 0,
        }
        for name, tab in known.items()
    ]


def is_drawn(name: str, chip: Chip, asked: Asked) -> bool:
    """Chips that only links set are shown while they are set."""
    return chip.offered or name in asked.values


def chip_of(name: str, chip: Chip, asked: Asked, numbers: tabs.Numbers) -> Choice:
    """One chip with its choices; what no active item carries is offered only while it is set."""
    value = asked.values.get(name, "")
    if name == "system":
        options = {one: cells.system(one) for one in settings.MESHLINE_PROVIDERS}
    else:
        options = dict(chip.options) or {one: chip.shown(one) for one in numbers.present.get(name, [])}
    if value and value not in options:
        options[value] = person(value) if name == "person" else chip.shown(value)
    choices = [(words, asked.choosing(name, one).url, one == value) for one, words in options.items()]
    return Choice(
        chip.label, options[value] if value else "", [("Any", asked.choosing(name, "").url, not value), *choices]
    )


def person(value: str) -> str:
    """The name of the person a link narrowed the list to."""
    return actor_names([f"user:{value}"])[f"user:{value}"]


def chosen_columns(user: Any) -> list[str]:
    """The columns this person added."""
    preference: Preference | None = shell.preference(user)
    return [name for name in (preference.columns if preference else []) if name in MORE]


def empty(request: HttpRequest, asked: Asked, numbers: tabs.Numbers) -> dict[str, Any]:
    """Why there is nothing, and what to do next."""
    stop = shell.stop_state(request)
    tab = tabs.TABS.get(asked.tab, tabs.ALL)
    return {
        "narrowed": asked.is_narrowed or asked.page > 1,
        "words": tab.empty,
        "unclaimed": numbers.tabs["unclaimed"],
        "clear": asked.with_tab(asked.tab).url,
        "stopped": stop.on,
    }
