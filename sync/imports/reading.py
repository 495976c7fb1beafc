"""A CSV file of links as rows. Pure: bytes in, rows out, each with what is wrong with it; nothing is guessed.

The limits are on size first, before anything is looked at. A cell that a spreadsheet would run is never an id.
"""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gates.stop import Refused

MAX_BYTES = 5 * 1024 * 1024
MAX_ROWS = 50_000
LONGEST = {"internal_id": 80, "stripe_id": 255, "email": 320}
NAMES = {
    "internal_id": ("internal_id", "internalid", "netsuite_id", "netsuite_internal_id"),
    "stripe_id": ("stripe_id", "stripe_customer_id", "stripe_customer"),
    "email": ("email", "e_mail", "email_address"),
}
REQUIRED = ("internal_id", "stripe_id")
DELIMITERS = ",;\t"
ACTIVE = "=+-@"
MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
INTERNAL_ID = re.compile(r"[0-9]{1,18}")
STRIPE_ID = re.compile(r"cus_[A-Za-z0-9]{1,240}")
EMAIL = re.compile(r"[^\s@;,<>\"']{1,64}@[^\s@;,<>\"']{1,255}")


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the line it begins in, its cells, and why it is refused (empty: it is not)."""

    number: int
    internal_id: str
    stripe_id: str
    email: str
    wrong: str = ""


def check_size(size: int) -> None:
    """Raises Refused 422 for a file that is empty or too large; asked before it is read."""
    if size > MAX_BYTES:
        raise Refused(422, "file", f"file: at most {MAX_BYTES // 1024**2} MB, this has {size / 1024**2:,.1f} MB")
    if size == 0:
        raise Refused(422, "file", "file: it is empty")


def read(raw: bytes) -> list[Line]:
    """The rows of a file. Raises Refused 422 where the file as a whole cannot be read."""
    check_size(len(raw))
    text = _text(raw)
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: dict[str, int] | None = None
    width, begins = 0, 1
    lines: list[Line] = []
    try:
        for cells in reader:
            number, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns, width = _columns(cells), len(cells)
                continue
            if len(lines) >= MAX_ROWS:
                raise Refused(422, "file", f"file: at most {MAX_ROWS:,} rows; split it")
            lines.append(_line(number, cells, columns, width))
    except csv.Error as error:
        raise Refused(
            422, "file", f"file: line {begins} cannot be read ({error}); look for a quote that never ends"
        ) from None
    if columns is None or not lines:
        raise Refused(422, "file", "file: it has no rows below its heading" if columns else "file: it is empty")
    return _without_twins(lines)


def is_active(text: str) -> bool:
    """Whether a spreadsheet would run it: it begins, in any width, as a formula does. Looks through hidden signs."""
    head = text.lstrip()
    while head and unicodedata.category(head[0]) in ("Cc", "Cf", "Zs"):
        head = head[1:].lstrip()
    first = unicodedata.normalize("NFKC", head[:1])[:1]
    return text[:1] in ("\t", "\r", "\n") or bool(first and first in ACTIVE)


def neutral(text: str) -> str:
    """The text as it may stand in a file or on a terminal: nothing that runs, no control characters."""
    plain = "".join(one if one.isprintable() else "\ufffd" for one in text)
    return f"'{plain}" if is_active(text) else plain


def _text(raw: bytes) -> str:
    for mark, name in MARKS.items():
        if raw.startswith(mark):
            raise Refused(422, "file", f"file: it is {name}; save it as CSV UTF-8")
    if raw[:2000].count(0) * 5 > len(raw[:2000]):
        raise Refused(422, "file", "file: it looks like UTF-16 or is no text at all; save it as CSV UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Refused(
            422, "file", f"file: line {line} is not UTF-8 (Windows-1252 or latin-1, it seems); save it as CSV UTF-8"
        ) from None


def _columns(cells: Sequence[str]) -> dict[str, int]:
    """Where each column stands. Raises Refused for one that is missing or there twice."""
    named = [re.sub(r"[^a-z0-9]+", "_", cell.strip().lower()).strip("_") for cell in cells]
    found: dict[str, int] = {}
    for column, names in NAMES.items():
        places = [place for place, name in enumerate(named) if name in names]
        if len(places) > 1:
            raise Refused(422, "file", f"file: the heading names {column} {len(places)} times")
        if places:
            found[column] = places[0]
    missing = [column for column in REQUIRED if column not in found]
    if missing:
        shown = ", ".join(neutral(cell)[:40] for cell in cells[:8])
        raise Refused(
            422, "file", f"file: the heading has no column {' and '.join(missing)}; its first line reads: {shown}"
        )
    return found


def _line(number: int, cells: Sequence[str], columns: dict[str, int], width: int) -> Line:
    said = {name: cells[place] if place < len(cells) else "" for name, place in columns.items()}
    made = Line(number, *(_storable(said.get(name, ""), longest) for name, longest in LONGEST.items()))
    if len(cells) != width:
        return replace(made, wrong=f"it has {len(cells)} cells, the heading {width}")
    for name, cell in said.items():
        wrong = _fault(name, cell)
        if wrong:
            return replace(made, wrong=f"{name}: {wrong}")
    return made


def _fault(name: str, cell: str) -> str:
    """Why a cell is not what its column holds; empty where it is."""
    if "\x00" in cell:
        return "it holds a NUL character"
    if is_active(cell):
        return "it begins like a formula"
    if len(cell) > LONGEST[name]:
        return f"at most {LONGEST[name]} characters, this has {len(cell):,}"
    text = cell.strip()
    if any(one in text for one in "\r\n"):
        return "it goes over several lines"
    if not text:
        return "" if name == "email" else "it is empty"
    if name == "internal_id":
        return "" if INTERNAL_ID.fullmatch(text) else "it must be a number, as the ERP shows it"
    if name == "stripe_id":
        return "" if STRIPE_ID.fullmatch(text) else "it must begin with cus_ and hold letters and digits only"
    if any(one in text for one in ";,"):
        return "it holds several addresses; a person has to choose"
    return "" if EMAIL.fullmatch(text) else "it is no address"


def _storable(cell: str, longest: int) -> str:
    return cell.strip().replace("\x00", "\ufffd")[:longest]


def _without_twins(lines: list[Line]) -> list[Line]:
    """Every row of a group that names the same customer or the same id is refused: which one is meant is not known."""
    wrong: dict[int, str] = {}
    for name in REQUIRED:
        seen = Counter(getattr(line, name) for line in lines if not line.wrong)
        twins: dict[str, list[int]] = {}
        for line in lines:
            if not line.wrong and seen[getattr(line, name)] > 1:
                twins.setdefault(getattr(line, name), []).append(line.number)
        for numbers in twins.values():
            for number in numbers:
                wrong.setdefault(number, f"{name}: the same in rows {', '.join(_few(numbers))}")
    return [replace(line, wrong=wrong[line.number]) if line.number in wrong else line for line in lines]


def _few(numbers: Sequence[int]) -> Iterator[str]:
    yield from (str(number) for number in numbers[:5])
    if len(numbers) > 5:
        yield f"and {len(numbers) - 5} more"
