"""Stripe's store of idempotency keys: first result kept 24 h, clash while running, refusal of other parameters."""

import json
import threading
from dataclasses import dataclass

from sync.sandbox.stripe.errors import ApiError
from sync.sandbox.wire import Json, Reply

KEEP_SECONDS = 24 * 3600
KEY_CHARACTERS = 255


@dataclass(slots=True)
class Kept:
    """One key: what was asked first and, once done, what was answered."""

    fingerprint: str
    began_at: float
    request_id: str
    reply: Reply | None = None


class KeyStore:
    """Keys of one account; every method takes its own lock, nothing is held while a request runs."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def begin(self, key: str, fingerprint: str, request_id: str, now: float) -> Reply | None:
        """Reserve the key, or give the stored answer. Raises on a clash or on other parameters."""
        if len(key) > KEY_CHARACTERS:
            raise ApiError(400, "Idempotency-Key may be at most 255 characters long.", executed=False)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.began_at + KEEP_SECONDS <= now:
                self._kept[key] = Kept(fingerprint, now, request_id)
                return None
            if kept.fingerprint != fingerprint:
                raise _mismatch(key)
            if kept.reply is None:
                raise _in_use(key, kept.request_id)
            first = kept.reply
            marks = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
            return Reply(first.status, first.body, {**first.headers, **marks})

    def finish(self, key: str, reply: Reply) -> None:
        """Keep the first result."""
        with self._lock:
            self._kept[key].reply = Reply(reply.status, reply.body, dict(reply.headers))

    def forget(self, key: str) -> None:
        """Free a key whose request had not begun."""
        with self._lock:
            self._kept.pop(key, None)


def fingerprint_of(method: str, path: str, params: Json) -> str:
    """What makes two requests the same."""
    return f"{method} {path} {json.dumps(params, sort_keys=True)}"


def _mismatch(key: str) -> ApiError:
    return ApiError(
        400,
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request.",
        kind="idempotency_error",
        executed=False,
    )


def _in_use(key: str, request_id: str) -> ApiError:
    return ApiError(
        409,
        f"There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Request id of the first: {request_id}.",
        code="idempotency_key_in_use",
        executed=False,
    )
