"""Erasures as a list: who asked for which customer to be forgotten, and how far that came. Nothing is edited here."""

from django.contrib import admin
from django.utils.safestring import SafeString

from ledger import cells
from ledger.readonly import ReadOnlyAdmin, choice, of_states, page_of
from sync.erasure.models import Erasure


class ErasureAdmin(ReadOnlyAdmin):
    """Each customer who was, or is to be, forgotten."""

    list_display = ("asked", "by", "standing", "due", "done", "rows", "reason")
    list_filter = (choice("state", "State", of_states("state", Erasure.State.choices)),)
    list_select_related = ("asked_by",)
    list_title = "Erasures"
    empty_text = "Nobody asked to be forgotten. Somebody who does is erased with the command erase_person."

    @admin.display(description="Asked")
    def asked(self, one: Erasure) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.moment(one.asked_at))

    @admin.display(description="By")
    def by(self, one: Erasure) -> str:
        """Who asked for it here."""
        return cells.plain(one.asked_by.get_username(), 60)

    @admin.display(description="State")
    def standing(self, one: Erasure) -> SafeString:
        """Whether it is over."""
        return cells.tag("applied" if one.state == Erasure.State.DONE else "waiting", one.get_state_display())

    @admin.display(description="Due")
    def due(self, one: Erasure) -> SafeString:
        """By when it has to be over."""
        return cells.moment(one.due_at)

    @admin.display(description="Done")
    def done(self, one: Erasure) -> SafeString:
        """When it was."""
        return cells.moment(one.done_at) if one.done_at else cells.dash()

    @admin.display(description="Rows emptied")
    def rows(self, one: Erasure) -> str:
        """How many rows of all tables lost something."""
        return f"{sum(one.counts.values()):,}"
