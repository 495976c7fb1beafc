"""What every request passes through besides Django's own."""

import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from structlog import contextvars

from meshline import sessions, stepup

PEOPLE_PAGES = frozenset(
    f"admin:auth_{model}_{page}" for model in ("user", "group") for page in ("add", "change", "delete")
) | {"admin:auth_user_password_change"}
CHANGE_PEOPLE = ("auth.add_user", "auth.change_user", "auth.delete_user", "auth.add_group", "auth.change_group")


class LogContext:
    """Give every log line of a request the same id, and none of the request before it on this thread."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request inside a fresh log context."""
        contextvars.clear_contextvars()
        contextvars.bind_contextvars(request_id=uuid.uuid4().hex)
        return self.get_response(request)


class Sessions:
    """End sessions that are over, show times in the person's own zone, and ask for the password before credentials."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request as whoever it still is."""
        zone = ""
        if request.user.is_authenticated:
            if why := sessions.over(request, request.user):
                logout(request)
                messages.info(request, why)
            else:
                zone = _zone_of(request)
        elif settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            request.session.flush()  # of an account that was switched off: switched on again, it would live on
        if not zone:
            return self.get_response(request)
        with timezone.override(_zone(zone)):
            return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Whoever changes who may sign in, or how, shows first that it is them."""
        found = request.resolver_match
        name = found.view_name if found else ""
        if not (request.user.is_authenticated and stepup.needed(request)):
            return None
        if name == "admin:password_change" or (
            name in PEOPLE_PAGES and any(request.user.has_perm(one) for one in CHANGE_PEOPLE)
        ):
            return stepup.demand(request)
        return None


def _zone_of(request: HttpRequest) -> str:
    """The zone this person reads times in. Programs get UTC, whoever asks."""
    is_page = request.path.startswith(reverse("admin:index"))
    return getattr(getattr(request.user, "preference", None), "zone", "") if is_page else ""


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone of that name; none, which is the installation's own, where it is empty or not known here."""
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
