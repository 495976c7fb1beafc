"""Deliveries as the providers send them: signed, on each receiver."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sync import receive
from sync.sandbox import keys

PAYLOADS = Path(__file__).resolve().parent.parent / "payloads"
SECRETS = {
    "stripe": keys.STRIPE_WEBHOOK_SECRET,
    "netsuite": keys.NETSUITE_WEBHOOK_SECRET,
    "zendesk": keys.ZENDESK_WEBHOOK_SECRET,
}
SOURCES = tuple(SECRETS)
SECRET_NAMES = {source: f"MESHLINE_{source.upper()}_WEBHOOK_SECRETS" for source in SOURCES}
SIGNATURE_HEADERS = {
    "stripe": "stripe-signature",
    "netsuite": "x-meshline-signature",
    "zendesk": "x-zendesk-webhook-signature",
}
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SAMPLES = {
    "stripe": "stripe/invoice.payment_failed.json",
    "netsuite": "netsuite/contract.changed.json",
    "zendesk": "zendesk/ticket.status_changed.json",
}


def sample(source, **members):
    """A usual event of a provider, with some members replaced."""
    return json.loads((PAYLOADS / SAMPLES[source]).read_text()) | members


def digest(source, raw, at, secret=None):
    """The signature in the scheme of the source."""
    key = (secret or SECRETS[source]).encode()
    if source == "zendesk":
        return base64.b64encode(hmac.digest(key, stamp(source, at).encode() + raw, "sha256")).decode()
    return hmac.digest(key, f"{stamp(source, at)}.".encode() + raw, "sha256").hex()


def stamp(source, at):
    """The time as the source writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if source == "zendesk" else str(int(at.timestamp()))


def sign(source, raw, *, at=NOW, secret=None):
    """The headers a delivery is proved with."""
    signature = digest(source, raw, at, secret)
    if source == "zendesk":
        return {
            "x-zendesk-webhook-signature": (signature,),
            "x-zendesk-webhook-signature-timestamp": (stamp(source, at),),
            "x-zendesk-webhook-invocation-id": ("01HINVOCATION",),
        }
    return {SIGNATURE_HEADERS[source]: (f"t={stamp(source, at)},v1={signature}",)}


def take(source, raw, headers=None, *, now=NOW, at=None):
    """Hand a delivery to the receiver, signed unless headers are given."""
    headers = sign(source, raw, at=at or now) if headers is None else headers
    return receive.take(source, {"user-agent": ("Provider/1.0",), **headers}, raw=raw, now=now, address="192.0.2.7")


def seconds(count):
    """A time that far from NOW."""
    return NOW + timedelta(seconds=count)
