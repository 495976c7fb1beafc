"""The review queue in Django's admin: its addresses, with our page behind them."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from gates.models import ReviewItem
from ledger.models import LedgerRow
from ledger.readonly import ReadOnlyAdmin
from meshline.console.ledger_list import LedgerRowAdmin
from meshline.console.page import Site
from meshline.console.pages import item
from meshline.console.queue import page


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnlyAdmin):
    """The list is the queue's own page; one item is shown like any record. Verbs live in `gates.review`."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReviewItem]:
        """One item with all that its page shows, in one look."""
        found: QuerySet[ReviewItem] = super().get_queryset(request)
        return found.select_related(*item.RELATED)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The queue."""
        return page.view(cast(Site, self.admin_site), request)


admin.site.register(LedgerRow, LedgerRowAdmin)
