"""Set-based statements: many rows in one round trip, arrays bound in binary (a tenth of the client's work)."""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection


def run(sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Run one statement on the present connection (and in its transaction, if one is open); returns its rows.

    Uses a server-binding cursor: Django's own binds on the client, where arrays are turned into text.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql.encode(), params, binary=True)
        return cursor.fetchall() if cursor.description else []


def to_json(value: Any) -> str:
    """JSON text with times as ISO 8601 and ids as text; NUL cannot be stored in jsonb and becomes its escape's name."""
    return json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False).replace("\\u0000", "\\ufffd")


def _plain(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong in stored JSON")


def columns_of(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> dict[str, list[Any]]:
    """Turn rows into one list a column, as `unnest` wants them; JSON columns become text."""
    return {
        name: [to_json(row[name]) if kind == "jsonb" and row.get(name) is not None else row.get(name) for row in rows]
        for name, kind in types.items()
    }


def insert(table: str, types: Mapping[str, str], rows: Sequence[Mapping[str, Any]], tail: str = "") -> list[Any]:
    """Insert rows in one statement. `types` maps column to PostgreSQL type; `tail` is `on conflict ...`, `returning ...`."""
    if not rows:
        return []
    names = ", ".join(types)
    arrays = ", ".join(f"%({name})b::{_array_type(kind)}" for name, kind in types.items())
    picks = ", ".join(f"v.{name}::jsonb" if kind == "jsonb" else f"v.{name}" for name, kind in types.items())
    sql = f"insert into {table} ({names}) select {picks} from unnest({arrays}) as v({names}) {tail}"
    return run(sql, columns_of(rows, types))


def _array_type(kind: str) -> str:
    return "text[]" if kind == "jsonb" else f"{kind}[]"


def placeholders(values: Iterable[Any]) -> list[Any]:
    """A list for `= any(%(x)b)`, in the order given and without repeats."""
    return list(dict.fromkeys(values))
