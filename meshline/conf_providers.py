"""Where each provider is and how we sign in there."""

import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any
from zoneinfo import available_timezones

from meshline import conf_mail, conf_stripe
from meshline.env import Secrets, env_int, env_secret, env_str, env_url, is_loopback, refuse, split

WEBHOOK_SECRETS = {
    "stripe": "MESHLINE_STRIPE_WEBHOOK_SECRETS",
    "netsuite": "MESHLINE_NETSUITE_WEBHOOK_SECRETS",
    "zendesk": "MESHLINE_ZENDESK_WEBHOOK_SECRETS",
    "pipedrive": "MESHLINE_PIPEDRIVE_WEBHOOK_SECRETS",
    "slack": "MESHLINE_SLACK_SIGNING_SECRETS",
    "pagerduty": "MESHLINE_PAGERDUTY_WEBHOOK_SECRETS",
}
# Providers that an installation may do without: connected as soon as one of their credentials is set.
CREDENTIALS = {
    "pipedrive": (
        "MESHLINE_PIPEDRIVE_API_TOKEN",
        "MESHLINE_PIPEDRIVE_CLIENT_ID",
        "MESHLINE_PIPEDRIVE_CLIENT_SECRET",
        "MESHLINE_PIPEDRIVE_REFRESH_TOKEN",
        "MESHLINE_PIPEDRIVE_WEBHOOK_SECRETS",
    ),
    "slack": ("MESHLINE_SLACK_BOT_TOKEN", "MESHLINE_SLACK_SIGNING_SECRETS"),
    "pagerduty": ("MESHLINE_PAGERDUTY_ROUTING_KEY", "MESHLINE_PAGERDUTY_WEBHOOK_SECRETS"),
}
SLACK_HOST = "https://slack.com"
PAGING_HOST = "https://events.pagerduty.com"
CHANNEL = re.compile(r"[CG][A-Z0-9]{2,30}")
NETSUITE_HOST = "https://{account}.suitetalk.api.netsuite.com"


def defaults(*, dev: bool) -> Mapping[str, str]:
    """In development everything points at the simulators, with the credentials they publish; else at the real thing."""
    if not dev:
        return {"MESHLINE_STRIPE_BASE_URL": "https://api.stripe.com"}
    sandbox = env_url("MESHLINE_SANDBOX_URL", "http://127.0.0.1:8200", loopback_http=True)
    # By name, because the product never imports its simulators; here their published keys are configuration.
    known: Mapping[str, str] = import_module("sync.sandbox.keys").environment(sandbox)
    return known


def read(default: Mapping[str, str], *, dev: bool, allow_loopback: bool) -> dict[str, dict[str, Any]]:
    """The providers as the environment describes them."""
    providers = {"stripe": stripe(default, dev), "netsuite": netsuite(default, dev), "zendesk": zendesk(default, dev)}
    if is_connected("pipedrive", default):
        providers["pipedrive"] = pipedrive(default, dev)
    if is_connected("slack", default):
        providers["slack"] = slack(default, dev)
    if is_connected("pagerduty", default):
        providers["pagerduty"] = pagerduty(default, dev)
    for name, provider in providers.items():
        if is_loopback(provider["base_url"]) and not allow_loopback:
            variable = f"MESHLINE_{name.upper()}_BASE_URL"
            raise refuse(variable, "points at this machine; that needs MESHLINE_ALLOW_LOOPBACK=1", "https://...")
        provider["webhook_secrets"] = WEBHOOK_SECRETS[name]
    if mail := conf_mail.read(allow_loopback=allow_loopback):
        providers["mail"] = mail
    return providers


def is_connected(name: str, default: Mapping[str, str]) -> bool:
    """Whether an installation uses a provider that it may do without: any credential of it is set, or a file of one."""
    return any(
        os.environ.get(variable, "").strip() or os.environ.get(f"{variable}_FILE", "").strip() or default.get(variable)
        for variable in CREDENTIALS[name]
    )


def public_url(hosts: Sequence[str], *, dev: bool) -> str:
    """Where providers deliver to us: test deliveries go there. By default the first host name we answer for."""
    own = "http://127.0.0.1:8000" if dev else f"https://{hosts[0].lstrip('.')}" if hosts else ""
    return env_url("MESHLINE_PUBLIC_URL", own, loopback_http=dev)


def secrets(default: Mapping[str, str]) -> Secrets:
    """The signing secrets of incoming deliveries; a source without one refuses every delivery."""
    return Secrets({name: default[name] for name in WEBHOOK_SECRETS.values() if name in default})


def stripe(default: Mapping[str, str], dev: bool) -> dict[str, Any]:
    """Billing: the first account, and further ones by name."""
    key = _secret("MESHLINE_STRIPE_API_KEY", default)
    return {
        "base_url": _url("MESHLINE_STRIPE_BASE_URL", default, dev),
        "api_key": key,
        "accounts": conf_stripe.accounts(key, env_str("MESHLINE_SYNC_ACCOUNT", "default")),
        "api_version": _text("MESHLINE_STRIPE_API_VERSION", default, "2026-10-28.endive"),
    }


def netsuite(default: Mapping[str, str], dev: bool) -> dict[str, Any]:
    """The ERP; its address follows from the account unless it is given."""
    account = _text("MESHLINE_NETSUITE_ACCOUNT", default)
    host = NETSUITE_HOST.format(account=account.lower().replace("_", "-")) if account else ""
    return {
        "base_url": _url("MESHLINE_NETSUITE_BASE_URL", {"MESHLINE_NETSUITE_BASE_URL": host, **default}, dev),
        "account": account,
        "auth": _choice("MESHLINE_NETSUITE_AUTH", default, ("oauth2", "tba")),
        "client_id": _text("MESHLINE_NETSUITE_CLIENT_ID", default),
        "certificate_id": _text("MESHLINE_NETSUITE_CERTIFICATE_ID", default),
        "private_key": _secret("MESHLINE_NETSUITE_PRIVATE_KEY", default),
        "algorithm": _choice("MESHLINE_NETSUITE_ALGORITHM", default, ("PS256", "ES256")),
        "consumer_key": _secret("MESHLINE_NETSUITE_CONSUMER_KEY", default),
        "consumer_secret": _secret("MESHLINE_NETSUITE_CONSUMER_SECRET", default),
        "token_id": _secret("MESHLINE_NETSUITE_TOKEN_ID", default),
        "token_secret": _secret("MESHLINE_NETSUITE_TOKEN_SECRET", default),
        # The limit is the account's and shared with every other integration of it, so ours stays well below.
        "concurrency": env_int("MESHLINE_NETSUITE_CONCURRENCY", 4, low=1, high=300),
        "item": _text("MESHLINE_NETSUITE_ITEM", default),
        "credit_item": _text("MESHLINE_NETSUITE_CREDIT_ITEM", default),
        "async": _text("MESHLINE_NETSUITE_ASYNC", default) == "1",
        "contract_record": _text("MESHLINE_NETSUITE_CONTRACT_RECORD", default, "customrecord_mesh_contract"),
        "status_field": _text("MESHLINE_NETSUITE_STATUS_FIELD", default, "custrecord_mesh_status"),
        "plan_field": _text("MESHLINE_NETSUITE_PLAN_FIELD", default, "custrecord_mesh_plan"),
        "action_field": _text("MESHLINE_NETSUITE_ACTION_FIELD", default, "custrecord_mesh_action"),
        "subscription_field": _text(
            "MESHLINE_NETSUITE_SUBSCRIPTION_FIELD", default, "custrecord_stripe_subscription_id"
        ),
        "stripe_customer_field": _text(
            "MESHLINE_NETSUITE_STRIPE_CUSTOMER_FIELD", default, "custentity_nm_stripe_customer_id"
        ),
        "portal_field": _text("MESHLINE_NETSUITE_PORTAL_FIELD", default, "custentity_mesh_stripe_portal_url"),
    }


def zendesk(default: Mapping[str, str], dev: bool) -> dict[str, Any]:
    """The support desk; its address carries the installation's own name, so there is no default."""
    return {
        "base_url": _url("MESHLINE_ZENDESK_BASE_URL", default, dev),
        "email": _text("MESHLINE_ZENDESK_EMAIL", default),
        "api_token": _secret("MESHLINE_ZENDESK_API_TOKEN", default),
        "agent_id": _text("MESHLINE_ZENDESK_AGENT_ID", default),
    }


def pipedrive(default: Mapping[str, str], dev: bool) -> dict[str, Any]:
    """The CRM; the company's own address where it is known, else the one for all."""
    company = _text("MESHLINE_PIPEDRIVE_COMPANY", default)
    host = f"https://{company}.pipedrive.com" if company else "https://api.pipedrive.com"
    oauth = {"MESHLINE_PIPEDRIVE_OAUTH_URL": "https://oauth.pipedrive.com", **default}
    return {
        "base_url": _url("MESHLINE_PIPEDRIVE_BASE_URL", {"MESHLINE_PIPEDRIVE_BASE_URL": host, **default}, dev),
        "company": company,
        "auth": _choice("MESHLINE_PIPEDRIVE_AUTH", default, ("token", "oauth2")),
        "api_token": _secret("MESHLINE_PIPEDRIVE_API_TOKEN", default),
        "oauth_url": _url("MESHLINE_PIPEDRIVE_OAUTH_URL", oauth, dev),
        "client_id": _text("MESHLINE_PIPEDRIVE_CLIENT_ID", default),
        "client_secret": _secret("MESHLINE_PIPEDRIVE_CLIENT_SECRET", default),
        "refresh_token": _secret("MESHLINE_PIPEDRIVE_REFRESH_TOKEN", default),
        "user_id": _number("MESHLINE_PIPEDRIVE_USER_ID", default),
        "pipeline_id": _number("MESHLINE_PIPEDRIVE_PIPELINE_ID", default),
        "signed_stage_id": _number("MESHLINE_PIPEDRIVE_SIGNED_STAGE_ID", default),
        "reset_zone": _zone("MESHLINE_PIPEDRIVE_RESET_ZONE", default),
        "flag_label": _text("MESHLINE_PIPEDRIVE_FLAG_LABEL", default, "Billing blocked"),
        "deal_fields": {
            "package_code": _text("MESHLINE_PIPEDRIVE_FIELD_PACKAGE_CODE", default, "Onboarding package code"),
            "external_id": _text("MESHLINE_PIPEDRIVE_FIELD_EXTERNAL_ID", default, "Meshline external id"),
            "billing_status": _text("MESHLINE_PIPEDRIVE_FIELD_BILLING_STATUS", default, "Billing status"),
            "csm": _text("MESHLINE_PIPEDRIVE_FIELD_CSM", default, "CSM"),
            "billing_owner": _text("MESHLINE_PIPEDRIVE_FIELD_BILLING_OWNER", default, "Billing owner"),
            "first_value_date": _text("MESHLINE_PIPEDRIVE_FIELD_FIRST_VALUE_DATE", default, "First value date"),
            "subsidiary": _text("MESHLINE_PIPEDRIVE_FIELD_SUBSIDIARY", default, "Subsidiary"),
            "payment_terms": _text("MESHLINE_PIPEDRIVE_FIELD_PAYMENT_TERMS", default, "Payment terms"),
        },
        "organization_fields": {
            "tax_id": _text("MESHLINE_PIPEDRIVE_FIELD_TAX_ID", default, "Tax ID"),
            "external_id": _text("MESHLINE_PIPEDRIVE_FIELD_EXTERNAL_ID", default, "Meshline external id"),
        },
    }


def _number(name: str, default: Mapping[str, str]) -> str:
    """An id of the provider, kept as text."""
    value = _text(name, default)
    if value and not (value.isascii() and value.isdecimal()):
        raise refuse(name, "must be a number", "428")
    return value


def _zone(name: str, default: Mapping[str, str]) -> str:
    """The name of a time zone."""
    value = _text(name, default, "UTC")
    if value not in available_timezones():
        raise refuse(name, f"must be the name of a time zone, not {value!r}", "Europe/Berlin")
    return value


def slack(default: Mapping[str, str], dev: bool) -> dict[str, Any]:
    """Review messages; `channels` says which owner group is told in which channel, by its id."""
    return {
        "base_url": _url("MESHLINE_SLACK_BASE_URL", {"MESHLINE_SLACK_BASE_URL": SLACK_HOST, **default}, dev),
        "bot_token": _secret("MESHLINE_SLACK_BOT_TOKEN", default),
        "team_id": _text("MESHLINE_SLACK_TEAM_ID", default),
        "app_id": _text("MESHLINE_SLACK_APP_ID", default),
        "channels": _pairs("MESHLINE_SLACK_CHANNELS", default, "Billing Resolver=C0123ABCD,Support Manager=C0456EFGH"),
        "alert_channel": _text("MESHLINE_SLACK_ALERT_CHANNEL", default),
        "console_url": _url("MESHLINE_SLACK_CONSOLE_URL", default, dev),
    }


def pagerduty(default: Mapping[str, str], dev: bool) -> dict[str, Any]:
    """Incidents in, pages out; the routing key is that of the one integration that pages of Meshline itself go to."""
    return {
        "base_url": _url("MESHLINE_PAGERDUTY_BASE_URL", {"MESHLINE_PAGERDUTY_BASE_URL": PAGING_HOST, **default}, dev),
        "routing_key": _secret("MESHLINE_PAGERDUTY_ROUTING_KEY", default),
    }


def _pairs(name: str, default: Mapping[str, str], example: str) -> dict[str, str]:
    """`group=channel` pairs, comma separated; a channel is named by its id, since its name may change."""
    found: dict[str, str] = {}
    for pair in split(_text(name, default)):
        group, _, channel = (part.strip() for part in pair.partition("="))
        if not group or not CHANNEL.fullmatch(channel) or group in found:
            raise refuse(name, f"must be group=channel id pairs, each group once; this is none: {pair!r}", example)
        found[group] = channel
    return found


def _text(name: str, default: Mapping[str, str], otherwise: str = "") -> str:
    return env_str(name, default.get(name, otherwise))


def _choice(name: str, default: Mapping[str, str], choices: tuple[str, ...]) -> str:
    return env_str(name, default.get(name, choices[0]), choices=choices)


def _secret(name: str, default: Mapping[str, str]) -> str:
    return env_secret(name, default.get(name, ""))


def _url(name: str, default: Mapping[str, str], dev: bool) -> str:
    return env_url(name, default.get(name, ""), loopback_http=dev)
