"""Who is who in Slack: linking an account, taking the link away, and the pages of both kinds of records."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates.stop import Refused
from ledger import cells
from ledger.readonly import actor_names, page_of
from ledger.words import from_identifier
from meshline.console import form_fields
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site
from sync.slack import linking
from sync.slack.lists import message_tag
from sync.slack.models import SlackAccount, SlackMessage

ACCOUNTS, MESSAGES = "admin:sync_slackaccount_changelist", "admin:sync_slackmessage_changelist"
NEEDS = f"Your account may not do that; it needs {linking.PERMISSION}."


def link(site: Site, request: HttpRequest) -> HttpResponse:
    """The form, and what it sends."""
    user: Any = request.user
    if not user.has_perm(linking.PERMISSION):
        if request.method == "POST" and (known := _account(request)) is not None:
            _refused(lambda: linking.link(known, "", by=user))
        raise PermissionDenied
    if request.method != "POST":
        return _form(site, request)
    known = _account(request)
    try:
        if known is None:
            raise Refused(422, "user", "user: there is no account of this name")
        made = linking.link(known, form_fields.text(request, "slack_user").strip(), by=user)
    except Refused as refusal:
        return _form(site, request, refusal)
    messages.success(request, f"{made.slack_user} in Slack is {known.get_username()} from now on.")
    return HttpResponseRedirect(reverse(ACCOUNTS))


def unlink(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """Take a link away. An address that is only followed does nothing: it shows the account."""
    if not request.user.has_perm("sync.view_slackaccount"):
        raise PermissionDenied
    found = SlackAccount.objects.select_related("user").filter(pk=key).first()
    if found is None:
        raise Http404("there is no such Slack account")
    if request.method != "POST":
        return site.show(request, found)
    user: Any = request.user
    try:
        linking.unlink(found.user, by=user)
    except Refused as refusal:
        raise PermissionDenied from refusal
    messages.success(request, f"Not linked any more: {found.user.get_username()}.")
    return HttpResponseRedirect(reverse(ACCOUNTS))


def _account(request: HttpRequest) -> User | None:
    name = form_fields.text(request, "user").strip()[:150]
    return User.objects.filter(username=name).first() if name else None


def _refused(call: Any) -> None:
    """Have the service say no, so that the ledger has its row."""
    try:
        call()
    except Refused:
        return


def _form(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    fields = [
        Field("user", "User name here", longest=150),
        Field(
            "slack_user", "Slack id", longest=32, help="On their profile in Slack: ⋮, Copy member ID. Like U024BE7LH"
        ),
    ]
    shown = form_fields.filled(fields, request, refusal)
    context = {
        "title": "Link a Slack account", "fields": shown, "refusal": refusal,
        "placed": any(one.error for one in shown),
    }  # fmt: skip
    return site.draw(request, "console/slack_link.html", context, refusal.status if refusal else 200)


def account(request: HttpRequest, record: SlackAccount) -> Page:
    """One identity and the account it acts for."""
    one = SlackAccount.objects.select_related("user").get(pk=record.pk)
    user: User = one.user
    groups = ", ".join(sorted(user.groups.values_list("name", flat=True))) or "no group"
    return Page(
        title=f"{one.slack_user} in Slack",
        sentence=f"A click of this Slack user is a decision of {cells.plain(user.get_username(), 80)}.",
        tag=cells.tag("processed", "In use") if user.is_active else cells.tag("failed", "Out of use"),
        line=[
            ("Account", cells.theirs(user.get_username(), 80)),
            ("Groups", cells.plain(groups, 300)),
            ("Workspace", cells.code(one.team)),
            ("Linked by", cells.plain(actor_names([one.linked_by])[one.linked_by], 80)),
            ("Since", cells.moment(one.linked_at, seconds=True)),
        ],
        back=(reverse(ACCOUNTS), "Slack accounts"),
        template="console/slack_account.html",
        more={"key": one.pk, "may_link": request.user.has_perm(linking.PERMISSION), "why_not": NEEDS},
    )


def message(request: HttpRequest, record: SlackMessage) -> Page:
    """The message of one item: where it stands, what it shows, what went wrong."""
    one = SlackMessage.objects.select_related("item").get(pk=record.pk)
    return Page(
        title=f"Message about {one.item}",
        sentence=STATES[one.state],
        tag=message_tag(one),
        line=[
            ("Item", page_of(one.item)),
            ("Channel", cells.code(one.channel)),
            ("Time stamp", cells.code(one.ts) if one.ts else cells.dash()),
            ("Shows version", cells.code(one.shown) if one.shown else cells.dash()),
            ("First tried", cells.moment(one.sent_at, seconds=True)),
        ],
        main=[
            Block(
                "Last error",
                pairs=[
                    ("What", cells.theirs(one.last_error, 300)),
                    ("Calls since one went well", f"{one.tries:,}"),
                    ("Next look", cells.dash() if one.closed else cells.moment(one.available_at, seconds=True)),
                ]
                if one.last_error
                else (),
                empty="Nothing went wrong.",
                wide=True,
            )
        ],
        side=[
            Block(
                "Details",
                pairs=[
                    ("Marker", cells.code(str(one.marker))),
                    ("Rewritten", "no more, it is settled" if one.closed else "with each change of the item"),
                    ("Searches for a lost one", f"{one.looks:,}"),
                ],
            )
        ],
        back=(reverse(MESSAGES), from_identifier("slack_messages")),
    )


STATES = {
    "planned": "It will be posted; a channel takes about one message a second.",
    "sending": "It is being posted.",
    "posted": "It stands in the channel.",
    "unknown": "The answer was lost. It is looked for in the channel before anything is posted a second time.",
    "failed": "It is not posted: it was settled before, or Slack refused it. The item is in the queue all the same.",
}
