"""Writing down what was said to providers and what they answered."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ledger import sets
from sync.wiretypes import Exchange

TYPES = {
    "action_id": "uuid", "event_id": "bigint", "provider": "text", "account": "text", "method": "text", "path": "text",
    "is_write": "bool", "began_at": "timestamptz", "ms": "int", "status": "smallint", "error": "text",
    "request_id": "text", "request_body": "text", "response_body": "text",
}  # fmt: skip


def store(exchanges: Iterable[tuple[Any, Any, Exchange]]) -> None:
    """Insert (action id, event id, exchange) rows in one statement."""
    rows = [
        {
            "action_id": action, "event_id": event, "provider": one.provider, "account": one.account[:32],
            "method": one.method, "path": one.path[:1000], "is_write": one.is_write, "began_at": one.began_at,
            "ms": one.ms, "status": one.status, "error": one.error[:60], "request_id": one.request_id[:120],
            "request_body": _storable(one.request_body), "response_body": _storable(one.response_body),
        }
        for action, event, one in exchanges
    ]  # fmt: skip
    sets.insert("sync_attempt", TYPES, rows)


def store_reads(exchanges: Iterable[Exchange]) -> None:
    """What was asked in a walk over many records, without the answers that went well.

    They hold everybody, those too who asked to be forgotten here; what of them mattered was kept where it belongs.
    """
    store((None, None, _bare(one) if one.status is not None and one.status < 400 else one) for one in exchanges)


def _bare(one: Exchange) -> Exchange:
    return replace(one, request_body="", response_body="")


def _storable(text: str) -> str:
    """PostgreSQL's text takes no NUL, and UTF-8 no lone surrogate."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
