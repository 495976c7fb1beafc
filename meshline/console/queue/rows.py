"""The rows of one page of the queue, read in one statement, and the groups that failures make."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Count, F, Func, Max, Min, OuterRef, QuerySet, TextField, Value, When, Window
from django.db.models.functions import Concat, JSONObject, RowNumber

from gates.cells import ORDER
from gates.models import Approval, Presence, ReviewItem
from ledger import clock
from meshline.console.queue import chips
from meshline.console.queue.address import Asked, base

PAGE = 50
DEEPEST = 20  # pages: nobody works further down than this, and counting along would cost more than the list
WATCHING = timedelta(seconds=60)
HEAVY = ("params", "preview", "answers", "facts", "request", "confirmation", "job_ref")
GROUP = Concat(chips.CODE, Value(":"), "provider", Value(":"), "automation", output_field=TextField())


@dataclass(slots=True)
class Group:
    """Failures with the same error at the same system for the same automation."""

    key: str
    size: int
    first: datetime
    last: datetime
    unfolded: bool

    @property
    def parts(self) -> tuple[str, str, str]:
        """Error, system and automation."""
        code, system, automation = self.key.rsplit(":", 2)
        return code, system, automation


def page(asked: Asked) -> tuple[list[Any], bool]:
    """The items of this page in the order of work, and whether there are more behind it.

    Each item carries `watched_by` and `agreed_by` (user names), `gate_version` and, among failures, `group`.
    """
    start = (min(asked.page, DEEPEST) - 1) * PAGE
    wanted = dressed(asked.items(), asked.user)
    if groups_failures(asked):
        # Counting in groups looks at every failure, so only keys are looked at; the rows in sight are read by them.
        lines = list(folded(asked.items(), asked.group)[start : start + PAGE + 1])
        known = {one.pk: one for one in dressed(base().filter(pk__in=[line[0] for line in lines]), asked.user)}
        found: list[Any] = [known[line[0]] for line in lines]  # an open item is never removed
        for one, (_, *line) in zip(found, lines, strict=True):
            one.group = group_of(line, asked)
    else:
        found = list(wanted.order_by(*(["-pk"] if asked.is_ended else ORDER))[start : start + PAGE + 1])
    return found[:PAGE], len(found) > PAGE and asked.page < DEEPEST


def groups_failures(asked: Asked) -> bool:
    """Whether failures are shown as groups: on their own view."""
    return asked.tab == "failed" and not asked.is_ended


def dressed(items: QuerySet[ReviewItem], user: Any) -> QuerySet[Any]:
    """With what a row shows beyond itself: customer, action, owner, approvals, who looks at it, the gate's version."""
    watchers = Presence.objects.filter(item=OuterRef("pk"), seen_at__gt=clock.now() - WATCHING).exclude(user=user)
    given = Approval.objects.filter(action=OuterRef("action_id"), voided_at=None)
    return (
        items.select_related("customer", "action", "owner")
        .defer(*(f"action__{name}" for name in HEAVY), "evidence", "cause", "corrective_action", "prevention")
        .annotate(
            watched_by=ArraySubquery(watchers.order_by("pk").values("user__username")),
            agreed_by=ArraySubquery(given.order_by("pk").values("by__username")),
            gate_version=version_of_gate(),
        )
    )


def version_of_gate() -> Func:
    """The version of the gate that asked, out of the answers that were stored with the action; empty for none."""
    path = "'$[*] ? (@.rule == $why).version'::jsonpath"
    return Func(
        F("action__answers"),
        JSONObject(why=F("why")),
        template="jsonb_path_query_first(%(expressions)s)::text",
        arg_joiner=f", {path}, ",
        output_field=TextField(),
    )


def folded(items: QuerySet[ReviewItem], unfolded: str) -> QuerySet[Any]:
    """One line for each group and all of the unfolded one, groups in the order of their due times.

    A line is the item's key, then the group's key, size, first and last time, and the item's place in it.
    """
    over: dict[str, Any] = {"partition_by": [GROUP]}
    nth = Window(RowNumber(), order_by=["due_at", "pk"], **over)
    return (
        items.annotate(
            grouped=GROUP,
            size=Window(Count("pk"), **over),
            first=Window(Min("created_at"), **over),
            last=Window(Max("created_at"), **over),
            group_due=Window(Min("due_at"), **over),
            nth=nth,
            in_sight=Case(When(grouped=unfolded, then=Value(1)), default=nth),
        )
        .filter(in_sight__lte=1)
        .order_by("group_due", "grouped", "nth")
        .values_list("pk", "grouped", "size", "first", "last", "nth")
    )


def group_of(line: Sequence[Any], asked: Asked) -> Group | None:
    """The group whose line stands above this item; None for one that failed alone or is not the first of its group."""
    key, size, first, last, nth = line
    return Group(key, size, first, last, asked.group == key) if size > 1 and nth == 1 else None


def members(key: str, most: int) -> list[tuple[int, int, str]]:
    """Id, version of the action and preview hash of the failures of a group, nearest due first."""
    found = ReviewItem.objects.filter(chips.ACTIVE, action__state="failed").annotate(grouped=GROUP).filter(grouped=key)
    return list(found.order_by(*ORDER).values_list("pk", "action__state_version", "action__preview_hash")[:most])
