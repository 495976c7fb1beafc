"""SuiteQL over SQLite in memory: string results, omitted nulls, the paging rules, and NetSuite's refusals."""

import re
import sqlite3
from datetime import datetime
from typing import Any

from sync.sandbox.netsuite import bookkeeping
from sync.sandbox.netsuite.errors import Refused
from sync.sandbox.netsuite.schema import JOURNAL, TYPES, RecordType
from sync.sandbox.wire import Json

PAGE_ROWS = 1000
QUERY_ROWS = 100_000
FORMAT_WORDS = (("YYYY", "%Y"), ("HH24", "%H"), ("MM", "%m"), ("DD", "%d"), ("MI", "%M"), ("SS", "%S"))
TRANSACTION_COLUMNS = {"total": "foreigntotal", "amountremaining": "foreignamountunpaid"}


def _columns(kind: RecordType) -> list[str]:
    names = [TRANSACTION_COLUMNS.get(name.lower(), name.lower()) for name in kind.fields]
    return [*names, "lastmodifieddate", "createddate", *(["type"] if kind.sql_type else [])]


class SuiteQl:
    """The searchable copy of the records; rows are written when a query needs them."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", check_same_thread=False)
        self.db.create_function("TO_CHAR", 2, _to_char, deterministic=True)
        self.db.create_function("TO_DATE", 2, _to_date, deterministic=True)
        self.db.create_function("NVL", 2, lambda value, other: other if value is None else value, deterministic=True)
        self.db.create_function("BUILTIN_DF", 1, lambda value: value, deterministic=True)
        self._columns: dict[str, list[str]] = {}
        for kind in TYPES.values():
            if kind.sql_table and kind.sql_table not in self._columns:
                self._columns[kind.sql_table] = _columns(kind)
                columns = ", ".join(f'"{name}"' for name in self._columns[kind.sql_table])
                self.db.execute(f'CREATE TABLE "{kind.sql_table}" (id INTEGER PRIMARY KEY, {columns})')
        self.db.execute(f"CREATE TABLE transactionline ({', '.join(bookkeeping.LINE_COLUMNS)})")

    def write(self, kind: RecordType, row: Json) -> None:
        """Bring a record's row up to date."""
        if not kind.sql_table:
            return
        columns = self._columns[kind.sql_table]
        flat = {TRANSACTION_COLUMNS.get(name.lower(), name.lower()): _flat(value) for name, value in row.items()}
        flat["type"] = kind.sql_type
        flat.setdefault("entity", flat.get("customer"))
        self._write_lines(kind, row)
        for name in ("lastmodifieddate", "createddate"):
            flat[name] = str(flat.get(name, "")).replace("T", " ").rstrip("Z")
        values = [int(row["id"]), *(flat.get(name) for name in columns)]
        marks = ", ".join("?" * len(values))
        self.db.execute(f'INSERT OR REPLACE INTO "{kind.sql_table}" VALUES ({marks})', values)

    def _write_lines(self, kind: RecordType, row: Json) -> None:
        """The lines of a journal entry, which has no total of its own."""
        lines = bookkeeping.sql_lines(kind, row)
        if lines:
            self.db.execute('DELETE FROM transactionline WHERE "transaction" = ?', [int(row["id"])])
            marks = ", ".join("?" * len(bookkeeping.LINE_COLUMNS))
            self.db.executemany(f"INSERT INTO transactionline VALUES ({marks})", lines)

    def erase(self, kind: RecordType, row: Json) -> None:
        """Remove a record's row."""
        if kind.sql_table:
            self.db.execute(f'DELETE FROM "{kind.sql_table}" WHERE id = ?', [int(row["id"])])
        if kind is JOURNAL:
            self.db.execute('DELETE FROM transactionline WHERE "transaction" = ?', [int(row["id"])])

    def run(self, query: str, params: list[str], limit: int, offset: int, link: str) -> Json:
        """One page of a query as the service answers it."""
        _check(query, limit, offset)
        text = _translated(query)
        try:
            total = int(self.db.execute(f"SELECT COUNT(*) FROM ({text})", params).fetchone()[0])
            cursor = self.db.execute(f"SELECT * FROM ({text}) LIMIT {limit} OFFSET {offset}", params)
            names = [column[0].lower() for column in cursor.description]
            rows = cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _bad_query(str(error)) from error
        items = [{"links": [], **{n: str(v) for n, v in zip(names, row, strict=True) if v is not None}} for row in rows]
        seen = min(total, QUERY_ROWS)
        more = offset + len(items) < seen
        links = [{"rel": "self", "href": f"{link}?limit={limit}&offset={offset}"}]
        if more:
            links.append({"rel": "next", "href": f"{link}?limit={limit}&offset={offset + limit}"})
        page = {"count": len(items), "hasMore": more, "items": items, "offset": offset, "totalResults": seen}
        return {"links": links, **page}


def _check(query: str, limit: int, offset: int) -> None:
    if not 1 <= limit <= PAGE_ROWS:
        raise Refused(400, "INVALID_PARAMETER", f"The limit must be between 1 and {PAGE_ROWS}.", query="limit")
    if offset < 0 or offset % limit:
        raise Refused(400, "INVALID_PARAMETER", "The offset must be divisible by the limit.", query="offset")
    if offset >= QUERY_ROWS:
        raise Refused(400, "INVALID_PARAMETER", f"At most {QUERY_ROWS} rows are returned.", query="offset")
    head = query.strip().partition(" ")[0].upper()
    bare = re.sub(r"'[^']*'", "''", query)
    if head != "SELECT" or "[" in bare or ";" in bare or re.search(r"\bWITH\b", bare, re.IGNORECASE):
        raise _bad_query("Invalid or unsupported search")


def _translated(query: str) -> str:
    """Oracle's words in SQLite's: `transaction` is a keyword there, BUILTIN.DF no function name."""
    parts = query.split("'")
    for place in range(0, len(parts), 2):
        text = re.sub(r"\btransaction\b", '"transaction"', parts[place], flags=re.IGNORECASE)
        parts[place] = re.sub(r"\bBUILTIN\.DF\b", "BUILTIN_DF", text, flags=re.IGNORECASE)
    return "'".join(parts)


def _bad_query(reason: str) -> Refused:
    reason = re.sub(r"^no such column: (\S+)$", r"Search error occurred: Unknown identifier '\1'", reason)
    reason = re.sub(r"^no such table: (\S+)$", r"Search error occurred: Record '\1' was not found.", reason)
    detail = f"Invalid search query. Detailed unprocessed description follows. {reason}."
    return Refused(400, "INVALID_PARAMETER", detail, query="q")


def _flat(value: Any) -> Any:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, dict):
        return value.get("id")
    return None if isinstance(value, list) else value


def _pattern(words: str) -> str:
    for oracle, python in FORMAT_WORDS:
        words = words.replace(oracle, python)
    return words


def _to_char(value: Any, words: str) -> str | None:
    return None if not value else datetime.fromisoformat(str(value)).strftime(_pattern(words))


def _to_date(value: Any, words: str) -> str | None:
    return None if not value else datetime.strptime(str(value), _pattern(words)).isoformat(" ")  # noqa: DTZ007 - text only
