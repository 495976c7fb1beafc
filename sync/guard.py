"""The last look before a write: between connecting and the first byte, on a small connection of its own.

One connection a process, behind a lock, autocommit, statement timeout one second. What cannot be read counts as
stopped. The same look makes sure that the worker still holds the action: one that slept past its lease sends nothing.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection

from gates import stop
from sync.errors import WriteHalted

OURS_SQL = """
exists (select from ledger_action where id = %s and lease_token = %s and lease_until > now()
           and state in ('sending', 'unknown'))"""
LOOK_SQL = f"""
select coalesce((select allowed from ({stop.ALLOWS_SQL}) s), false) and {stop.ITS_CUSTOMER_SQL}, {OURS_SQL}"""

Check = Callable[[], None]

_lock = threading.Lock()
_held: dict[int, psycopg.Connection[Any]] = {}


def for_write(action_id: str, token: int, provider: str, automation: str, *, exempt: bool = False) -> Check:
    """A check to be called right before the first byte; raises WriteHalted when nothing may leave.

    With `exempt` it may leave while stopped (pages about ourselves); the lease is looked at all the same.
    """
    sql = f"select true, ({OURS_SQL})" if exempt else LOOK_SQL
    scopes = () if exempt else (*stop.scopes_of(provider, automation), action_id)
    return _check(provider, sql, [*scopes, action_id, token])


def for_call(provider: str, still_ours: str = "true", *known: Any) -> Check:
    """The same for a write that belongs to no action. `still_ours` is SQL over `known` that says who holds its row."""
    sql = f"select coalesce((select allowed from ({stop.ALLOWS_SQL}) s), false), ({still_ours})"
    return _check(provider, sql, [*stop.scopes_of(provider, ""), *known])


def _check(provider: str, sql: str, params: list[Any]) -> Check:
    def check() -> None:
        try:
            allowed, ours = _look(params, sql)
        except psycopg.Error as error:
            raise WriteHalted("the stop could not be read", provider=provider, code="stop_unreadable") from error
        if not allowed:
            raise WriteHalted("the emergency stop is on", provider=provider, code="stopped")
        if not ours:
            raise WriteHalted("the lease was lost", provider=provider, code="lease_lost")

    return check


def _look(params: list[Any], sql: str) -> tuple[bool, bool]:
    with _lock:
        try:
            row = _connection().execute(sql, params).fetchone()
        except psycopg.Error:
            _drop()
            row = _connection().execute(sql, params).fetchone()  # a connection that went stale, once
    assert row is not None
    return bool(row[0]), bool(row[1])


def _connection() -> psycopg.Connection[Any]:
    """This process's own; a child after a fork must not speak over its parent's socket."""
    held = _held.get(os.getpid())
    if held is None or held.closed:
        held = psycopg.connect(**_params(), autocommit=True)
        held.execute("select set_config('statement_timeout', '1000', false)")
        _held.clear()
        _held[os.getpid()] = held
    return held


def _params() -> dict[str, Any]:
    settings = connection.settings_dict
    params = {
        "dbname": settings["NAME"], "user": settings["USER"], "password": settings["PASSWORD"],
        "host": settings["HOST"], "port": settings["PORT"] or None, "connect_timeout": 2,
    }  # fmt: skip
    return {name: value for name, value in params.items() if value}


def _drop() -> None:
    held = _held.pop(os.getpid(), None)
    if held is not None:
        held.close()
