"""What is registered of an automation: each change is a version, and the owner signs one version."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.utils.dateparse import parse_datetime

from gates import automations, policy
from gates.models import Automation, AutomationVersion, Segment, SignOff
from gates.models.automation import STEPS
from gates.rollout import lowering, people
from gates.stop import Refused, same_person
from ledger import book, clock

# Field -> its label and its longest value; what it means is on the form.
TEXTS = {
    "title": ("Title", 120), "owner_group": ("Owner group", 80), "fallback_group": ("Fallback group", 80),
    "source": ("Source", 32), "destination": ("Destination", 120), "exception_route": ("Exception route", 120),
    "quality_checkpoint": ("Quality checkpoint", 200), "reporting_field": ("Reporting field", 120),
}  # fmt: skip
CONTENT = (*TEXTS, "owner", "cooling_seconds", "may_resolve", "enabled_until")
# Who answers for it may change at any time; what it does may not while it acts.
ANY_TIME = ("title", "owner_group", "fallback_group", "owner", "exception_route", "reporting_field", "enabled_until")
LONGEST_COOLING, FURTHEST = 30 * 86_400, timedelta(days=365)


def content(one: Automation) -> dict[str, Any]:
    """What is registered now, as a version keeps it: the owner by user name, the timebox as ISO 8601."""
    said: dict[str, Any] = {name: getattr(one, name) for name in TEXTS}
    until = one.enabled_until.isoformat() if one.enabled_until else ""
    owner = one.owner.get_username() if one.owner else ""
    return {
        **said, "owner": owner, "cooling_seconds": one.cooling_seconds, "may_resolve": one.may_resolve,
        "enabled_until": until,
    }  # fmt: skip


def change(name: str, said: Mapping[str, Any], *, by: User, reason: str, state_version: int) -> Automation:
    """Register something else: a new version, which nobody has signed. `said` has some of CONTENT.

    Raises Refused: 403 permission, 404, 409 version or it acts, 422 a field with its rule.
    """
    reason = automations.said(reason)
    try:
        with transaction.atomic():
            one = automations.locked(name)
            people.permit(by, people.EDIT, "change what is registered of automations")
            if state_version != one.state_version:
                raise Refused(409, "stale", f"{name} was changed meanwhile; reload and look again")
            before, wanted = content(one), checked(said)
            changed = [field for field, value in wanted.items() if value != before[field]]
            if not changed:
                raise Refused(422, "reason", f"nothing differs from version {one.version}")
            _refuse_while_it_acts(one, changed)
            if not AutomationVersion.objects.filter(automation=one, version=one.version).exists():
                _keep(one, before, None, "as it was shipped")
            _set(one, {field: wanted[field] for field in changed})
            one.version, one.written_by = one.version + 1, by
            one.state_version += 1
            one._change_reason = reason[:100]
            one.save()
            _keep(one, content(one), by, reason)
            inputs = {"version": one.version, "changed": changed}
            book.write_rows([lowering.row(one, None, "register", one.state, f"user:{by.pk}", reason, inputs=inputs)])
    except Refused as refusal:
        _write_refusal(name, "register", by, refusal)
        raise
    policy.forget()
    return one


def checked(said: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a version keeps them. Raises Refused 422 that names the field and its rule."""
    strange = sorted(set(said) - set(CONTENT))
    if strange:
        raise Refused(422, strange[0], f"{strange[0]}: is not registered of an automation")
    return {field: CHECKS.get(field, _text)(field, value) for field, value in said.items()}


def _text(field: str, value: Any) -> str:
    label, longest = TEXTS[field]
    text = str(value).replace("\x00", "").strip()
    if field in ("title", "owner_group", "fallback_group", "source", "destination") and not text:
        raise Refused(422, field, f"{field}: {label.lower()} must not be empty")
    if len(text) > longest:
        raise Refused(422, field, f"{field}: at most {longest} characters, this has {len(text)}")
    if field.endswith("_group") and not Group.objects.filter(name=text).exists():
        raise Refused(422, field, f"{field}: there is no group {text!r}")
    return text


def _person(field: str, value: Any) -> str:
    name = str(value).strip()
    if name and not User.objects.filter(username=name, is_active=True).exists():
        raise Refused(422, field, f"{field}: there is no active account {name[:60]!r}")
    return name


def _seconds(field: str, value: Any) -> int:
    text = str(value).strip() or "0"
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= LONGEST_COOLING and len(text) < 9):
        raise Refused(422, field, f"{field}: whole seconds from 0 to {LONGEST_COOLING:,}")
    return int(text)


def _flag(field: str, value: Any) -> bool:
    return value is True or str(value).casefold() in ("1", "yes", "true", "on")


def _until(field: str, value: Any) -> str:
    """The end of its timebox as ISO 8601; empty for none."""
    if isinstance(value, datetime):
        value = value.isoformat()
    text = str(value or "").strip()
    if not text:
        return ""
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None:
        raise Refused(422, field, f"{field}: a time such as 2027-01-31T18:00Z, or nothing")
    at = at if at.tzinfo else at.replace(tzinfo=clock.now().tzinfo)
    if not clock.now() < at <= clock.now() + FURTHEST:
        raise Refused(422, field, f"{field}: from now to {FURTHEST.days} days ahead")
    return at.astimezone(clock.now().tzinfo).isoformat()


CHECKS = {"owner": _person, "cooling_seconds": _seconds, "may_resolve": _flag, "enabled_until": _until}


def _refuse_while_it_acts(one: Automation, changed: Sequence[str]) -> None:
    fixed = [field for field in changed if field not in ANY_TIME]
    if fixed and (one.state in STEPS[2:] or one.segments.filter(state__in=STEPS[2:]).exists()):
        raise Refused(
            409, "acts", f"{one.name} is in {one.get_state_display()}; step it down to Soft-Auto before you change "
            f"{', '.join(fixed)}",
        )  # fmt: skip


def _set(one: Automation, values: Mapping[str, Any]) -> None:
    for field, value in values.items():
        if field == "owner":
            one.owner = User.objects.get(username=value) if value else None
        elif field == "enabled_until":
            one.enabled_until = datetime.fromisoformat(value) if value else None
        else:
            setattr(one, field, value)


def _keep(one: Automation, kept: Mapping[str, Any], by: User | None, why: str) -> None:
    AutomationVersion.objects.create(automation=one, version=one.version, content=kept, written_by=by, why=why)


def diff(newer: AutomationVersion, older: AutomationVersion | None) -> list[tuple[str, Any, Any]]:
    """What a version changed: field, before, after."""
    before = older.content if older else {}
    names = [name for name in CONTENT if newer.content.get(name) != before.get(name)]
    return [(name, before.get(name, ""), newer.content.get(name, "")) for name in names]


def sign_off(name: str, *, by: User, reason: str, version: int) -> SignOff:
    """The owner answers for this version, with everything that its page shows. Needed again after a fall.

    Raises Refused: 403 not the owner, or who wrote it, 404, 409 another version or signed already, 422 reason.
    """
    reason = automations.said(reason)
    try:
        with transaction.atomic():
            one = automations.locked(name)
            if not people.is_owner(one, by):
                owner = one.owner.get_username() if one.owner else "nobody yet"
                raise Refused(403, "permission", f"only its owner signs {name} off, and that is {owner}")
            if version != one.version:
                raise Refused(409, "stale", f"{name} is at version {one.version} by now; look at it and sign that one")
            _refuse_writer(one, by)
            signed = _insert(one, by, reason)
            _certified(one)
            one.state_version += 1
            one._change_reason = reason[:100]
            one.save()
            inputs = {"version": one.version}
            book.write_rows([lowering.row(one, None, "sign_off", one.state, f"user:{by.pk}", reason, inputs=inputs)])
            return signed
    except Refused as refusal:
        _write_refusal(name, "sign_off", by, refusal)
        raise


def _refuse_writer(one: Automation, by: User) -> None:
    for writer, what in people.authors(one).values():
        if same_person(writer, by):
            raise Refused(403, "four_eyes", f"you wrote {what}; it takes another owner, or another writer, to sign it")


def _insert(one: Automation, by: User, reason: str) -> SignOff:
    try:
        with transaction.atomic():
            return SignOff.objects.create(automation=one, version=one.version, by=by, reason=reason)
    except IntegrityError as error:
        raise Refused(409, "signed", f"version {one.version} of {one.name} is signed already") from error


def _certified(one: Automation) -> None:
    """The fall is over, for it and its segments; its stage stays as it is."""
    one.fell_at, one.fell_why = None, ""
    for part in Segment.objects.select_for_update(of=("self",)).filter(automation=one, fell_at__isnull=False):
        part.fell_at, part.fell_why = None, ""
        part.state_version += 1
        part.save()
        book.write_rows([lowering.row(one, part, "sign_off", part.state, "system:rollout", "its owner signed")])


def _write_refusal(name: str, verb: str, by: User, refusal: Refused) -> None:
    one = Automation.objects.filter(name=name).first()
    if one is not None and refusal.status == 403:
        row = lowering.row(one, None, verb, str(one.state), f"user:{by.pk}", refusal.message[:300])
        book.write_rows([{**row, "outcome": "refused", "error_code": refusal.code}])
