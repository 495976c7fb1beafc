"""The password again, where much depends on who is really sitting there.

A view that finds `needed` answers with `demand`. A form is not sent again by itself: the person comes back to the page
with what was typed still in it, looks, and presses the button.
"""

from datetime import timedelta
from typing import Any

import structlog
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from ledger import clock
from meshline import sessions, throttle
from meshline.console.page import Site

log = structlog.get_logger(__name__)

KEPT, KEEP_FOR = "meshline_kept", timedelta(minutes=15)
# What comes back into the form. Anything else is chosen anew, on a page that may look different by then.
FIELDS = frozenset("reason text cause corrective_action prevention".split())
LENGTH = 2000
PASSWORD_LENGTH = 4096


def needed(request: HttpRequest) -> bool:
    """Whether the password has to be confirmed first. Always, where there is no session: a token proves no person."""
    session = getattr(request, "session", None)
    return session is None or not sessions.proved(session)


def demand(request: HttpRequest, back: str = "") -> HttpResponse:
    """Send the person to confirm the password, and from there back to where they were (`back`, or the page before)."""
    before = request.get_full_path() if request.method == "GET" else _page_before(request)
    target = own(request, back) or before
    if request.method == "POST":
        typed = {name: request.POST[name][:LENGTH] for name in FIELDS if request.POST.get(name)}
        at = int(clock.now().timestamp())
        request.session[KEPT] = {"path": target.partition("?")[0], "typed": typed, "at": at}
    url = f"{reverse('admin:stepup')}?{urlencode({'next': target})}"
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=204)
        response["HX-Redirect"] = url
        return response
    return HttpResponseRedirect(url)


def own(request: HttpRequest, url: str) -> str:
    """The address if it is a page of ours, empty otherwise."""
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_ours and url.startswith("/") else ""


def _page_before(request: HttpRequest) -> str:
    """The page the form stood on; without a word from the browser, the form's own address, which shows it again."""
    origin = f"{request.scheme}://{request.get_host()}"
    referrer = request.headers.get("Referer", "")
    path = referrer.removeprefix(origin) if referrer.startswith(f"{origin}/") else ""
    return own(request, path) or request.path


def context(request: HttpRequest) -> dict[str, Any]:
    """What was typed before the password was asked for, once, for the page it was typed on."""
    session = getattr(request, "session", None)
    if request.method != "GET" or session is None or KEPT not in session:
        return {}
    kept = session[KEPT]
    if kept["path"] != request.path:
        return {}
    del session[KEPT]
    if clock.now().timestamp() - kept["at"] > KEEP_FOR.total_seconds():
        return {}
    return {"typed": kept["typed"].get("reason", ""), "kept_fields": kept["typed"]}


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The page that asks for the password."""
    request.sensitive_post_parameters = ("password",)  # type: ignore[attr-defined]  # never in an error report
    target = own(request, request.POST.get("next", request.GET.get("next", ""))) or reverse("admin:index")
    if not needed(request):
        return HttpResponseRedirect(target)
    if request.method != "POST":
        return _page(site, request, target)
    turn = throttle.begin_step_up(int(request.user.pk or 0))
    if turn.wait:
        user_id = request.user.pk
        logout(request)
        log.warning("step_up_locked", user_id=user_id)
        said = f"The password was wrong too often, so you were signed out. Sign in again in {turn.minutes} minutes."
        messages.error(request, said)
        return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode({'next': target})}")
    password = request.POST.get("password", "")
    if len(password) > PASSWORD_LENGTH or not request.user.check_password(password):
        log.info("step_up_failed", user_id=request.user.pk)
        return _page(site, request, target, status=422)
    throttle.succeeded(turn)
    request.session.cycle_key()
    sessions.prove(request.session)
    log.info("step_up_passed", user_id=request.user.pk)
    if KEPT in request.session:
        messages.info(request, "Confirmed. Nothing was sent yet: look again at what you typed, and press the button.")
    return HttpResponseRedirect(target)


def _page(site: Site, request: HttpRequest, target: str, status: int = 200) -> HttpResponse:
    shown = {"title": "Confirm that it is you", "next": target, "is_wrong": status != 200}
    return site.draw(request, "console/stepup.html", shown, status)
