"""What waits for people, and what judges: the review queue, automations and gates. Verbs live in `gates.review`."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates.cells import ORDER, customer_cell, item_tag, row_words
from gates.models import Automation, GateVersion, ReviewItem
from ledger import cells, clock
from ledger.readonly import Choice, ReadOnlyAdmin, as_uuid, choice, exact, page_of
from ledger.words import KINDS, WHYS, kind_words, why_words

MOST_COUNTED = 1000
ACTIVE = ~Q(state="resolved")

STATES: dict[str, tuple[str, Any]] = {
    "open": ("Open", Q(state="open")),
    "claimed": ("Claimed", Q(state="claimed")),
    "waiting": ("Waiting", Q(state="snoozed")),
    "unknown": ("Outcome unknown", ACTIVE & Q(action__state="unknown")),
    "failed": ("Failed", ACTIVE & Q(action__state="failed")),
    "ended": ("Ended", Q(state="resolved")),
    "every": ("All, ended ones too", Q()),
}
OWNERS: dict[str, tuple[str, Any]] = {
    "me": ("Mine", lambda request: Q(owner=request.user)),
    "group": (
        "My group's",
        lambda request: Q(owner_group__in=list(request.user.groups.values_list("name", flat=True))),
    ),
    "nobody": ("Nobody yet", Q(owner=None)),
    "others": ("Somebody else", lambda request: Q(owner__isnull=False) & ~Q(owner=request.user)),
}
DUE: dict[str, tuple[str, Any]] = {
    "late": ("Late", lambda request: Q(due_at__lt=clock.now())),
    "hour": ("Late or due within 1 h", lambda request: Q(due_at__lt=clock.now() + cells.SOON)),
}


class StateChoice(Choice):
    """What is still to be decided, unless something else is asked for."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Active items by default: what ended would bury them."""
        return queryset.filter(ACTIVE) if self.value() is None else super().queryset(request, queryset)


class Capped(Paginator):
    """Counts up to a limit: nobody pages through more, and counting all would cost more than the list."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most one more than the limit."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: MOST_COUNTED + 1].count()


class QueueList(ChangeList):
    """The next thing to decide is on top: late ones, then the nearest due time, then the larger customer."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """The order of work, whatever the address asks for; what ended comes newest first, by its key alone."""
        return ["-id"] if request.GET.get("state") in ("ended", "every") else list(ORDER)

    def get_results(self, request: HttpRequest) -> None:
        """A page that is too far is the last page, not an error."""
        paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        page = paginator.get_page(self.page_num)
        self.page_num, self.paginator = page.number, paginator
        self.result_list, self.result_count, self.full_result_count = list(page), paginator.count, None
        self.show_full_result_count = self.can_show_all = False
        self.multi_page = paginator.num_pages > 1
        self.newer = self.get_query_string({"p": page.number - 1}) if page.has_previous() else None
        self.older = self.get_query_string({"p": page.number + 1}) if page.has_next() else None
        more = "more than " if paginator.count > MOST_COUNTED else ""
        self.count_text = f"{more}{min(paginator.count, MOST_COUNTED):,}"


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnlyAdmin):
    """The queue of what waits for a person."""

    list_display = ("item", "shown_state", "what", "of_customer", "why_here", "money", "sla", "shown_owner")
    list_filter = (
        choice("state", "State", STATES, StateChoice),
        choice("kind", "What", {kind: (kind_words(kind), Q(kind=kind)) for kind in KINDS}),
        choice("why", "Why here", {why: (words.capitalize(), Q(why=why)) for why, words in WHYS.items()}),
        choice("owner", "Owner", OWNERS),
        choice("due", "Due", DUE),
        exact("customer", "Customer", "customer_id"),
        exact("correlation", "Correlation id", "correlation_id", as_uuid),
    )
    list_select_related = ("customer", "action", "owner")
    list_title = "Review queue"
    paginator = Capped
    finds = (
        "pk__exact",
        "correlation_id__exact",
        "action__exact",
        "customer__external_id__exact",
        "customer__name__startswith",
    )
    finds_text = "RV number, correlation id, action id, or the beginning of the customer's name"
    empty_text = "Nothing waits for a person. What Meshline may do by itself, it does."

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The queue's own order."""
        return QueueList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """`RV-12` is the number 12."""
        term = search_term.strip()
        return super().get_search_results(request, queryset, term[3:] if term[:3].upper() == "RV-" else term)

    @admin.display(description="Item")
    def item(self, one: ReviewItem) -> SafeString:
        """The door to the page."""
        return page_of(one)

    @admin.display(description="State")
    def shown_state(self, one: ReviewItem) -> SafeString:
        """What the item waits for: a decision, or what its action turned out to be."""
        return item_tag(one)

    @admin.display(description="What")
    def what(self, one: ReviewItem) -> SafeString:
        """What would be done; the whole sentence in the title."""
        return format_html('<span title="{}">{}</span>', cells.plain(one.sentence, 300), kind_words(one.kind))

    @admin.display(description="Customer")
    def of_customer(self, one: ReviewItem) -> SafeString:
        """Whom it concerns, with the letter of the tier."""
        return customer_cell(one)

    @admin.display(description="Why here")
    def why_here(self, one: ReviewItem) -> SafeString:
        """Why a person is asked."""
        return format_html('<span title="{}">{}</span>', cells.plain(one.reason or one.why), why_words(one.why))

    @admin.display(description="Amount")
    def money(self, one: ReviewItem) -> SafeString:
        """What it is about in money."""
        return cells.amount(one.amount_minor, one.currency) if one.amount_minor is not None else cells.dash()

    @admin.display(description="Due")
    def sla(self, one: ReviewItem) -> SafeString:
        """Time left."""
        return cells.due(one.due_at, over=one.state == ReviewItem.State.RESOLVED)

    @admin.display(description="Owner")
    def shown_owner(self, one: ReviewItem) -> SafeString:
        """Who has it, else whose turn it is."""
        if one.owner is not None:
            return cells.theirs(one.owner.get_username(), 40)
        return format_html('<span class="quiet">{}</span>', cells.plain(one.owner_group, 40))


@admin.register(Automation)
class AutomationAdmin(ReadOnlyAdmin):
    """What acts by itself, and how far it is trusted."""

    list_display = (
        "shown_title",
        "shown_state",
        "shown_version",
        "owner_group",
        "fallback_group",
        "source",
        "destination",
        "until",
    )
    empty_text = "No automation is installed."

    @admin.display(description="Automation")
    def shown_title(self, one: Automation) -> SafeString:
        """The door to the page."""
        return page_of(one)

    @admin.display(description="Stage")
    def shown_state(self, one: Automation) -> SafeString:
        """How far it is trusted."""
        return cells.tag(one.state, one.get_state_display())

    @admin.display(description="Version")
    def shown_version(self, one: Automation) -> str:
        """The version that judges now."""
        return f"v{one.version}"

    @admin.display(description="Enabled until")
    def until(self, one: Automation) -> SafeString:
        """The end of its timebox."""
        return cells.moment(one.enabled_until)


@admin.register(GateVersion)
class GateVersionAdmin(ReadOnlyAdmin):
    """What holds an action back; a change is a new version."""

    list_display = ("shown_title", "answer", "condition", "for_kinds", "message", "since", "ended")
    list_filter = (
        choice(
            "now", "In force", {"yes": ("In force", Q(retired_at=None)), "no": ("Retired", Q(retired_at__isnull=False))}
        ),
        choice("result", "Answer", {key: (label, Q(result=key)) for key, label in GateVersion.Result.choices}),
    )
    empty_text = "No gate: only the built-in rules judge."

    @admin.display(description="Gate")
    def shown_title(self, one: GateVersion) -> SafeString:
        """The door to the page."""
        return page_of(one)

    @admin.display(description="Answer")
    def answer(self, one: GateVersion) -> SafeString:
        """What it does when it fires."""
        return cells.tag(one.result, one.get_result_display())

    @admin.display(description="When")
    def condition(self, one: GateVersion) -> SafeString:
        """Its rows in words."""
        return format_html_join(" and ", "{}", ((row_words(row),) for row in one.rows))

    @admin.display(description="For")
    def for_kinds(self, one: GateVersion) -> str:
        """The kinds of action it looks at."""
        return ", ".join(kind_words(kind) for kind in one.applies_to) or "every action"

    @admin.display(description="In force since")
    def since(self, one: GateVersion) -> SafeString:
        """Since when it judges."""
        return cells.moment(one.valid_from)

    @admin.display(description="Retired")
    def ended(self, one: GateVersion) -> SafeString:
        """When it stopped judging."""
        return cells.moment(one.retired_at)
