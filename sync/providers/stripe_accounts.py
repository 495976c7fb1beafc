"""Which of several Stripe accounts a call is for. The first one has no name on the wire; the others have theirs.

Whoever asks about one customer says so once, around it: every call of that thread then goes to that customer's account.
A write keeps the account it was frozen for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from django.conf import settings

from sync.errors import PermanentError
from sync.wiretypes import FrozenRequest

PROVIDER = "stripe"
SECRETS = "MESHLINE_STRIPE_WEBHOOK_SECRETS"

_acting: ContextVar[str] = ContextVar("billing_account", default="")


@contextmanager
def acting_for(account: str) -> Iterator[None]:
    """Every call within goes to this account, named as the settings name it; "" is the first one."""
    token = _acting.set(on_wire(account))
    try:
        yield
    finally:
        _acting.reset(token)


def acting() -> str:
    """The account that calls go to now."""
    return _acting.get()


def on_wire(account: str) -> str:
    """An account's name with the first one as ""."""
    return "" if account == settings.MESHLINE_SYNC_ACCOUNT else account


def name_of(account: str) -> str:
    """The name of an account for people and for links; the first one has one, too."""
    return account or str(settings.MESHLINE_SYNC_ACCOUNT)


def further() -> Mapping[str, Mapping[str, Any]]:
    """The accounts beside the first one."""
    found: Mapping[str, Mapping[str, Any]] = settings.MESHLINE_PROVIDERS.get(PROVIDER, {}).get("accounts") or {}
    return found


def connected() -> tuple[str, ...]:
    """The names of all accounts that have a key, the first one first."""
    return (name_of(""), *further())


def config(whole: Mapping[str, Any], account: str) -> Mapping[str, Any]:
    """The provider's settings with those of an account. PermanentError where it is not connected any more."""
    if not account:
        return whole
    found = further().get(account)
    if found is None:
        raise PermanentError(
            f"the billing account {account} is not connected", provider=PROVIDER, code="account_not_connected",
            never_sent=True,
        )  # fmt: skip
    return {**whole, **found}


def addressed(request: FrozenRequest, *, is_write: bool) -> FrozenRequest:
    """A read for the account that is acted for; a write stays with the one it was frozen for."""
    return request if is_write or request.account or not acting() else replace(request, account=acting())


def variable(account: str) -> str:
    """The variable that holds the signing secrets of an account."""
    return f"{SECRETS}_{account.upper()}" if account else SECRETS


def secrets_of(account: str) -> Sequence[str]:
    """What deliveries of an account may be signed with at this moment."""
    return tuple(settings.MESHLINE_SECRETS.get(variable(account)) or ())


def by_id(account_id: str) -> str | None:
    """The account with this id of Stripe's own; None where no further one is known by it."""
    return next((name for name, one in further().items() if one["id"] and one["id"] == account_id), None)
