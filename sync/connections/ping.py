"""A test delivery: signed with the configured secret, sent twice to our own public address, stored once.

It shows that address, proxy, secret, receiver and inbox work together. That the provider itself knows the address and
the secret only its own test delivery shows: `PROVIDER_TEST` says where that is.
"""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from ledger import clock
from ledger.models import Event
from sync import client, providers, strictjson
from sync.contracts import TEST_EVENT
from sync.contracts.pipedrive import VERSION
from sync.errors import ProviderError
from sync.providers.base import JSON_TYPE
from sync.wiretypes import Envelope, FrozenRequest

SECONDS = 10.0
PROVIDER_TEST: Mapping[str, str] = {
    "stripe": "Stripe has no call for it: in Workbench, under Webhooks, open the endpoint and send a test event.",
    "netsuite": "NetSuite has no webhooks: save any customer, and the user event script posts it.",
    "zendesk": "Admin Center, Webhooks, the webhook, Test webhook; by API it is POST /api/v2/webhooks/test.",
    "pipedrive": "Pipedrive has no call for it: change any deal, then look at the time of the last delivery here.",
    "pagerduty": "Integrations, Generic Webhooks (v3), the subscription, Send Test.",
    "slack": "Slack asks the address itself when a request URL is saved, and keeps nothing of it here.",
}
Made = tuple[dict[str, str], bytes]


def send(provider: str) -> dict[str, Any]:
    """Send one test delivery twice and see what is in the inbox; the result as a ConnectionCheck keeps it."""
    adapter = providers.get(provider)
    secrets = adapter.webhook_secrets()
    began = time.monotonic()
    if not secrets:
        return _failed(f"{adapter.webhook_secrets_name} is not set, so every delivery is refused", began)
    headers, raw = MAKERS[provider](secrets[0], uuid.uuid4().hex, clock.now())
    envelope = adapter.envelope(strictjson.loads_object(raw).document, {}, raw, frozenset())
    statuses: list[int] = []
    try:
        for _ in range(2):
            statuses.append(_post(provider, headers, raw))
    except ProviderError as error:
        return _failed(f"{settings.MESHLINE_PUBLIC_URL} cannot be reached from here: {error.message}", began)
    return {**_stored(envelope, provider, statuses, began), "statuses": statuses}


def _stored(envelope: Envelope, provider: str, statuses: list[int], began: float) -> dict[str, Any]:
    if statuses != [200, 200]:
        return _failed(f"our own address answered {statuses[0]} and {statuses[1]} instead of 200", began)
    found = Event.objects.filter(
        source=provider, account=envelope.account, provider_event_id=envelope.provider_event_id
    ).first()
    if found is None:
        return _failed("both were acknowledged, but nothing is in this database: another one answers", began)
    if found.deliveries != 2:
        return _failed(f"stored with {found.deliveries} deliveries instead of 2", began)
    made = {**_failed("delivered twice, stored once", began), "ok": True}
    return {**made, "event": found.pk, "deliveries": found.deliveries}


def _post(provider: str, headers: Mapping[str, str], raw: bytes) -> int:
    request = FrozenRequest(provider, "POST", f"/webhooks/{provider}/", (JSON_TYPE,), raw.decode())
    response = client.send(
        request, auth_headers=headers, base_url=settings.MESHLINE_PUBLIC_URL, is_write=False, is_private=True,
        seconds=SECONDS,
    )  # fmt: skip
    return response.status


def _failed(said: str, began: float) -> dict[str, Any]:
    """What a test came to; not well, unless the caller knows better."""
    return {"ok": False, "said": said[:300], "ms": round((time.monotonic() - began) * 1000)}


# --- bodies and signatures, as each source makes them


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _timestamped(secret: str, raw: bytes, now: datetime) -> str:
    stamp = str(int(now.timestamp()))
    return f"t={stamp},v1={hmac.digest(secret.encode(), stamp.encode() + b'.' + raw, 'sha256').hex()}"


def _iso(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stripe(secret: str, word: str, now: datetime) -> Made:
    made = {"id": f"test_{word}", "object": TEST_EVENT}
    raw = _json({
        "id": f"evt_meshline_test_{word}", "object": "event", "type": TEST_EVENT, "created": int(now.timestamp()),
        "livemode": False, "api_version": None, "data": {"object": made},
    })  # fmt: skip
    return {"Stripe-Signature": _timestamped(secret, raw, now)}, raw


def _netsuite(secret: str, word: str, now: datetime) -> Made:
    raw = _json({
        "id": f"meshline-test-{word}", "type": TEST_EVENT, "occurred_at": _iso(now), "account": "",
        "record": {"type": "test", "id": f"test-{word}"},
    })  # fmt: skip
    return {"X-Meshline-Signature": _timestamped(secret, raw, now)}, raw


def _zendesk(secret: str, word: str, now: datetime) -> Made:
    stamp = _iso(now)
    raw = _json({"id": f"meshline-test-{word}", "type": TEST_EVENT, "time": stamp, "detail": {"id": f"test-{word}"}})
    signed = base64.b64encode(hmac.digest(secret.encode(), stamp.encode() + raw, "sha256")).decode()
    return {"X-Zendesk-Webhook-Signature": signed, "X-Zendesk-Webhook-Signature-Timestamp": stamp}, raw


def _pipedrive(secret: str, word: str, now: datetime) -> Made:
    action, _, entity = TEST_EVENT.partition(".")
    meta = {
        "action": action, "entity": entity, "entity_id": f"test-{word}", "id": f"meshline-test-{word}",
        "version": VERSION, "timestamp": _iso(now),
    }  # fmt: skip
    return {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}, _json({"meta": meta, "data": None})


def _slack(secret: str, word: str, now: datetime) -> Made:
    config, stamp = settings.MESHLINE_PROVIDERS["slack"], str(int(now.timestamp()))
    raw = _json({
        "type": "event_callback", "team_id": config.get("team_id"), "api_app_id": config.get("app_id"),
        "event": {"type": TEST_EVENT}, "event_id": f"Ev{word}",
    })  # fmt: skip
    signed = hmac.digest(secret.encode(), b"v0:" + stamp.encode() + b":" + raw, "sha256").hex()
    return {"X-Slack-Signature": f"v0={signed}", "X-Slack-Request-Timestamp": stamp}, raw


def _pagerduty(secret: str, word: str, now: datetime) -> Made:
    raw = _json({"event": {
        "id": f"meshline-test-{word}", "event_type": TEST_EVENT, "resource_type": "test", "occurred_at": _iso(now),
        "data": {"id": f"test-{word}", "type": "test"},
    }})  # fmt: skip
    return {"X-PagerDuty-Signature": f"v1={hmac.digest(secret.encode(), raw, 'sha256').hex()}"}, raw


MAKERS: Mapping[str, Callable[[str, str, datetime], Made]] = {
    "stripe": _stripe, "netsuite": _netsuite, "zendesk": _zendesk, "pipedrive": _pipedrive, "slack": _slack,
    "pagerduty": _pagerduty,
}  # fmt: skip
