"""What people and systems made of an automation's decisions, counted from stored rows: one statement for all."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gates.models.automation import Staged
from ledger import clock, sets

LATELY, MONTH = timedelta(days=90), timedelta(days=30)
# A suggestion that people turned down because a gate had asked about it was not the automation's error.
ASKED_BY_STAGE = """not exists (select from jsonb_array_elements(a.answers) x
                      where x ->> 'verdict' <> 'pass' and x ->> 'rule' <> 'rollout_stage')"""
SQL = f"""
with asked as (
  select * from unnest(%(n)b::int[], %(name)b::text[], %(segment)b::text[], %(since)b::timestamptz[])
                as v(n, name, segment, since)),
mine as (
  select v.n, a.state, a.created_at,
         a.edited_by_id is not null as edited,
         a.state = 'rejected' as rejected,
         a.state = 'rejected' and {ASKED_BY_STAGE} as wrong,
         a.state = 'compensated' or exists (select from ledger_action r where r.reverses_id = a.id
                                               and r.state not in ('rejected', 'superseded')) as undone,
         exists (select from gates_approval p where p.action_id = a.id) as agreed,
         (select r.verdict from gates_previewreview r
           where r.action_id = a.id and r.preview_hash = a.preview_hash and r.given_at >= v.since) as said
    from asked v join ledger_action a on a.automation = v.name
   where a.id >= %(first)b::uuid and a.created_at >= v.since and a.reverses_id is null and a.requested_by_id is null
     and (v.segment = '' or v.segment = 'tier:' || coalesce(a.facts ->> 'tier', '')
          or v.segment = 'kind:' || coalesce(a.facts ->> 'ticket_kind', '')))
select n, count(*), max(created_at), count(*) filter (where state <> 'observed' and (agreed or rejected or edited)),
       count(said),
       count(*) filter (where undone or state = 'applied' or agreed or rejected or edited or said is not null),
       count(*) filter (where undone or wrong or edited or said = 'correct'),
       count(*) filter (where rejected or edited or undone)
  from mine group by n"""

# In shadow nobody decides: what it would have done is compared with what people and systems then did.
COMPARED_SQL = """
with asked as (
  select * from unnest(%(n)b::int[], %(name)b::text[], %(segment)b::text[], %(since)b::timestamptz[])
                as v(n, name, segment, since))
select v.n, count(*) filter (where c.verdict = 'agreed'), count(*)
  from asked v join gates_shadowcomparison c on c.automation = v.name and c.observed_at >= v.since
 where c.verdict in ('agreed', 'disagreed') and (v.segment = '' or c.segments @> array[v.segment]::varchar[])
 group by v.n"""


@dataclass(frozen=True, slots=True)
class Ask:
    """Which decisions: of this automation, of a segment of it or all, made since then."""

    name: str
    since: datetime
    segment: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Decisions, the newest of them, and what became of them.

    `suggestions` were decided by a person, `previews` reviewed one by one, `judged` turned out right or wrong in any
    way, `corrected` were wrong, `overridden` were turned down, changed or undone by people for whatever reason.
    """

    decisions: int = 0
    newest: datetime | None = None
    suggestions: int = 0
    previews: int = 0
    judged: int = 0
    corrected: int = 0
    overridden: int = 0


def of(asks: Sequence[Ask]) -> list[Counts]:
    """One answer for each question, in their order. One statement."""
    if not asks:
        return []
    rows = sets.run(SQL, {**_columns(asks), "first": first_id(min(one.since for one in asks))})
    found = {row[0]: Counts(*row[1:]) for row in rows}
    return [found.get(n, Counts()) for n in range(len(asks))]


def compared(asks: Sequence[Ask]) -> list[tuple[int, int]]:
    """How many shadow decisions people agreed with, of how many that could be compared. One statement."""
    rows = {row[0]: (row[1], row[2]) for row in sets.run(COMPARED_SQL, _columns(asks))} if asks else {}
    return [rows.get(n, (0, 0)) for n in range(len(asks))]


def _columns(asks: Sequence[Ask]) -> dict[str, list[Any]]:
    return {
        "n": list(range(len(asks))), "name": [one.name for one in asks], "segment": [one.segment for one in asks],
        "since": [one.since for one in asks],
    }  # fmt: skip


def first_id(at: datetime) -> uuid.UUID:
    """The least id an action made at this time can have; ids of actions grow with time."""
    return uuid.UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def ask(name: str, one: Staged, segment: str = "") -> Ask:
    """The question about the present stage of an automation or a segment of it."""
    return Ask(name, one.stage_since, segment)


LAST_DAY_SQL = """
select automation, count(*), count(*) filter (where d.decision in ('hold', 'ask'))
  from ledger_action a join ledger_ledgerrow d on d.action_id = a.id and d.prior_state = 'proposed'
 where a.automation = any(%(names)b::text[]) and a.id >= %(first)b::uuid group by automation"""


def last_day(names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Decisions of 24 hours and how many of them were held or asked about, by automation. One statement."""
    rows = sets.run(LAST_DAY_SQL, {"names": list(names), "first": first_id(clock.now() - timedelta(days=1))})
    return {row[0]: (row[1], row[2]) for row in rows}
