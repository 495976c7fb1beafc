"""Signing in: counted tries, one answer for whatever is wrong, and the page a person likes to begin with."""

from typing import Any

import structlog
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse

from meshline import throttle

log = structlog.get_logger(__name__)

START_PAGES = {
    "home": ("Home", "admin:index"),
    "queue": ("Review queue", "admin:gates_reviewitem_changelist"),
    "customers": ("Customers", "admin:ledger_customer_changelist"),
    "ledger": ("Ledger", "admin:ledger_ledgerrow_changelist"),
}
PASSWORD_LENGTH = 4096  # a longer one is no password but work for the hasher


class SignInForm(AdminAuthenticationForm):
    """User name and password. An unknown name, a wrong password and an account without access are one answer.

    The hasher runs once in each of these cases (Django runs it for unknown names too), so they take the same time.
    """

    turn: throttle.Turn | None = None

    def clean(self) -> dict[str, Any]:
        """Count the try, then look at it. Raises ValidationError `throttled` or `invalid_login`."""
        assert self.request is not None
        username = str(self.cleaned_data.get("username") or "")
        password = str(self.cleaned_data.get("password") or "")
        if not username or not password:
            return dict(self.cleaned_data)
        self.turn = throttle.begin(self.request, username)
        if self.turn.wait:
            log.warning("sign_in_throttled")
            words = (
                f"Too many tries. Wait {self.turn.minutes} minutes, then try again; trying meanwhile changes nothing."
            )
            raise ValidationError(words, code="throttled")
        if len(password) > PASSWORD_LENGTH:
            self.cleaned_data["password"] = password[:PASSWORD_LENGTH]
        cleaned: dict[str, Any] = super().clean()
        throttle.succeeded(self.turn)
        return cleaned


def finish(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer of Django's sign-in view, with status, cookie and start page as they should be."""
    form = getattr(response, "context_data", {}).get("form") if hasattr(response, "context_data") else None
    turn = getattr(form, "turn", None)
    if turn is not None and turn.wait:
        response.status_code = 429
        response["Retry-After"] = str(int(turn.wait.total_seconds()) + 1)
    if request.method == "POST" and isinstance(response, HttpResponseRedirect) and request.user.is_authenticated:
        throttle.remember(request, response, request.user.get_username())
        if response["Location"] == reverse("admin:index"):
            response["Location"] = start_page(request.user)
    return response


def start_page(user: Any) -> str:
    """Where this person begins, by their settings."""
    chosen = getattr(getattr(user, "preference", None), "start_page", "home")
    try:
        return reverse(START_PAGES.get(chosen, START_PAGES["home"])[1])
    except NoReverseMatch:
        return reverse("admin:index")
