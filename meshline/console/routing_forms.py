"""The forms of ownership rules, SLA policies, business hours and absences: what they show and what was typed."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils import timezone

from gates import accounts, routing_edit
from gates.hours import DAYS
from gates.models import BusinessHours, OwnershipRule, SlaPolicy
from gates.routing_edit import CONDITIONS, RuleFields
from gates.sla_edit import MOST_MINUTES, HoursFields, PolicyFields
from gates.stop import Refused
from meshline.console import form_fields
from meshline.console.form_fields import Field

SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
LABELS = {
    "kinds": "Kinds", "whys": "Why it is here", "tiers": "Customer's tier", "automations": "Automation",
    "contract_states": "State of the contract", "regions": "Region", "payment_states": "How it pays",
}  # fmt: skip
REASON = "Kept in the ledger for ever: no personal data."


def group_choices() -> list[tuple[str, str]]:
    """Every group by name."""
    return [(one, one) for one in Group.objects.order_by("name").values_list("name", flat=True)]


def people() -> list[tuple[str, str]]:
    """Everybody whose account is switched on, with their groups."""
    found = User.objects.filter(is_active=True, is_staff=True).prefetch_related("groups").order_by("username")[:500]
    return [
        (
            str(one.pk),
            " - ".join(filter(None, (one.get_username(), ", ".join(group.name for group in one.groups.all())))),
        )
        for one in found
    ]


def role_choices() -> list[tuple[str, str]]:
    """The roles of an account, in words."""
    return [(one, f"{one}: {words[0].lower()}{words[1:]}") for one, words in accounts.ROLES.items()]


def rule_fields(rule: OwnershipRule, *, is_last: bool) -> list[Field]:
    """The form of a rule; the last one has no conditions to choose."""
    known = {} if is_last else routing_edit.choices()
    conditions = [
        Field(
            name,
            LABELS[name],
            kind="checks",
            choices=_with(known[name], getattr(rule, name)),
            chosen=getattr(rule, name),
        )
        for name in known
    ]
    mrr = Field(
        "mrr_from_minor", "Monthly revenue from", _number(rule.mrr_from_minor), kind="number", required=False, least=1,
        most=routing_edit.MOST_MINOR,
        help="In minor units of the customer's own currency: 50000 is 500.00 USD and 50,000 JPY.",
    )  # fmt: skip
    groups = group_choices()
    return [
        Field("title", "Title", rule.title, longest=120),
        *conditions,
        *([] if is_last else [mrr]),
        Field("group", "Group that gets it", rule.group, kind="select", choices=groups),
        Field(
            "role", "Who of them", rule.role, kind="select", required=False, choices=role_choices(),
            help="Goes to whoever holds this role for the account, and to the group where nobody does.",
        ),
        Field(
            "person", "Person of that group", _number(rule.person_id), kind="select", choices=people(), required=False,
            help="While away or switched off the whole group gets it.",
        ),
        Field(
            "fallback_group", "Fallback group", rule.fallback_group, kind="select", choices=groups,
            help="Gets it when nobody of the group is there, and when it is escalated.",
        ),
        Field("reason", "Why is it changed?" if rule.pk else "Why is it added?", longest=500, help=REASON),
        Field("version", "", str(routing_edit.version_of(rule)), kind="hidden"),
    ]  # fmt: skip


def _with(known: Mapping[str, str], stored: list[str]) -> list[tuple[str, str]]:
    """The choices, and what is stored but is no choice any more, so that it can be seen and taken away."""
    return [*known.items(), *((one, f"{one} (unknown by now)") for one in stored if one not in known)]


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def rule_said(request: HttpRequest) -> RuleFields:
    """A rule as it was typed."""
    return RuleFields(
        form_fields.text(request, "title").strip(),
        form_fields.text(request, "group"),
        form_fields.text(request, "fallback_group"),
        form_fields.maybe(request, "person", most=2**31 - 1),
        **{name: form_fields.many(request, name) for name in CONDITIONS},
        mrr_from_minor=form_fields.maybe(
            request, "mrr_from_minor", most=routing_edit.MOST_MINOR, words="monthly revenue from"
        ),
        role=form_fields.text(request, "role"),
        reason=form_fields.text(request, "reason"),
    )


def policy_fields(policy: SlaPolicy) -> list[Field]:
    """The form of a policy; the one for everything stays for everything."""
    known = routing_edit.choices()
    calendars = [(str(one.pk), f"{one.name} ({one.zone})") for one in BusinessHours.objects.order_by("name")]
    is_wide = bool(policy.pk) and not policy.kind and not policy.tier
    named = [
        Field(
            "kind", "For this kind", policy.kind, kind="select", choices=list(known["kinds"].items()), required=False
        ),
        Field(
            "tier", "For this tier", policy.tier, kind="select", choices=list(known["tiers"].items()), required=False
        ),
    ]
    return [
        *([] if is_wide else named),
        _minutes("touch_minutes", "Somebody has it within, minutes", policy.touch_minutes),
        _minutes("decide_minutes", "It is decided within, minutes", policy.decide_minutes),
        Field(
            "hours", "Counted in", _number(policy.hours_id), kind="select", choices=calendars, required=False,
            help="Without a calendar every minute counts, day and night.",
        ),
        Field(
            "steps", "Bumps, one a line", "\n".join(_step_line(one) for one in policy.steps or []), kind="area", rows=4,
            longest=1000, required=False,
            help="Percent of the time to decide, then the group that gets it: 100 Support Manager. Without a group its "
            "owner is told. A day without a decision is always one more.",
        ),
        Field("reason", "Why is it changed?" if policy.pk else "Why is it added?", longest=500, help=REASON),
        Field("version", "", str(routing_edit.version_of(policy)), kind="hidden"),
    ]  # fmt: skip


def _minutes(name: str, label: str, value: int | None) -> Field:
    return Field(name, label, _number(value), kind="number", least=1, most=MOST_MINUTES)


def _step_line(step: Mapping[str, Any]) -> str:
    return f"{step['at_percent']} {step.get('group', '')}".strip()


def policy_said(request: HttpRequest) -> PolicyFields:
    """A policy as it was typed."""
    return PolicyFields(
        form_fields.text(request, "kind"),
        form_fields.text(request, "tier"),
        form_fields.number(request, "touch_minutes", most=10**9, words="touch within"),
        form_fields.number(request, "decide_minutes", most=10**9, words="decide within"),
        form_fields.maybe(request, "hours", most=2**31 - 1),
        [_step(one) for one in form_fields.lines(request, "steps")],
        reason=form_fields.text(request, "reason"),
    )


def _step(line: str) -> tuple[int, str]:
    percent, _, group = line.partition(" ")
    percent = percent.rstrip("%")
    if not (percent.isascii() and percent.isdigit() and len(percent) < 6):
        raise Refused(
            422, "steps", f"bumps: a line begins with a percentage, such as 100 Support Manager; not {line[:60]!r}"
        )
    return int(percent), group.strip().removeprefix("%").strip()


def hours_fields(calendar: BusinessHours) -> list[Field]:
    """The form of a calendar: a line for each day."""
    week = calendar.week or [[] for _ in DAYS]
    return [
        Field("name", "Name", calendar.name, longest=60),
        Field("zone", "Time zone", calendar.zone, longest=64, help="Such as Europe/Berlin or UTC."),
        *(
            Field(
                f"day{n}", day, ", ".join(span_text(span) for span in week[n]), required=False, longest=100,
                help="From and to, such as 09:00-12:00, 13:00-17:00; empty when nobody works." if not n else "",
            )
            for n, day in enumerate(DAYS)
        ),
        Field(
            "holidays", "Holidays, one a line", "\n".join(calendar.holidays or []), kind="area", rows=5, required=False,
            longest=6000, help="Such as 2026-12-25.",
        ),
        Field("reason", "Why is it changed?" if calendar.pk else "Why is it added?", longest=500, help=REASON),
        Field("version", "", str(routing_edit.version_of(calendar)), kind="hidden"),
    ]  # fmt: skip


def span_text(span: Any) -> str:
    """A span of a day as people write it."""
    return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in span)


def hours_said(request: HttpRequest) -> HoursFields:
    """A calendar as it was typed."""
    return HoursFields(
        form_fields.text(request, "name"),
        form_fields.text(request, "zone").strip(),
        [_day(request, n, day) for n, day in enumerate(DAYS)],
        form_fields.lines(request, "holidays"),
        reason=form_fields.text(request, "reason"),
    )


def _day(request: HttpRequest, n: int, day: str) -> list[tuple[int, int]]:
    spans = []
    for one in filter(None, (part.strip() for part in form_fields.text(request, f"day{n}").split(","))):
        found = SPAN.fullmatch(one)
        if found is None or int(found[2]) > 59 or int(found[4]) > 59:
            raise Refused(422, f"day{n}", f"{day}: write hours like 09:00-17:00, not {one[:30]!r}")
        spans.append((int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])))
    return spans


def absence_fields(request: HttpRequest, *, for_others: bool) -> list[Field]:
    """The form of an absence: days in the reader's zone, both included."""
    today = timezone.localdate().isoformat()
    who = Field("person", "Who is away", str(request.user.pk), kind="select", choices=people())
    return [
        *([who] if for_others else []),
        Field("starts", "First day away", today, kind="date"),
        Field("ends", "Last day away", today, kind="date"),
    ]


def absence_said(request: HttpRequest) -> tuple[int, dt.datetime, dt.datetime]:
    """Who is away, from the first day's midnight to the midnight after the last, in the reader's zone."""
    who = form_fields.maybe(request, "person", most=2**31 - 1)
    first, last = _date(request, "starts", "first day away"), _date(request, "ends", "last day away")
    if last < first:
        raise Refused(422, "ends", "last day away: not before the first one")
    return (who or int(request.user.pk or 0), _midnight(first), _midnight(last + dt.timedelta(days=1)))


def _date(request: HttpRequest, name: str, words: str) -> dt.date:
    try:
        found = dt.date.fromisoformat(form_fields.text(request, name).strip())
    except ValueError:
        raise Refused(422, name, f"{words}: a date such as 2026-12-24") from None
    if not 2000 <= found.year <= 2100:
        raise Refused(422, name, f"{words}: a date of this century")
    return found


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), timezone.get_current_timezone()).astimezone(dt.UTC)
