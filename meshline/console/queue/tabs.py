"""The views of the queue that everybody has, and the numbers of all of them from one statement."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from gates.models import Approval, ReviewItem
from ledger import clock
from meshline.console.queue import chips

APPROVE = "gates.approve_item"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True, slots=True)
class Tab:
    """One view: its name for people, which items are in it, and what its emptiness means."""

    label: str
    condition: Callable[[Any], Q]
    empty: str


def agreed(**more: Any) -> QuerySet[Approval]:
    """Approvals that stand, of the item's action while it still waits: another person has to agree, too."""
    standing = Approval.objects.filter(action=OuterRef("action_id"), voided_at=None, action__state="in_review", **more)
    return standing.order_by()


# Whoever agrees touches the item. Most items nobody has touched, and for those no approval has to be looked for.
TOUCHED = Q(touched_at__isnull=False)


def second(user: Any) -> Q:
    """One person agreed, another one has to."""
    return TOUCHED & Q(Exists(agreed()))


def needs_me(user: Any) -> Q:
    """What I hold or was given, and second approvals that I may give: none I asked for, edited or gave the first of."""
    mine = Q(owner=user) & ~Q(state=ReviewItem.State.SNOOZED)
    asked = Q(action__requested_by=user, action__requested_by__isnull=False)
    edited = Q(action__edited_by=user, action__edited_by__isnull=False)
    open_to_me = Exists(agreed().exclude(asked | edited))
    may_approve = Exists(User.objects.with_perm(APPROVE, backend=BACKEND).filter(pk=user.pk))
    return mine | (TOUCHED & Q(may_approve) & Q(open_to_me) & ~Q(Exists(agreed(by=user))))


def unclaimed(user: Any) -> Q:
    """Nobody's, claims that ran out included."""
    return Q(state="open", owner=None) | Q(state="claimed", claimed_until__lt=clock.now())


TABS: dict[str, Tab] = {
    "mine": Tab("Needs me", needs_me, "Nothing waits for you."),
    "unclaimed": Tab("Unclaimed", unclaimed, "Everything is taken by somebody."),
    "breached": Tab("Breached", lambda user: chips.due("late", user), "Nothing is late."),
    "second": Tab("Second approval", second, "No approval waits for a second person."),
    "failed": Tab("Failed", lambda user: chips.of_actions(state="failed"), "No action is failed."),
    "waiting": Tab("Waiting", lambda user: Q(state="snoozed"), "Nothing is put off."),
}
ALL = Tab("All open", lambda user: Q(), "Nothing waits for a person. What Meshline may do by itself, it does.")


@dataclass(slots=True)
class Numbers:
    """What one statement over the active items says."""

    tabs: dict[str, int]
    saved: dict[int, int]
    matching: int
    newest: int
    present: dict[str, list[str]]


def count(user: Any, matching: Q, saved: Iterable[tuple[int, Q]]) -> Numbers:
    """Count all views, the present filter and saved views at once; and which choices active items carry.

    `matching` and the conditions of `saved` look at active items only.
    """
    wanted = {f"tab_{name}": Count("pk", filter=tab.condition(user)) for name, tab in TABS.items()}
    wanted |= {f"saved_{pk}": Count("pk", filter=condition) for pk, condition in saved}
    wanted |= {"tab_": Count("pk"), "matching": Count("pk", filter=matching)}
    items = ReviewItem.objects.filter(chips.ACTIVE).alias(failed_with=chips.CODE).order_by()
    # By what chips offer: a few hundred groups at most, and their names are the choices.
    found: list[dict[str, Any]] = list(items.values(*OFFERED).annotate(newest=Max("pk"), **wanted))
    total = {name: sum(one[name] for one in found) for name in wanted}
    return Numbers(
        tabs={name: total[f"tab_{name}"] for name in ("", *TABS)},
        saved={int(name[6:]): many for name, many in total.items() if name.startswith("saved_")},
        matching=total["matching"],
        newest=max((one["newest"] for one in found), default=0),
        present={name: sorted({one[name] for one in found if one[name]}) for name in OFFERED},
    )


OFFERED = ("kind", "why", "automation")
