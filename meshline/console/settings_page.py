"""My settings: zone, keys, start page, absences, saved views, and what I did last."""

import zoneinfo
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import routing_edit
from gates.models import Absence, Preference, SavedView
from gates.stop import Refused
from ledger import cells, clock
from ledger.models import LedgerRow
from ledger.readonly import page_of
from ledger.words import decision_words, subject_words
from meshline import sessions, signin
from meshline.console import parts, routing_forms
from meshline.console.page import Block, Site

MOST_DAYS, MOST_ROWS = 20, 20


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The page of whoever asks; nobody sees another person's."""
    return draw(site, request)


def draw(site: Site, request: HttpRequest, status: int | None = None, **more: Any) -> HttpResponse:
    """The page, with what was typed where a refusal brings it back."""
    me = _me(request)
    kept = Preference.objects.filter(user=me).first() or Preference(user=me)
    shown = {
        "title": "My settings",
        "zone": kept.zone,
        "shortcuts_on": kept.shortcuts,
        "start": kept.start_page,
        "zones": zones(),
        "starts": [(name, words) for name, (words, _) in signin.START_PAGES.items()],
        "absences": list(Absence.objects.filter(user=me, ends_at__gt=clock.now())[:MOST_DAYS]),
        "absence_fields": routing_forms.absence_fields(request, for_others=False),
        "views": [(one, f"{reverse('admin:gates_reviewitem_changelist')}?{one.query}") for one in _views(me)],
        "groups": list(me.groups.order_by("name").values_list("name", flat=True)),
        "idle": cells.length(timedelta(seconds=sessions.idle_limit(me))),
        "recent": recent(me),
        **more,
    }
    return site.draw(request, "console/settings.html", shown, status)


@cache
def zones() -> tuple[str, ...]:
    """Every zone this machine knows, without the odd ones."""
    odd = ("Etc/", "SystemV/", "posix/", "right/")
    return tuple(sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith(odd)))


def recent(me: User) -> Block:
    """What this person did last, by the ledger."""
    # The first condition says it all; the second is the one the index of people's rows is made for.
    mine = LedgerRow.objects.filter(actor=f"user:{me.pk}", actor__startswith="user:").order_by("-id")[:MOST_ROWS]
    return Block(
        "What I did last",
        columns=("When", "What", "About", "Outcome"),
        rows=[
            (
                page_of(row, cells.moment(row.recorded_at, seconds=True)),
                decision_words(row.decision) + (" (refused)" if row.outcome == "refused" else ""),
                f"{subject_words(row.subject_kind)} {cells.plain(row.subject_id, 40)}",
                parts.step(row),
            )
            for row in mine
        ],
        empty="Nothing yet. Each decision you take is kept in the ledger and shown here.",
        wide=True,
    )


def act(site: Site, request: HttpRequest, verb: str) -> HttpResponse:
    """Keep settings, enter or end an absence of one's own; by POST only."""
    if verb not in VERBS:
        raise Http404("there is no such verb")
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:my_settings"))
    try:
        said = VERBS[verb](request)
    except Refused as refusal:
        typed = {"zone": _text(request, "zone"), "start": _text(request, "start_page")}
        more = {**typed, "shortcuts_on": "shortcuts" in request.POST} if verb == "save" else {}
        return draw(site, request, refusal.status, refusal=refusal, **more)
    messages.success(request, said)
    return HttpResponseRedirect(reverse("admin:my_settings"))


def _save(request: HttpRequest) -> str:
    zone, start = _text(request, "zone"), _text(request, "start_page")
    if zone and zone not in zoneinfo.available_timezones():
        raise Refused(422, "zone", "zone: choose one from the list, such as Europe/Lisbon; nothing was kept")
    if start not in signin.START_PAGES:
        raise Refused(422, "start_page", "start page: choose one from the list; nothing was kept")
    chosen = {"zone": zone, "start_page": start, "shortcuts": "shortcuts" in request.POST}
    Preference.objects.update_or_create(user=_me(request), defaults=chosen)
    return f"Kept. Times are shown in {zone or 'the zone of your browser'}."


def _away(request: HttpRequest) -> str:
    _, starts_at, ends_at = routing_forms.absence_said(request)
    me = _me(request)
    routing_edit.add_absence(me.pk, starts_at, ends_at, by=me)
    return "Your absence is entered: nothing is routed to you meanwhile, and what you own goes to the fallback."


def _back(request: HttpRequest) -> str:
    key = _text(request, "absence")
    mine = Absence.objects.filter(user=_me(request), pk=int(key)) if _is_key(key) else Absence.objects.none()
    if not mine.exists():
        raise Refused(404, "absence", "you have no such absence; perhaps it was ended already")
    routing_edit.end_absence(int(key), by=_me(request))
    return "Your absence is ended: items may be routed to you again."


VERBS: dict[str, Callable[[HttpRequest], str]] = {"save": _save, "away": _away, "back": _back}


def _views(me: User) -> list[SavedView]:
    return list(SavedView.objects.filter(owner=me)[:MOST_DAYS])


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 18


def _text(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "")[:80].replace("\x00", "").strip()


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
