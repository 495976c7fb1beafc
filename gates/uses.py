"""How often a gate had a say: what it held back lately, and how much of that people let pass as it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from ledger import clock, sets

DAYS, NEWEST, WINDOW = 30, 5000, 200_000

SQL = """
with said as (
  select id, action_id, reasons from ledger_ledgerrow
   where id > (select coalesce(max(id), 0) from ledger_ledgerrow) - %(window)b::bigint
     and subject_kind = 'action' and decision in ('hold', 'ask', 'observe') and recorded_at >= %(since)b
   order by id desc limit %(newest)b),
held as (
  select distinct r.one ->> 'rule' as rule, s.action_id
    from said s cross join lateral jsonb_array_elements(s.reasons) as r(one)
   where jsonb_typeof(s.reasons) = 'array' and r.one ->> 'rule' = any(%(names)b::text[])
     and r.one ->> 'verdict' <> 'pass')
select h.rule, count(*), count(*) filter (where a.edited_by_id is null and exists (
         select from ledger_ledgerrow p where p.action_id = h.action_id and p.decision = 'approve'
            and p.actor like 'user:%%'))
  from held h left join ledger_action a on a.id = h.action_id group by h.rule"""


@dataclass(frozen=True, slots=True)
class Use:
    """Actions of the last 30 days that a gate held back or asked about, and those approved without a change."""

    held: int = 0
    unchanged: int = 0

    @property
    def share(self) -> str:
        """The unchanged ones in per cent, where there is anything to divide."""
        return f"{100 * self.unchanged // self.held} %" if self.held else ""


def of(names: Sequence[str]) -> dict[str, Use]:
    """The use of each gate, over the newest decisions of 30 days: one statement for all of them."""
    since = clock.now() - timedelta(days=DAYS)
    given = {"window": WINDOW, "since": since, "newest": NEWEST, "names": list(names)}
    return {rule: Use(held, unchanged) for rule, held, unchanged in sets.run(SQL, given)}
