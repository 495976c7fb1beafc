"""Making seals: in batches, beside running writers, never over a row that may still come.

Rows are numbered before they are committed, so a row can appear below others that are already there. A seal ends at an
id below which nothing can appear any more: whoever wrote a row holds the table's lock for writers until his transaction
ends, so once all who held it *after* the newest id was read are gone, every id up to it is either there or never will
be. Nobody is held up by that, for only the seals wait.
"""

import time
from dataclasses import dataclass

import structlog
from django.db import transaction

from ledger import clock, sets
from ledger.offline_check import ROW_FORMAT
from ledger.seals import form

log = structlog.get_logger(__name__)

BATCH = 5000  # rows in a seal at most: some 200 KB, a twentieth of a second
PATIENCE = 5.0  # seconds for writers to end before only what has no gap is sealed
LOOK_EVERY = 0.02
LOCK = 7_340_002  # of PostgreSQL's advisory locks: who makes the next seal
BUSY = "somebody else is sealing"

NEWEST = "select max(id) from ledger_ledgerrow"
WRITERS = """
select distinct virtualtransaction from pg_locks
 where locktype = 'relation' and relation = 'ledger_ledgerrow'::regclass and mode = 'RowExclusiveLock' and granted
   and database = (select oid from pg_database where datname = current_database())
   and pid is distinct from pg_backend_pid()"""
# A writer who does not end may hold any id that is missing, but none that is there.
WITHOUT_GAP = """
with sealed as (select coalesce((select last_row from ledger_ledgerseal order by id desc limit 1), 0) as upto),
next as (select r.id, row_number() over (order by r.id) as n from ledger_ledgerrow r, sealed s
          where r.id > s.upto and r.id <= %(end)b order by r.id limit %(batch)b)
select max(n.id) from next n, sealed s where n.id = s.upto + n.n"""
TAKE = "select pg_try_advisory_xact_lock(%(lock)b::bigint)"
MAKE = f"""
with one as (
  select coalesce(s.id, 0) + 1 as id, coalesce(s.last_row, 0) + 1 as first_row, s.digest as previous,
         %(at)b::timestamptz as sealed_at, %(format)b::int as row_format
    from (values (1)) v left join (
      select id, last_row, digest from ledger_ledgerseal order by id desc limit 1) s on true),
upto as (
  select max(id) as id from (select r.id from ledger_ledgerrow r, one o
                              where r.id >= o.first_row and r.id <= %(end)b::bigint order by r.id limit %(batch)b) b),
made as (
  select o.*, u.id as last_row, l.row_count, l.row_digests
    from one o cross join upto u cross join lateral (
      select count(*) as row_count, {form.ENTRIES} as row_digests
        from {form.texts("r.id between o.first_row and u.id")}) l
   where u.id is not null)
insert into ledger_ledgerseal (id, first_row, last_row, row_count, row_format, row_digests, digest, previous, sealed_at)
select m.id, m.first_row, m.last_row, m.row_count, m.row_format, m.row_digests, {form.seal_digest("m")}, m.previous,
       m.sealed_at from made m
returning id, last_row, row_count, digest"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a call made: seals, rows in them, and a sentence where it did not come to the end."""

    seals: int
    rows: int
    note: str = ""

    def __str__(self) -> str:
        return f"rows sealed: {self.rows}, seals made: {self.seals}" + (f"; {self.note}" if self.note else "")


def seal(*, seconds: float = 3600.0, batch: int = BATCH, patience: float = PATIENCE) -> Sealed:
    """Seal what can be sealed, for `seconds` at most; what is left the next call takes. Safe beside another one."""
    give_up_at = time.monotonic() + seconds
    seals = rows = 0
    end, note = settled(patience)
    while end is not None:
        made = _make(end, batch)
        if made is None:
            return Sealed(seals, rows, BUSY)
        if not made:
            break
        seals, rows = seals + 1, rows + made
        if time.monotonic() > give_up_at:
            return Sealed(seals, rows, "the time is up, there is more")
    return Sealed(seals, rows, note)


def job() -> str:
    """The scheduled one: half a minute at most."""
    return str(seal(seconds=30.0))


def settled(patience: float) -> tuple[int | None, str]:
    """The id up to which every row that will ever be there is there, None for no row; and why it is not the newest."""
    newest = sets.run(NEWEST)[0][0]
    if newest is None:
        return None, ""
    before = _writers()
    give_up_at = time.monotonic() + patience
    while before:
        if time.monotonic() > give_up_at:
            end = sets.run(WITHOUT_GAP, {"end": newest, "batch": BATCH})[0][0]
            return end, f"{len(before)} transactions that write to the ledger do not end; sealed is what has no gap"
        time.sleep(LOOK_EVERY)
        before &= _writers()
    return int(newest), ""


def _writers() -> set[str]:
    """The transactions that may have written a row and have not ended, prepared ones too."""
    return {row[0] for row in sets.run(WRITERS)}


def _make(end: int, batch: int) -> int | None:
    """Make the next seal, up to `end`; its count of rows, 0 when there is nothing to seal, None when another does."""
    with transaction.atomic():
        if not sets.run(TAKE, {"lock": LOCK})[0][0]:
            return None
        made = sets.run(MAKE, {"at": clock.now(), "format": ROW_FORMAT, "end": end, "batch": batch})
    if not made:
        return 0
    number, last_row, rows, digest = made[0]
    # Whoever keeps the log elsewhere keeps a witness that no superuser of this database reaches.
    log.info("ledger_sealed", seal=number, last_row=last_row, rows=rows, digest=bytes(digest).hex())
    return int(rows)
