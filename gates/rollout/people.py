"""Who may raise, lower, sign and review an automation; never who wrote it."""

from django.contrib.auth.models import User
from django.db.models import Q

from gates.models import Automation, AutomationVersion, GateVersion
from gates.rollout import counts
from gates.stop import Refused, same_person
from ledger import clock
from ledger.models import Action

PROMOTE, EDIT, REVIEW, VIEW = (
    "gates.change_automation", "gates.edit_automation", "gates.review_preview", "gates.view_automation",
)  # fmt: skip


def permit(by: User, permission: str, what: str) -> None:
    """Raises Refused 403 unless the account is in use and holds the permission now."""
    if not (by.is_active and by.has_perm(permission)):
        raise Refused(403, "permission", f"your account may not {what}; it needs {permission}")


def permit_up(by: User) -> None:
    """Raises Refused 403 for whoever may not trust an automation further."""
    permit(by, PROMOTE, "step automations up")


def permit_down(one: Automation, by: User) -> None:
    """Raises Refused 403 but for its owners, person and groups, and those who may step it up."""
    if not may_lower(one, by):
        raise Refused(
            403, "permission", f"your account may not step automations; it needs {PROMOTE}, or to be one of its owners"
        )


def may_lower(one: Automation, by: User) -> bool:
    """Whether this person is one of those who may pause it and step it down."""
    if not by.is_active:
        return False
    mine = by.groups.filter(name__in=(one.owner_group, one.fallback_group)).exists()
    return bool(by.has_perm(PROMOTE) or same_person(one.owner, by) or (mine and by.has_perm(VIEW)))


def is_owner(one: Automation, by: User) -> bool:
    """Whether this is the person who answers for it."""
    return by.is_active and same_person(one.owner, by)


def authors(one: Automation) -> dict[int, tuple[User, str]]:
    """Who wrote the version that is to be trusted, or a gate in force that judges its actions: user id -> what."""
    found: dict[int, tuple[User, str]] = {}
    version = AutomationVersion.objects.select_related("written_by").filter(automation=one, version=one.version).first()
    for writer in (version.written_by if version else None, one.written_by):
        if writer is not None:
            found[writer.pk] = (writer, f"version {one.version} of {one.name}")
    kinds = _kinds(one.name)
    now = clock.now()
    live = GateVersion.objects.select_related("written_by", "submitted_by").filter(
        Q(retired_at=None) | Q(retired_at__gt=now), state=GateVersion.State.LIVE, valid_from__lte=now
    )
    for gate in live:
        if not gate.applies_to or kinds & set(gate.applies_to):
            for hand in (gate.written_by, gate.submitted_by):
                if hand is not None:
                    found.setdefault(hand.pk, (hand, f"the gate {gate}"))
    return found


def _kinds(name: str) -> set[str]:
    """The kinds of action it proposed lately."""
    since = counts.first_id(clock.now() - counts.LATELY)
    rows = Action.objects.filter(automation=name, pk__gte=since).order_by()
    return set(rows.values_list("kind", flat=True).distinct())


def refuse_authors(one: Automation, by: User) -> None:
    """Raises Refused 403 four_eyes for whoever wrote what is to be trusted; superusers included."""
    for writer, what in authors(one).values():
        if same_person(writer, by):
            raise Refused(403, "four_eyes", f"you wrote {what}; another person has to step it up")
