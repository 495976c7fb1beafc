"""The fault dial: seeded rules that say which call or webhook goes wrong, and how."""

import random
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

BEFORE = frozenset({"rate_limit", "error_before", "drop_before", "expire_auth"})
AFTER = frozenset({"error_after", "lost_answer", "cut_json", "missing_id", "drip", "schema_drift"})
EITHER = frozenset({"html", "hang", "answer"})  # with the effect or without it: option `effect`
SLOW = frozenset({"latency", "slow_connect"})
JOBS = frozenset({"job_rejected", "job_lost", "job_stuck", "job_slow"})
HOOKS = frozenset({"hook_duplicate", "hook_reorder", "hook_delay", "hook_drop", "hook_bad_signature"})
KINDS = BEFORE | AFTER | EITHER | SLOW | JOBS | HOOKS
SELECTORS = frozenset({"provider", "method", "path", "type", "probability", "count", "nth", "every", "after", "kind"})
OPTIONS = frozenset({
    "ms", "jitter_ms", "retry_after", "status", "stored", "reset", "mode", "effect", "code", "reason", "body",
    "headers", "version", "rename", "remove", "set", "times", "window_ms", "extra", "interval_ms",
})  # fmt: skip


class BadRule(ValueError):
    """A rule that nobody could have meant; the sentence says why."""


@dataclass
class Rule:
    """One way to go wrong. Which of the calls it fits are hit is decided by count, nth, every or chance."""

    kind: str
    provider: str
    method: str = ""
    path: str = ""
    type: str = ""
    probability: float = 1.0
    count: int | None = None
    nth: tuple[int, ...] = ()
    every: int = 0
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    rng: random.Random = field(default_factory=random.Random)
    seen: int = 0
    fired: int = 0

    def fits(self, method: str, path: str) -> bool:
        """Whether the rule is about such a call."""
        return (not self.method or self.method == method) and path.startswith(self.path)

    def fires(self) -> bool:
        """Whether this fitting call is hit; draws one number for each, so that the same seed hits the same calls."""
        self.seen += 1
        chance = self.rng.random()
        position = self.seen - self.after
        if position < 1 or (self.count is not None and self.fired >= self.count):
            return False
        if self.nth and position not in self.nth:
            return False
        if (self.every and position % self.every) or chance >= self.probability:
            return False
        self.fired += 1
        return True

    def has_effect(self) -> bool:
        """Whether the call is carried out although the answer is spoilt."""
        if self.kind in EITHER:
            return bool(self.options.get("effect", int(self.options.get("status", 200)) < 300))
        return self.kind not in BEFORE

    def describe(self) -> dict[str, Any]:
        """The rule as `GET /_faults` shows it."""
        shown = {name: getattr(self, name) for name in ("kind", "provider", "method", "path", "type")}
        chance = {"probability": self.probability, "count": self.count, "nth": list(self.nth), "every": self.every}
        return {**shown, **chance, "after": self.after, **self.options, "seen": self.seen, "fired": self.fired}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to go wrong with one request."""

    delay_s: float = 0.0
    connect_s: float = 0.0
    rule: Rule | None = None
    job: Rule | None = None

    def work(self) -> None:
        """Spend the injected latency, at the point where the provider would be working."""
        if self.delay_s:
            time.sleep(self.delay_s)


CALM = Plan()


def make_rule(raw: dict[str, Any], provider: str, rng: random.Random) -> Rule:
    """A rule from its JSON; BadRule says what is wrong with it."""
    unknown = set(raw) - SELECTORS - OPTIONS
    if unknown:
        raise BadRule(f"unknown member {min(unknown)!r}; known: {', '.join(sorted(SELECTORS | OPTIONS))}")
    if raw.get("kind") not in KINDS:
        raise BadRule(f"kind must be one of {', '.join(sorted(KINDS))}")
    nth = raw.get("nth") or ()
    return Rule(
        kind=raw["kind"],
        provider=str(raw.get("provider", provider)),
        method=str(raw.get("method", "")).upper(),
        path=str(raw.get("path", "")),
        type=str(raw.get("type", "")),
        probability=float(raw.get("probability", 1.0)),
        count=None if raw.get("count") is None else int(raw["count"]),
        nth=(nth,) if isinstance(nth, int) else tuple(int(one) for one in nth),
        every=int(raw.get("every", 0)),
        after=int(raw.get("after", 0)),
        options={name: value for name, value in raw.items() if name in OPTIONS},
        rng=rng,
    )


class Dial:
    """All rules in force; replaced as a whole or for one provider."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def replace(self, provider: str, raw_rules: Iterable[dict[str, Any]]) -> None:
        """Put these rules in the place of all, or of those of one provider."""
        rules = [
            make_rule(raw, provider, random.Random(f"{self.seed}:{provider}:{place}"))
            for place, raw in enumerate(raw_rules)
        ]
        with self._lock:
            kept = [] if provider == "*" else [rule for rule in self._rules if rule.provider != provider]
            self._rules = kept + rules

    def show(self) -> list[dict[str, Any]]:
        """All rules, described."""
        with self._lock:
            return [rule.describe() for rule in self._rules]

    def plan(self, provider: str, method: str, path: str) -> Plan:
        """Decide what goes wrong with this call."""
        if not self._rules:
            return CALM
        delay = connect = 0.0
        chosen: Rule | None = None
        job: Rule | None = None
        for rule in self._fired(provider, method, path):
            if rule.kind == "latency":
                delay += _wait_s(rule)
            elif rule.kind == "slow_connect":
                connect += _wait_s(rule)
            elif rule.kind in JOBS:
                job = job or rule
            else:
                chosen = chosen or rule
        return Plan(delay, connect, chosen, job)

    def hooks(self, provider: str, event_type: str) -> list[Rule]:
        """The webhook faults that hit this event."""
        if not self._rules:
            return []
        with self._lock:
            fitting = [r for r in self._rules if r.kind in HOOKS and r.provider in (provider, "*")]
            return [rule for rule in fitting if event_type.startswith(rule.type) and rule.fires()]

    def _fired(self, provider: str, method: str, path: str) -> list[Rule]:
        with self._lock:
            fitting = [r for r in self._rules if r.kind not in HOOKS and r.provider in (provider, "*")]
            return [rule for rule in fitting if rule.fits(method, path) and rule.fires()]


def _wait_s(rule: Rule) -> float:
    jitter = float(rule.options.get("jitter_ms", 0))
    return (float(rule.options.get("ms", 0)) + rule.rng.uniform(0, jitter)) / 1000
