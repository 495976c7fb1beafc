"""Who is who in Slack, and the message of each review item, as lists; nothing is edited in them."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from ledger import cells
from ledger.readonly import ReadOnlyAdmin, actor_names, choice, exact, of_states, page_of, since
from sync.slack import linking
from sync.slack.models import SlackAccount, SlackMessage


class SlackAccountAdmin(ReadOnlyAdmin):
    """Whose clicks count as whose decisions."""

    change_list_template = "console/slack_accounts.html"
    list_display = ("shown_user", "in_use", "identity", "workspace", "by", "linked")
    list_select_related = ("user",)
    list_title = "Slack accounts"
    finds = ("slack_user__exact", "user__username__exact")
    finds_text = "Slack id or user name"
    empty_text = (
        "Nobody is linked yet, so no click in Slack counts. Link an account here, or with the command link_slack."
    )

    def dress(self, rows: list[Any]) -> None:
        """Who linked them, by name."""
        names = actor_names(one.linked_by for one in rows)
        for one in rows:
            one.linker = names[one.linked_by]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With a door to the form, for who may link."""
        return super().changelist_view(request, {"may_link": request.user.has_perm(linking.PERMISSION)})

    @admin.display(description="Account")
    def shown_user(self, one: SlackAccount) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.theirs(one.user.get_username(), 80))

    @admin.display(description="In use")
    def in_use(self, one: SlackAccount) -> SafeString:
        """A click of somebody whose account is out of use counts for nothing."""
        user: User = one.user
        return cells.tag("processed", "Yes") if user.is_active else cells.tag("failed", "Out of use")

    @admin.display(description="Slack id")
    def identity(self, one: SlackAccount) -> SafeString:
        """Theirs in the workspace."""
        return cells.code(one.slack_user)

    @admin.display(description="Workspace")
    def workspace(self, one: SlackAccount) -> SafeString:
        """Which one."""
        return cells.code(one.team)

    @admin.display(description="Linked by")
    def by(self, one: Any) -> str:
        """Who said so."""
        return cells.plain(one.linker, 80)

    @admin.display(description="Since")
    def linked(self, one: SlackAccount) -> SafeString:
        """When."""
        return cells.moment(one.linked_at)


class SlackMessageAdmin(ReadOnlyAdmin):
    """What stands in Slack about each item, and what could not be written."""

    list_display = ("planned", "about", "place", "condition", "trouble", "tried")
    list_select_related = ("item",)
    list_filter = (
        choice("state", "State", of_states("state", SlackMessage.State.choices)),
        choice("trouble", "Trouble", {"yes": ("With an error", ~Q(last_error=""))}),
        choice("when", "Planned", since("created_at")),
        exact("item", "Item", "item_id"),
    )
    list_title = "Slack messages"
    finds = ("item__exact", "channel__exact", "ts__exact")
    finds_text = "Item number, channel or time stamp"
    empty_text = (
        "No message yet. One is written for each open item whose group has a channel (MESHLINE_SLACK_CHANNELS)."
    )

    @admin.display(description="Planned")
    def planned(self, one: SlackMessage) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.moment(one.created_at, seconds=True))

    @admin.display(description="Item")
    def about(self, one: SlackMessage) -> SafeString:
        """What it is about."""
        return page_of(one.item)

    @admin.display(description="Channel")
    def place(self, one: SlackMessage) -> SafeString:
        """Where it stands, or will."""
        return cells.code(one.channel)

    @admin.display(description="State")
    def condition(self, one: SlackMessage) -> SafeString:
        """How far it is."""
        return message_tag(one)

    @admin.display(description="Last error")
    def trouble(self, one: SlackMessage) -> SafeString:
        """What went wrong last."""
        return cells.theirs(one.last_error, 120) if one.last_error else cells.dash()

    @admin.display(description="Tries")
    def tried(self, one: SlackMessage) -> str:
        """Calls since the last one that went well."""
        return f"{one.tries:,}"


TAGS = {"planned": "waiting", "sending": "waiting", "posted": "processed", "unknown": "unknown", "failed": "failed"}


def message_tag(one: SlackMessage) -> SafeString:
    """The state of a message, and whether it is behind its item."""
    behind = one.state == SlackMessage.State.POSTED and one.dirty and not one.closed
    return cells.tag("waiting" if behind else TAGS[one.state], "To be rewritten" if behind else one.get_state_display())
