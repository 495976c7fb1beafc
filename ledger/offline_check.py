"""Check an exported ledger against exported seals, away from Meshline: this one file and any Python from 3.10 on.

    python offline_check.py seals.json ledger.csv [--from ID] [--to ID] [--json]

`seals.json` is written by `export_seals`, `ledger.csv` by `export_ledger`. Exit 0: every sealed row is there and as it
was sealed. 1: it is not, and the first such row is named. 2: a file cannot be read, or the call is wrong.

What a row is, for its digest (row format 1): the columns of COLUMNS in that order, each as text, one after the other as
`length:text,` where length counts the bytes of the text in UTF-8; a column without a value is `-,`. As text,

- whole numbers are decimal digits without leading zeros, ids (uuid) lower case with dashes;
- times are `2026-11-21T14:02:11.123456Z`, in UTC, always with six digits;
- JSON is `canonical_json`: members ordered by the length of their name in bytes, then by its bytes; `, ` between
  members and elements, `: ` after names; in strings only `"`, `\\`, and control characters are escaped, `\\b \\f \\n
  \\r \\t` by letter and all others as `\\u001f`; numbers without exponent, their decimals as they were written.

The digest of a row is SHA-256 over those bytes. A seal lists its rows, ordered by id: id as 8 bytes (big endian) and
digest, 40 bytes a row. The seal's own digest is SHA-256 over its head (number, first row, last row, count of rows, row
format, time; each as above), the digest of the seal before (nothing for seal 1), and SHA-256 over its list of rows.
"""

import argparse
import base64
import csv
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

FORMAT = "meshline-seals/1"
ROW_FORMAT = 1
COLUMNS = {
    "id": "number", "subject_kind": "text", "subject_id": "text", "event_id": "number", "action_id": "uuid",
    "customer_id": "number", "decision": "text", "actor": "text", "prior_state": "text", "post_state": "text",
    "state_version": "number", "correlation_id": "uuid", "recorded_at": "time", "applied_at": "time",
    "reasons": "json", "inputs": "json", "rule_version": "text", "mode": "text", "key": "text",
    "confirmation_id": "text", "outcome": "text", "latency_ms": "number", "error_code": "text",
    "amount_minor": "number", "currency": "text", "txid": "number",
}  # fmt: skip
ENTRY, ID = 40, 8
CHANGED = "it was changed after it was sealed"
REMOVED = "it was removed after it was sealed"
INSERTED = "it was put in after its range was sealed"


class Unreadable(ValueError):
    """A file is not what it should be; says which and why."""


def netstrings(values: Sequence[str | None]) -> bytes:
    """Texts one after the other, each with its length, so that no two lists look the same."""
    texts = [None if value is None else value.encode() for value in values]
    return b"".join(b"-," if text is None else b"%d:%s," % (len(text), text) for text in texts)


def canonical_json(text: str) -> str:
    """The same JSON, however it was laid out, as the one text that is sealed. Raises ValueError for what is none."""
    return _dump(json.loads(text, parse_float=_number, parse_int=_number, object_pairs_hook=_members))


class _Number(str):
    """A number as its digits, which no float could keep."""

    __slots__ = ()


def _number(text: str) -> _Number:
    digits = format(Decimal(text), "f")
    return _Number(digits[1:] if digits.startswith("-") and not digits.strip("-0.") else digits)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands there twice")
    return found


def _dump(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: (len(name.encode()), name.encode()))
        return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {_dump(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def plain_cell(cell: str, kind: str) -> str | None:
    """What a cell of the CSV stands for; None for a number, an id or a time that is not there.

    Texts that a spreadsheet might run have one `'` in front.
    """
    if kind == "text":
        return cell.removeprefix("'")
    if kind == "json":
        try:
            return canonical_json(cell)
        except (ValueError, ArithmeticError, RecursionError):
            return cell  # it is not what was sealed, and its digest will say so
    return cell or None


def row_digest(cells: Sequence[str]) -> bytes:
    """The digest of a row from the cells of the CSV."""
    return hashlib.sha256(
        netstrings([plain_cell(cell, kind) for cell, kind in zip(cells, COLUMNS.values(), strict=True)])
    ).digest()


@dataclass
class Seal:
    """One exported seal. `entries` is the list of its rows, None where only the heads were exported."""

    number: int
    first_row: int
    last_row: int
    row_count: int
    row_format: int
    sealed_at: str
    previous: bytes
    digest: bytes
    rows_digest: bytes
    entries: bytes | None

    @property
    def own_digest(self) -> bytes:
        """What its digest has to be."""
        head = (self.number, self.first_row, self.last_row, self.row_count, self.row_format, self.sealed_at)
        return hashlib.sha256(netstrings([str(one) for one in head]) + self.previous + self.rows_digest).digest()

    @property
    def fault(self) -> str:
        """What is wrong with it by itself; empty for nothing."""
        if self.own_digest != self.digest:
            return f"seal {self.number} was changed: its digest does not fit what it says"
        if self.entries is None:
            return ""
        if hashlib.sha256(self.entries).digest() != self.rows_digest or len(self.entries) != ENTRY * self.row_count:
            return f"seal {self.number} was changed: its list of rows is another one"
        return ""


def read_seals(path: str) -> list[Seal]:
    """The seals of a file, in order. Raises Unreadable."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        if document["format"] != FORMAT:
            raise Unreadable(f"{path}: its format is {document['format']}, this script reads {FORMAT}")
        return [_seal(one) for one in document["seals"]]
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise error if isinstance(error, Unreadable) else Unreadable(f"{path}: these are no exported seals") from error


def _seal(one: dict[str, Any]) -> Seal:
    listed = one.get("rows")
    return Seal(
        number=int(one["seal"]),
        first_row=int(one["first_row"]),
        last_row=int(one["last_row"]),
        row_count=int(one["row_count"]),
        row_format=int(one["row_format"]),
        sealed_at=str(one["sealed_at"]),
        previous=bytes.fromhex(one["previous"] or ""),
        digest=bytes.fromhex(one["digest"]),
        rows_digest=bytes.fromhex(one["rows_digest"]),
        entries=None if listed is None else base64.b64decode(listed, validate=True),
    )


def chain_fault(seals: Sequence[Seal]) -> str:
    """The first thing wrong with the seals among themselves; empty for nothing."""
    before: Seal | None = None
    for seal in seals:
        if seal.row_format != ROW_FORMAT:
            return f"seal {seal.number} is in row format {seal.row_format}, which this script does not know"
        if seal.fault:
            return seal.fault
        if before is None:
            expected: Any = (seal.number, seal.first_row, seal.previous)
            if seal.number == 1:
                expected = (1, 1, b"")
        else:
            expected = (before.number + 1, before.last_row + 1, before.digest)
        if (seal.number, seal.first_row, seal.previous) != expected:
            return f"seal {seal.number} does not follow {f'seal {before.number}' if before else 'the beginning'}"
        before = seal
    return ""


def entries_of(listed: bytes) -> dict[int, bytes]:
    """The rows of a seal: id to digest."""
    return {
        int.from_bytes(listed[at : at + ID], "big", signed=True): listed[at + ID : at + ENTRY]
        for at in range(0, len(listed), ENTRY)
    }


def listing(rows: dict[int, bytes]) -> bytes:
    """Rows as a seal lists them."""
    return b"".join(key.to_bytes(ID, "big", signed=True) + rows[key] for key in sorted(rows))


def first_difference(sealed: dict[int, bytes], found: dict[int, bytes]) -> tuple[int, str] | None:
    """The first row that is not as it was sealed, and what happened to it; None when all are."""
    for key in sorted(sealed.keys() | found.keys()):
        if sealed.get(key) != found.get(key):
            return key, REMOVED if key not in found else INSERTED if key not in sealed else CHANGED
    return None


@dataclass
class Result:
    """What was looked at. `row` is the first one that is not as sealed; `problem` is empty when all is well."""

    seals: int = 0
    rows: int = 0
    unsealed: int = 0
    row: int | None = None
    problem: str = ""
    notes: list[str] = field(default_factory=list)


class Broken(Exception):
    """A row is not as it was sealed."""

    def __init__(self, problem: str, row: int | None = None) -> None:
        super().__init__(problem)
        self.row = row


def rows_of(path: str) -> Iterator[tuple[int, bytes]]:
    """Id and digest of each row of the extract. Raises Unreadable for another file, Broken for a line that is none."""
    csv.field_size_limit(2**31 - 1)
    before = None
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            if next(lines, None) != list(COLUMNS):
                raise Unreadable(f"{path}: its first line does not name the columns of an exported ledger")
            for cells in lines:
                if len(cells) != len(COLUMNS) or not cells[0].lstrip("-").isdigit():
                    raise Broken(f"line {lines.line_num} of {path} is no ledger row")
                key = int(cells[0])
                if before is not None and key <= before:
                    raise Broken(f"it stands after row {before}: the order was changed", key)
                before = key
                yield key, row_digest(cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(f"{path}: it cannot be read: {error}") from error


def check(seals: Sequence[Seal], rows: Iterator[tuple[int, bytes]], first: int, last: int) -> Result:
    """Compare the rows from `first` to `last` with their seals; the first thing wrong ends it."""
    result = Result(problem=chain_fault(seals))
    if result.problem:
        return result
    kept = (one for one in rows if first <= one[0] <= last)
    ahead = next(kept, None)
    try:
        for seal in seals:
            found = {}
            while ahead is not None and ahead[0] <= seal.last_row:
                if ahead[0] < seal.first_row:
                    result.unsealed += 1
                else:
                    found[ahead[0]] = ahead[1]
                ahead = next(kept, None)
            _check_seal(seal, found, first, last, ahead is None, result)
        result.unsealed += (ahead is not None) + sum(1 for _ in kept)
    except Broken as broken:
        result.problem, result.row = str(broken), broken.row
    return result


def _check_seal(seal: Seal, found: dict[int, bytes], first: int, last: int, is_end: bool, result: Result) -> None:
    """Compare one seal's rows. Raises Broken at the first that differs."""
    if seal.last_row < first or seal.first_row > last:
        return
    if seal.entries is None:
        if seal.first_row < first or seal.last_row > last:
            result.notes.append(f"seal {seal.number} was not checked: it reaches beyond the range")
            return
        if hashlib.sha256(listing(found)).digest() != seal.rows_digest:
            raise Broken(f"a row from {seal.first_row} to {seal.last_row} is not as seal {seal.number} has it")
    else:
        sealed = {key: digest for key, digest in entries_of(seal.entries).items() if first <= key <= last}
        wrong = first_difference(sealed, found)
        if wrong is not None:
            key, what = wrong
            if what == REMOVED and is_end and all(key > one for one in found):
                what = "it and everything after it was cut off"
            raise Broken(f"{what} (seal {seal.number})", key)
    result.seals += 1
    result.rows += len(found)


def sentences(result: Result) -> list[str]:
    """The result for people."""
    lines = list(result.notes)
    if result.problem:
        where = f"row {result.row}: " if result.row is not None else ""
        return [*lines, f"NOT as sealed. First: {where}{result.problem}"]
    more = f"; in none of these seals: {result.unsealed}" if result.unsealed else ""
    return [*lines, f"as sealed: {result.rows} rows, seals looked at: {result.seals}{more}"]


def main(words: Sequence[str]) -> int:
    """Read, check, say; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check an exported ledger against exported seals.")
    parser.add_argument("seals", help="file that export_seals wrote")
    parser.add_argument("ledger", help="file that export_ledger wrote")
    parser.add_argument("--from", dest="first", type=int, default=-(2**63), metavar="ID", help="first row")
    parser.add_argument("--to", dest="last", type=int, default=2**63 - 1, metavar="ID", help="last row")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(words)
    try:
        seals = read_seals(asked.seals)
        if not seals:
            raise Unreadable(f"{asked.seals}: there is no seal in it")
        result = check(seals, rows_of(asked.ledger), asked.first, asked.last)
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    said = json.dumps({"as_sealed": not result.problem, **vars(result)}) if asked.json else "\n".join(sentences(result))
    sys.stdout.write(f"{said}\n")
    return 1 if result.problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
