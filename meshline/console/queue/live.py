"""What an open page asks every ten seconds: how many items are new, the number in the navigation, and the stop."""

import hashlib
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Func, IntegerField, QuerySet, Subquery, Value
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string

from gates.models import ReviewItem
from meshline.console import shell
from meshline.console.page import Site
from meshline.console.queue.address import Asked, BadAddress, is_key

BACKEND = "django.contrib.auth.backends.ModelBackend"


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The small answer, or 304 where nothing changed since the one before. Nobody stays signed in by it."""
    since = request.GET.get("since", "")
    try:
        asked = Asked.parse(request.GET.get("view", ""), request.user)
    except BadAddress as error:
        return quiet(request, HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8"))
    seen = numbers(request.user, asked.items().filter(pk__gt=int(since)) if is_key(since) else None)
    state = shell.stop_state(request)
    state.held = seen["held"] if seen else 0
    context: dict[str, Any] = {"asked": asked, "seen": seen, "stop": state, "stop_mark": shell.stop_mark(state)}
    if seen:
        about = shell.QUEUE_WORDS
        context |= {"queue": shell.queue_count(seen["queue"]), "about": about, "new": seen["new"]}
    return answer(request, "console/live.html", context)


def numbers(user: Any, new: QuerySet[ReviewItem] | None) -> Any:
    """Queue, held and new in one statement, with the right to see them; None without it: the stop is for everybody."""
    counted: Any = Value(0)
    if new is not None:
        counted = Subquery(new.order_by().values(n=Func("pk", function="count", output_field=IntegerField())))
    may_see = User.objects.with_perm("gates.view_reviewitem", backend=BACKEND).filter(pk=user.pk)
    queue = RawSQL(shell.QUEUE, (user.pk, shell.MOST))  # noqa: S611 - values are bound
    held = RawSQL(shell.HELD, ())  # noqa: S611 - no value in it
    found: Any = may_see.values(queue=queue, held=held, new=counted).first()
    return found


def answer(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A fragment with its fingerprint, so that the same one is not sent twice."""
    body = render_to_string(template, context, request).encode()
    tag = f'"{hashlib.blake2s(body, digest_size=12).hexdigest()}"'
    same = request.headers.get("If-None-Match") == tag
    response: HttpResponse = HttpResponseNotModified() if same else HttpResponse(body)
    response["ETag"] = tag
    return quiet(request, response)


def quiet(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Leave the session as it was: a page left open must not keep somebody signed in for ever."""
    del request.session
    return response
