"""What takes a stage away: the sweep looks at every automation and segment that acts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from gates import automations
from gates.models import Automation, Segment
from gates.models.automation import STEPS, Staged
from gates.rollout import counts, evidence, ladder, lowering
from gates.rollout.counts import Ask, Counts
from gates.rollout.ladder import Bars
from ledger import clock, sets

ACTOR = "system:rollout"
WEEK, BASELINE, FRESH = timedelta(days=7), timedelta(days=28), timedelta(minutes=2)
LEAST_MORE = 50  # thousandths that the override rate has to be over its baseline, so that 1 against 0 is no alarm
MOST_WAITING = 3
STALE_SQL = """
select automation, count(*) from ledger_action
 where automation = any(%(names)b::text[]) and state in ('held', 'approved') and waiting_since < %(before)b
 group by automation"""


@dataclass(frozen=True, slots=True)
class Acting:
    """An automation or a segment of it that acts by itself, and since when it has."""

    name: str
    key: str
    since: datetime
    enabled_until: datetime | None


def sweep() -> list[str]:
    """Lower whatever no longer deserves its stage; returns what fell. Safe at any moment by anybody."""
    acting = _acting()
    fallen = [one for one, rule, why in _faults(acting) if _lower(one, rule, why)]
    _withdraw_leftovers()
    return [f"{one.name}/{one.key}" if one.key else one.name for one in fallen]


def waiting() -> dict[str, str]:
    """Automations that fell, or of which a segment did, and that their owner did not sign again: name -> why."""
    parts = Segment.objects.select_related("automation").filter(fell_at__isnull=False)
    found = {one.automation.name: f"{one.key}: {one.fell_why}" for one in parts}
    return found | dict(Automation.objects.filter(fell_at__isnull=False).values_list("name", "fell_why"))


def _acting() -> list[Acting]:
    whole = Automation.objects.filter(state__in=STEPS[2:])
    parts = Segment.objects.select_related("automation").filter(
        state__in=STEPS[2:], automation__state__in=STEPS[2:]
    )  # fmt: skip
    return [Acting(one.name, "", _since(one), one.enabled_until) for one in whole] + [
        Acting(one.automation.name, one.key, _since(one), None) for one in parts
    ]


def _since(one: Staged) -> datetime:
    return one.acting_since or one.stage_since


def _faults(acting: list[Acting]) -> list[tuple[Acting, str, str]]:
    """The first fault of each, if it has one: which rule, and why in words with its numbers."""
    now, bars = clock.now(), evidence.bars()
    stale, drift = _stale([one.name for one in acting], now, bars), evidence.drift()
    recent = counts.of([Ask(one.name, max(one.since, now - BASELINE), one.key) for one in acting])
    week = counts.of([Ask(one.name, max(one.since, now - WEEK), one.key) for one in acting])
    before = counts.of([Ask(one.name, max(one.since, now - WEEK) - BASELINE, one.key) for one in acting])
    found = []
    for one, all_, now_, then in zip(acting, recent, week, before, strict=True):
        rule, why = _fault(one, now, bars, (all_, now_, then), stale, drift)
        if rule:
            found.append((one, rule, why))
    return found


def _fault(
    one: Acting, now: datetime, bars: Bars, counted: tuple[Counts, Counts, Counts], stale: Mapping[str, str],
    drift: Mapping[str, str],
) -> tuple[str, str]:  # fmt: skip
    """Which rule it breaks and why; two empty words for none. The order is that of how sure the answer is."""
    recent, week, before = counted
    if one.enabled_until is not None and one.enabled_until <= now:
        return "timebox", f"its timebox ended {one.enabled_until:%Y-%m-%d %H:%M} UTC"
    if one.name in drift and not one.key:
        return "schema_drift", f"what it reads changed its form: {drift[one.name]}"
    if one.name in stale and not one.key:
        return "stale_context", stale[one.name]
    if recent.judged >= bars.sample and 1000 * recent.corrected > bars.corrections_permille * recent.judged:
        share = 100 * recent.corrected / recent.judged
        limit = ladder.percent(bars.corrections_permille)
        return "corrections", f"{share:.2g} % corrected ({recent.corrected} of {recent.judged}), over {limit}"
    return _overridden(week, before, bars)


def _overridden(week: Counts, before: Counts, bars: Bars) -> tuple[str, str]:
    """People turn down, change or undo far more than they used to. `before` includes the week and is put right here."""
    judged, overridden = before.judged - week.judged, before.overridden - week.overridden
    if week.judged < bars.override_sample or judged < bars.override_sample:
        return "", ""
    usual, now = 1000 * overridden / judged, 1000 * week.overridden / week.judged
    if now <= usual * bars.override_factor or now - usual < LEAST_MORE:
        return "", ""
    return "overrides", f"people override {now / 10:.0f} % of it this week, {usual / 10:.0f} % before"


def _stale(names: list[str], now: datetime, bars: Bars) -> dict[str, str]:
    """Automations of which several actions wait for facts that nobody can read."""
    before = now - timedelta(minutes=bars.stale_minutes)
    rows = sets.run(STALE_SQL, {"names": names, "before": before})
    return {
        name: f"{count} of its actions cannot read what they need for over {bars.stale_minutes} minutes"
        for name, count in rows
        if count >= MOST_WAITING
    }


def _lower(one: Acting, rule: str, why: str) -> bool:
    """Each in a transaction of its own: what is locked elsewhere keeps nothing else from falling."""
    with transaction.atomic():
        return automations.fall_back(one.name, why, rule=rule, actor=ACTOR, segment=one.key)


def _withdraw_leftovers() -> None:
    """What a worker planned at the same moment by the stage it had read half a second before."""
    for one in Automation.objects.filter(
        state__in=("paused", "shadow", "suggest"), stage_since__gt=clock.now() - FRESH
    ):
        with transaction.atomic():
            lowering.withdraw(one.name, str(one.state), actor=ACTOR, why="planned while it was lowered")
