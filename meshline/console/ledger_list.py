"""The ledger as a list: search by any id, and pages that cost the same at both ends of a million rows."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gates.models import ReviewItem
from ledger import cells, journal
from ledger.models import LedgerRow
from ledger.readonly import CURSORS, KeysetList, ReadOnlyAdmin, actor_names, page_of
from ledger.words import decision_words, state_words, subject_words
from meshline.console import ledger_filters
from meshline.console.ledger_filters import FILTERS
from meshline.console.parts import may_see_personal

LONGEST = 255
SPAN = 100_000  # rows looked through for one page of a filter that no index serves


class LedgerList(KeysetList):
    """Pages by key. A filter without an index looks through so many rows a page, and says how far it came."""

    first: str | None = None
    last: str | None = None
    looked: tuple[int, int] | None = None
    further: str | None = None

    def get_results(self, request: HttpRequest) -> None:
        """One page, and the way to both ends."""
        after, before = self._cursor(request, "after"), self._cursor(request, "before")
        if ledger_filters.is_sparse(self.params):
            self._take(self._upward(after) if after is not None else self._downward(before))
        else:
            super().get_results(request)
            if after == 0:
                self.older = None
            self.last = self._address("after", 0) if self.older else None
        self.first = self.get_query_string({}, list(CURSORS)) if self.newer else None
        if not self.query and not self.has_active_filters:
            self.count_text = journal.about()

    def _take(self, found: list[LedgerRow]) -> None:
        cast(ReadOnlyAdmin, self.model_admin).dress(found)
        self.result_list, self.result_count, self.full_result_count = found, len(found), None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.paginator = Paginator(found, self.list_per_page)

    def _downward(self, before: int | None) -> list[LedgerRow]:
        """The page below a row: what fits among the next hundred thousand."""
        size, top = self.list_per_page, before if before is not None else self._newest() + 1
        bottom = max(top - SPAN, 0)
        found = list(self.queryset.filter(pk__lt=top, pk__gte=bottom)[: size + 1])
        if len(found) > size:
            self.older = self._address("before", found[size - 1].pk)
        elif bottom > 1 and self._goes_on_below(bottom):
            self.looked, self.further = (bottom, top - 1), self._address("before", bottom)
        if before is not None:
            self.newer = self._address("after", found[0].pk if found else top - 1)
        return found[:size]

    def _upward(self, after: int) -> list[LedgerRow]:
        """The page above a row, in the same way."""
        size, top = self.list_per_page, after + SPAN
        found = list(self.queryset.filter(pk__gt=after, pk__lte=top).order_by("pk")[: size + 1])
        if len(found) > size:
            self.newer = self._address("after", found[size - 1].pk)
        elif top < self._newest():
            self.newer = self._address("after", top)
        shown = found[:size][::-1]
        self.older = self._address("before", shown[-1].pk if shown else after + 1)
        return shown

    def _newest(self) -> int:
        return LedgerRow.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def _goes_on_below(self, bottom: int) -> bool:
        """Whether the time that is asked for goes on below this row."""
        below = LedgerRow.objects.filter(pk__lt=bottom).order_by("-pk").values_list("recorded_at", flat=True).first()
        since = ledger_filters.begins(self.params)
        return below is not None and (since is None or below >= since - journal.SLACK)


class LedgerRowAdmin(ReadOnlyAdmin):
    """What was decided, by whom and what came of it; nobody can change a row, the database refuses it."""

    change_list_template = "console/ledger_list.html"
    list_display = ("number", "at", "subject", "decided", "by", "step", "result", "correlation", "proof", "latency")
    list_filter = FILTERS
    finds = ("pk__exact",)
    list_title = "Ledger"
    finds_text = "Any id in full: correlation id, action, event, invoice, charge, ticket, customer, e-mail, RV-12, #123"
    empty_text = "No row in this range. The ledger begins with the first decision."

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, and what can be made of the rows that its filters leave."""
        kept = QueryDict(mutable=True)
        kept.update({key: str(value) for key, value in request.GET.items() if key not in CURSORS and value})
        more = {
            "kept": kept,
            "thread": journal.as_uuid(kept.get("correlation", "")),
            "may_export": request.user.has_perm("ledger.export_ledger"),
            "may_personal": may_see_personal(request),
        }
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The ledger's own pages."""
        return LedgerList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Whatever id was typed, through indexed look-ups; nothing is ever scanned for it."""
        term = search_term.strip()
        if not term:
            return queryset, False
        unusable = "\x00" in term or len(term) > LONGEST  # no column holds such an id
        found = None if unusable else _item(term) or journal.look_up(term)
        return (queryset.filter(found.rows) if found else queryset.none()), False

    def dress(self, rows: list[LedgerRow]) -> None:
        """The people behind a page of rows, in one look-up."""
        names = actor_names(row.actor for row in rows)
        for row in rows:
            row.actor_name = names.get(row.actor, row.actor)  # type: ignore[attr-defined]

    @admin.display(description="Row")
    def number(self, one: LedgerRow) -> SafeString:
        """The door to the page."""
        return page_of(one, f"#{one.pk}")

    @admin.display(description="Time")
    def at(self, one: LedgerRow) -> SafeString:
        """When it was written."""
        return cells.moment(one.recorded_at, seconds=True)

    @admin.display(description="About")
    def subject(self, one: LedgerRow) -> SafeString:
        """What the row is about, and the amount where money moves."""
        about = format_html("{} {}", subject_words(one.subject_kind).capitalize(), cells.code(one.subject_id, keep=8))
        if one.amount_minor is None:
            return about
        return format_html("{}, {}", about, cells.amount(one.amount_minor, one.currency))

    @admin.display(description="Decision")
    def decided(self, one: LedgerRow) -> str:
        """The decision in words."""
        return decision_words(one.decision)

    @admin.display(description="By")
    def by(self, one: LedgerRow) -> SafeString:
        """Who decided."""
        return cells.theirs(getattr(one, "actor_name", one.actor), 40)

    @admin.display(description="Before → after")
    def step(self, one: LedgerRow) -> SafeString:
        """The edge of the state graph."""
        if one.prior_state == one.post_state:
            return format_html('<span class="quiet">stays {}</span>', state_words(one.post_state))
        return format_html(
            "{} → {}", state_words(one.prior_state), cells.tag(one.post_state, state_words(one.post_state))
        )

    @admin.display(description="Outcome")
    def result(self, one: LedgerRow) -> SafeString:
        """What came of it, with the error and the mode where they matter."""
        said = [state_words(one.outcome)] if one.outcome else []
        said += [one.error_code] if one.error_code else []
        said += [one.mode] if one.mode != "live" else []
        return cells.theirs(", ".join(said), 80) if said else cells.dash()

    @admin.display(description="Correlation")
    def correlation(self, one: LedgerRow) -> SafeString:
        """The thread through everything, as a door to its story."""
        if one.correlation_id is None:
            return cells.dash()
        return cells.link(chain_of(one.correlation_id), cells.code(one.correlation_id, keep=8))

    @admin.display(description="Confirmed by")
    def proof(self, one: LedgerRow) -> SafeString:
        """The provider's own id for what it did."""
        return cells.code(one.confirmation_id, keep=10) if one.confirmation_id else cells.dash()

    @admin.display(description="Latency")
    def latency(self, one: LedgerRow) -> Any:
        """How long it took."""
        return f"{one.latency_ms} ms" if one.latency_ms is not None else cells.dash()


def _item(term: str) -> journal.Found | None:
    """`RV-12` is an item: its thread."""
    number = term[3:] if term[:3].upper() == "RV-" else ""
    if not (number.isascii() and number.isdigit() and len(number) < 13):
        return None
    item = ReviewItem.objects.filter(pk=int(number)).first()
    if item is None:
        return None
    thread = item.correlation_id
    return journal.Found("item", Q(correlation_id=thread) if thread else Q(action_id=item.action_id))


def chain_of(thread: Any) -> str:
    """The address of the story of one correlation id."""
    return reverse("admin:ledger_chain", args=[thread])


def page_admin() -> "LedgerRowAdmin":
    """The list's admin, for pages that show the same rows in another way."""
    return cast(LedgerRowAdmin, admin.site.get_model_admin(LedgerRow))
