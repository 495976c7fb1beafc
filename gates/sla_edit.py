"""Changes of SLA policies and business hours: each recomputes what is open at once and says how many items moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gates import hours, sla, sla_plan
from gates.hours import Unusable
from gates.models import BusinessHours, SlaPolicy
from gates.routing_edit import choices, group_of, permit, reason_of, same_version, save, write
from gates.stop import Refused

MOST_MINUTES = 60 * 24 * 60  # two months
MOST_STEPS, MOST_PERCENT = 6, 400


@dataclass(frozen=True, slots=True)
class PolicyFields:
    """Everything a person says about a policy; no hours: the clock never rests. Steps are (percent, group)."""

    kind: str
    tier: str
    touch_minutes: int
    decide_minutes: int
    hours: int | None = None
    steps: Sequence[tuple[int, str]] = ()
    reason: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class HoursFields:
    """Everything a person says about a calendar: seven days of (from, to) in minutes, holidays as ISO dates."""

    name: str
    zone: str
    week: Sequence[Sequence[tuple[int, int]]]
    holidays: Sequence[str] = ()
    reason: str = field(default="", kw_only=True)


def save_policy(policy_id: int | None, said: PolicyFields, *, by: User, version: int = 0) -> tuple[SlaPolicy, int]:
    """Change or add a policy; returns it and how many open items got another due time.

    Raises Refused: 403 permission, 404 unknown, 409 changed since or there is one already, 422 a field.
    """
    decision = "edit_sla" if policy_id else "add_sla"
    permit(by, "sla", policy_id, decision)
    _check(said)
    with transaction.atomic():
        policy = _policy(policy_id)
        same_version(policy, version)
        if policy_id and (policy.kind, policy.tier) == ("", "") != (said.kind, said.tier):
            raise Refused(422, "kind", "kind: the policy for everything stays for everything; add another one instead")
        before = _told(policy) if policy_id else {}
        policy.kind, policy.tier, policy.hours_id = said.kind, said.tier, said.hours
        policy.touch_minutes, policy.decide_minutes = said.touch_minutes, said.decide_minutes
        policy.steps = [{"at_percent": percent, "group": group} for percent, group in said.steps]
        _save_once(policy, said.reason, "kind: there is a policy for this kind and tier already; change that one")
        write("sla", policy.pk, decision, by, said.reason, {"before": before, "after": _told(policy)})
    return policy, _apply()


def remove_policy(policy_id: int, *, by: User, reason: str) -> int:
    """Remove a policy; the next wider one applies. Returns how many open items got another due time."""
    permit(by, "sla", policy_id, "remove_sla")
    said = reason_of(reason)
    with transaction.atomic():
        policy = _policy(policy_id)
        if not policy.kind and not policy.tier:
            raise Refused(409, "last", "the policy for everything cannot be removed, or items would have no due time")
        write("sla", policy.pk, "remove_sla", by, said, {"before": _told(policy)})
        policy._change_reason = said[:100]
        policy.delete()
    return _apply()


def save_hours(hours_id: int | None, said: HoursFields, *, by: User, version: int = 0) -> tuple[BusinessHours, int]:
    """Change or add a calendar; returns it and how many open items got another due time.

    Raises Refused: 403 permission, 404 unknown, 409 changed since or the name is taken, 422 a field.
    """
    decision = "edit_hours" if hours_id else "add_hours"
    permit(by, "hours", hours_id, decision)
    reason_of(said.reason)
    if not 1 <= len(said.name.strip()) <= 60 or "\x00" in said.name:
        raise Refused(422, "name", f"name: 1 to 60 characters, this has {len(said.name.strip())}")
    stored: dict[str, Any] = {"zone": said.zone, "week": [[list(span) for span in day] for day in said.week]}
    stored["holidays"] = sorted({one.strip() for one in said.holidays if one.strip()})
    try:
        hours.read(stored)
    except Unusable as wrong:
        raise Refused(422, wrong.field, f"{wrong.field}: {wrong}") from wrong
    with transaction.atomic():
        calendar = _calendar(hours_id)
        same_version(calendar, version)
        before = _told_hours(calendar) if hours_id else {}
        calendar.name = said.name.strip()
        calendar.zone, calendar.week, calendar.holidays = stored["zone"], stored["week"], stored["holidays"]
        _save_once(calendar, said.reason, f"name: there is a calendar named {calendar.name} already")
        write("hours", calendar.pk, decision, by, said.reason, {"before": before, "after": _told_hours(calendar)})
    return calendar, _apply()


def _apply() -> int:
    """The new promise, for what is open and for what comes."""
    sla_plan.forget()
    return sla.recompute()


def _policy(policy_id: int | None) -> SlaPolicy:
    if policy_id is None:
        return SlaPolicy()
    found = SlaPolicy.objects.select_for_update(of=("self",)).filter(pk=policy_id).first()
    if found is None:
        raise Refused(404, "unknown", "there is no such policy; perhaps somebody removed it")
    return found


def _calendar(hours_id: int | None) -> BusinessHours:
    if hours_id is None:
        return BusinessHours()
    found = BusinessHours.objects.select_for_update(of=("self",)).filter(pk=hours_id).first()
    if found is None:
        raise Refused(404, "unknown", "there is no such calendar")
    return found


def _save_once(record: Any, reason: str, taken: str) -> None:
    """Save; the database says whether there is another one like it, so that two at once cannot both win."""
    try:
        with transaction.atomic():
            save(record, reason)
    except IntegrityError as error:
        raise Refused(409, taken.partition(":")[0], taken) from error


def _check(said: PolicyFields) -> None:
    """Raises Refused naming the field and its rule."""
    reason_of(said.reason)
    known = choices()
    for name, one in (("kind", said.kind), ("tier", said.tier)):
        if one and one not in known[f"{name}s"]:
            raise Refused(422, name, f"{name}: {one[:60]!r} is none of the choices")
    for name, minutes in (("touch", said.touch_minutes), ("decide", said.decide_minutes)):
        if not 1 <= minutes <= MOST_MINUTES:
            raise Refused(422, f"{name}_minutes", f"{name} within: 1 to {MOST_MINUTES:,} minutes, this is {minutes:,}")
    if said.touch_minutes > said.decide_minutes:
        raise Refused(422, "touch_minutes", "touch within: not more than the time to decide")
    if said.hours is not None and not BusinessHours.objects.filter(pk=said.hours).exists():
        raise Refused(422, "hours", "hours: choose one of the calendars, or none")
    _check_steps(said.steps)


def _check_steps(steps: Sequence[tuple[int, str]]) -> None:
    if len(steps) > MOST_STEPS:
        raise Refused(422, "steps", f"bumps: at most {MOST_STEPS}, these are {len(steps)}")
    for percent, group in steps:
        if not 1 <= percent <= MOST_PERCENT:
            raise Refused(422, "steps", f"bumps: after 1 to {MOST_PERCENT} % of the time, this is {percent}")
        if group:
            group_of(group, "steps", "bumps")
    if any(later[0] <= earlier[0] for earlier, later in pairwise(steps)):
        raise Refused(422, "steps", "bumps: each one after a larger share of the time than the one before")


def _told(policy: SlaPolicy) -> Mapping[str, Any]:
    return {
        "kind": policy.kind, "tier": policy.tier, "touch_minutes": policy.touch_minutes,
        "decide_minutes": policy.decide_minutes, "hours": policy.hours_id, "steps": policy.steps,
    }  # fmt: skip


def _told_hours(calendar: BusinessHours) -> Mapping[str, Any]:
    return {"zone": calendar.zone, "week": calendar.week, "holidays": calendar.holidays}
