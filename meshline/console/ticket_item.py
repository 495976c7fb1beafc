"""What the page of a review item shows of its ticket: the suggested answer, and the note with which one takes over."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString

from gates.models import Handoff, ReviewItem, Ticket, TicketKind
from gates.stop import Refused
from gates.tickets import ITEM_KIND, kinds
from ledger import cells
from ledger.models import Action, ExternalId
from ledger.readonly import page_of
from meshline.console import form_fields, ticket_pages
from meshline.console.page import Block, Site
from sync import providers
from sync.tickets import handoff, starting

TICKETS = ("ticket", "customer_ticket")


def block(item: ReviewItem) -> Block | None:
    """Which ticket is meant and, where its kind has one, the answer that is suggested; None for other items."""
    if item.kind != ITEM_KIND:
        return None
    kept: Mapping[str, Any] = item.evidence if isinstance(item.evidence, Mapping) else {}
    ticket = Ticket.objects.select_related("customer").filter(number=str(kept.get("ticket", ""))).first()
    if ticket is None:
        return None
    kind = TicketKind.objects.filter(name=kept.get("ticket_kind", ""), version=kept.get("version", 0)).first()
    pairs = [
        ("Ticket", link(ticket.number)), ("State there", ticket_pages.state_tag(ticket)),
        ("Changed there", cells.ago(ticket.stamp)), ("Opened again", f"{ticket.reopened} times"),
    ]  # fmt: skip
    if ticket.kind:
        pairs.append(("Kind", cells.link(ticket_pages.address(ticket.kind), ticket.kind)))
    note = "nothing is sent from here; answer it in the support desk"
    return Block("Ticket", pairs=pairs, text=_suggested(ticket, kind), wide=True, note=note)


def _suggested(ticket: Ticket, kind: TicketKind | None) -> str:
    """The reply of the kind as this customer would get it, to be copied; what nothing is known for stays a variable."""
    if kind is None or not kind.reply:
        return ""
    name = cells.plain(ticket.customer.name, 120) if ticket.customer else ""
    return f"Suggested answer:\n\n{kinds.fill(kind.reply, {**starting.values_of(ticket), kinds.LATE: name})}"


def link(number: str) -> SafeString:
    """The ticket in the support desk."""
    home = str(providers.get("zendesk").config.get("base_url", "")).rstrip("/")
    if not home.startswith("https://"):
        return cells.code(number)
    return cells.link(f"{home}/agent/tickets/{number}", f"ticket {number}")


def note(item: ReviewItem, request: HttpRequest, links: Sequence[ExternalId]) -> Block | None:
    """The note on the ticket: whether it was written, else the button that writes it; None where no ticket is known.

    `item` was read with its handoff, and `links` of its customer: nothing is read here while there is no note.
    """
    done: Handoff | None = getattr(item, "handoff", None)
    if done is not None:
        action = Action.objects.filter(pk=done.action_id).first()
        who = done.by.get_username() if done.by else "somebody"
        pairs: list[tuple[str, Any]] = [
            ("Written on", link(done.ticket)), ("By", cells.theirs(who, 40)), ("When", cells.moment(done.created_at)),
            ("Overridden by", f"{len(done.override)} people" if done.override else "Nobody"),
        ]  # fmt: skip
        if action is not None:
            pairs.append(("State of the note", page_of(action, action.get_state_display())))
        return Block("Note on the ticket", pairs=pairs, anchor="ticket-note")
    if not handoff.named(item) and not any(one.system == "zendesk" and one.kind in TICKETS for one in links):
        return None
    data = {
        "url": reverse("admin:ticket_handoff", args=[item.pk]), "version": item.state_version,
        "may": request.user.has_perm(handoff.PERMISSION),
    }  # fmt: skip
    return Block("Note on the ticket", template="console/ticket_note.html", data=data, anchor="ticket-note")


def write(site: Site, request: HttpRequest, item_id: int) -> HttpResponse:
    """Write the note of an item on its ticket; by POST only."""
    here = reverse("admin:gates_reviewitem_change", args=[item_id])
    if request.method != "POST":
        return HttpResponseRedirect(f"{here}#ticket-note")
    user: Any = request.user
    try:
        handoff.permit(item_id, user)
        kept = handoff.send(item_id, by=user, version=form_fields.number(request, "version", most=10**9))
    except Refused as refusal:
        if refusal.status == 403:
            raise PermissionDenied(refusal.message) from None
        found = ReviewItem.objects.filter(pk=item_id).first()
        if found is None:
            return site.draw(request, "404.html", {"title": "Not found"}, 404)
        return site.show(request, found, status=refusal.status, refusal=refusal)
    messages.success(request, f"The note goes on ticket {kept.ticket}: internal, the customer does not see it.")
    return HttpResponseRedirect(f"{here}#ticket-note")
