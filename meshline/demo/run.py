"""One demo from the first process to the last: set up, play the week, then sum up and end, or stay."""

import json
import sys
import time
from dataclasses import dataclass
from typing import TextIO

import psutil

from gates import stop
from meshline.demo import deals, desk, fresh, people, refunds, summary
from meshline.demo.house import Broken, House, Interrupted
from sync.sandbox.remote import Remote, RemoteError
from sync.sandbox.story import Scene, Story

DONE, TROUBLE, WRONG_USE = 0, 1, 2
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SETTLE_SECONDS = 90.0
SETTLE_BESIDE_VISITORS_SECONDS = 20.0
SETTLE_LOOK_SECONDS = 0.5
RESTORES_APPROVED = 2
RESTORES_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    port: int
    sandbox_port: int
    once: bool
    as_json: bool
    customers: int
    seed: int
    day_seconds: float


def age() -> float:
    """Seconds since this process began: starting the database belongs to the time the demo takes."""
    return max(0.0, time.time() - psutil.Process().create_time())


class Demo:
    """The demo as a whole; `run` is its life and returns the exit code."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.began = time.monotonic() - age()
        # With --json the result alone goes to standard output.
        self.out: TextIO = sys.stderr if options.as_json else sys.stdout
        self.house = House(
            port=options.port, sandbox_port=options.sandbox_port, seed=options.seed, day_seconds=options.day_seconds
        )
        self.remote = Remote(self.house.sandbox_url)

    def run(self) -> int:
        """Everything, and nothing left behind."""
        try:
            with self.house.open():
                return self._live()
        except Interrupted:
            self.say("Stopped.")
            return TROUBLE if self.options.once else DONE
        except fresh.InUse as error:
            self.complain(str(error))
            return WRONG_USE
        except (Broken, RemoteError) as error:
            self.complain(str(error))
            return TROUBLE

    def _live(self) -> int:
        self.say("Preparing an empty database")
        kept = fresh.prepare()
        if kept:
            self.say(f"What was in it is kept as the database {kept}")
        people.arrive()
        desk.furnish()
        self.say("Starting simulators, web and workers")
        self.house.start()
        self.house.wait_until_ready()
        if not self.remote.wait(10):
            raise Broken("The simulators do not answer")
        self.remote.aim(self.house.url)
        self.welcome()
        self.play()
        told = self.sum_up()
        if self.options.once:
            return TROUBLE if told.problems else DONE
        self.say(f"The week is over, everything keeps running: {self.house.url}/admin/ (Ctrl-C ends it)")
        while True:
            self.house.wait(60)

    def play(self) -> None:
        """The story outside and the people inside, each at its moment."""
        options = self.options
        story = Story(self.remote, customers=options.customers, seed=options.seed, day_seconds=options.day_seconds)
        self.say(story.arrive())
        deals.join_workspace(self.remote)
        self.settle(20)
        self.say(f"The week begins: a day is {options.day_seconds:g} s, the safety window of 72 h three of them")
        began = time.monotonic()
        for scene in sorted([*story.scenes(), *self.inside(story)], key=lambda one: one.day):
            self.house.wait(began + (scene.day - 1) * options.day_seconds - time.monotonic())
            self.say(f"{WEEKDAYS[int(scene.day) - 1]}  {self.perform(scene)}")
        story.calm()

    def perform(self, scene: Scene) -> str:
        """One scene; while a visitor is at work the people of the story may come too late."""
        try:
            return scene.act()
        except stop.Refused as refused:
            if self.options.once:
                raise Broken(f"A scene was refused: {refused}") from refused
            return f"(nothing happens: {refused})"

    def inside(self, story: Story) -> list[Scene]:
        """What the people of the house do."""
        return [
            Scene(2.2, lambda: desk.wishes(self.remote, story.customers)),
            Scene(2.3, lambda: refunds.ask(story.customers)),
            Scene(2.6, lambda: desk.inquiry(self.remote, story.customers)),
            Scene(2.8, lambda: desk.ask_cancellations(story.customers)),
            Scene(3.1, lambda: desk.suggest(story.customers)),
            Scene(3.2, refunds.decide),
            Scene(3.3, lambda: deals.retry_in_slack(self.remote, self.house.wait)),
            Scene(3.4, deals.refuse),
            Scene(3.6, desk.decide_cancellation),
            Scene(4.1, people.press_stop),
            Scene(4.6, people.ask_resume),
            Scene(4.8, people.confirm_resume),
            Scene(5.2, lambda: desk.outage(self.remote)),
            Scene(5.7, lambda: desk.flips(self.remote)),
            Scene(6.4, desk.write_to_customers),
            Scene(7.9, self.give_back),
        ]

    def give_back(self) -> str:
        """The resolver works on the queue as soon as there is something in it."""
        done, ends = 0, time.monotonic() + RESTORES_WAIT_SECONDS
        while True:
            done += people.approve_restores(RESTORES_APPROVED - done)
            if done >= RESTORES_APPROVED or time.monotonic() > ends or not summary.is_moving():
                break
            self.house.wait(SETTLE_LOOK_SECONDS)
        return f"{people.RESOLVER.first} ({people.RESOLVER.group}) approves {done} of the restores that wait"

    def settle(self, seconds: float) -> None:
        """Wait until all that was set in motion has come to rest."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and (self.remote.waiting() or summary.is_moving()):
            self.house.wait(SETTLE_LOOK_SECONDS)

    def sum_up(self) -> summary.Summary:
        """Print what the week left behind."""
        self.settle(SETTLE_SECONDS if self.options.once else SETTLE_BESIDE_VISITORS_SECONDS)
        told = summary.gather(self.remote)
        told.figures["seconds"] = round(time.monotonic() - self.began)
        if self.options.as_json:
            print(json.dumps(told.as_json(), indent=1), flush=True)  # noqa: T201 - the result
        else:
            print("\n".join(["", "The week in figures", *told.lines(), ""]), flush=True)  # noqa: T201 - the result
        return told

    def welcome(self) -> None:
        """Where to look, and as whom."""
        self.say(f"Open {self.house.url}/admin/ and sign in as one of these:")
        for one in people.PEOPLE:
            print(f"           {one.username:<6} {one.password}   {one.group}: {one.may}", file=self.out, flush=True)

    def say(self, text: str) -> None:
        """A line of progress."""
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", file=self.out, flush=True)

    @staticmethod
    def complain(text: str) -> None:
        """Why it did not work."""
        print(f"demo: {text}", file=sys.stderr, flush=True)  # noqa: T201 - a command line
