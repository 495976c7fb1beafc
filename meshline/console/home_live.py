"""What an open Home asks every ten seconds: the stop, the number in the navigation, and the systems card."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse

from meshline.console import home_systems, shell
from meshline.console.page import Site
from meshline.console.queue import live


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The small answer, or 304 where nothing changed since the one before. Two statements besides the sign-in's."""
    seen = numbers(request.user)
    state = shell.stop_state(request)
    state.held = seen["held"] if seen["may_see"] else 0
    systems = home_systems.shown(map(home_systems.of_json, seen["systems"])) if seen["may_look"] else None
    context: dict[str, Any] = {
        "stop": state, "stop_mark": shell.stop_mark(state), "about": shell.QUEUE_WORDS,
        "seen": seen["may_see"], "queue": shell.queue_count(seen["queue"]),
        "systems": systems, "systems_mark": home_systems.mark(systems or ()),
    }  # fmt: skip
    return live.answer(request, "console/home_live.html", context)


def numbers(user: Any) -> Any:
    """Rights, counts and systems in one statement; what somebody has no right to is not shown."""
    queue = RawSQL(shell.QUEUE, (user.pk, shell.MOST))  # noqa: S611 - values are bound
    held = RawSQL(shell.HELD, ())  # noqa: S611 - no value in it
    systems = RawSQL(home_systems.AS_JSON, home_systems.given())  # noqa: S611 - values are bound
    found: Any = User.objects.filter(pk=user.pk).values(
        may_see=Exists(User.objects.with_perm("gates.view_reviewitem", backend=live.BACKEND).filter(pk=user.pk)),
        may_look=Exists(User.objects.with_perm("sync.view_providerstate", backend=live.BACKEND).filter(pk=user.pk)),
        queue=queue, held=held, systems=systems,
    ).get()  # fmt: skip
    return found
