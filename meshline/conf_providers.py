"""Where each provider is and how we sign in there."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from meshline.env import Secrets, env_int, env_secret, env_str, env_url, is_loopback, refuse

WEBHOOK_SECRETS = {
    "stripe": "MESHLINE_STRIPE_WEBHOOK_SECRETS",
    "netsuite": "MESHLINE_NETSUITE_WEBHOOK_SECRETS",
    "zendesk": "MESHLINE_ZENDESK_WEBHOOK_SECRETS",
}
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
    for name, provider in providers.items():
        if is_loopback(provider["base_url"]) and not allow_loopback:
            variable = f"MESHLINE_{name.upper()}_BASE_URL"
            raise refuse(variable, "points at this machine; that needs MESHLINE_ALLOW_LOOPBACK=1", "https://...")
        provider["webhook_secrets"] = WEBHOOK_SECRETS[name]
    return providers


def secrets(default: Mapping[str, str]) -> Secrets:
    """The signing secrets of incoming deliveries; a source without one refuses every delivery."""
    return Secrets({name: default[name] for name in WEBHOOK_SECRETS.values() if name in default})


def stripe(default: Mapping[str, str], dev: bool) -> dict[str, Any]:
    """Billing."""
    return {
        "base_url": _url("MESHLINE_STRIPE_BASE_URL", default, dev),
        "api_key": _secret("MESHLINE_STRIPE_API_KEY", default),
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
        "contract_record": _text("MESHLINE_NETSUITE_CONTRACT_RECORD", default, "customrecord_mesh_contract"),
        "status_field": _text("MESHLINE_NETSUITE_STATUS_FIELD", default, "custrecord_mesh_status"),
        "plan_field": _text("MESHLINE_NETSUITE_PLAN_FIELD", default, "custrecord_mesh_plan"),
        "action_field": _text("MESHLINE_NETSUITE_ACTION_FIELD", default, "custrecord_mesh_action"),
        "subscription_field": _text(
            "MESHLINE_NETSUITE_SUBSCRIPTION_FIELD", default, "custrecord_stripe_subscription_id"
        ),
    }


def zendesk(default: Mapping[str, str], dev: bool) -> dict[str, Any]:
    """The support desk; its address carries the installation's own name, so there is no default."""
    return {
        "base_url": _url("MESHLINE_ZENDESK_BASE_URL", default, dev),
        "email": _text("MESHLINE_ZENDESK_EMAIL", default),
        "api_token": _secret("MESHLINE_ZENDESK_API_TOKEN", default),
        "agent_id": _text("MESHLINE_ZENDESK_AGENT_ID", default),
    }


def _text(name: str, default: Mapping[str, str], otherwise: str = "") -> str:
    return env_str(name, default.get(name, otherwise))


def _choice(name: str, default: Mapping[str, str], choices: tuple[str, ...]) -> str:
    return env_str(name, default.get(name, choices[0]), choices=choices)


def _secret(name: str, default: Mapping[str, str]) -> str:
    return env_secret(name, default.get(name, ""))


def _url(name: str, default: Mapping[str, str], dev: bool) -> str:
    return env_url(name, default.get(name, ""), loopback_http=dev)
