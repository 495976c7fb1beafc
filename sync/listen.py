"""Waiting for the doorbell on a direct connection; where there is none, a short sleep does as well."""

import os
import time
from typing import Any

import psycopg
from django.conf import settings

from ledger import wake

POLL_SECONDS = 0.25

_held: dict[int, psycopg.Connection[Any]] = {}


def wait(seconds: float) -> None:
    """Until somebody rings, at most this long. Without a connection that can listen: look again after 250 ms."""
    try:
        for _ in _connection().notifies(timeout=seconds, stop_after=1):
            return
    except psycopg.Error:
        close()
        time.sleep(min(seconds, POLL_SECONDS))


def close() -> None:
    """End the listening connection of this process."""
    held = _held.pop(os.getpid(), None)
    if held is not None:
        held.close()


def _connection() -> psycopg.Connection[Any]:
    held = _held.get(os.getpid())
    if held is None or held.closed:
        direct = settings.MESHLINE_DIRECT_DATABASE
        params = {
            "dbname": direct["NAME"], "user": direct["USER"], "password": direct["PASSWORD"], "host": direct["HOST"],
            "port": direct["PORT"] or None, "connect_timeout": 3,
        }  # fmt: skip
        held = psycopg.connect(**{name: value for name, value in params.items() if value}, autocommit=True)
        held.execute(f"listen {wake.CHANNEL}")
        _held.clear()
        _held[os.getpid()] = held
    return held
