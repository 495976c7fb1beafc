"""The page of an event: what arrived, byte for byte, and what was made of it."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from gates.models import ReviewItem
from gates.review import PERMISSIONS
from ledger import cells
from ledger.models import Action, Event, EventBody, LedgerRow
from ledger.readonly import page_of
from ledger.words import event_words, verdict_words
from meshline.console import bodies, parts
from meshline.console.page import Block, Page, Site, present

MOST_BODIES = 4
MODES: dict[bool | None, str] = {True: "live", False: "test", None: "not said"}
REPLAYABLE = ("processed", "ignored", "parked")


def build(request: HttpRequest, record: Event) -> Page:
    """Read everything about one event."""
    event = Event.objects.select_related("customer").get(pk=record.pk)
    rows = list(LedgerRow.objects.filter(correlation_id=event.correlation_id).order_by("id")[: parts.MOST])
    actions = list(Action.objects.filter(event=event).order_by("id")[: parts.MOST])
    items = ReviewItem.objects.filter(event=event).select_related("action")[:5]
    more = parts.list_of("ledger_ledgerrow", correlation=event.correlation_id)
    main = [
        _body(request, event),
        parts.actions(actions, "What it led to", "It called for no change in another system."),
        parts.items(items)
        if event.state == Event.State.PARKED and request.user.has_perm("gates.view_reviewitem")
        else None,
        parts.ledger_rows(rows, more, "Nothing was decided about it."),
        _related(event),
    ]
    return Page(
        title=f"{cells.system(event.source)}: {event_words(event.kind).lower()}",
        sentence=_sentence(event),
        tag=cells.tag(event.state, event.get_state_display()),
        line=_line(event),
        main=present(main),
        side=[_details(event)],
        back=(reverse("admin:ledger_event_changelist"), "Events"),
        correlation=str(event.correlation_id),
        template="console/event.html",
        more={"event": event, "replay": _replay(request, event)},
    )


def _sentence(event: Event) -> Any:
    if event.verdict:
        return cells.theirs(f"{verdict_words(event.verdict)}.", 300)
    if event.last_error:
        return cells.theirs(f"Not handled yet: {event.last_error}", 400)
    return {
        "received": "Stored. A worker takes it in a moment.",
        "processing": "A worker is on it.",
        "waiting": "Waits for information from another system; it is tried again by itself.",
    }.get(event.state, "")


def _line(event: Event) -> list[tuple[str, Any]]:
    line: list[tuple[str, Any]] = [
        ("Received", cells.moment(event.received_at, seconds=True)),
        ("Sent by the provider", cells.moment(event.occurred_at, seconds=True)),
        ("Customer", page_of(event.customer, cells.theirs(event.customer)) if event.customer else "not known yet"),
        ("Type", cells.code(event.type)),
    ]
    if event.deliveries > 1:
        line.append(("Deliveries", format_html("{} times; only the first one counts", event.deliveries)))
    if event.late:
        line.append(("Late", "came after its age limit; starts nothing irreversible by itself"))
    return line


def _body(request: HttpRequest, event: Event) -> Block:
    """Each different body that came under this event's id, side by side."""
    stored = list(EventBody.objects.filter(event_id=event.pk).order_by("id")[:MOST_BODIES])
    mask = not parts.may_see_personal(request)
    read = [bodies.read(bytes(one.raw), mask=mask) if one.erased_at is None else ([], "") for one in stored]
    odd = bodies.differing([nodes for nodes, _ in read])
    panels = [
        {
            "body": one,
            "nodes": nodes,
            "note": note,
            "size": len(one.raw),
            "sha": bytes(one.sha).hex()[:12],
            "headers": [(cells.plain(name, 60), cells.theirs(value, 200)) for name, value in one.headers.items()],
        }
        for one, (nodes, note) in zip(stored, read, strict=True)
    ]
    data = {"panels": panels, "differing": odd, "masked": mask, "event": event}
    return Block("What arrived", template="console/body.html", data=data, wide=True)


def _replay(request: HttpRequest, event: Event) -> dict[str, Any]:
    """The replay button, or why it is off."""
    if not request.user.has_perm(PERMISSIONS["replay"]):
        return {"allowed": False, "why_not": "your account may not replay events"}
    if event.state not in REPLAYABLE:
        return {
            "allowed": False,
            "why_not": f"it is {event.get_state_display().lower()}; only a finished event is replayed",
        }
    return {"allowed": True, "why_not": ""}


def _related(event: Event) -> Block | None:
    """Other events about the same object."""
    if not event.object_id:
        return None
    same = list(Event.objects.filter(object_id=event.object_id).exclude(pk=event.pk).order_by("-id")[:8])
    block = parts.events(
        same, parts.list_of("ledger_event", object=event.object_id), "No other event about this object."
    )
    block.title = "Other events about the same object"
    return block


def _details(event: Event) -> Block:
    took = f"{int((event.done_at - event.received_at).total_seconds() * 1000):,} ms" if event.done_at else cells.dash()
    return Block(
        "Details",
        pairs=[
            ("Event id", cells.code(event.provider_event_id)),
            ("Account", cells.code(event.account)),
            ("Object", cells.code(event.object_id)),
            ("Interface version", cells.code(event.api_version)),
            ("Mode there", MODES[event.livemode]),
            ("Caused by us", cells.code(event.origin_key)),
            ("Signature", "verified on the exact bytes"),
            ("Tries", event.attempts),
            ("Broke", event.crashes),
            ("Taken up", cells.moment(event.enqueued_at, seconds=True)),
            ("Done", cells.moment(event.done_at, seconds=True)),
            ("Took", took),
            ("Last error", cells.theirs(event.last_error, 300) if event.last_error else cells.dash()),
            ("Order of", cells.code(event.lane)),
        ],
    )


def download(site: Site, request: HttpRequest, event_id: int, body_id: int) -> HttpResponse:
    """The exact bytes as a file that no browser opens as anything but text."""
    if not parts.may_see_personal(request) or not request.user.has_perm("ledger.view_event"):
        raise PermissionDenied
    body = EventBody.objects.filter(event_id=event_id, pk=body_id, erased_at=None).first()
    if body is None:
        raise Http404("there is no such body, or it was erased")
    raw, as_hex = bytes(body.raw), request.GET.get("as") == "hex"
    content = bodies.hex_dump(raw).encode() if as_hex else raw
    response = HttpResponse(content, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = (
        f'attachment; filename="event-{event_id}-{body_id}.{"hex" if as_hex else "body"}.txt"'
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response
