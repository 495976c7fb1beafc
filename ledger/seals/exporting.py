"""Seals and rows as files, for `ledger.offline_check` and for whoever keeps them where this database cannot reach."""

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from django.db import connection

from ledger import sets
from ledger.offline_check import COLUMNS, FORMAT
from ledger.seals import form

SEALS_AT_ONCE = 50
ROWS_AT_ONCE = 20_000

BOUNDS = """
select min(first_row), max(last_row), min(id), max(id) from ledger_ledgerseal
 where last_row >= %(first)b and first_row <= %(last)b"""
SEALS = f"""
select id, first_row, last_row, row_count, row_format, {form.time_text("sealed_at")}, previous, digest,
       sha256(row_digests), case when %(whole)b then row_digests end
  from ledger_ledgerseal where id > %(after)b and id <= %(upto)b order by id limit %(page)b"""
PAGE_END = """
select max(id), count(*) from (
  select id from ledger_ledgerrow where id > %(after)b and id <= %(last)b order by id limit %(page)b) p"""
NAMES = ("seal", "first_row", "last_row", "row_count", "row_format", "sealed_at", "previous", "digest", "rows_digest")


class NotExported(ValueError):
    """There is nothing to export, or no place for it; the message is for people."""


class Bounds:
    """The whole seals that reach into a range of rows. Raises NotExported when there are none."""

    def __init__(self, first: int, last: int) -> None:
        found = sets.run(BOUNDS, {"first": first, "last": last})[0]
        if found[0] is None:
            raise NotExported("no seal covers any of these rows yet; run seal_ledger")
        self.first, self.last, self.first_seal, self.last_seal = map(int, found)


@contextmanager
def new_file(path: str) -> Iterator[IO[bytes]]:
    """A file that is there whole or not at all. Raises NotExported when one of that name is there already.

    It is never written over: it may be the only witness of what was sealed.
    """
    final, part = Path(path), Path(f"{path}.part")
    if final.exists():
        raise NotExported(f"{path} is there already; give a new name, an export is never written over")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(part, final)  # unlike a rename it refuses a name that was taken meanwhile
    except OSError as error:
        raise NotExported(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def seals(bounds: Bounds, file: IO[bytes], *, whole: bool) -> int:
    """Write seals as JSON, one a line; without `whole` their heads only. Returns how many."""
    file.write(f'{{"format": "{FORMAT}", "seals": [\n'.encode())
    count, after = 0, bounds.first_seal - 1
    while found := sets.run(
        SEALS, {"after": after, "upto": bounds.last_seal, "whole": whole, "page": SEALS_AT_ONCE}
    ):  # fmt: skip
        for one in found:
            file.write((",\n" if count else "").encode() + json.dumps(_said(one)).encode())
            count += 1
        after = found[-1][0]
    file.write(b"\n]}\n")
    return count


def _said(one: tuple[Any, ...]) -> dict[str, Any]:
    *plain, listed = one
    said = {name: value.hex() if isinstance(value, bytes) else value for name, value in zip(NAMES, plain, strict=True)}
    return said if listed is None else {**said, "rows": base64.b64encode(listed).decode()}


def rows(bounds: Bounds, file: IO[bytes]) -> int:
    """Write the rows as CSV, each cell the text that is sealed; returns how many.

    A text that begins with anything but a letter or a digit has one `'` in front, so that no spreadsheet runs it.
    In pages, so that no snapshot stays open for long.
    """
    file.write((",".join(COLUMNS) + "\r\n").encode())
    count, after = 0, bounds.first - 1
    while True:
        end, found = sets.run(PAGE_END, {"after": after, "last": bounds.last, "page": ROWS_AT_ONCE})[0]
        if not found:
            return count
        _copy(after + 1, end, file)
        count, after = count + found, end


def _copy(first: int, last: int, file: IO[bytes]) -> None:
    cells = ", ".join(f"{_cell(name, kind)} as {name}" for name, kind in COLUMNS.items())
    sql = f"""copy (select {cells} from {form.TABLE} r where r.id between {int(first)} and {int(last)} order by r.id)
        to stdout with (format csv, encoding 'UTF8')"""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor, cursor.copy(sql) as out:
        for part in out:
            file.write(part)


def _cell(name: str, kind: str) -> str:
    text = form.column_text(name, kind)
    return f"case when {text} ~ '^[^A-Za-z0-9]' then '''' || {text} else {text} end" if kind == "text" else text
