"""The shadow report at work: what was observed is taken in, and compared until its time is over."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gates import recompute, shadow
from gates.decide import decide
from gates.models import ShadowComparison
from gates.types import Decision
from ledger import clock, sets
from sync.backtest import LIVE
from sync.backtest_rows import UNREADABLE, Gates, Stored
from sync.shadow import world
from sync.shadow.world import Observed
from sync.signals import first_id

PAGE, MOST_PAGES = 1000, 50
LATE = timedelta(hours=1)  # actions that were committed later than their ids say
FIRST_LOOK = timedelta(days=35)
TIER, KIND, RULE = "tier:", "kind:", "rule:"
TABLE = ShadowComparison._meta.db_table
LAST = f"select action_id from {TABLE} order by action_id desc limit 1"
NEW = f"""
select l.id, a.id, a.customer_id, l.decision, l.post_state, l.reasons, l.rule_version, a.created_at, l.inputs, a.kind,
       a.target, a.business_key, a.because, a.params, a.amount_minor, a.currency, a.automation
  from ledger_action a join ledger_ledgerrow l on l.action_id = a.id and l.decision = 'observe'
 where a.id > %(after)b::uuid and a.mode = 'shadow' and a.state = 'observed'
   and not exists (select from {TABLE} c where c.action_id = a.id)
 order by a.id limit %(page)b"""
TYPES = {
    "action_id": "uuid", "automation": "text", "kind": "text", "customer_id": "bigint", "segments": "text",
    "would": "text", "because": "text", "verdict": "text", "seen": "text", "observed_at": "timestamptz",
    "acts_at": "timestamptz", "due_at": "timestamptz", "settled_at": "timestamptz",
}  # fmt: skip
OPEN = f"""
select c.action_id, c.kind, coalesce(c.customer_id, 0), coalesce(a.contract_id, 0), a.business_key, a.params,
       a.amount_minor, c.would, c.observed_at, c.acts_at, c.due_at
  from {TABLE} c join ledger_action a on a.id = c.action_id
 where c.settled_at is null and (c.due_at, c.action_id) > (%(due)b::timestamptz, %(after)b::uuid)
 order by c.due_at, c.action_id limit %(page)b"""
SETTLE = f"""
update {TABLE} c set verdict = v.verdict, seen = v.seen, settled_at = %(now)b
  from unnest(%(id)b::uuid[], %(verdict)b::text[], %(seen)b::text[]) as v(id, verdict, seen)
 where c.action_id = v.id and c.settled_at is null"""


def job() -> str:
    """Take in what was observed since, and compare what is open; says how many of both."""
    taken, settled = collect(), compare()
    return f"{taken} taken in, {settled} settled"


def weekly() -> str:
    """The week in one sentence; the schedule keeps it with the job's run."""
    return shadow.week_in_words()


def collect() -> int:
    """Take in actions that were only observed; how many."""
    newest = sets.run(LAST)
    after = first_id(_time_of(newest[0][0]) - LATE) if newest else first_id(clock.now() - FIRST_LOOK)
    known, taken = Gates(), 0
    for _ in range(MOST_PAGES):
        rows = [Stored(*row) for row in sets.run(NEW, {"after": after, "page": PAGE})]
        if rows:
            _insert([_row(one, known) for one in rows])
            after, taken = rows[-1].action, taken + len(rows)
        if len(rows) < PAGE:
            break
    return taken


def compare(now: datetime | None = None) -> int:
    """Compare everything that is open; how many were settled."""
    at, settled = now or clock.now(), 0
    due, after = datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0)
    while rows := [Observed(*row) for row in sets.run(OPEN, {"due": due, "after": after, "page": PAGE})]:
        seen = world.read(rows, at)
        judged = [(one.id, *world.judge(one, seen)) for one in rows]
        over = [(key, verdict, code) for key, verdict, code, is_over in judged if is_over]
        if over:
            keys, verdicts, codes = (list(part) for part in zip(*over, strict=True))
            sets.run(SETTLE, {"id": keys, "verdict": verdicts, "seen": codes, "now": at})
        settled += len(over)
        due, after = rows[-1].due_at, rows[-1].id
    return settled


def live(one: Stored, known: Gates) -> Decision:
    """What the same code decides on the same facts where the automation is trusted with everybody.

    Raises one of UNREADABLE.
    """
    kept = {**one.inputs, "policy": {**one.inputs["policy"], "stage": LIVE}}
    policy = recompute.policy_of(kept["policy"], known)
    return decide(one.proposal(), one.facts(), policy, approved_rules=frozenset(kept["policy"]["approved"]))


def _row(one: Stored, known: Gates) -> dict[str, Any]:
    base: dict[str, Any] = {
        "action_id": one.action, "automation": one.automation, "kind": one.kind, "customer_id": one.customer,
        "observed_at": one.at, "verdict": world.UNDECIDED, "seen": "", "settled_at": None, "because": "",
    }  # fmt: skip
    grace = world.GRACES.get(one.kind, world.GRACE)
    try:
        decision, facts = live(one, known), one.facts()
    except UNREADABLE:
        lost = {"would": "unknown", "segments": "{}", "acts_at": one.at, "due_at": one.at}
        return base | lost | {"seen": "cannot_be_judged_again", "settled_at": clock.now()}
    acts = max(decision.until, one.at) if decision.until else one.at
    worst = decision.worst
    names = [TIER + facts.tier] if facts.tier else []
    names += [KIND + facts.ticket_kind] if facts.ticket_kind else []
    names += [RULE + worst.rule] if worst else []
    return base | {
        "would": decision.state, "because": worst.rule if worst else "", "segments": _array(names), "acts_at": acts,
        "due_at": acts + grace,
    }  # fmt: skip


def _insert(rows: Sequence[dict[str, Any]]) -> None:
    """Arrays do not fit in an array of arrays of other lengths: they go as text."""
    columns = sets.columns_of(rows, TYPES)
    lists = ", ".join(f"%({name})b::{kind}[]" for name, kind in TYPES.items())
    picks = ", ".join("v.segments::varchar[]" if name == "segments" else f"v.{name}" for name in TYPES)
    names = ", ".join(TYPES)
    sql = f"insert into {TABLE} ({names}) select {picks} from unnest({lists}) as v({names}) on conflict do nothing"
    sets.run(sql, columns)


def _array(names: Sequence[str]) -> str:
    quoted = ",".join('"' + name[:80].replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names)
    return "{" + quoted + "}"


def _time_of(action_id: UUID) -> datetime:
    """When an action was made, by its id."""
    return datetime.fromtimestamp((action_id.int >> 80) / 1000, UTC)
