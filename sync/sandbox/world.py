"""What all simulators share: seeded ids, a clock that can be moved, the books, and the Simulator contract."""

import hashlib
import re
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from sync.sandbox.faults import Dial, Plan, Rule
from sync.sandbox.wire import Json, Reply, Request, json_reply

ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ACTION_MARK = re.compile(r"\[meshline:([A-Za-z0-9_.:-]+)\]")
ACTION_KEY = re.compile(r"^meshline[-:]([A-Za-z0-9_.-]+)$")


class Clock:
    """Seconds since 1970 as the simulated world sees them; signatures use real time instead."""

    def __init__(self) -> None:
        self.offset_s = 0.0

    def now(self) -> float:
        """Seconds since 1970, moved by the offset."""
        return time.time() + self.offset_s

    def stamp(self) -> int:
        """Whole seconds."""
        return int(self.now())

    def iso(self) -> str:
        """UTC as `2026-11-21T09:30:00Z`."""
        return iso(self.now())


def iso(seconds: float) -> str:
    """UTC as `2026-11-21T09:30:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Ids:
    """Ids that depend on the seed and on how many of that kind came before, on nothing else."""

    def __init__(self, seed: int, provider: str) -> None:
        self._root = f"{seed}:{provider}"
        self._made: Counter[str] = Counter()
        self._lock = threading.Lock()

    def number(self, kind: str, first: int = 1) -> int:
        """The next number of a kind."""
        with self._lock:
            self._made[kind] += 1
            return first - 1 + self._made[kind]

    def text(self, kind: str, length: int = 16) -> str:
        """The next random-looking text of a kind."""
        digest = hashlib.blake2b(f"{self._root}:{kind}:{self.number(kind)}".encode(), digest_size=32).digest()
        return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:length])


@dataclass
class Book:
    """What happened to one provider: effects of API writes in order, effects of play, requests counted."""

    provider: str
    clock: Clock
    writes: list[Json] = field(default_factory=list)
    played: list[Json] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)

    def effect(self, request: Request, *, key: str, action: str, target: str, summary: str) -> None:
        """Book one change made by an API call."""
        entry = {"at": self.clock.now(), "provider": self.provider, "method": request.method, "path": request.path}
        marked = action or self._action_of_key(request, key)
        self.writes.append({**entry, "key": key, "action": marked, "object": target, "summary": summary})

    def note_play(self, verb: str, params: Json, result: Json) -> None:
        """Book one thing played."""
        self.played.append({"at": self.clock.now(), "verb": verb, "params": params, "result": result})

    def count(self, request: Request, status: int | str) -> None:
        """Count a request and how it was answered."""
        self.requests.update(("total", request.method, f"status:{status}"))

    def by_action(self) -> dict[str, int]:
        """How many effects each Meshline action had."""
        return dict(Counter(entry["action"] for entry in self.writes if entry["action"]))

    def _action_of_key(self, request: Request, key: str) -> str:
        named = request.headers.get("x-meshline-action", "")
        match = None if named else ACTION_KEY.match(key)
        return match[1] if match else named


def action_in(text: str) -> str:
    """The action id in a marker like `[meshline:42]`, empty when there is none."""
    match = ACTION_MARK.search(text)
    return match[1] if match else ""


class PlayError(Exception):
    """A control request that makes no sense; answered with 400 and this sentence."""


@dataclass
class World:
    """Everything a simulator may lean on."""

    seed: int
    clock: Clock
    dial: Dial
    courier: Any


class Simulator(ABC):
    """One provider: answers its API, plays its world, signs its webhooks."""

    name: ClassVar[str] = ""
    stores_errors: ClassVar[bool] = False  # whether an injected 5xx can be kept under an idempotency key
    verbs: ClassVar[Mapping[str, Callable[[Any, Json], Json]]] = {}

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = world.clock
        self.ids = Ids(world.seed, self.name)
        self.book = Book(self.name, world.clock)
        self.lock = threading.RLock()

    @contextmanager
    def admit(self, request: Request) -> Iterator[Reply | None]:
        """Hold a place in flight while the request runs; yields a refusal when there is no place."""
        yield None

    @abstractmethod
    def answer(self, request: Request, plan: Plan) -> Reply:
        """Answer one API call; injected latency is the plan's to pass, outside the lock."""

    @abstractmethod
    def fault_reply(self, rule: Rule) -> Reply | None:
        """The provider's own words for an injected refusal; None lets the call go on."""

    def play(self, verb: str, params: Json) -> Json:
        """Make something happen in the provider's world, outside its API."""
        if verb not in self.verbs:
            raise PlayError(f"{self.name} cannot {verb}; it can {', '.join(sorted(self.verbs))}")
        with self.lock:
            result = self.verbs[verb](self, params)
            self.book.note_play(verb, params, result)
        return result

    @abstractmethod
    def objects(self) -> Json:
        """Everything the provider holds."""

    @abstractmethod
    def sign(self, body: bytes, secrets: list[str], extra: Json) -> dict[str, str]:
        """Headers of one delivery attempt, signed now."""

    @abstractmethod
    def retry_wait(self, attempt: int, status: int | None, retry_after: str) -> float | None:
        """Seconds until a failed delivery is tried again, None when the provider gives up."""


class Serial(Simulator):
    """A provider that answers one call after the other."""

    def answer(self, request: Request, plan: Plan) -> Reply:
        """Latency passes before the lock is taken."""
        plan.work()
        with self.lock:
            return self.route(request)

    @abstractmethod
    def route(self, request: Request) -> Reply:
        """Answer under the lock."""


def without_id(reply: Reply) -> Reply:
    """The same answer with the id of the object left out, wherever the provider puts it."""
    reply.headers = {name: value for name, value in reply.headers.items() if name != "Location"}
    if not reply.body:
        return reply
    data = reply.data()
    if isinstance(data, dict):
        data.pop("id", None)
        for value in data.values():
            if isinstance(value, dict):
                value.pop("id", None)
    return json_reply(reply.status, data, {k: v for k, v in reply.headers.items() if k != "Content-Type"})


def need(params: Json, name: str) -> Any:
    """A parameter that must be given."""
    if params.get(name) in (None, ""):
        raise PlayError(f"{name} is missing")
    return params[name]
