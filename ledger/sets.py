"""Set-based statements: many rows in one round trip, arrays bound in binary (a tenth of the client's work)."""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
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
    """JSON text with times as ISO 8601 and ids as text. NUL and lone surrogates cannot be stored in jsonb: U+FFFD."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        text = json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False)
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else text


def _plain(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong in stored JSON")


def columns_of(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> dict[str, list[Any]]:
    """Turn rows into one list a column, as `unnest` wants them; JSON columns become text."""
    return {name: _json_column(rows, name) if kind == "jsonb" else [row.get(name) for row in rows]
            for name, kind in types.items()}  # fmt: skip


def _json_column(rows: Sequence[Mapping[str, Any]], name: str) -> list[str | None]:
    """One text for one object: defaults that rows share stay shared, and are recognised as the same."""
    known: dict[int, str] = {}
    column: list[str | None] = []
    for row in rows:
        value = row.get(name)
        if value is None:
            column.append(None)
        else:
            text = known.get(id(value))
            column.append(known.setdefault(id(value), to_json(value)) if text is None else text)
    return column


def insert(table: str, types: Mapping[str, str], rows: Sequence[Mapping[str, Any]], tail: str = "") -> list[Any]:
    """Insert rows in one statement. `types` maps column to PostgreSQL type; `tail` is what follows the select."""
    if not rows:
        return []
    values = columns_of(rows, types)
    # What is the same in all rows is bound once: half of the columns of a batch usually are.
    same = {name for name, column in values.items() if all(value is column[0] for value in column)}
    lists = [name for name in types if name not in same] or [next(iter(types))]
    same -= set(lists)
    arrays = ", ".join(f"%({name})b::{_array_type(types[name])}" for name in lists)
    picks = ", ".join(f"%({name})b::{types[name]}" if name in same else f"v.{name}::{types[name]}" for name in types)
    sql = (
        f"insert into {table} ({', '.join(types)}) select {picks} from unnest({arrays}) as v({', '.join(lists)}) {tail}"
    )
    return run(sql, {name: column[0] if name in same else column for name, column in values.items()})


def _array_type(kind: str) -> str:
    return "text[]" if kind == "jsonb" else f"{kind}[]"


def placeholders(values: Iterable[Any]) -> list[Any]:
    """A list for `= any(%(x)b)`, in the order given and without repeats."""
    return list(dict.fromkeys(values))
