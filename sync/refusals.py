"""Refused deliveries: every one is counted, a bounded sample is kept, and a flood of them costs next to nothing."""

import hashlib
import ipaddress
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.db import Error, transaction

from ledger import sets

log = structlog.get_logger(__name__)

KEPT_AN_HOUR = 20
HEAD_BYTES = 2048
FLUSH_SECONDS = 1.0
UNKNOWN_SOURCE = "(unknown)"

COUNT = """
insert into sync_refusalcount (source, hour, refused, kept) values (%(source)b, %(hour)b, %(refused)b::bigint, 0)
on conflict (source, hour) do update set refused = sync_refusalcount.refused + excluded.refused
returning kept
"""
KEEP = "update sync_refusalcount set kept = kept + %(more)b::int where source = %(source)b and hour = %(hour)b"

SAMPLE = {
    "source": "text", "reason": "text", "status": "smallint", "address": "inet", "headers": "jsonb",
    "body_sha": "text", "body_head": "bytea", "body_bytes": "int", "refused_at": "timestamptz",
}  # fmt: skip

Hour = tuple[str, datetime]


@dataclass(slots=True)
class _Tally:
    """What this process knows of one source and hour and has not written down."""

    refused: int = 0
    sampled: int = 0
    sample: list[dict[str, Any]] = field(default_factory=list)


class _Notebook:
    """What this process has not written down yet."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tallies: dict[Hour, _Tally] = {}
        self.flushed_at = 0.0


_notebook = _Notebook()


def note(
    source: str,
    reason: str,
    status: int,
    *,
    address: str,
    headers: Mapping[str, str],
    raw: bytes,
    now: datetime,
) -> None:
    """Count a refusal in memory; `flush` writes it down."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    with _notebook.lock:
        tally = _notebook.tallies.setdefault((source, hour), _Tally())
        tally.refused += 1
        if source == UNKNOWN_SOURCE or tally.sampled >= KEPT_AN_HOUR:
            return
        tally.sampled += 1
        row = {
            "source": source, "reason": reason[:120], "status": status, "address": _address(address),
            "headers": dict(headers), "body_sha": hashlib.sha256(raw).hexdigest(), "body_head": raw[:HEAD_BYTES],
            "body_bytes": len(raw), "refused_at": now,
        }  # fmt: skip
        tally.sample.append(row)


def flush_due() -> None:
    """Write down what was refused, unless that was done within the last second."""
    if _notebook.tallies and time.monotonic() - _notebook.flushed_at >= FLUSH_SECONDS:
        flush()


def flush() -> None:
    """Write down what was refused; what the database does not take is dropped, with a line in the log."""
    with _notebook.lock:
        _notebook.flushed_at = time.monotonic()
        tallies, _notebook.tallies = _notebook.tallies, {}
        newest = max((hour for _, hour in tallies), default=None)
        # How many were sampled this hour is remembered: a flood is not hashed and carried along again each second.
        for key, tally in tallies.items():
            if key[1] == newest:
                _notebook.tallies[key] = _Tally(sampled=tally.sampled)
    noted = {key: tally for key, tally in sorted(tallies.items()) if tally.refused}
    try:
        for key, tally in noted.items():
            _write(key, tally.refused, tally.sample)
    except Error as error:
        refused = sum(tally.refused for tally in noted.values())
        log.warning("refusals_not_written", error=type(error).__name__, refused=refused)


def _write(key: Hour, refused: int, sample: Sequence[dict[str, Any]]) -> None:
    """Add to the hour's count and keep as much of the sample as all processes together may."""
    at = {"source": key[0], "hour": key[1]}
    with transaction.atomic():
        kept = sets.run(COUNT, {**at, "refused": refused})[0][0]
        sample = sample[: max(0, KEPT_AN_HOUR - kept)]
        if sample:
            sets.insert("sync_refusal", SAMPLE, sample)
            sets.run(KEEP, {**at, "more": len(sample)})
    log.info("deliveries_refused", source=key[0], refused=refused, kept=len(sample))


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
