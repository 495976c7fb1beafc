"""Ownership and SLA: the rules in their order, who gets what and why, who is away, promises and working hours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from gates import accounts, accounts_edit, ownership, regions, routing_edit, sla_edit, sla_plan
from gates.cells import OPERATORS
from gates.hours import DAYS
from gates.models import Absence, AccountHolder, BusinessHours, OwnerSensitive, OwnershipRule, SlaPolicy
from gates.stop import Refused
from ledger import cells, clock
from ledger.words import kind_words, why_words
from meshline.console import form_fields, routing_accounts, routing_forms
from meshline.console.form_fields import Field
from meshline.console.page import Site

VIEW, EDIT = "gates.view_ownershiprule", routing_edit.PERMISSION
ALWAYS = "every minute, day and night"
TESTED = ("kind", "why", "tier", "automation", "contract_state", "region", "payment_state")
MOST_ABSENCES = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A rule as it is drawn."""

    rule: OwnershipRule
    conditions: list[str]
    person: str
    away: bool
    is_first: bool
    is_second_last: bool
    is_last: bool


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The page."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    return site.draw(request, "console/routing.html", context(request))


def context(request: HttpRequest, refusal: Refused | None = None) -> dict[str, Any]:
    """Everything on the page."""
    now, may_edit = clock.now(), request.user.has_perm(EDIT)
    test = _test(request) if "test" in request.GET else None
    return {
        "title": "Ownership and SLA",
        "may_edit": may_edit,
        "lines": lines(),
        "holders": routing_accounts.holder_lines(ownership.current().present),
        "sensitive": routing_accounts.sensitive_lines(),
        "allowed": routing_accounts.allowed(),
        "may_allow": request.user.has_perm(accounts_edit.ALLOW),
        "test_fields": test_fields(request),
        "test": test,
        "absences": absences(now, request),
        "absence_fields": form_fields.filled(
            routing_forms.absence_fields(request, for_others=may_edit), request if refusal else None, refusal
        ),
        "policies": [policy_line(one) for one in SlaPolicy.objects.select_related("hours")],
        "calendars": [calendar_line(one) for one in BusinessHours.objects.order_by("name")],
        "refusal": refusal,
    }


def lines() -> list[Line]:
    """The rules in force, in their order."""
    rules = list(OwnershipRule.objects.filter(retired_at=None).select_related("person").order_by("position", "id"))
    present = ownership.current().present
    return [
        Line(
            one, conditions(one), one.person.get_username() if one.person else "",
            one.person_id is not None and one.person_id not in present,
            is_first=place == 0, is_second_last=place == len(rules) - 2, is_last=place == len(rules) - 1,
        )
        for place, one in enumerate(rules)
    ]  # fmt: skip


def conditions(rule: OwnershipRule) -> list[str]:
    """What has to hold, in words; nothing for the last rule."""
    told: dict[str, tuple[str, Callable[[str], str]]] = {
        "kinds": ("it is about", kind_words), "whys": ("because", why_words), "tiers": ("the tier is", capfirst),
        "automations": ("it comes from", str), "contract_states": ("the contract is", str),
        "regions": ("the region is", lambda name: regions.REGIONS.get(name, name)),
        "payment_states": ("it is", lambda name: accounts.PAYMENT_STATES.get(name, name).lower()),
    }  # fmt: skip
    found = [
        f"{head} {' or '.join(dict.fromkeys(cells.plain(words(one), 60) for one in getattr(rule, name)))}"
        for name, (head, words) in told.items()
        if getattr(rule, name)
    ]
    if rule.mrr_from_minor is not None:
        found.append(f"monthly revenue {OPERATORS['at_least']} {rule.mrr_from_minor:,} minor units")
    return found


def test_fields(request: HttpRequest) -> list[Field]:
    """The test box: what an item would say of itself."""
    known = routing_edit.choices()
    labels = {"kind": "Kind", "why": "Why", "tier": "Tier", "automation": "Automation", "contract_state": "Contract"}
    labels |= {"region": "Region", "payment_state": "How it pays"}
    made = [
        Field(
            name, labels[name], request.GET.get(name, "")[:100], kind="select", required=False,
            choices=list(known[f"{name}s"].items()),
        )
        for name in TESTED
    ]  # fmt: skip
    mrr = request.GET.get("mrr_minor", "")[:20]
    about = request.GET.get("customer", "")[:64].replace("\x00", "")
    made.append(Field("customer", "Customer, by our id", about, required=False, longest=64))
    made.append(Field("mrr_minor", "Monthly revenue, minor units", mrr, kind="number", required=False, least=0))
    return form_fields.filled(made, None, None)


def _test(request: HttpRequest) -> dict[str, Any]:
    """Who gets such an item and why, and by when it would be decided if it came now."""
    fields = {name: request.GET.get(name, "")[:100].replace("\x00", "") for name in TESTED}
    mrr = form_fields.key(request.GET.get("mrr_minor"))
    about = request.GET.get("customer", "")[:64].replace("\x00", "").strip()
    account = accounts.of_customer(about) if about else {}
    told: dict[str, Any] = {**fields, "mrr_minor": mrr, **account}
    rule, group, person, why = ownership.explain(**told)
    plan = sla_plan.read().plan(fields["kind"], str(told["tier"]), clock.now())
    return {
        "rule": rule, "unknown": bool(about) and not account,
        "group": group, "person": person, "why": why, "due": plan.due_at, "touch": plan.touch_at,
        "policy": plan.promise.title, "steps": [(one.at, to_words(one), one.words) for one in plan.steps],
    }  # fmt: skip


def absences(now: Any, request: HttpRequest) -> list[dict[str, Any]]:
    """Who is away now or will be; one's own may be ended by oneself."""
    found = Absence.objects.filter(ends_at__gt=now).select_related("user")[:MOST_ABSENCES]
    may = request.user.has_perm(EDIT)
    return [
        {"absence": one, "now": one.starts_at <= now, "may_end": may or one.user_id == request.user.pk} for one in found
    ]


def policy_line(one: SlaPolicy) -> dict[str, Any]:
    """A policy as it is drawn."""
    kind = kind_words(one.kind) if one.kind else "Everything"
    plan = sla_plan.Plan(sla_plan.promise_of(one), clock.now())
    steps = [
        f"{step.percent} %: {to_words(step)}" if step.percent else f"24 h: {to_words(step)}" for step in plan.steps
    ]
    return {
        "policy": one, "kind": kind, "tier": one.tier,
        "touch": minutes_words(one.touch_minutes), "decide": minutes_words(one.decide_minutes),
        "hours": one.hours.name if one.hours else ALWAYS, "steps": ", ".join(steps),
    }  # fmt: skip


def to_words(step: sla_plan.Step) -> str:
    """Who gets an item with a bump."""
    return step.group or ("its owner" if step.percent else "the next group up")


def minutes_words(minutes: int) -> str:
    """A target for people: `2 h`, `1 h 30 min`. Never days: a working day is not 24 hours."""
    hours, rest = divmod(minutes, 60)
    return " ".join(filter(None, (f"{hours:,} h" if hours else "", f"{rest} min" if rest else "")))


def calendar_line(one: BusinessHours) -> dict[str, Any]:
    """A calendar as it is drawn: days with the same hours together."""
    days: list[tuple[str, str, str]] = []
    for name, spans in zip(DAYS, one.week or [[]] * len(DAYS), strict=False):
        text = ", ".join(routing_forms.span_text(span) for span in spans) or "closed"
        if days and days[-1][2] == text:
            days[-1] = (days[-1][0], name[:3], text)
        else:
            days.append((name[:3], name[:3], text))
    week = "; ".join(f"{first} to {last} {text}" if first != last else f"{first} {text}" for first, last, text in days)
    return {"calendar": one, "week": week, "holidays": len(one.holidays)}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record that has a form: its model, its words, its fields, and how it is saved and ended."""

    model: type[models.Model]
    words: str
    fields: Callable[[Any], list[Field]]
    save: Callable[[HttpRequest, int | None, int], str]
    end: Callable[[HttpRequest, int], str] | None = None
    end_words: str = ""
    permission: str = EDIT


def _rule_fields(rule: OwnershipRule) -> list[Field]:
    last = OwnershipRule.objects.filter(retired_at=None).order_by("position", "id").last()
    return routing_forms.rule_fields(rule, is_last=last is not None and rule.pk == last.pk)


def _save_rule(request: HttpRequest, key: int | None, version: int) -> str:
    rule = routing_edit.save_rule(key, routing_forms.rule_said(request), by=_user(request), version=version)
    return f"Saved: {rule.title}. New items follow it; items that are open stay where they are."


def _save_policy(request: HttpRequest, key: int | None, version: int) -> str:
    _, moved = sla_edit.save_policy(key, routing_forms.policy_said(request), by=_user(request), version=version)
    return f"Saved. {_moved(moved)}"


def _save_hours(request: HttpRequest, key: int | None, version: int) -> str:
    calendar, moved = sla_edit.save_hours(key, routing_forms.hours_said(request), by=_user(request), version=version)
    return f"Saved: {calendar.name}. {_moved(moved)}"


def _moved(count: int) -> str:
    if not count:
        return "No open item got another due time."
    return f"{count:,} open item{'s' if count > 1 else ''} got another due time."


def _retire_rule(request: HttpRequest, key: int) -> str:
    rule = routing_edit.retire_rule(key, by=_user(request), reason=form_fields.text(request, "reason"))
    return f"Retired: {rule.title}. What it fitted goes to the rules after it."


def _remove_policy(request: HttpRequest, key: int) -> str:
    return (
        f"Removed. {_moved(sla_edit.remove_policy(key, by=_user(request), reason=form_fields.text(request, 'reason')))}"
    )


KINDS: dict[str, Kind] = {
    "rules": Kind(OwnershipRule, "ownership rule", _rule_fields, _save_rule, _retire_rule, "Retire this rule"),
    "sla": Kind(
        SlaPolicy, "SLA policy", routing_forms.policy_fields, _save_policy, _remove_policy, "Remove this policy"
    ),
    "hours": Kind(BusinessHours, "business hours", routing_forms.hours_fields, _save_hours),
    "holders": Kind(
        AccountHolder,
        "role of an account",
        routing_accounts.holder_fields,
        routing_accounts.save_holder,
        routing_accounts.retire_holder,
        "End this entry",
    ),
    "sensitive": Kind(
        OwnerSensitive,
        "owner's say",
        routing_accounts.sensitive_fields,
        routing_accounts.save_sensitive,
        permission=accounts_edit.ALLOW,
    ),
}


def form(site: Site, request: HttpRequest, what: str, key: int | None = None) -> HttpResponse:
    """The form of one record, or of a new one; a POST saves it."""
    kind, record = _record(request, what, key)
    if request.method == "POST":
        try:
            version = form_fields.number(request, "version", most=10**15)
            messages.success(request, kind.save(request, key, version))
        except Refused as refusal:
            return _draw(site, request, what, record, refusal)
        return HttpResponseRedirect(reverse("admin:routing"))
    if not request.user.has_perm(kind.permission):
        raise PermissionDenied
    return _draw(site, request, what, record)


def act(site: Site, request: HttpRequest, what: str, key: int, verb: str) -> HttpResponse:
    """Move or retire a rule, remove a policy, end an absence; by POST only."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    if (what, verb) not in VERBS:
        raise Http404("there is no such verb")
    here = HttpResponseRedirect(reverse("admin:routing"))
    if request.method != "POST":
        return here
    try:
        messages.success(request, VERBS[what, verb](request, key))
    except Refused as refusal:
        if refusal.status == 404:
            raise Http404(refusal.message) from None
        if verb == "end" and what in KINDS:
            return _draw(site, request, what, _record(request, what, key)[1], refusal, ending=True)
        return site.draw(request, "console/routing.html", context(request, refusal), refusal.status)
    return here


def absence(site: Site, request: HttpRequest) -> HttpResponse:
    """Enter an absence: one's own, or with the permission somebody else's; by POST only."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:routing"))
    try:
        who, starts_at, ends_at = routing_forms.absence_said(request)
        made = routing_edit.add_absence(who, starts_at, ends_at, by=_user(request))
    except Refused as refusal:
        return site.draw(request, "console/routing.html", context(request, refusal), refusal.status)
    messages.success(request, f"Entered: {made.user.get_username()} is away. Nothing is routed to them meanwhile.")
    return HttpResponseRedirect(f"{reverse('admin:routing')}#absences")


def _end_absence(request: HttpRequest, key: int) -> str:
    routing_edit.end_absence(key, by=_user(request))
    return "Ended: they get items again."


def _move(*, up: bool) -> Callable[[HttpRequest, int], str]:
    def move(request: HttpRequest, key: int) -> str:
        rule = routing_edit.move_rule(key, by=_user(request), up=up)
        return f"{rule.title} is rule {rule.position} now."

    return move


VERBS: dict[tuple[str, str], Callable[[HttpRequest, int], str]] = {
    ("rules", "up"): _move(up=True), ("rules", "down"): _move(up=False), ("rules", "end"): _retire_rule,
    ("sla", "end"): _remove_policy, ("holders", "end"): routing_accounts.retire_holder,
    ("absences", "end"): _end_absence,
}  # fmt: skip


def _record(request: HttpRequest, what: str, key: int | None) -> tuple[Kind, models.Model]:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    kind = KINDS.get(what)
    if kind is None:
        raise Http404("there is no such page")
    if key is None:
        return kind, kind.model()
    active: dict[str, Any] = {"retired_at": None} if what in ("rules", "holders") else {}
    record = kind.model._default_manager.filter(pk=key, **active).first()
    if record is None:
        raise Http404(f"there is no such {kind.words} in force")
    return kind, record


def _draw(
    site: Site, request: HttpRequest, what: str, record: Any, refusal: Refused | None = None, *, ending: bool = False
) -> HttpResponse:
    """The page of a form, with what was refused at its field."""
    kind = KINDS[what]
    typed = None if ending else request
    fields = form_fields.filled(kind.fields(record), typed if refusal else None, None if ending else refusal)
    can_end = kind.end is not None and record.pk and not _is_last(what, record)
    shown = {
        "title": f"Change {kind.words}: {record}" if record.pk else f"Add {kind.words}", "what": what, "key": record.pk,
        "fields": fields, "end_words": kind.end_words if can_end else "", "refusal": refusal,
        "may_edit": request.user.has_perm(kind.permission), "note": _note(what, record),
    }  # fmt: skip
    return site.draw(request, "console/routing_form.html", shown, refusal.status if refusal else None)


def _is_last(what: str, record: Any) -> bool:
    """The rule and the policy that everything falls back on."""
    if what not in ("sla", "rules"):
        return False
    if what == "sla":
        return not record.kind and not record.tier
    return not OwnershipRule.objects.filter(retired_at=None, position__gt=record.position).exists()


def _note(what: str, record: Any) -> str:
    if not record.pk or what == "hours" or not _is_last(what, record):
        return (
            "A new rule is asked last but one; move it up where it belongs."
            if what == "rules" and not record.pk
            else ""
        )
    if what == "rules":
        return "This is the last rule: it gets whatever no other rule fits. It has no conditions and cannot be retired."
    return "This is the policy for everything that has none of its own. It cannot be removed."


def _user(request: HttpRequest) -> Any:
    return request.user
