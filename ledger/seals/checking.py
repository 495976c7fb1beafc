"""Checking seals: each follows the one before, says what its digest says, and its rows are as they were."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import offline_check, sets
from ledger.offline_check import ENTRY, ROW_FORMAT, Seal
from ledger.seals import form

PAGE = 10  # seals at a time, 50 000 rows at most


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong; `row` is the ledger row it begins with, or None."""

    problem: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """A page of seals: how many, the rows in them, the last of these, and the first fault."""

    seals: int
    rows: int
    upto: int
    fault: Fault | None


_FOUND = (
    f"""coalesce((select {form.ENTRIES} from {form.texts("r.id between s.first_row and s.last_row")}), ''::bytea)"""
)
SEALS = f"""
with page as (select * from ledger_ledgerseal
               where id > %(after)b and last_row >= %(first)b and first_row <= %(last)b order by id limit %(page)b)
select s.id, s.first_row, s.last_row, s.row_count, s.row_format,
       s.previous is not distinct from b.digest and s.first_row = coalesce(b.last_row, 0) + 1
         and (b.id is null) = (s.id = 1) as follows,
       s.digest = {form.seal_digest("s")} and length(s.row_digests) = {ENTRY} * s.row_count as is_whole,
       s.row_format = {ROW_FORMAT} and {_FOUND} = s.row_digests as fits
  from page s left join ledger_ledgerseal b on b.id = s.id - 1 order by s.id"""
LISTED = "select row_digests from ledger_ledgerseal where id = %(id)b"
FOUND = f"select {form.ENTRIES} from {form.texts('r.id between %(first)b and %(last)b')}"
BELOW = "select min(id) from ledger_ledgerrow where id < 1"
BEYOND = "select exists (select from ledger_ledgerrow where id > %(row)b)"
DIGESTS = "select id, digest from ledger_ledgerseal where id = any(%(ids)b::bigint[])"


def pages(first: int, last: int) -> Iterator[Looked]:
    """Go through the seals that reach into the range, whole seals each; stops at the first fault."""
    after = 0
    while True:
        seals = sets.run(SEALS, {"after": after, "first": first, "last": last, "page": PAGE})
        if not seals:
            return
        fault = next(filter(None, map(_fault_of, seals)), None)
        if fault is None and after == 0 and seals[0][0] == 1:
            fault = _below()
        yield Looked(len(seals), sum(one[3] for one in seals), seals[-1][2], fault)
        if fault is not None:
            return
        after = seals[-1][0]


def _fault_of(seal: tuple[Any, ...]) -> Fault | None:
    number, first, last, _, row_format, follows, is_whole, fits = seal
    if not is_whole:
        return Fault(f"seal {number} (rows {first} to {last}) was changed: its digest does not fit what it says")
    if row_format != ROW_FORMAT:
        return Fault(f"seal {number} is in row format {row_format}, which this release does not know")
    if not fits:
        listed = bytes(sets.run(LISTED, {"id": number})[0][0])
        return _first_difference(listed, first, last, f"seal {number}")
    if not follows:
        return Fault(f"seal {number} (rows {first} to {last}) does not follow seal {number - 1}: one is missing or new")
    return None


def _first_difference(listed: bytes, first: int, last: int, seal: str) -> Fault | None:
    """The first row that is not as a seal lists it; None when all are."""
    found = bytes(sets.run(FOUND, {"first": first, "last": last})[0][0] or b"")
    wrong = offline_check.first_difference(offline_check.entries_of(listed), offline_check.entries_of(found))
    if wrong is None:
        return None
    row, what = wrong
    if what == offline_check.REMOVED and not sets.run(BEYOND, {"row": row})[0][0]:
        what = "it and everything after it was cut off"
    return Fault(f"{what} ({seal})", row)


def _below() -> Fault | None:
    """Rows numbered below the first one that can be."""
    row = sets.run(BELOW)[0][0]
    return None if row is None else Fault(offline_check.INSERTED, row)


def against(exported: Sequence[Seal]) -> Fault | None:
    """The first way in which the ledger is not what seals say that were exported earlier; None for none.

    Finds what the database's own seals cannot tell: that they were made anew, or cut off together with their rows.
    """
    wrong = offline_check.chain_fault(exported)
    if wrong:
        return Fault(f"the exported seals do not hold: {wrong}")
    there = {key: bytes(digest) for key, digest in sets.run(DIGESTS, {"ids": [one.number for one in exported]})}
    first = None
    for seal in exported:
        if there.get(seal.number) == seal.digest:
            continue  # its rows are checked with the seals of the database
        what = "is another one than" if seal.number in there else "is not there any more as"
        said = f"seal {seal.number} (rows {seal.first_row} to {seal.last_row}) {what} exported"
        first = first or Fault(said)
        if seal.entries is None:
            continue
        name = f"exported seal {seal.number}"
        fault = _first_difference(seal.entries, seal.first_row, seal.last_row, name)
        if fault is not None:
            return fault
    return first
