"""`/portal/<token>/`: a visitor is sent to a fresh session at the provider, or gets a friendly page that says nothing.

An address that never was, was ended or is over: one answer, one statement in the database, and nothing to tell them
apart by. Past ten such answers a minute everything from that address is answered alike, links that work included.
"""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt

from meshline import throttle
from sync.portal import visits

HEADERS = {
    "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive",
}  # fmt: skip
NOTHING, SLOW, LATER = "portal/nothing.html", "portal/slow.html", "portal/later.html"
LATER_SECONDS = 60


@csrf_exempt  # nothing is done by POST: it is answered 405 like every method but two
def visit(request: HttpRequest, token: str) -> HttpResponse:
    """Answer a visitor. HEAD says whether the link works and makes no session; neither uses anything up."""
    if request.method not in ("GET", "HEAD"):
        return _answer(request, 405, "", Allow="GET, HEAD")
    peer = throttle.address(request)
    if wait := throttle.spent(throttle.PORTAL, peer):
        return _slow(request, wait)
    found = visits.find(token)
    if found is None:
        wait = throttle.count(throttle.PORTAL, peer)
        return _slow(request, wait) if wait else _answer(request, 404, NOTHING)
    if request.method == "HEAD":
        return _answer(request, 200, "")
    if wait := throttle.count(throttle.PORTAL_LINK, str(found.link_id)):
        return _slow(request, wait)
    try:
        url = visits.open_session(found)
    except visits.Gone:
        return _answer(request, 404, NOTHING)
    except visits.Unavailable:
        return _answer(request, 503, LATER, **{"Retry-After": str(LATER_SECONDS)})
    return _answer(request, 303, "", Location=url)


def _slow(request: HttpRequest, wait: timedelta) -> HttpResponse:
    return _answer(request, 429, SLOW, **{"Retry-After": str(int(wait.total_seconds()) + 1)})


def _answer(request: HttpRequest, status: int, template: str, **headers: str) -> HttpResponse:
    """A page, or none for HEAD and where nobody reads one."""
    text = render_to_string(template) if template and request.method == "GET" else ""
    answer = HttpResponse(text, status=status, headers={**HEADERS, **headers})
    # Django logs the path of what it answers with an error: here it would be a token, a real one at 503.
    marked: Any = answer
    marked._has_been_logged = True
    return answer
