"""What is configured of each system: address, account, credentials and their age; never the value of a secret."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from sync import providers
from sync.modes import is_test
from sync.providers import stripe_accounts

HOSTS = {
    "stripe": ("api.stripe.com",), "netsuite": (".suitetalk.api.netsuite.com",), "zendesk": (".zendesk.com",),
    "pipedrive": (".pipedrive.com",), "slack": ("slack.com",), "pagerduty": (".pagerduty.com",),
}  # fmt: skip
# Variable -> the key of a provider's settings it fills. NetSuite and Pipedrive sign in one of two ways.
VARIABLES: Mapping[str, Mapping[str, str]] = {
    "stripe": {"MESHLINE_STRIPE_API_KEY": "api_key"},
    "netsuite": {
        "MESHLINE_NETSUITE_ACCOUNT": "account", "MESHLINE_NETSUITE_CLIENT_ID": "client_id",
        "MESHLINE_NETSUITE_CERTIFICATE_ID": "certificate_id", "MESHLINE_NETSUITE_PRIVATE_KEY": "private_key",
    },
    "netsuite tba": {
        "MESHLINE_NETSUITE_ACCOUNT": "account", "MESHLINE_NETSUITE_CONSUMER_KEY": "consumer_key",
        "MESHLINE_NETSUITE_CONSUMER_SECRET": "consumer_secret", "MESHLINE_NETSUITE_TOKEN_ID": "token_id",
        "MESHLINE_NETSUITE_TOKEN_SECRET": "token_secret",
    },
    "zendesk": {
        "MESHLINE_ZENDESK_BASE_URL": "base_url", "MESHLINE_ZENDESK_EMAIL": "email",
        "MESHLINE_ZENDESK_API_TOKEN": "api_token",
    },
    "pipedrive": {"MESHLINE_PIPEDRIVE_API_TOKEN": "api_token"},
    "pipedrive oauth2": {
        "MESHLINE_PIPEDRIVE_CLIENT_ID": "client_id", "MESHLINE_PIPEDRIVE_CLIENT_SECRET": "client_secret",
        "MESHLINE_PIPEDRIVE_REFRESH_TOKEN": "refresh_token",
    },
    "slack": {
        "MESHLINE_SLACK_BOT_TOKEN": "bot_token", "MESHLINE_SLACK_TEAM_ID": "team_id",
        "MESHLINE_SLACK_APP_ID": "app_id",
    },
    "pagerduty": {"MESHLINE_PAGERDUTY_ROUTING_KEY": "routing_key"},
    "mail": {"MESHLINE_MAIL_HOST": "host", "MESHLINE_MAIL_FROM": "from"},
}  # fmt: skip
ACCOUNTS = {"netsuite": "account", "pipedrive": "company", "slack": "team_id"}
OPTIONAL = frozenset({"pipedrive", "slack", "pagerduty", "mail"})
# Nothing can be read from these: a page or a mail is the only thing they take, and a check must do neither.
UNASKED = frozenset({"pagerduty", "mail"})
EITHER = frozenset({"pagerduty"})  # its two ways are independent of each other: one of them is enough


@dataclass(frozen=True, slots=True)
class Credential:
    """One variable: whether it is set, how many values it holds, and the age of its file where it comes from one."""

    variable: str
    count: int
    age: timedelta | None = None

    @property
    def is_set(self) -> bool:
        """Whether there is one at all."""
        return self.count > 0


@dataclass(frozen=True, slots=True)
class Known:
    """A system as this installation is configured for it."""

    provider: str
    host: str
    mode: str
    account: str
    credentials: tuple[Credential, ...]
    signing: Credential | None  # what its deliveries are signed with; None where it makes none
    is_optional: bool
    version: str
    further: tuple[Credential, ...] = ()  # of its further accounts

    @property
    def missing(self) -> list[str]:
        """Variables that are not set."""
        listed = (*self.credentials, *([self.signing] if self.signing else []), *self.further)
        if self.provider in EITHER and any(one.is_set for one in listed):
            return []
        return [one.variable for one in listed if not one.is_set]

    @property
    def is_used(self) -> bool:
        """Whether anything of an optional system is set; the others are always wanted."""
        return not self.is_optional or self.provider in settings.MESHLINE_PROVIDERS

    @property
    def can_call(self) -> bool:
        """Whether it can be asked anything."""
        if self.provider in UNASKED:
            return False
        return bool(self.credentials and self.is_used and self.host) and all(one.is_set for one in self.credentials)

    @property
    def can_deliver(self) -> bool:
        """Whether a delivery of it would be believed."""
        return self.signing is not None and self.signing.is_set


def of(provider: str) -> Known:
    """What is configured of one system. KeyError for a name nobody registered.

    One that is not listed here has a card with what was met of it, and cannot be checked.
    """
    adapter = providers.get(provider)
    config: Mapping[str, Any] = settings.MESHLINE_PROVIDERS.get(provider, {})
    way = str(config.get("auth") or "")
    named = VARIABLES.get(f"{provider} {way}") or VARIABLES.get(provider, {})
    credentials = [Credential(name, int(bool(config.get(key))), _age(name)) for name, key in named.items()]
    secrets = getattr(adapter, "webhook_secrets_name", "") if named else ""
    signing = Credential(secrets, len(adapter.webhook_secrets()), _age(secrets)) if secrets else None
    base_url = str(config.get("base_url") or "")
    host = urlsplit(base_url).netloc.rpartition("@")[2]
    return Known(
        provider, host, mode(provider, config), str(config.get(ACCOUNTS.get(provider, "")) or ""), tuple(credentials),
        signing, provider in OPTIONAL or not named, str(config.get("api_version") or ""), _further(config),
    )  # fmt: skip


def _further(config: Mapping[str, Any]) -> tuple[Credential, ...]:
    """Keys and signing secrets of a provider's further accounts."""
    names: Mapping[str, Any] = config.get("accounts") or {}
    keys = [f"MESHLINE_STRIPE_API_KEY_{name.upper()}" for name in names]
    signing = [(stripe_accounts.variable(name), len(stripe_accounts.secrets_of(name))) for name in names]
    return tuple(Credential(name, count, _age(name)) for name, count in [*((key, 1) for key in keys), *signing])


def mode(provider: str, config: Mapping[str, Any]) -> str:
    """Test or live as far as address and credentials tell; an address that is not the provider's own is custom."""
    host = urlsplit(str(config.get("base_url") or "")).hostname or ""
    if not host:
        return "not configured"
    if not any(host.endswith(own) if own.startswith(".") else host == own for own in HOSTS.get(provider, ())):
        return "custom address"
    return "test" if is_test(provider, config) else "live"


def _age(variable: str) -> timedelta | None:
    """How old the file of a secret is; None where it comes from the environment itself."""
    path = os.environ.get(f"{variable}_FILE", "").strip()
    try:
        return timedelta(seconds=max(0.0, time.time() - Path(path).stat().st_mtime)) if path else None
    except OSError:
        return None
