"""Differences and runs as lists: nothing is edited here, verbs have their own door."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from gates.presets_groups import GROUPS
from ledger import cells, clock
from ledger.readonly import ReadOnlyAdmin, choice, exact, of_states, page_of
from sync.reconcile import checks, words
from sync.reconcile.ending import COMPARED
from sync.reconcile.models import Delta, ReconcileRun
from sync.reconcile.runs import PERMISSION

LIVE = (Delta.State.OPEN, Delta.State.ACKNOWLEDGED, Delta.State.ASSIGNED)
TONES = {"open": "in_review", "acknowledged": "approved", "assigned": "approved", "resolved": "applied"}


def state_tag(one: Delta) -> SafeString:
    """The state in words; whether it is gone or waits for somebody."""
    return cells.tag(TONES.get(str(one.state), ""), one.get_state_display())


def run_tag(one: ReconcileRun) -> SafeString:
    """How a run ended; a failed one never looks like one that found nothing."""
    if one.finished_at is None:
        return cells.tag("waiting", "Running")
    if one.outcome == ReconcileRun.Outcome.FAILED:
        return cells.tag("failed", "Failed, nothing compared")
    if one.outcome == ReconcileRun.Outcome.PARTIAL:
        return cells.tag("failed", "Partial, see what was not compared")
    if one.flagged:
        return cells.tag("failed", "Flagged: over 2 % differ")
    return cells.tag("applied", "Agree") if one.outcome == "agree" else cells.tag("in_review", "Differ")


def counts_words(one: ReconcileRun) -> str:
    """The differences of a run by class."""
    return words.counts_words(one.counts, one.check_name) or "none"


def owner_words(one: Delta) -> SafeString:
    """Whose turn it is."""
    return cells.theirs(one.owner.get_username() if one.owner else one.owner_group, 60)


def last_runs() -> list[dict[str, Any]]:
    """The newest run of each check, for the head of both lists."""
    found = ReconcileRun.objects.order_by("check_name", "-id").distinct("check_name")
    newest = {run.check_name: run for run in found}
    rows = [(checks.CHECKS[name], newest.get(name)) for name in checks.possible()]
    return [
        {"check": check, "run": run, "tag": run_tag(run) if run else "", "counts": counts_words(run) if run else ""}
        for check, run in rows
    ]


def _older(hours: int) -> Any:
    return lambda request: Q(first_seen_at__lt=clock.now() - timedelta(hours=hours))


AGES = {
    "new": ("Under 24 hours", lambda request: Q(first_seen_at__gte=clock.now() - timedelta(hours=24))),
    "day": ("Over 24 hours", _older(24)), "week": ("Over 7 days", _older(168)),
}  # fmt: skip
OWNERS = {
    "me": ("Me", lambda request: Q(owner=request.user)),
    "nobody": ("Nobody yet", Q(owner=None)),
    **{name: (name, Q(owner_group=name)) for name in GROUPS},
}


CLASSES = of_states("kind", [(kind, capfirst(words.class_words(kind, "customers"))) for kind in Delta.Kind.values])


class ReconcileList(ReadOnlyAdmin):
    """Both lists have the last runs on top."""

    change_list_template = "console/reconcile_list.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list under the last run of each check, with the button to run it again."""
        more = {"last_runs": last_runs(), "may_run": request.user.has_perm(PERMISSION), "compared": COMPARED}
        return super().changelist_view(request, {**more, **(extra_context or {})})


class DeltaAdmin(ReconcileList):
    """What differs, and who sees to it."""

    list_display = ("shown_id", "what", "whose", "about", "shown_state", "shown_owner", "decides", "since", "seen")
    list_filter = (
        choice(
            "state", "State", {"live": ("Not settled", Q(state__in=LIVE))} | of_states("state", Delta.State.choices)
        ),
        choice("class", "Class", CLASSES),
        choice("owner", "Owner", OWNERS),
        choice("check", "Check", {name: (one.title, Q(check_name=name)) for name, one in checks.CHECKS.items()}),
        choice("age", "Age", AGES),
        choice("fix", "Fix", {"asked": ("Asked for", Q(action_id__isnull=False))}),
        exact("field", "Field", "field", str),
        exact("run", "Found in run", "last_run_id"),
        exact("customer", "Customer", "customer_id"),
    )
    list_select_related = ("owner", "customer")
    list_title = "Differences"
    finds = ("pk__exact",)
    finds_text = "External id, or the id of a deal, organization or ERP customer, in full"
    empty_text = "No difference was found so far. Both sides are compared each night, or by “Run now” of who may."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Any id it is about, in full; `D-12` for its own number."""
        term = search_term.strip().replace("\x00", "")[:255]
        if not term:
            return queryset, False
        own = term.upper().removeprefix("D-")
        is_own = term.upper() != own and own.isascii() and own.isdigit() and len(own) < 18
        found = Q(ids__contains=[term]) | Q(ids__contains=[term.lower()])
        return queryset.filter(Q(pk=int(own)) if is_own else found), False

    @admin.display(description="Difference")
    def shown_id(self, one: Delta) -> SafeString:
        """The door to the page."""
        return page_of(one)

    @admin.display(description="Class")
    def what(self, one: Delta) -> str:
        """Its class, and the field or the side."""
        return words.title(one)

    @admin.display(description="Customer")
    def whose(self, one: Delta) -> Any:
        """Who it is, where we know."""
        return page_of(one.customer, cells.theirs(one.customer, 60)) if one.customer else cells.dash()

    @admin.display(description="Record")
    def about(self, one: Delta) -> SafeString:
        """What both sides know it by."""
        return cells.code(one.key, keep=12)

    @admin.display(description="State")
    def shown_state(self, one: Delta) -> SafeString:
        """Where it stands."""
        return state_tag(one)

    @admin.display(description="Owner")
    def shown_owner(self, one: Delta) -> SafeString:
        """Whose turn it is."""
        return owner_words(one)

    @admin.display(description="Whose word counts")
    def decides(self, one: Delta) -> Any:
        """The system that owns the field."""
        return cells.system(one.owner_system) if one.owner_system else cells.dash()

    @admin.display(description="Since")
    def since(self, one: Delta) -> SafeString:
        """When it was first found."""
        return cells.ago(one.first_seen_at)

    @admin.display(description="Seen")
    def seen(self, one: Delta) -> SafeString:
        """How often it was found."""
        return format_html("{}×", one.times_seen)


class ReconcileRunAdmin(ReconcileList):
    """Each comparison, with what it found."""

    list_display = ("started", "what", "shown_state", "rows", "found", "share", "moved", "took")
    list_filter = (
        choice("check", "Check", {name: (one.title, Q(check_name=name)) for name, one in checks.CHECKS.items()}),
        choice("outcome", "Outcome", of_states("outcome", [one for one in ReconcileRun.Outcome.choices if one[0]])),
        choice("flagged", "Flagged", {"yes": ("Over 2 %", Q(flagged=True))}),
    )
    list_title = "Reconciliation runs"
    empty_text = "No comparison was made yet. There is one each night, or by “Run now” of who may."

    @admin.display(description="Started")
    def started(self, one: ReconcileRun) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.moment(one.started_at, seconds=True))

    @admin.display(description="Check")
    def what(self, one: ReconcileRun) -> str:
        """What was compared."""
        return checks.title(one.check_name)

    @admin.display(description="Outcome")
    def shown_state(self, one: ReconcileRun) -> SafeString:
        """How it ended."""
        return run_tag(one)

    @admin.display(description="Records, first and second system")
    def rows(self, one: ReconcileRun) -> str:
        """How many took part."""
        return f"{one.left_rows:,}, {one.right_rows:,}"

    @admin.display(description="Differences")
    def found(self, one: ReconcileRun) -> Any:
        """By class."""
        return counts_words(one) if one.outcome in COMPARED else cells.dash()

    @admin.display(description="Of records")
    def share(self, one: ReconcileRun) -> Any:
        """The share of records that differ."""
        return f"{one.mismatch_permille / 10:.1f} %" if one.outcome in COMPARED else cells.dash()

    @admin.display(description="Opened, closed")
    def moved(self, one: ReconcileRun) -> str:
        """What it changed in the list of differences."""
        return f"{one.opened}, {one.closed}"

    @admin.display(description="Took")
    def took(self, one: ReconcileRun) -> Any:
        """From begun to ended."""
        return cells.length(one.finished_at - one.started_at) if one.finished_at else cells.dash()
