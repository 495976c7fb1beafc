"""What judgement depends on besides the facts, read from the database: gates, limits, the automation's stage."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from gates.models import Automation, GateVersion, OwnerSensitive
from gates.rollout import SHARE
from gates.types import ASKED, Gate, Limits, Policy, Verdict
from ledger import clock

FRESH_SECONDS = 0.5  # lowering a stage must act within a second


@dataclass(frozen=True, slots=True)
class Owners:
    """Who an automation's items go to."""

    group: str
    fallback: str


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies at one moment."""

    gates: tuple[Gate, ...]
    limits: Limits
    stages: Mapping[str, tuple[str, int]]
    owners: Mapping[str, Owners]
    sensitive: frozenset[str] = frozenset()
    may_resolve: frozenset[str] = frozenset()
    segments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    cooling: Mapping[str, int] = field(default_factory=dict)
    read_at: float = field(default_factory=time.monotonic)

    def of(self, automation: str) -> Policy:
        """The policy of one automation. One that is not registered is paused: it may only observe."""
        stage, version = self.stages.get(automation, ("paused", 0))
        owners = self.owners.get(automation)
        is_owned = owners is not None and bool(owners.group and owners.fallback)
        return Policy(
            self.gates, self.limits, stage, version, is_owned, self.sensitive, automation in self.may_resolve,
            self.segments.get(automation, {}), timedelta(seconds=self.cooling.get(automation, 0)),
        )  # fmt: skip

    def by_hand(self) -> Policy:
        """The policy for what a person asked for: the same gates, no rollout, and another person decides."""
        return Policy(self.gates, self.limits, ASKED, 0)

    def owner_of(self, automation: str) -> str:
        """The group that answers for it; never empty."""
        owners = self.owners.get(automation)
        return owners.group if owners and owners.group else DEFAULT_OWNER


DEFAULT_OWNER = "Support Manager"
_held: list[Policies] = []


def current() -> Policies:
    """The policies in force, at most half a second old."""
    if _held and time.monotonic() - _held[0].read_at < FRESH_SECONDS:
        return _held[0]
    _held[:] = [read()]
    return _held[0]


def forget() -> None:
    """What was read is old: somebody changed a stage in this process."""
    _held.clear()


def read() -> Policies:
    """Read gates, automations with their segments, and what is an owner's say: four statements."""
    automations = list(Automation.objects.prefetch_related("segments"))
    return Policies(
        gates=active_gates(),
        limits=limits(),
        stages={one.name: (_stage(one), one.version) for one in automations},
        owners={one.name: Owners(one.owner_group, one.fallback_group) for one in automations},
        sensitive=frozenset(OwnerSensitive.objects.filter(is_on=True).values_list("kind", flat=True)),
        may_resolve=frozenset(one.name for one in automations if one.may_resolve),
        segments={one.name: {part.key: str(part.state) for part in one.segments.all()} for one in automations},
        cooling={one.name: one.cooling_seconds for one in automations if one.cooling_seconds},
    )


def _stage(automation: Automation) -> str:
    """A timebox that ran out leaves the automation asking a person."""
    is_over = automation.enabled_until is not None and automation.enabled_until <= clock.now()
    if is_over and automation.state in SHARE:
        return "suggest"
    return str(automation.state)


def active_gates() -> tuple[Gate, ...]:
    """The newest valid version of each gate, by name."""
    now = clock.now()
    versions = GateVersion.objects.filter(
        Q(retired_at__isnull=True) | Q(retired_at__gt=now), valid_from__lte=now, state=GateVersion.State.LIVE
    ).order_by("name", "-version")
    newest: dict[str, GateVersion] = {}
    for one in versions:
        newest.setdefault(one.name, one)
    return tuple(
        Gate(one.name, one.version, tuple(one.rows), Verdict(one.result), one.message, frozenset(one.applies_to))
        for one in newest.values()
    )


def limits() -> Limits:
    """Windows and ages from the settings, where floors are checked."""
    return Limits(
        safety_window=timedelta(seconds=settings.MESHLINE_SAFETY_WINDOW_SECONDS),
        attempt_margin=timedelta(seconds=settings.MESHLINE_ATTEMPT_MARGIN_SECONDS),
        live_read_max_age=timedelta(seconds=settings.MESHLINE_LIVE_READ_MAX_AGE_SECONDS),
        context_max_age=timedelta(seconds=settings.MESHLINE_CONTEXT_MAX_AGE_SECONDS),
    )
