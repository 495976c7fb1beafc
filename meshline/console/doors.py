"""Addresses of records in their own systems' screens, for links that open beside the page and never act."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings

from meshline.env import is_loopback
from sync.modes import is_test

STRIPE = {
    "customer": "customers", "subscription": "subscriptions", "invoice": "invoices", "payment": "payments",
    "payment_intent": "payments", "charge": "payments", "refund": "payments", "dispute": "disputes",
}  # fmt: skip
NETSUITE = {
    "customer": "app/common/entity/custjob.nl?id={}",
    "invoice": "app/accounting/transactions/custinvc.nl?id={}",
}
COMPANY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
SAFE = ("https://", "http://127.0.0.1", "http://localhost")  # never another scheme: links come from other systems


def address(system: str, kind: str, value: str) -> str:
    """Where a person opens this record; empty where its system has no screen we know, as a simulator has none."""
    provider = settings.MESHLINE_PROVIDERS.get(system)
    if not provider or not value or is_loopback(str(provider.get("base_url", ""))):
        return ""
    makers = {"stripe": _stripe, "netsuite": _netsuite, "zendesk": _zendesk, "pipedrive": _pipedrive}
    return makers[system](provider, kind, quote(value, safe="")) if system in makers else ""


def _stripe(provider: Mapping[str, Any], kind: str, value: str) -> str:
    place = STRIPE.get(kind)
    mode = "test/" if is_test("stripe", provider) else ""
    return f"https://dashboard.stripe.com/{mode}{place}/{value}" if place else ""


def _netsuite(provider: Mapping[str, Any], kind: str, value: str) -> str:
    place, account = NETSUITE.get(kind), str(provider.get("account", "")).lower().replace("_", "-")
    return f"https://{account}.app.netsuite.com/{place.format(value)}" if place and account else ""


def _zendesk(provider: Mapping[str, Any], kind: str, value: str) -> str:
    host = urlsplit(str(provider.get("base_url", ""))).hostname or ""
    return f"https://{host}/agent/tickets/{value}" if kind == "ticket" and host else ""


def _pipedrive(provider: Mapping[str, Any], kind: str, value: str) -> str:
    company = str(provider.get("company") or "")
    known = kind in ("deal", "organization", "person") and COMPANY.fullmatch(company)
    return f"https://{company}.pipedrive.com/{kind}/{value}" if known else ""
