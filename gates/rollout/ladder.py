"""The way up and what each step of it asks for. Pure: numbers in, conditions out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gates.models.automation import STEPS

DAY = timedelta(days=1)
SUNDAY, SATURDAY = 6, 5


@dataclass(frozen=True, slots=True)
class Bars:
    """What has to be reached. Shares in thousandths, times as they are named."""

    shadow_days: int = 7
    suggest_days: int = 14
    step_days: int = 1
    suggestions: int = 100
    previews: int = 100
    sample: int = 100
    corrections_permille: int = 10
    reconciled_hours: int = 24
    override_factor: int = 2
    override_sample: int = 20
    stale_minutes: int = 60


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stored rows say of an automation in its present stage; a condition looks at nothing else.

    `judged` are the decisions of this stage that turned out right or wrong, `corrected` the wrong ones among them.
    """

    stage: str
    version: int = 1
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    since: datetime | None = None
    newest: datetime | None = None  # the newest row about it, whatever the clock says now
    decisions: int = 0
    suggestions: int = 0
    previews: int = 0
    judged: int = 0
    corrected: int = 0
    reconciled: tuple[tuple[str, datetime | None, str], ...] = ()  # check, when its last run ended, what is wrong
    signed_by: str = ""
    signed_at: datetime | None = None
    untried: tuple[str, ...] = ()  # kinds that can be undone and whose undoing nobody tried
    alerts: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()  # what is missing of the registration, and who left

    @property
    def permille(self) -> int:
        """Corrections in thousandths, rounded up; 0 without a sample."""
        return -(-1000 * self.corrected // self.judged) if self.judged else 0


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a step needs: its stable name, what is and what is needed in words, and whether it is met."""

    name: str
    title: str
    is_met: bool
    has: str
    needs: str

    def __str__(self) -> str:
        return f"{self.title}: {self.has}, needed {self.needs}"


def full_days(since: datetime, now: datetime) -> list[datetime]:
    """The days (UTC, by their beginning) that lie wholly between two instants."""
    first = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if first < since:
        first += DAY
    return [first + DAY * n for n in range(max(0, (now - first) // DAY))]


def next_step(stage: str) -> str:
    """The stage above; empty at the top and where there is none."""
    return STEPS[STEPS.index(stage) + 1] if stage in STEPS[:-1] else ""


def conditions(of: Evidence, bars: Bars) -> list[Condition]:
    """Everything the step up from this stage needs, in the order it is shown; none at the top."""
    return [CHECKS[name](of, bars) for name in NEEDS.get(of.stage, ())]


def unmet(of: Evidence, bars: Bars) -> list[Condition]:
    """What is still missing."""
    return [one for one in conditions(of, bars) if not one.is_met]


def percent(permille: int) -> str:
    """Thousandths as per cent."""
    return f"{permille / 10:.1f} %"


def _days(of: Evidence, bars: Bars) -> Condition:
    wanted = {"shadow": bars.shadow_days, "suggest": bars.suggest_days}.get(of.stage, bars.step_days)
    needs = f"{wanted} full day{'s' if wanted != 1 else ''}"
    fault = _clock_fault(of)
    if fault:
        return Condition("days", "Time in this stage", has=fault, needs=needs, is_met=False)
    assert of.since is not None
    days = len(full_days(of.since, of.now))
    has = f"{days} full day{'s' if days != 1 else ''} since {of.since:%Y-%m-%d}"
    return Condition("days", "Time in this stage", days >= wanted, has, needs)


def _clock_fault(of: Evidence) -> str:
    """Why the time in the stage cannot be told; a clock that was set back makes nothing older."""
    if of.since is None:
        return "nothing says since when it is in this stage"
    ahead = max((at for at in (of.since, of.newest) if at is not None), default=of.now)
    if ahead > of.now + timedelta(minutes=5):
        return f"the clock was set back: rows of {ahead:%Y-%m-%d %H:%M} UTC are ahead of it"
    return ""


def _weekend(of: Evidence, bars: Bars) -> Condition:
    """Part of a shadow run of a week; one that was shortened for development need not meet one."""
    days = {one.weekday() for one in full_days(of.since, of.now)} if of.since and not _clock_fault(of) else set()
    missing = [name for day, name in ((SATURDAY, "Saturday"), (SUNDAY, "Sunday")) if day not in days]
    is_met = not missing or bars.shadow_days < 7
    has = f"no full {' and no full '.join(missing)} yet" if missing else "both days of a weekend"
    return Condition("weekend", "A weekend", is_met, has, "a full Saturday and Sunday")


def _decisions(of: Evidence, bars: Bars) -> Condition:
    has = f"{of.decisions} in this stage" if of.decisions else "no event reached it in this stage"
    return Condition("decisions", "Decisions", of.decisions > 0, has, "at least 1")


def _suggestions(of: Evidence, bars: Bars) -> Condition:
    met = of.suggestions >= bars.suggestions
    return Condition("suggestions", "Reviewed suggestions", met, f"{of.suggestions}", f"{bars.suggestions}")


def _previews(of: Evidence, bars: Bars) -> Condition:
    return Condition("previews", "Signed previews", of.previews >= bars.previews, f"{of.previews}", f"{bars.previews}")


def _corrections(of: Evidence, bars: Bars) -> Condition:
    needs = f"under {percent(bars.corrections_permille)} of at least {bars.sample}"
    met = of.judged >= bars.sample and 1000 * of.corrected < bars.corrections_permille * of.judged
    has = f"{percent(of.permille)}, {of.corrected} of {of.judged}" if of.judged else "nothing was judged by people yet"
    return Condition("corrections", "Corrections", met, has, needs)


def _reconciliation(of: Evidence, bars: Bars) -> Condition:
    needs = f"passed, under {bars.reconciled_hours} h old"
    said = [_reconciled(one, of.now, bars) for one in of.reconciled]
    wrong = [words for words, is_fine in said if not is_fine]
    if not of.reconciled:
        return Condition("reconciliation", "Last reconciliation", has="no check is known", needs=needs, is_met=False)
    has = "; ".join(wrong or [words for words, _ in said])
    return Condition("reconciliation", "Last reconciliation", not wrong, has, needs)


def _reconciled(one: tuple[str, datetime | None, str], now: datetime, bars: Bars) -> tuple[str, bool]:
    name, ended, wrong = one
    if ended is None:
        return f"{name} never ran to its end", False
    hours = (now - ended).total_seconds() / 3600
    if hours < -1 / 12:
        return f"{name} ended at {ended:%Y-%m-%d %H:%M} UTC, ahead of the clock", False
    age = f"{max(0, int(hours))} h old"
    if wrong:
        return f"{name}: {wrong}, {age}", False
    return (f"{name}: passed, {age}", hours < bars.reconciled_hours)


def _signed(of: Evidence, bars: Bars) -> Condition:
    needs = f"the owner's for version {of.version}"
    has = f"by {of.signed_by} on {of.signed_at:%Y-%m-%d}" if of.signed_at else f"none for version {of.version}"
    return Condition("sign_off", "Sign-off", of.signed_at is not None, has, needs)


def _compensation(of: Evidence, bars: Bars) -> Condition:
    has = f"nobody tried to undo {', '.join(of.untried)}" if of.untried else "tried for every kind that can be undone"
    needs = "a drill, an applied rollback or a tested runbook for each kind"
    return Condition("compensation", "Compensation tested", not of.untried, has, needs)


def _alerts(of: Evidence, bars: Bars) -> Condition:
    has = f"open: {', '.join(of.alerts)}" if of.alerts else "none"
    return Condition("alerts", "Open alerts", not of.alerts, has, "none")


def _registration(of: Evidence, bars: Bars) -> Condition:
    has = "; ".join(of.lacks) if of.lacks else "complete"
    return Condition("registration", "Registration", not of.lacks, has, "complete, with people who are there")


CHECKS: dict[str, Callable[[Evidence, Bars], Condition]] = {
    "registration": _registration, "days": _days, "weekend": _weekend, "decisions": _decisions,
    "suggestions": _suggestions, "previews": _previews, "corrections": _corrections,
    "reconciliation": _reconciliation, "sign_off": _signed, "compensation": _compensation, "alerts": _alerts,
}  # fmt: skip
ALWAYS = ("decisions", "corrections", "reconciliation")
ACTING = ("sign_off", "compensation", "alerts")
NEEDS: dict[str, tuple[str, ...]] = {
    "shadow": ("registration", "days", "weekend", *ALWAYS, "alerts"),
    "suggest": ("registration", "days", "suggestions", *ALWAYS, *ACTING),
    "canary": ("registration", "days", "previews", *ALWAYS, *ACTING),
    "ten": ("registration", "days", *ALWAYS, *ACTING),
    "half": ("registration", "days", *ALWAYS, *ACTING),
}


def listed(missing: Iterable[Condition]) -> str:
    """The unmet conditions as one clause, each with its numbers."""
    return "; ".join(str(one) for one in missing)
