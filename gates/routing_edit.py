"""Changes of ownership rules and absences, behind one permission, each with its ledger row.

The last rule fits everything: it gets no condition, is never retired and stays last, so that nothing is nobody's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction

from gates import accounts, ownership, regions
from gates.models import Absence, Automation, GateVersion, OwnershipRule
from gates.stop import Refused
from ledger import book, clock
from ledger import words as known_words
from ledger.models import Contract, Customer

PERMISSION = "gates.edit_routing"
ITEM_KINDS = ("event", "event.unreadable", "event.contradiction", "portal.failed")
MOST_RULES = 100
LONGEST_ABSENCE = timedelta(days=366)
MOST_MINOR = 10**15
CONDITIONS = ("kinds", "whys", "tiers", "automations", "contract_states", "regions", "payment_states")


@dataclass(frozen=True, slots=True)
class RuleFields:
    """Everything a person says about a rule. Lists hold identifiers; `person` is a user's number."""

    title: str
    group: str
    fallback_group: str
    person: int | None = None
    kinds: Sequence[str] = ()
    whys: Sequence[str] = ()
    tiers: Sequence[str] = ()
    automations: Sequence[str] = ()
    contract_states: Sequence[str] = ()
    regions: Sequence[str] = ()
    payment_states: Sequence[str] = ()
    mrr_from_minor: int | None = None
    role: str = ""
    reason: str = field(default="", kw_only=True)


def choices() -> dict[str, dict[str, str]]:
    """What the conditions of a rule may name: identifier -> words."""
    gates = dict(GateVersion.objects.order_by("name", "version").values_list("name", "title"))
    kinds = {one: known_words.kind_words(one) for one in (*known_words.KINDS, *ITEM_KINDS)}
    return {
        "kinds": _told_apart(kinds),
        "whys": _told_apart({**gates, **known_words.WHYS}),
        "tiers": dict(Customer.Tier.choices),
        "automations": dict(Automation.objects.order_by("title").values_list("name", "title")),
        "contract_states": dict(Contract.State.choices),
        "regions": regions.REGIONS,
        "payment_states": accounts.PAYMENT_STATES,
    }


def _told_apart(known: Mapping[str, str]) -> dict[str, str]:
    """What has the same words as another one carries its identifier."""
    counted = Counter(known.values())
    return {one: said if counted[said] == 1 else f"{said} ({one})" for one, said in known.items()}


def save_rule(rule_id: int | None, said: RuleFields, *, by: User, version: int = 0) -> OwnershipRule:
    """Change a rule, or add one before the last. `version` is `version_of` the rule as it was shown.

    Raises Refused: 403 permission, 404 no such rule, 409 changed since, 422 a field.
    """
    permit(by, "rule", rule_id, "edit_rule" if rule_id else "add_rule")
    with transaction.atomic():
        rules = _lock()
        rule = _found(rules, rule_id) if rule_id else OwnershipRule(position=0)
        same_version(rule, version)
        before = _told(rule) if rule_id else {}
        _check(said, is_last=bool(rules) and rule_id == rules[-1].pk)
        for name in (one.name for one in fields(said)):
            if name not in ("reason", "person"):
                value = getattr(said, name)
                setattr(rule, name, list(value) if name in CONDITIONS else value)
        rule.person_id = said.person
        if not rule_id:
            if len(rules) >= MOST_RULES:
                raise Refused(422, "title", f"title: at most {MOST_RULES} rules; retire one first")
            rule.position = len(rules)
        save(rule, said.reason)
        if not rule_id and rules:
            _place([*rules[:-1], rule, rules[-1]], said.reason)
        about = {"before": before, "after": _told(rule)}
        write("rule", rule.pk, "edit_rule" if rule_id else "add_rule", by, said.reason, about)
    ownership.forget()
    return rule


def move_rule(rule_id: int, *, by: User, up: bool) -> OwnershipRule:
    """Ask a rule one place earlier or later; the last one stays the last."""
    permit(by, "rule", rule_id, "move_rule")
    with transaction.atomic():
        rules = _lock()
        rule = _found(rules, rule_id)
        place = rules.index(rule)
        other = place + (-1 if up else 1)
        if rule is rules[-1] or not 0 <= other < len(rules) - 1:
            raise Refused(409, "place", f"{rule.title}: it cannot move there; the rule for everything else stays last")
        rules[place], rules[other] = rules[other], rules[place]
        moved = f"from {place + 1} to {other + 1}"
        _place(rules, moved)
        write("rule", rule.pk, "move_rule", by, moved, {"before": place + 1, "after": other + 1})
    ownership.forget()
    return rule


def retire_rule(rule_id: int, *, by: User, reason: str) -> OwnershipRule:
    """End a rule. Items it routed stay where they are; the last rule cannot be retired."""
    permit(by, "rule", rule_id, "retire_rule")
    said = reason_of(reason)
    with transaction.atomic():
        rules = _lock()
        rule = _found(rules, rule_id)
        if rule is rules[-1]:
            raise Refused(409, "last", f"{rule.title}: the last rule cannot be retired, or items would be nobody's")
        rule.retired_at = clock.now()
        save(rule, said)
        _place([one for one in rules if one is not rule], said)
        write("rule", rule.pk, "retire_rule", by, said, {"before": _told(rule)})
    ownership.forget()
    return rule


def add_absence(user_id: int, starts_at: datetime, ends_at: datetime, *, by: User) -> Absence:
    """Somebody is away: nothing is routed to them. One's own needs no permission. Raises Refused: 403, 404, 422."""
    if user_id != by.pk:
        permit(by, "absence", None, "add_absence")
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise Refused(404, "person", "person: there is nobody with this number, or the account is switched off")
    if ends_at <= starts_at:
        raise Refused(422, "ends", "to: an absence ends after it begins")
    if ends_at <= clock.now():
        raise Refused(422, "ends", "to: this absence would be over already")
    if ends_at - starts_at > LONGEST_ABSENCE:
        raise Refused(422, "ends", "to: at most a year; for longer switch the account off")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user_id)
        if Absence.objects.filter(user=user, starts_at__lt=ends_at, ends_at__gt=starts_at).exists():
            raise Refused(409, "overlap", "from: an absence of this person is entered for these days already")
        made = Absence.objects.create(user=user, starts_at=starts_at, ends_at=ends_at, entered_by=by)
        about = {"user": user_id, "starts_at": starts_at, "ends_at": ends_at}
        write("absence", made.pk, "add_absence", by, "entered", about)
    ownership.forget()
    return made


def end_absence(absence_id: int, *, by: User) -> None:
    """Somebody is back, or does not go: one's own needs no permission. Raises Refused: 403, 404."""
    with transaction.atomic():
        found = Absence.objects.select_for_update().filter(pk=absence_id).first()
        own = found is not None and found.user_id == by.pk
    if not own:
        permit(by, "absence", absence_id, "end_absence")
    with transaction.atomic():
        found = Absence.objects.select_for_update().filter(pk=absence_id).first()
        if found is None:
            raise Refused(404, "unknown", "there is no such absence; perhaps somebody ended it already")
        now = clock.now()
        about = {"user": found.user_id, "starts_at": found.starts_at, "ends_at": found.ends_at}
        if found.starts_at < now < found.ends_at:
            found.ends_at = now
            found.save()
        elif found.starts_at >= now:
            found.delete()
        write("absence", absence_id, "end_absence", by, "ended", about)
    ownership.forget()


def version_of(record: Any) -> int:
    """The number of a record's newest change: what a form carries, so that a stale one is noticed."""
    newest = record.history.order_by("-history_id").values_list("history_id", flat=True).first() if record.pk else None
    return int(newest or 0)


def same_version(record: Any, version: int) -> None:
    """Raises Refused where the record was changed since the form was drawn."""
    if record.pk and version_of(record) != version:
        raise Refused(409, "stale", f"{record} was changed since the page was drawn; nothing was saved, look again")


def permit(by: User, subject: str, key: int | None, decision: str, permission: str = PERMISSION) -> None:
    """Raises Refused without the permission, after writing the refusal down."""
    if by.is_active and by.has_perm(permission):
        return
    write(subject, key or 0, decision, by, "permission", {}, outcome="refused")
    raise Refused(403, "permission", f"your account may not change this; it needs the permission {permission}")


def reason_of(reason: str) -> str:
    """The reason, or Refused."""
    said = reason.strip()
    if not said or len(said) > 500 or "\x00" in said:
        raise Refused(422, "reason", f"reason: 1 to 500 characters, this has {len(said)}; it is kept with the change")
    return said


def save(record: Any, reason: str) -> None:
    """Save with the reason in the history."""
    record._change_reason = reason_of(reason)[:100]
    record.save()


def write(
    subject: str, key: int, decision: str, by: User, reason: str, about: Mapping[str, Any], *, outcome: str = "changed"
) -> None:
    """The ledger row of a change: who, why, and what was before and after. Ids and numbers, never names of people."""
    row = {
        "subject_kind": "routing", "subject_id": f"{subject}:{key}", "decision": decision, "actor": f"user:{by.pk}",
        "prior_state": "in force", "post_state": "in force", "outcome": outcome, "inputs": dict(about),
        "reasons": [{"rule": "reason", "reason": reason}],
    }  # fmt: skip
    book.write_rows([row | {"error_code": "permission"} if outcome == "refused" else row])


def group_of(name: str, where: str, words: str = "") -> str:
    """The name of a group that exists, or Refused naming the field."""
    if not Group.objects.filter(name=name).exists():
        said = words or where.replace("_", " ")
        raise Refused(422, where, f"{said}: choose one of the groups, there is no {name[:80]!r}")
    return name


def _lock() -> list[OwnershipRule]:
    """The rules in force, in order, held against everybody else who edits them."""
    active = OwnershipRule.objects.filter(retired_at=None).order_by("position", "id")
    last = active.last()
    if last is not None:  # it is never retired: the one row all editors meet at
        OwnershipRule.objects.select_for_update(of=("self",)).get(pk=last.pk)
    return list(active.select_for_update(of=("self",)))


def _found(rules: Sequence[OwnershipRule], rule_id: int) -> OwnershipRule:
    rule = next((one for one in rules if one.pk == rule_id), None)
    if rule is None:
        raise Refused(404, "unknown", "there is no such rule in force; perhaps somebody retired it")
    return rule


def _place(rules: Sequence[OwnershipRule], reason: str) -> None:
    """Number the rules in this order."""
    for position, rule in enumerate(rules, start=1):
        if rule.position != position:
            rule.position = position
            save(rule, reason)


def _check(said: RuleFields, *, is_last: bool) -> None:
    """Raises Refused naming the field and its rule."""
    reason_of(said.reason)
    if not 1 <= len(said.title.strip()) <= 120 or "\x00" in said.title:
        raise Refused(422, "title", f"title: 1 to 120 characters, this has {len(said.title.strip())}")
    group_of(said.group, "group")
    group_of(said.fallback_group, "fallback_group")
    if said.group == said.fallback_group:
        raise Refused(
            422, "fallback_group", "fallback group: another group than the owner's, or it would be no fallback"
        )
    if (
        said.person is not None
        and not User.objects.filter(pk=said.person, is_active=True, groups__name=said.group).exists()
    ):
        raise Refused(422, "person", f"person: somebody of the group {said.group} whose account is switched on")
    if said.role and said.role not in accounts.ROLES:
        raise Refused(422, "role", f"role: one of {', '.join(accounts.ROLES)}")
    if said.role and said.person is not None:
        raise Refused(422, "role", "role: either a role of the account or one person, not both")
    _check_conditions(said, is_last=is_last)


def _check_conditions(said: RuleFields, *, is_last: bool) -> None:
    known = choices()
    for name in CONDITIONS:
        unknown = [one for one in getattr(said, name) if one not in known[name]]
        if unknown:
            raise Refused(422, name, f"{name.replace('_', ' ')}: {unknown[0][:60]!r} is none of the choices")
    mrr = said.mrr_from_minor
    if mrr is not None and not 0 < mrr <= MOST_MINOR:
        raise Refused(422, "mrr_from_minor", f"monthly revenue from: a whole number of minor units, 1 to {MOST_MINOR}")
    has_condition = mrr is not None or any(getattr(said, name) for name in CONDITIONS)
    if is_last and has_condition:
        raise Refused(422, "conditions", "conditions: the last rule fits everything; it can have none")
    if not is_last and not has_condition:
        raise Refused(422, "conditions", "conditions: choose at least one; only the last rule fits everything")


def _told(rule: OwnershipRule) -> dict[str, Any]:
    """A rule as a ledger row tells it."""
    said = RuleFields(
        rule.title, rule.group, rule.fallback_group, rule.person_id, rule.kinds, rule.whys, rule.tiers,
        rule.automations, rule.contract_states, rule.regions, rule.payment_states, rule.mrr_from_minor, rule.role,
    )  # fmt: skip
    return {name: value for name, value in asdict(said).items() if value and name != "reason"}
