"""PagerDuty: signed webhooks of incidents in; the on-call paged, acknowledged and resolved by events out.

An event is repeated safely: while its alert is open, the same `dedup_key` only adds a line to it. Once it is resolved
the same key would open a new alert and page again, so a key names one episode and is never used after its end.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sync import client
from sync.contracts import members
from sync.contracts import pagerduty as contract
from sync.errors import ProviderError, SignatureError, TransientError, UnreadableAnswer
from sync.providers import base
from sync.providers.base import JSON_TYPE, Exchanges, Guard, Headers, Provider, compact_json
from sync.wiretypes import Envelope, Exchange, FrozenRequest, Response

SIGNATURE = "x-pagerduty-signature"
ENQUEUE = "/v2/enqueue"
OURS = "meshline-"  # how the dedup keys of our own pages begin
TRIGGER, ACKNOWLEDGE, RESOLVE = "trigger", "acknowledge", "resolve"
SEVERITIES = ("critical", "error", "warning", "info")
MOST_SUMMARY, MOST_KEY = 1024, 255
_HEX = re.compile(r"v1=[0-9a-fA-F]{64}")


class PagerDuty(Provider):
    """Whoever is on call. The routing key is the secret and travels in the body, so the stored body lacks it."""

    name = "pagerduty"
    webhook_secrets_name = "MESHLINE_PAGERDUTY_WEBHOOK_SECRETS"

    def verify(self, headers: Headers, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
        """Hex HMAC over the body, one for each active secret. No time is signed: the inbox remembers event ids."""
        parts = [part.strip() for part in base.only(headers, SIGNATURE).split(",")]
        given = [part for part in parts if part.startswith("v1=")]
        if not given or not all(_HEX.fullmatch(part) for part in given):
            raise SignatureError("unreadable signature")
        digests = [f"v1={hmac.digest(secret.encode(), raw, 'sha256').hex()}" for secret in secrets if secret]
        base.check_signatures(digests, [part.lower() for part in given])

    def envelope(self, document: dict[str, Any], headers: Headers, raw: bytes, oddities: frozenset[str]) -> Envelope:
        """Name an event; one about an incident of our own making is an echo."""
        event = document.get("event")
        if not isinstance(event, dict):
            base.bad_body("no event")
        event_id, type_ = base.required(event, "id", "id"), base.required(event, "event_type", "type")
        incident = base.plain(contract.incident_id(event), "lane")
        kind = base.kind_of(self.name, type_)
        occurred = event.get("occurred_at")
        occurred_at = members.parse_iso(occurred) if isinstance(occurred, str) else None
        is_used = kind not in ("unknown", "informational")
        return Envelope(
            provider_event_id=event_id,
            account="",
            type=type_,
            kind=kind,
            object_id=incident,
            lane_key=incident or event_id[: base.LIMITS["lane"]],
            occurred_at=occurred_at,
            origin_key=_origin(event),
            park=base.parking(
                oddities,
                "unreadable time" if is_used and occurred_at is None else "",
                "no incident id" if is_used and not incident else "",
            ),
        )

    def authorize(self, request: FrozenRequest) -> dict[str, str]:
        """Nothing in the headers."""
        return {}

    def explain(self, response: Response) -> tuple[str, str]:
        """`status` and `message` with a list of `errors`; a 429 may come as plain text."""
        try:
            document = response.json()
        except UnreadableAnswer:
            return "", ""
        if not isinstance(document, dict):
            return "", ""
        listed = document.get("errors")
        errors = [str(one) for one in listed] if isinstance(listed, list) else []
        return str(document.get("status") or ""), " ".join([str(document.get("message") or ""), *errors]).strip()

    def check_success(self, response: Response) -> None:
        """Accepted, under the key that was sent. UnreadableAnswer."""
        document = response.json()
        if not isinstance(document, dict) or document.get("status") != "success" or not document.get("dedup_key"):
            raise response.unreadable("the answer does not say that the event was accepted")

    def page(
        self, key: str, summary: str, severity: str, *, source: str, kind: str, at: datetime, action_id: str
    ) -> FrozenRequest:
        """Freeze a page of whoever is on call. `summary` is our own sentence, without anything of a customer.

        Raises ValueError for a key, a severity or a summary that would be refused.
        """
        if severity not in SEVERITIES or not 1 <= len(summary) <= MOST_SUMMARY:
            raise ValueError("severity or summary would be refused")
        payload = {
            "summary": summary, "source": source, "severity": severity, "class": kind,
            "timestamp": at.isoformat(timespec="milliseconds"), "custom_details": {"meshline_action": action_id},
        }  # fmt: skip
        return self._event({"event_action": TRIGGER, "dedup_key": _key(key), "payload": payload, "client": "Meshline"})

    def close(self, key: str, event_action: str = RESOLVE) -> FrozenRequest:
        """Freeze the end of a page, or that somebody has taken it. Without an open alert it changes nothing there."""
        if event_action not in (ACKNOWLEDGE, RESOLVE):
            raise ValueError("an open page is acknowledged or resolved")
        return self._event({"event_action": event_action, "dedup_key": _key(key)})

    def _event(self, body: Mapping[str, Any]) -> FrozenRequest:
        return FrozenRequest(self.name, "POST", ENQUEUE, (JSON_TYPE,), compact_json(body))

    def _send(
        self,
        request: FrozenRequest,
        credentials: Mapping[str, str],
        *,
        is_write: bool,
        guard: Guard | None,
        exchanges: Exchanges | None,
    ) -> Response:
        """As ever, but the routing key joins the body on the wire and is in no stored exchange."""
        keyed = compact_json({**json.loads(request.body), "routing_key": str(self.config["routing_key"])})
        try:
            response = client.send(
                replace(request, body=keyed), auth_headers=credentials, base_url=str(self.config["base_url"]),
                is_write=is_write, guard=guard, is_private=True,
            )  # fmt: skip
        except ProviderError as error:
            error.exchange = _stored(error.exchange, request, exchanges)
            raise
        kept = _stored(response.exchange, request, exchanges)
        assert kept is not None
        return replace(response, exchange=kept)

    def classify_refusal(self, response: Response, code: str) -> type[ProviderError] | None:
        """An event over the limit was dropped for certain."""
        return TransientError if response.status == 429 else None


def _stored(exchange: Exchange | None, request: FrozenRequest, exchanges: Exchanges | None) -> Exchange | None:
    if exchange is None:
        return None
    kept = replace(exchange, request_body=request.body)
    if exchanges is not None:
        exchanges.append(kept)
    return kept


def _key(key: str) -> str:
    if not key.startswith(OURS) or len(key) > MOST_KEY:
        raise ValueError(f"a dedup key of ours begins with {OURS} and has at most {MOST_KEY} characters")
    return key


def _origin(event: Mapping[str, Any]) -> str:
    """The dedup key of a page of ours that this is about; "" for everybody else's incidents."""
    data = event.get("data")
    key = base.plain(data.get("incident_key"), "id") if isinstance(data, dict) else ""
    return key if key.startswith(OURS) else ""
