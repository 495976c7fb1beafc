"""What every list of records shares: nothing can be edited, paging by key, filters with fixed choices."""

import uuid
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ClassVar, Protocol, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, SuspiciousOperation, ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from ledger import cells, clock
from ledger.words import actor_words

PERSONAL = "ledger.view_eventbody"  # who may read bodies may read names and addresses in full
CURSORS = ("before", "after")
MOST_FOUND = 500


class Pages(Protocol):
    """What the site that shows these lists offers: a page for one record."""

    def show(self, request: HttpRequest, record: models.Model) -> HttpResponse:
        """Draw the page of one record."""
        ...


class Choice(admin.SimpleListFilter):
    """A filter with fixed choices, so that no list is ever scanned for its values; unknown values find nothing."""

    template = "console/filter.html"
    options: ClassVar[dict[str, tuple[str, Any]]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """The choices in the order they are shown."""
        return [(key, label) for key, (label, _) in self.options.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow by the choice made."""
        value = self.value()
        if value is None:
            return queryset
        if value not in self.options:
            return queryset.none()
        wanted = self.options[value][1]
        return queryset.filter(wanted(request) if callable(wanted) else wanted)


def choice(
    parameter: str, label: str, options: dict[str, tuple[str, Any]], base: type[Choice] = Choice
) -> type[Choice]:
    """A filter class of these options: value -> (label, Q or function of the request giving one)."""
    return type(
        f"{parameter.title()}Filter", (base,), {"title": label, "parameter_name": parameter, "options": options}
    )


def of_states(field: str, states: Iterable[tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    """Options for each state of a field."""
    return {str(value): (str(label), Q(**{field: value})) for value, label in states}


def of_systems(field: str) -> dict[str, tuple[str, Any]]:
    """Options for each system that is configured."""
    return {name: (cells.system(name), Q(**{field: name})) for name in settings.MESHLINE_PROVIDERS}


class Exact(admin.SimpleListFilter):
    """A filter that links set and people do not choose: rows of one customer, one action, one correlation id."""

    template = "console/filter.html"
    field = ""
    cast: Callable[[str], Any] = int

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Only what is set now, so that it can be seen and cleared."""
        value = self.used_parameters.get(str(self.parameter_name))
        return [(value, cells.plain(value, 40))] if value else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows with exactly this value; nothing for a value that cannot be one."""
        value = self.value()
        if value is None:
            return queryset
        if "\x00" in value:  # no column holds it, and the database refuses to be asked
            return queryset.none()
        try:
            return queryset.filter(**{self.field or str(self.parameter_name): type(self).cast(value)})
        except (ValueError, OverflowError):
            return queryset.none()


def exact(parameter: str, label: str, field: str, cast: Callable[[str], Any] = int) -> type[Exact]:
    """An Exact filter class."""
    names = {"title": label, "parameter_name": parameter, "field": field, "cast": staticmethod(cast)}
    return type(f"Exact{parameter.title()}", (Exact,), names)


def since(field: str) -> dict[str, tuple[str, Any]]:
    """Options for a time range."""

    def after(hours: int) -> Callable[[HttpRequest], Q]:
        return lambda request: Q(**{f"{field}__gte": clock.now() - timedelta(hours=hours)})

    return {"hour": ("Last hour", after(1)), "day": ("Last 24 hours", after(24)), "week": ("Last 7 days", after(168))}


class KeysetList(ChangeList):
    """A list that pages by the key of its last row and never counts: as quick at the far end as at the start."""

    newer: str | None = None
    older: str | None = None

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Everything but the cursors, which are no filters."""
        return {key: value for key, value in super().get_filters_params(params).items() if key not in CURSORS}

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Newest first, whatever the address asks for."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """One page and one row more, which says whether there is another page."""
        size = self.list_per_page
        before, after = (self._cursor(request, name) for name in CURSORS)
        rows = self.queryset
        if after is not None:
            found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
            more_newer, more_older, found = len(found) > size, True, found[:size][::-1]
        else:
            found = list((rows.filter(pk__lt=before) if before is not None else rows)[: size + 1])
            more_newer, more_older, found = before is not None, len(found) > size, found[:size]
        cast(ReadOnlyAdmin, self.model_admin).dress(found)
        self.result_list, self.result_count, self.full_result_count = found, len(found), None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.paginator = Paginator(found, size)
        if found:
            self.newer = self._address("after", found[0].pk) if more_newer else None
            self.older = self._address("before", found[-1].pk) if more_older else None

    def _cursor(self, request: HttpRequest, name: str) -> Any:
        value = request.GET.get(name)
        if not value:
            return None
        try:
            return self.model._meta.pk.to_python(value)
        except ValidationError as error:
            raise SuspiciousOperation(f"{name} is not the key of a row") from error

    def _address(self, cursor: str, pk: Any) -> str:
        return self.get_query_string({cursor: str(pk)}, list(CURSORS))


class ReadOnlyAdmin(admin.ModelAdmin):
    """Records are looked at, never edited: no add, change or delete for anybody, superusers included."""

    change_list_template = "console/list.html"
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_display_links = None
    actions = None
    list_title = ""
    empty_text = "Nothing here yet."
    finds: tuple[str, ...] = ()
    finds_text = ""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: records come from what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: a correction is a new action or a new row."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Keyset paging unless a list says otherwise."""
        return KeysetList

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """What is searched, by exact match on indexed columns."""
        return self.finds

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only the filters of this list: no field can be reached by its name in the address."""
        return lookup in {getattr(one, "parameter_name", "") for one in self.list_filter}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows where one of `finds` is exactly (or begins with, where it says so) what was typed."""
        term = search_term.strip()
        if not term:
            return queryset, False
        keys: set[Any] = set()
        for lookup in self.finds:  # one indexed look-up each: an OR over several columns would scan
            value = fitting(self.model, lookup, term)
            if value is not None:
                keys.update(
                    self.model._default_manager.filter(**{lookup: value}).values_list("pk", flat=True)[:MOST_FOUND]
                )
        return queryset.filter(pk__in=keys), False

    def dress(self, rows: list[Any]) -> None:
        """Read for a whole page what its rows need beyond themselves."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list under its own title."""
        more = {
            "title": self.list_title or str(self.opts.verbose_name_plural).capitalize(),
            "empty_text": self.empty_text,
        }
        return super().changelist_view(request, {**more, "finds_text": self.finds_text, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one record. Unknown and forbidden records look alike to those who may not see any."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        record = self.get_object(request, object_id)
        if record is None:
            raise Http404(f"there is no {self.opts.verbose_name} {cells.plain(object_id, 60)}")
        return cast(Pages, self.admin_site).show(request, record)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What happened to a record is on its page."""
        return self.change_view(request, object_id)


def fitting(model: type[models.Model], lookup: str, term: str) -> Any:
    """The typed text as a value of the column it is looked for in; None when it cannot be one."""
    try:
        value = _column(model, lookup).to_python(term)
    except (FieldDoesNotExist, ValidationError, ValueError):
        return None
    return None if isinstance(value, int) and not 0 <= value < 2**63 else value


def _column(model: type[models.Model], lookup: str) -> Any:
    """The column at the end of a look-up's path, the key where the path ends at another record."""
    names = lookup.split("__")[:-1]
    field: Any = model._meta.pk if names[0] == "pk" else model._meta.get_field(names[0])
    for name in names[1:]:
        field = field.related_model._meta.get_field(name)
    return field.target_field if field.is_relation else field


def page_of(record: models.Model | None, text: Any = None) -> SafeString:
    """A link to the page of a record."""
    if record is None or record.pk is None:
        return cells.dash()
    meta = record._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[record.pk])
    return cells.link(url, text if text is not None else str(record))


def actor_names(actors: Iterable[str]) -> dict[str, str]:
    """Who stands behind the actors of a page of rows, people by name, in one look-up."""
    wanted = set(actors)
    names = {actor: actor_words(actor) for actor in wanted}
    keys = [int(key) for kind, _, key in (actor.partition(":") for actor in wanted) if kind == "user" and key.isdigit()]
    people = User.objects.filter(pk__in=keys).values_list("pk", "username") if keys else ()
    return names | {f"user:{pk}": name for pk, name in people}


def as_uuid(value: str) -> uuid.UUID:
    """The text as UUID, or ValueError."""
    return uuid.UUID(value)
