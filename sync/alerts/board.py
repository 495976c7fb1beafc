"""Rules with what was measured last, and who was told of an episode: rows for pages, the API and collectors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from gates.models import AlertEpisode, AlertReading
from ledger import clock
from ledger.models import Action
from sync.actions import alert_message
from sync.actions.alert import KIND
from sync.alerts.table import RULES, Rule
from sync.incidents import paging

OLD = 5  # so many periods without a look, and a number is no number of now
OLD_LEAST = timedelta(minutes=2)
CHANNELS = {KIND: "PagerDuty", alert_message.KIND: "Slack"}
TOLD = {"applied": "told", "superseded": "over before it was told", "rejected": "not told: a person refused it"}


@dataclass(frozen=True, slots=True)
class Line:
    """A rule as it stands. `state` is on, fine, over (not long enough to be raised), unmeasured, off, event or new."""

    rule: Rule
    state: str
    value: float | None
    said: str
    measured_at: datetime | None
    since: datetime | None
    episodes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """One message about an episode: where, about what, and how far it is. `at` is when it was taken there."""

    where: str
    event: str
    state: str
    said: str
    at: datetime | None
    is_waiting: bool
    action_id: str


def rules() -> list[Line]:
    """Every rule of the table in its order. Two statements."""
    readings: dict[str, list[AlertReading]] = {}
    for row in AlertReading.objects.order_by("name"):
        readings.setdefault(row.rule, []).append(row)
    on: dict[str, list[AlertEpisode]] = {}
    for one in AlertEpisode.objects.filter(state=AlertEpisode.State.RAISED).order_by("pk"):
        on.setdefault(one.rule, []).append(one)
    now = clock.now()
    return [_line(rule, readings.get(rule.name, []), on.get(rule.name, []), now) for rule in RULES.values()]


def _line(rule: Rule, rows: Sequence[AlertReading], on: Sequence[AlertEpisode], now: datetime) -> Line:
    keys, since = tuple(one.pk for one in on), min((one.raised_at for one in on), default=None)
    if not rule.is_measured:
        return Line(rule, "on" if on else "event", None, on[0].summary if on else "", None, since, keys)
    worst = max(rows, key=lambda row: (row.over_since is not None, row.value or 0.0, row.said), default=None)
    if rule.limit is None:
        return Line(rule, "off", None, "switched off", None, since, keys)
    if worst is None:
        return Line(rule, "new", None, "not measured yet", None, None)
    failed = next((row for row in rows if row.failed_since), None)
    if failed is not None:
        return Line(rule, "unmeasured", None, f"could not measure: {failed.error}", failed.measured_at,
                    failed.failed_since, keys)  # fmt: skip
    at = worst.measured_at
    if at is None or now - at > max(OLD_LEAST, OLD * rule.every):
        return Line(rule, "unmeasured", None, "nobody has measured it lately", at, at, keys)
    state = "on" if on else "over" if worst.over_since else "fine"
    return Line(rule, state, worst.value, worst.said, at, since or worst.over_since, keys)


def told(one: AlertEpisode) -> list[Told]:
    """The messages about an episode, oldest first. One statement."""
    found = Action.objects.filter(correlation_id=one.correlation_id, kind__in=CHANNELS).order_by("id")
    return [_told(action) for action in found]


def _told(action: Action) -> Told:
    waits = action.state not in TOLD
    said = TOLD.get(str(action.state), f"waiting to be told{': ' + action.last_error if action.last_error else ''}")
    params = action.params if isinstance(action.params, dict) else {}
    return Told(
        CHANNELS[action.kind], str(params.get("event", "")), str(action.state), said, action.applied_at, waits,
        str(action.pk),
    )  # fmt: skip


def waiting(episodes: Iterable[AlertEpisode]) -> dict[int, int]:
    """Episode -> how many messages about it wait to be told. One statement."""
    by_thread = {one.correlation_id: one.pk for one in episodes}
    found: dict[int, int] = {}
    open_now = Action.objects.filter(correlation_id__in=list(by_thread), kind__in=CHANNELS).exclude(state__in=TOLD)
    for thread in open_now.values_list("correlation_id", flat=True):
        found[by_thread[thread]] = found.get(by_thread[thread], 0) + 1
    return found


def ways() -> list[str]:
    """Where alerts are told; empty where nobody is told anywhere."""
    there = {"PagerDuty": paging.is_set_up(), "Slack": bool(alert_message.channel_for(""))}
    return [name for name, is_there in there.items() if is_there]


def unreachable() -> str:
    """What is missing where nobody is told; empty where somebody is."""
    if ways():
        return ""
    what = "a channel for it" if "slack" in settings.MESHLINE_PROVIDERS else "MESHLINE_SLACK_BOT_TOKEN"
    return f"Nobody is told: set MESHLINE_PAGERDUTY_ROUTING_KEY, or {what} (MESHLINE_SLACK_ALERT_CHANNEL)."
