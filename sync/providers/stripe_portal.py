"""Stripe's customer portal: a session for one customer, made now, kept nowhere.

Its address opens somebody's billing data, so neither request nor answer is stored with the attempt. Making one changes
no business record: it is a read to the stop and to the books, and safe to ask for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings

from sync import client
from sync.errors import PermanentError, ProviderError
from sync.providers import base, stripe_accounts
from sync.providers.base import Exchanges, Guard
from sync.providers.stripe import FORM_TYPE, Stripe, form
from sync.wiretypes import FrozenRequest, Response

SECONDS = 8.0  # somebody waits in front of a browser
HOST = "billing.stripe.com"
PATH = "/v1/billing_portal/sessions"
# Two wordings are known of the refusal before anybody has saved the portal's settings in this mode.
NOT_ACTIVATED = ("default configuration has not been created", "until you save your customer portal settings")


class NotActivated(PermanentError):
    """The portal was never switched on in this mode: somebody has to save its settings there once."""


class NoCustomer(PermanentError):
    """Stripe has no such customer in this mode, or has deleted it."""


class BadTarget(PermanentError):
    """The answer names an address that a visitor must not be sent to."""


class StripePortal(Stripe):
    """The adapter with exchanges that leave no bodies and end within seconds."""

    def session(self, customer_id: str, exchanges: Exchanges | None = None) -> str:
        """The address of a fresh session in the account that is acted for.

        Raises NoCustomer, NotActivated, BadTarget, or as reads do.
        """
        chosen = settings.MESHLINE_PORTAL
        params = {
            "customer": base.path_id(customer_id, self.name), "return_url": chosen["return_url"] or None,
            "configuration": chosen_of("configuration", stripe_accounts.acting()) or None,
        }  # fmt: skip
        headers = (FORM_TYPE, *self.read_headers())
        request = FrozenRequest(self.name, "POST", PATH, headers, form(params))
        try:
            response = self.read(request, exchanges)
        except PermanentError as error:
            raise _meaning(error) from error
        url = self.document(response).get("url")
        if not isinstance(url, str) or not is_safe(url, str(self.config["base_url"])):
            raise self.error(BadTarget, response, "the session's address is not the provider's own", code="bad_target")
        return url

    def _send(
        self,
        request: FrozenRequest,
        credentials: Mapping[str, str],
        *,
        is_write: bool,
        guard: Guard | None,
        exchanges: Exchanges | None,
    ) -> Response:
        try:
            response = client.send(
                request, auth_headers=credentials, base_url=str(self.config["base_url"]), is_write=is_write,
                guard=guard, is_private=True, seconds=SECONDS,
            )  # fmt: skip
        except ProviderError as error:
            if error.exchange is not None and exchanges is not None:
                exchanges.append(error.exchange)
            raise
        if exchanges is not None:
            exchanges.append(response.exchange)
        return response


def chosen_of(name: str, account: str) -> str:
    """A portal setting of an account: `configuration` or `check_customer`."""
    further = stripe_accounts.further()
    return str(further.get(account, {}).get(name, "") if account else settings.MESHLINE_PORTAL[name])


@cache
def get() -> StripePortal:
    """The one of this process."""
    return StripePortal()


def is_safe(url: str, base_url: str) -> bool:
    """Whether a visitor may be sent there: https to the provider's portal host or our own domain for it.

    A simulator's address passes only where loopback is allowed and the provider itself is configured there.
    """
    if not url.isascii() or not url.isprintable() or any(one in url for one in " \\"):
        return False
    try:
        parts, ours = urlsplit(url), urlsplit(base_url)
        port = parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or not parts.hostname:
        return False
    if parts.scheme == "https" and port in (None, 443) and parts.hostname in _hosts():
        return True
    is_ours = ours.hostname in client.LOOPBACK_HOSTS and (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc)
    return bool(is_ours and getattr(settings, "MESHLINE_ALLOW_LOOPBACK", False))


def _hosts() -> tuple[str, ...]:
    own = str(settings.MESHLINE_PORTAL["host"])
    return (HOST, own) if own else (HOST,)


def _meaning(error: PermanentError) -> PermanentError:
    """What a refusal says about the portal; anything else stays as it is."""
    message = error.message.lower()
    kind: type[PermanentError] | None = None
    if any(words in message for words in NOT_ACTIVATED):
        kind = NotActivated
    elif error.code == "resource_missing" and "no such customer" in message:
        kind = NoCustomer
    if kind is None:
        return error
    return kind(error.message, provider=error.provider, status=error.status, code=error.code, exchange=error.exchange)
