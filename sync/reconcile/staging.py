"""The staging table: both sides of a check, streamed in by COPY for the time of the run, compared there by SQL.

Unlogged, without a key: it is rebuilt by reading again, and an index would cost more than the one join it is read by.
After a crash of the database it is empty, which the run notices. It holds ids, amounts, states and times only.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import psycopg
from django.db import connection

from ledger import sets

TABLE = "sync_reconcileside"
BETWEEN = "\x1f"  # between the values of a row; what is cleaned has none in it
_NULL = "\x1e"
_INTO = f"COPY {TABLE} (run_id, list, key, record, vals, about, changed) FROM STDIN WITH (NULL E'\\x1e')"
_BAD = ("\\", "\x00", "\r")
_KEY, _RECORD, _VALS, _ABOUT = 255, 80, 2000, 255


class Row(NamedTuple):
    """One record of a side: the natural key, its own id there, what is compared, whose it is, when it changed.

    `vals` are the values of the leg's fields in their order, made by `values`; `changed` is ISO 8601 or "".
    """

    key: str
    record: str
    vals: str = ""
    about: str = ""
    changed: str = ""


def values(*given: Any) -> str:
    """The values of a row's fields as one text: blanks and control characters are no difference."""
    return BETWEEN.join([" ".join(str(one if one is not None else "").split()) for one in given])


def keep(run_id: int, name: str, rows: Sequence[Row]) -> int:
    """Stream rows of one list in, in the caller's transaction; how many there were."""
    if not rows:
        return 0
    head = f"{run_id}\t{name}\t"
    text = _lines(head, rows)
    nulls = sum(1 for row in rows if not row.changed)
    if (text.count("\t"), text.count("\n"), text.count(_NULL)) != (6 * len(rows), len(rows), nulls) or any(
        one in text for one in _BAD
    ):
        text = _lines(head, map(_cleaned, rows))
    connection.ensure_connection()
    with (
        connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor, cursor.copy(_INTO) as copy,
    ):  # fmt: skip
        copy.write(text.encode("utf-8", "replace"))
    return len(rows)


def _lines(head: str, rows: Iterable[Row]) -> str:
    lines = [f"{head}{key}\t{record}\t{vals}\t{about}\t{at or _NULL}\n" for key, record, vals, about, at in rows]
    return "".join(lines)


def _cleaned(row: Row) -> Row:
    """A row that fits its columns and the format, whatever a provider's record had in it."""
    parts = BETWEEN.join(_plain(one) for one in row.vals.split(BETWEEN))
    return Row(
        _plain(row.key)[:_KEY], _plain(row.record)[:_RECORD], parts[:_VALS], _plain(row.about)[:_ABOUT], row.changed
    )


def _plain(value: str) -> str:
    text = " ".join(value.split()).replace("\\", "/").replace("\x00", "")
    return text.encode("utf-8", "replace").decode()


def counted(run_id: int) -> dict[str, int]:
    """How many rows of each list are there now."""
    return dict(sets.run(f"select list, count(*) from {TABLE} where run_id = %(run)b group by list", {"run": run_id}))


def forget(run_id: int) -> None:
    """Take out what a run read."""
    sets.run(f"delete from {TABLE} where run_id = %(run)b", {"run": run_id})
