"""Shadow compared with what people and systems really did: agreement by automation, segment, rule, day and week."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from gates.models import ShadowComparison
from ledger import clock, sets

VIEW = "gates.view_shadowcomparison"
DAYS, MOST_DAYS = 30, 366
LEAST = 100  # comparisons below which a share says little
COUNTS = """
count(*) filter (where c.verdict = 'agreed'), count(*) filter (where c.verdict = 'disagreed'),
count(*) filter (where c.verdict = 'undecided' and c.settled_at is null),
count(*) filter (where c.verdict = 'undecided' and c.settled_at is not null)"""
WHERE = """
 where c.observed_at >= %(since)b::timestamptz and (%(automation)b::text = '' or c.automation = %(automation)b::text)
   and (%(segment)b::text = '' or c.segments @> array[%(segment)b::text]::varchar[])"""
ALL = f"select {COUNTS} from gates_shadowcomparison c {WHERE}"
BY_AUTOMATION = f"select c.automation, {COUNTS} from gates_shadowcomparison c {WHERE} group by 1 order by 1"
BY_DAY = f"""
select (c.observed_at at time zone 'utc')::date, {COUNTS} from gates_shadowcomparison c {WHERE}
 group by 1 order by 1 desc"""
BY_WEEK = f"""
select date_trunc('week', c.observed_at at time zone 'utc')::date, {COUNTS} from gates_shadowcomparison c {WHERE}
 group by 1 order by 1 desc"""
BY_SEGMENT = f"""
select s.name, {COUNTS} from gates_shadowcomparison c cross join unnest(c.segments) as s(name) {WHERE}
 group by 1 order by 1"""
BY_KIND = f"select c.kind, {COUNTS} from gates_shadowcomparison c {WHERE} group by 1 order by 1"


@dataclass(frozen=True, slots=True)
class Count:
    """So many of one name: `open` may still be decided, `never` cannot be compared."""

    name: Any
    agreed: int = 0
    disagreed: int = 0
    open: int = 0
    never: int = 0

    @property
    def compared(self) -> int:
        """How many have a verdict."""
        return self.agreed + self.disagreed

    @property
    def share(self) -> float | None:
        """Agreed ones of those compared; None where nothing was."""
        return self.agreed / self.compared if self.compared else None


def agreement(automation: str, segment: str = "", days: int = DAYS) -> tuple[int, int]:
    """How many observed decisions of the last days people agreed with, of how many that were compared.

    `segment` is empty for all, or `tier:<name>`, `kind:<ticket kind>`, `rule:<name>`.
    """
    found = total(automation, segment, days)
    return found.agreed, found.compared


def total(automation: str, segment: str = "", days: int = DAYS) -> Count:
    """Everything of an automation, or of a segment of it."""
    return Count(automation, *sets.run(ALL, _asked(automation, segment, days))[0])


def by_automation(days: int = DAYS) -> list[Count]:
    """One count for each automation that observed something."""
    return _counts(BY_AUTOMATION, "", "", days)


def by_day(automation: str, segment: str = "", days: int = DAYS) -> list[Count]:
    """The daily deltas, newest first; a day (UTC) is that of the decision."""
    return _counts(BY_DAY, automation, segment, days)


def by_week(automation: str, segment: str = "", days: int = MOST_DAYS) -> list[Count]:
    """The weekly summary, newest first; a week begins on Monday."""
    return _counts(BY_WEEK, automation, segment, days)


def by_segment(automation: str, days: int = DAYS) -> list[Count]:
    """Agreement for each rule, tier and kind of ticket."""
    return _counts(BY_SEGMENT, automation, "", days)


def by_kind(automation: str, days: int = DAYS) -> list[Count]:
    """Agreement for each kind of action."""
    return _counts(BY_KIND, automation, "", days)


def deltas(automation: str, *, on: date | None = None, segment: str = "") -> QuerySet[ShadowComparison]:
    """What it would have done and people did not, or the other way round; newest first, of one day or of all."""
    found = ShadowComparison.objects.filter(verdict=ShadowComparison.Verdict.DISAGREED).order_by("-id")
    if automation:
        found = found.filter(automation=automation)
    if segment:
        found = found.filter(segments__contains=[segment])
    return found.filter(observed_at__date=on) if on else found


def week_in_words(now: datetime | None = None) -> str:
    """The last seven days in one sentence, automation by automation."""
    at = now or clock.now()
    counts = [Count(*row) for row in sets.run(BY_AUTOMATION, _asked("", "", 7) | {"since": at - timedelta(days=7)})]
    said = [
        f"{one.name}: {one.agreed} of {one.compared} agreed ({one.share:.1%})" if one.share is not None
        else f"{one.name}: nothing compared, {one.open} open"
        for one in counts
    ]  # fmt: skip
    return "; ".join(said) or "nothing was observed in shadow"


def _counts(query: str, automation: str, segment: str, days: int) -> list[Count]:
    rows: Sequence[Sequence[Any]] = sets.run(query, _asked(automation, segment, days))
    return [Count(*row) for row in rows]


def _asked(automation: str, segment: str, days: int) -> dict[str, Any]:
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"days must be 1 to {MOST_DAYS}")
    return {"automation": automation, "segment": segment, "since": clock.now() - timedelta(days=days)}
