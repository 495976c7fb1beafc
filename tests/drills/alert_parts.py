"""The parts of the drill of alerts; imported once its stage stands, as it needs the stage's settings."""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gates.models import AlertEpisode, AlertReading, ReviewItem
from ledger import clock
from ledger.models import Action, Event
from sync.alerts import sentry, watching
from sync.alerts.table import RULES, WORKERS
from sync.incidents import paging
from sync.models import Delta, DrainSlot, ReconcileRun
from tests.alert_cases import CASES
from tests.drills.alerts import RAISED, Stage, say

TIMES = {  # seconds that an alert may take
    "ledger-check": 10, "provider-down": 10, "unknown-outcomes": 60, "schema-drift": 60, "late-receipt": 60,
    "workers-silent": 60,
}  # fmt: skip
AWAY = [
    {"kind": "error_before", "provider": "slack", "status": 503}, {"kind": "drop_before", "provider": "pagerduty"},
]  # fmt: skip
LEFT = ("held", "approved", "parked", "sending", "unknown")
KINDS = ("alert", "alert.message")


def waiting() -> int:
    """Messages about alerts that are not told."""
    return Action.objects.filter(kind__in=KINDS, state__in=LEFT).count()


def failed() -> int:
    """Those that were given up."""
    return Action.objects.filter(kind__in=KINDS, state__in=("failed", "in_review", "rejected")).count()


def silence() -> None:
    """No worker holds a place, so the watch carries the messages."""
    DrainSlot.objects.update(token=None)


def scrub() -> None:
    """What other rules were provoked with; alerts and their messages stay."""
    for model in (ReviewItem, Delta, ReconcileRun):
        model.objects.all().delete()
    Action.objects.exclude(kind__in=KINDS).delete()
    Event.objects.exclude(source="meshline").delete()


def forget_past(rule: str) -> None:
    """What was measured of a rule in another stretch of time."""
    AlertReading.objects.filter(rule=rule).delete()


class Hands:
    """The clock of this process, moved by hand; it never runs ahead of the real one."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        """Later."""
        self.at += timedelta(**by)

    def back(self, minutes: float) -> None:
        """So many minutes before the real time."""
        self.at = datetime.now(UTC) - timedelta(minutes=minutes)


class Drill:
    """One run."""

    def __init__(self, stage: Stage, options: argparse.Namespace) -> None:
        self.stage, self.options = stage, options
        self.wrong: list[str] = []
        self.hands = Hands()

    def must(self, name: str, holds: bool, words: str) -> None:
        """Print a line, and remember what does not hold."""
        say(f"{'ok   ' if holds else 'WRONG'}  {name}: {words}")
        if not holds:
            self.wrong.append(name)

    def wait(self, is_true: Callable[[], bool], seconds: float) -> float:
        """Seconds until something is true; negative where it never was. Children are not restarted."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if is_true():
                return time.monotonic() - began
            time.sleep(0.2)
        return -1.0

    def raised(self) -> set[str]:
        """The alerts that are on."""
        with self.stage.session() as session:
            return {name for (name,) in session.execute(RAISED)}

    def run(self) -> bool:
        """All three parts."""
        if not self.options.skip_fast:
            self.fast()
        clock.now = self.hands
        self.every_rule()
        self.away()
        return not self.wrong

    # --- in a running set

    def fast(self) -> None:
        """The rules with a time of at most a minute."""
        self.stage.open_doors()
        self.stage.sandbox.post(
            "/_webhooks", {"stripe": {"url": f"http://127.0.0.1:{self.stage.port}/webhooks/stripe/"}}
        )
        say("       a running set: web, two clusters, watch")
        self.wait(lambda: bool(self.raised()), 8.0)
        self.must("quiet at first", not self.raised(), f"on: {sorted(self.raised()) or 'nothing'}")
        undo = []
        for number, (rule, most) in enumerate(TIMES.items(), 1):
            name = CASES[rule].name
            if rule == "workers-silent":
                self.stage.kill_cluster()
                ours: Callable[[], object] = lambda: None  # noqa: E731
            else:
                self.hands.at = datetime.now(UTC)
                ours = CASES[rule].provoke(self.hands)
            undo.append(ours)
            on = self.wait(lambda name=name: name in self.raised(), most + 30.0)  # type: ignore[misc]
            key = f"{name}:1"
            told = self.wait(lambda key=key: bool(self.stage.pages()[key]), 60.0)  # type: ignore[misc]
            chat = self.wait(lambda number=number: len(self.stage.messages()) >= number, 60.0)  # type: ignore[misc]
            self.must(rule, 0 <= on <= most and told >= 0 and chat >= 0,
                      f"on after {on:.1f} s (at most {most}), in both books {max(told, chat):.1f} s later")  # fmt: skip
        for one in undo:
            one()
        self.stage.until(lambda: not self.raised(), 300.0)  # the supervisor starts the workers again
        self.must("cleared", not self.raised(), f"on: {sorted(self.raised()) or 'nothing'}")
        ended = self.wait(lambda: self.stage.open_pages() == 0, 60.0)
        self.must(
            "told so", ended >= 0 and len(self.stage.messages()) == len(TIMES), "every page ended, no second message"
        )
        self.stage.supervisor.stop()

    # --- every rule, the clock moved by hand

    def episodes(self) -> dict[str, int]:
        """Alert -> its newest episode."""
        found: dict[str, int] = {}
        for name, episode in AlertEpisode.objects.values_list("name", "episode"):
            found[name] = max(episode, found.get(name, 0))
        return found

    def look(self, rule: str, times: int, every: timedelta | None = None) -> tuple[list[str], list[str]]:
        """Look so many times, a period apart; raised and cleared."""
        raised: list[str] = []
        cleared: list[str] = []
        for _ in range(times):
            done = watching.look(only=[rule])
            assert done is not None
            raised, cleared = raised + done.raised, cleared + done.cleared
            self.hands.forward(seconds=(every or RULES[rule].every).total_seconds())
        return raised, cleared

    def provoke(self, rule: str, number: int) -> tuple[str, Callable[[], object], list[str]]:
        """On its own stretch of time: name, what ends it, what was raised by it."""
        self.hands.back(200 + 15 * (len(RULES) - number))
        if rule not in CASES:
            paging.raise_alert(rule, RULES[rule].title)
            return rule, lambda: paging.resolve_alert(rule), [rule]
        forget_past(rule)
        scrub()
        self.look(rule, 2)
        undo = CASES[rule].provoke(self.hands)
        return CASES[rule].name, undo, self.look(rule, 4, min(RULES[rule].every, timedelta(seconds=15)))[0]

    def every_rule(self) -> None:
        """Provoked, held for an hour, cleared: in both books once each, and over."""
        say("       every rule with the clock moved by hand; no worker lives, the watch carries the messages")
        pages, before = self.stage.pages(), len(self.stage.messages())
        unseen, uncleared, false = [], [], []
        silence()
        for number, rule in enumerate(RULES):
            name, raised, cleared = self.one_rule(rule, number)
            unseen += [rule] if raised != [name] else []
            uncleared += [rule] if cleared != [name] else []
            false += [one for one in raised if one != name]
        new, told = self.stage.pages() - pages, self.stage.messages()[before:]
        count = len(RULES)
        begun = [one["text"] for one in told if not one["text"].startswith("Over: ")]
        over = len(told) - len(begun)
        self.must(
            "seen", not unseen, f"{count - len(unseen)} of {count} rules raised one alert in an hour {unseen or ''}"
        )
        self.must("false", not false, f"{len(false)} alerts of other rules {false or ''}")
        self.must("cleared", not uncleared, f"{count - len(uncleared)} of {count} by themselves {uncleared or ''}")
        most = max(new.values(), default=0)
        self.must("PagerDuty", sorted(new.values()) == [1] * count, f"{len(new)} pages, at most {most} for one alert")
        self.must(
            "Slack", len(told) == over == count, f"{len(told)} messages, {over} say that it is over {begun or ''}"
        )
        self.must("ended", self.stage.open_pages() == 0, f"{self.stage.open_pages()} pages open")

    def one_rule(self, rule: str, number: int) -> tuple[str, list[str], list[str]]:
        """Its alert's name, what was raised in an hour and a half, and what was cleared in the end."""
        name, undo, raised = self.provoke(rule, number)
        self.carry()
        for _ in range(6):
            self.hands.forward(minutes=10)
            if rule in CASES:
                CASES[rule].hold(self.hands)
                raised += self.look(rule, 1)[0]
        undo()
        more, cleared = self.look(rule, 30) if rule in CASES else ([], [rule])
        self.carry()
        return name, raised + more, cleared

    def carry(self) -> None:
        """The watch tells until nothing waits."""
        self.wait(lambda: not sentry.carry() and not waiting(), 60.0)

    # --- both away

    def away(self) -> None:
        """Every rule again with nobody to tell; half clear meanwhile; workers are killed; then both are back."""
        # one that would wait for itself is left out; that of the workers is last, as it hushes others
        rules = sorted((one for one in RULES if one != "alerts-untold"), key=lambda one: one == WORKERS)
        self.stage.sandbox.faults({"provider": "*", "rules": AWAY})
        pages, before = self.stage.pages(), len(self.stage.messages())
        raised: list[str] = []
        for number, rule in enumerate(rules):
            name, undo, on = self.provoke(rule, number)
            if rule in CASES:
                undo()
            raised += [name] if on == [name] else []
        gone = raised[::2]
        self.hands.back(1)
        for name in gone:
            paging.resolve_alert(name)
        kept = [name for name in raised if name not in gone]
        missing = sorted(set(rules) - {one.partition(":")[0] for one in raised})
        words = f"{len(raised)} of {len(rules)}, {len(gone)} of them over meanwhile {missing or ''}"
        self.must("raised while away", not missing, words)
        silence()
        self.stage.supervisor = self.stage.cast(everybody=False)
        self.stage.supervisor.start()
        killed = 0
        for _ in range(2):
            self.stage.until(lambda: bool(self.stage.residents()), 90.0)
            self.stage.until(lambda: False, 8.0)
            killed += self.stage.kill_residents()
        kept_waiting = waiting()
        early = self.stage.pages() - pages
        self.must("nobody told while away", not early and len(self.stage.messages()) == before,
                  f"{kept_waiting} messages wait, {killed} workers killed, {failed()} given up")  # fmt: skip
        self.stage.sandbox.faults({"provider": "*", "rules": []})
        took = time.monotonic()
        self.stage.until(lambda: waiting() == 0, 300.0)
        new = self.stage.pages() - pages
        wanted = {f"{name}:{episode}" for name, episode in self.episodes().items() if name in kept}
        told = self.stage.messages()[before:]
        lost = len(wanted - set(new)) + max(0, len(raised) - len(told))
        is_exact = set(new) == wanted and set(new.values()) == {1} and len(told) == len(raised)
        self.must("nothing lost", lost == 0 and is_exact,
                  f"lost {lost}; {len(new)} pages for {len(kept)} alerts that are on, {len(told)} messages for all "
                  f"{len(raised)}, {time.monotonic() - took:.0f} s after both were back")  # fmt: skip
        for name in kept:
            paging.resolve_alert(name)
        self.stage.until(lambda: waiting() == 0 and self.stage.open_pages() == 0, 120.0)
        over = sum(1 for one in self.stage.messages()[before:] if one["text"].startswith("Over: "))
        self.must(
            "ended",
            self.stage.open_pages() == 0 and over == len(raised),
            f"{over} of {len(raised)} messages say that it is over",
        )
