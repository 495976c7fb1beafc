"""What became of earlier stops: how long until the last write, what was in the air, what was held and voided."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ledger import cells, clock, sets
from ledger.models import LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import decision_words, state_words
from meshline.console import shell
from meshline.console.page import Block

MOST_ROWS, MOST_STOPS = 60, 8

# A write belongs to the air of a stop when it began before and was answered after. Writes long before or after a stop
# say nothing about it, so only those around it are read.
AROUND_SQL = """
select v.n,
       count(t.id) filter (where t.began_at <= v.at and t.ended_at > v.at),
       array_agg(t.state) filter (where t.began_at <= v.at and t.ended_at > v.at),
       extract(epoch from max(t.ended_at) filter (where t.began_at <= v.at and t.ended_at > v.at) - v.at)::float8,
       extract(epoch from max(t.began_at) filter (where t.began_at > v.at) - v.at)::float8,
       count(t.id)
  from unnest(%(n)b::int[], %(at)b::timestamptz[], %(until)b::timestamptz[], %(provider)b::text[],
              %(automation)b::text[]) as v(n, at, until, provider, automation)
  left join lateral (
       select x.id, x.began_at, x.began_at + x.ms * interval '1 millisecond' as ended_at, a.state
         from sync_attempt x left join ledger_action a on a.id = x.action_id
        where x.is_write and x.began_at >= v.at - interval '2 minutes'
          and x.began_at < least(v.until, v.at + interval '10 minutes')
          and (v.provider = '' or x.provider = v.provider) and (v.automation = '' or a.automation = v.automation)
       ) t on true
 group by v.n, v.at"""


@dataclass(slots=True)
class Around:
    """The writes around a stop. Seconds are counted from the stop."""

    flying: int = 0
    came_to: list[str] = field(default_factory=list)
    landed: float | None = None
    late: float | None = None
    known: int = 0

    @property
    def halt(self) -> str:
        """How long after the press the last write began, in words."""
        if not self.known:
            return "nothing was being sent"
        return "at once" if self.late is None else f"{max(0.0, self.late):.2f} s"

    @property
    def air(self) -> str:
        """What was in the air, and how it ended."""
        if not self.flying:
            return "none"
        ends = ", ".join(sorted({state_words(state).lower() for state in self.came_to if state}))
        last = f", the last after {self.landed:.1f} s" if self.landed is not None else ""
        return f"{self.flying} ({ends or 'ended'}{last})"


@dataclass(slots=True)
class Stop:
    """One stop of one scope, from the press to the resume."""

    pressed: LedgerRow
    resumed: LedgerRow | None = None
    around: Around = field(default_factory=Around)

    @property
    def until(self) -> datetime:
        """When it ended; now, while it lasts."""
        return self.resumed.recorded_at if self.resumed else clock.now()


def rows() -> list[LedgerRow]:
    """The newest rows about the stop, newest first."""
    return list(LedgerRow.objects.filter(subject_kind="stop").order_by("-id")[:MOST_ROWS])


def stops(found: Sequence[LedgerRow]) -> list[Stop]:
    """The newest stops with what was going on around them, newest first."""
    made: list[Stop] = []
    running: dict[str, Stop] = {}
    for row in reversed(found):
        if row.outcome == "refused":
            continue
        if row.decision == "engage" and row.prior_state == "running":
            running[row.subject_id] = Stop(row)
            made.append(running[row.subject_id])
        elif row.decision == "confirm_resume" and row.subject_id in running:
            running.pop(row.subject_id).resumed = row
    newest = made[::-1][:MOST_STOPS]
    _look_around(newest)
    return newest


def _look_around(made: Sequence[Stop]) -> None:
    """One statement for all of them."""
    scopes = [one.pressed.subject_id.partition(":") for one in made]
    params: dict[str, list[Any]] = {
        "n": list(range(len(made))), "at": [one.pressed.recorded_at for one in made],
        "until": [one.until for one in made],
        "provider": [name if kind == "provider" else "" for kind, _, name in scopes],
        "automation": [name if kind == "automation" else "" for kind, _, name in scopes],
    }  # fmt: skip
    for n, flying, came_to, landed, late, known in sets.run(AROUND_SQL, params) if made else ():
        made[n].around = Around(flying, list(came_to or ()), landed, late, known)


def blocks() -> list[Block]:
    """The stops as a table, and every step behind them."""
    found = rows()
    names = actor_names(row.actor for row in found)
    return [_table(stops(found), names), _steps(found[:20], names)]


def _table(made: Sequence[Stop], names: dict[str, str]) -> Block:
    return Block(
        "Stops",
        columns=(
            "Stopped", "Scope", "By", "Last write began after", "In the air", "Held, as looked at before the resume",
            "Resumed",
        ),
        rows=[
            (
                page_of(one.pressed, cells.moment(one.pressed.recorded_at, seconds=True)),
                shell.scope_words(one.pressed.subject_id),
                cells.theirs(names.get(one.pressed.actor, one.pressed.actor), 40),
                one.around.halt, one.around.air, _held(one), _resumed(one, names),
            )
            for one in made
        ],
        empty="Never stopped. Press it once on a quiet day, so that everybody has seen it work.",
        wide=True,
    )  # fmt: skip


def _held(one: Stop) -> str:
    if one.resumed is None:
        return "still held"
    counts = one.resumed.inputs
    if "valid" not in counts:
        return str(counts.get("held", "not counted"))
    words = {"valid": "valid", "waits": "waiting", "asks": "asked a person", "void": "void"}
    parts = [f"{counts[name]} {word}" for name, word in words.items() if counts.get(name)]
    return f"{counts.get('held', 0)}: {', '.join(parts) or 'nothing'}"


def _resumed(one: Stop, names: dict[str, str]) -> Any:
    if one.resumed is None:
        return "not yet"
    who = names.get(one.resumed.actor, one.resumed.actor)
    how = "back to the queue" if one.resumed.inputs.get("release_to") == "queue" else "released"
    return f"after {cells.length(one.until - one.pressed.recorded_at)} by {cells.plain(who, 40)}, {how}"


def _steps(found: Sequence[LedgerRow], names: dict[str, str]) -> Block:
    return Block(
        "Every step",
        columns=("When", "What", "Scope", "Who", "Reason"),
        rows=[
            (
                page_of(row, cells.moment(row.recorded_at, seconds=True)),
                decision_words(row.decision) + (" (refused)" if row.outcome == "refused" else ""),
                shell.scope_words(row.subject_id),
                cells.theirs(names.get(row.actor, row.actor), 40),
                cells.theirs(next((str(one.get("reason")) for one in row.reasons if isinstance(one, dict)), ""), 160),
            )
            for row in found
        ],
        empty="No step yet.",
        wide=True,
    )
