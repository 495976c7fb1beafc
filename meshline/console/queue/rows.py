"""The rows of one page of the queue, read in one statement, and the groups that failures make."""

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
from meshline.console.queue.address import Asked

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
    wanted = dressed(asked.items(), asked.user)
    if groups_failures(asked):
        wanted = folded(wanted, asked.group)
    else:
        wanted = wanted.order_by(*(["-pk"] if asked.is_ended else ORDER))
    start = (min(asked.page, DEEPEST) - 1) * PAGE
    found: list[Any] = list(wanted[start : start + PAGE + 1])
    for one in found:
        one.group = group_of(one, asked)
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


def folded(items: QuerySet[Any], unfolded: str) -> QuerySet[Any]:
    """One row for each group and all rows of the unfolded one, groups in the order of their due times."""
    over: dict[str, Any] = {"partition_by": [GROUP]}
    nth = Window(RowNumber(), order_by=["due_at", "pk"], **over)
    return (
        items.annotate(
            grouped=GROUP,
            group_size=Window(Count("pk"), **over),
            group_first=Window(Min("created_at"), **over),
            group_last=Window(Max("created_at"), **over),
            group_due=Window(Min("due_at"), **over),
            nth=nth,
            in_sight=Case(When(grouped=unfolded, then=Value(1)), default=nth),
        )
        .filter(in_sight__lte=1)
        .order_by("group_due", "grouped", "nth")
    )


def group_of(item: Any, asked: Asked) -> Group | None:
    """The group whose line stands above this item; None for one that failed alone or is not the first of its group."""
    if getattr(item, "group_size", 1) < 2 or (item.nth != 1 and asked.group == item.grouped):
        return None
    return Group(item.grouped, item.group_size, item.group_first, item.group_last, asked.group == item.grouped)


def members(key: str, most: int) -> list[tuple[int, int, str]]:
    """Id, version of the action and preview hash of the failures of a group, nearest due first."""
    found = ReviewItem.objects.filter(chips.ACTIVE, action__state="failed").annotate(grouped=GROUP).filter(grouped=key)
    return list(found.order_by(*ORDER).values_list("pk", "action__state_version", "action__preview_hash")[:most])
