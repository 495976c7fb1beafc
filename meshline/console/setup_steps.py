"""The set-up checklist of a new installation: seven steps, each with its live state and where it is done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.models import Preference
from ledger import cells
from meshline.console.home_numbers import Numbers
from meshline.console.home_systems import SILENT
from meshline.console.page import Site
from sync.connections import known

CONNECT, MAPPING, WORKERS = "sync.view_providerstate", "sync.view_mappingversion", "sync.view_drainslot"
AUTOMATIONS, SHADOW, DRILLS = "gates.view_automation", "gates.view_shadowcomparison", "gates.view_gameday"
# Whoever may look after one of the steps is reminded of what is left once the first events flow.
FOR = ("sync.check_connection", "gates.run_gameday", "gates.change_automation")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do once. `detail` says what is missing, or how it is done; `needs` is the right to its page."""

    done: bool
    text: str
    detail: str
    url: str
    needs: str


@dataclass(frozen=True, slots=True)
class Checklist:
    """All steps. `is_new`: no event has come yet, so it stands in the place of numbers that would all be zero."""

    steps: Sequence[Step]
    is_new: bool

    @property
    def done(self) -> int:
        """How many are done."""
        return sum(one.done for one in self.steps)

    @property
    def next(self) -> Step | None:
        """The first one that is left."""
        return next((one for one in self.steps if not one.done), None)


def checklist(request: HttpRequest, seen: Numbers) -> Checklist | None:
    """For all who would see events while none has come; then for those who can do something, until done or put away."""
    may = request.user.has_perm
    if not may("ledger.view_event"):
        return None
    is_new = seen["first_event"] is None
    preference: Preference | None = getattr(request.user, "preference", None)
    away = preference is not None and preference.setup_away
    if not is_new and (away or not any(may(one) for one in FOR)):
        return None
    shown = tuple(one if may(one.needs) else replace(one, url="") for one in steps(seen))
    found = Checklist(shown, is_new)
    return found if is_new or found.next else None


def steps(seen: Numbers) -> tuple[Step, ...]:
    """The seven, in the order they are done in."""
    return (_providers(seen), _secrets(), _mapping(seen), _owners(seen), _workers(seen), _shadow(seen), _drill(seen))


def _providers(seen: Numbers) -> Step:
    answered = {*(seen["answered"] or ()), *(seen["checked"] or ())}
    wanted = [name for name in settings.MESHLINE_PROVIDERS if name not in known.UNASKED]
    left = [cells.system(name) for name in wanted if name not in answered]
    detail = f"no answer yet from {', '.join(left)}" if left else "every system has answered"
    return Step(bool(wanted) and not left, "Connect the providers", detail, reverse("admin:connections"), CONNECT)


def _secrets() -> Step:
    lacking = [
        cells.system(name)
        for name, one in settings.MESHLINE_PROVIDERS.items()
        if one["webhook_secrets"] and not settings.MESHLINE_SECRETS.get(str(one["webhook_secrets"]))
    ]
    detail = f"missing: {', '.join(lacking)}" if lacking else "every source that delivers has one"
    return Step(not lacking, "Set the signing secrets of the webhooks", detail, reverse("admin:connections"), CONNECT)


def _mapping(seen: Numbers) -> Step:
    detail = "a person put a version in force" if seen["mapped"] else "the shipped mapping is in force; nobody agreed"
    return Step(bool(seen["mapped"]), "Choose which system owns each field", detail, reverse("admin:mapping"), MAPPING)


def _owners(seen: Numbers) -> Step:
    left, every = seen["unowned"], seen["automations"]
    detail = f"{left} of {every} automations have no owner" if left else "every automation has one"
    address = reverse("admin:gates_automation_changelist")
    return Step(every > 0 and not left, "Name the owners of the automations", detail, address, AUTOMATIONS)


def _workers(seen: Numbers) -> Step:
    age = seen.age("worker_seen")
    detail = "they show life" if age is not None and age <= SILENT else "manage.py serve, or manage.py runjobs"
    return Step(age is not None and age <= SILENT, "Start the workers", detail, reverse("admin:workers"), WORKERS)


def _shadow(seen: Numbers) -> Step:
    watching = seen["observing"] + seen["trusted"]
    done = bool(seen["acted"] and watching)
    waits = "no event has been judged yet; send the first webhook to /webhooks/<source>/"
    detail = "automations judge what arrives" if done else waits if watching else "every automation is paused"
    return Step(done, "Start in Shadow", detail, reverse("admin:shadow"), SHADOW)


def _drill(seen: Numbers) -> Step:
    age = seen.age("drilled")
    detail = (
        f"the last one passed {cells.length(age)} ago" if age is not None else "on a quiet day, before real traffic"
    )
    return Step(age is not None, "Run the first drill of the stop", detail, reverse("admin:gamedays"), DRILLS)


def put_away(site: Site, request: HttpRequest) -> HttpResponse:
    """Hide what is left of the list for this person alone, or with `again` show it once more. By POST only."""
    if request.method == "POST":
        away = "again" not in request.POST
        me = cast(User, request.user)
        Preference.objects.update_or_create(user=me, defaults={"setup_away": away})
        said = "put away. My settings brings it back." if away else "shown again until all of it is done."
        messages.success(request, f"The set-up checklist is {said}")
    return HttpResponseRedirect(reverse("admin:index"))
