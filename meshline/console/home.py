"""Home: in five seconds, whether to worry and where to click. Every number is a link to the list that makes it."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest
from django.urls import reverse

from gates.cells import ORDER
from gates.models import ReviewItem
from ledger import cells, clock
from ledger.models import Action, Event
from meshline.console import governance_cards, parts, workers
from meshline.console.home_card import Card
from sync.models import DrainSlot, JobRun, ProviderState
from sync.modes import is_test

WAITING_STATES = ("received", "waiting", "processing")
IN_DOUBT = ("failed", "unknown", "held", "parked", "approved", "sending")


def context(request: HttpRequest) -> dict[str, Any]:
    """Everything on the page; blocks a person may not see are absent."""
    may = request.user.has_perm
    now = clock.now()
    shown: dict[str, Any] = {"cards": [], "computed_at": now}
    if may("gates.view_reviewitem"):
        shown["cards"] += queue_cards()
        active = ReviewItem.objects.exclude(state="resolved").select_related("customer", "action", "owner")
        shown["next_items"] = active.order_by(*ORDER)[:8]
    if may("ledger.view_action"):
        shown["cards"] += action_cards()
    if may("ledger.view_event"):
        shown["cards"] += event_cards()
        shown["last_events"] = list(Event.objects.select_related("customer").order_by("-id")[:6])
        shown["is_new"] = not shown["last_events"]
    shown["cards"] += governance_cards.cards(request)
    if may("sync.view_providerstate"):
        shown["systems"] = systems()
    shown["workers"] = worker_line(may("sync.view_drainslot"))
    shown["steps"] = set_up(shown) if shown.get("is_new") else []
    return shown


def queue_cards() -> list[Card]:
    """What waits for people."""
    now, queue = clock.now(), reverse("admin:gates_reviewitem_changelist")
    active = ReviewItem.objects.exclude(state="resolved")
    seen = active.aggregate(
        all=Count("id"),
        oldest=Min("created_at"),
        late=Count("id", filter=Q(due_at__lt=now)),
        soon=Count("id", filter=Q(due_at__gte=now, due_at__lt=now + timedelta(hours=1))),
    )
    oldest = f"oldest {cells.length(now - seen['oldest'])}" if seen["oldest"] else "nobody waits for you"
    return [
        Card("Waiting for a person", seen["all"], queue, oldest, "review items that are not resolved"),
        Card(
            "Late",
            seen["late"],
            f"{queue}?due=late",
            f"{seen['soon']} more due within 1 h" if seen["soon"] else "none due within 1 h",
            "review items past their due time",
            "red" if seen["late"] else "",
            f"{queue}?due=hour" if seen["soon"] else "",
        ),
    ]


def action_cards() -> list[Card]:
    """What is in doubt, and what waits for time or for the stop."""
    now = clock.now()
    rows = (
        Action.objects.filter(state__in=IN_DOUBT)
        .order_by()
        .values("state")
        .annotate(n=Count("id"), next=Min("available_at"), since=Min("unknown_since"))
    )
    seen: dict[str, Any] = {row["state"]: row for row in rows}
    nothing = {"n": 0, "next": None, "since": None}
    count = {state: seen.get(state, nothing)["n"] for state in IN_DOUBT}
    unknown, due = seen.get("unknown", nothing)["since"], seen.get("held", nothing)["next"]
    return [
        Card(
            "Failed",
            count["failed"],
            _actions("failed"),
            f"{count['unknown']} unknown" + (f", since {cells.length(now - unknown)}" if unknown else ""),
            "actions the provider refused; unknown ones were sent and their answer was lost",
            "red" if count["failed"] else "",
            _actions("unknown"),
            "amber" if count["unknown"] else "",
        ),
        Card(
            "Held for time",
            count["held"],
            _actions("held"),
            f"next {'in ' + cells.length(due - now) if due > now else 'now'}" if due else "none planned",
            "actions that wait until a safety window is over",
        ),
        Card(
            "On their way",
            count["approved"] + count["sending"],
            _actions("approved"),
            f"{count['parked']} held by the stop" if count["parked"] else "none held by the stop",
            "actions approved or being sent; confirmed ones are not counted",
            "",
            _actions("parked") if count["parked"] else "",
            "red" if count["parked"] else "",
        ),
    ]


def _actions(state: str) -> str:
    return parts.list_of("ledger_action", state=state)


def event_cards() -> list[Card]:
    """What arrived and is not handled yet."""
    now = clock.now()
    unhandled = Event.objects.filter(state__in=(*WAITING_STATES, "parked"))
    is_waiting = Q(state__in=WAITING_STATES)
    waiting = unhandled.aggregate(
        n=Count("id", filter=is_waiting), oldest=Min("received_at", filter=is_waiting),
        parked=Count("id", filter=Q(state="parked")),
    )  # fmt: skip
    parked = waiting["parked"]
    old = waiting["oldest"] and now - waiting["oldest"] > timedelta(minutes=5)
    return [
        Card(
            "Events to handle",
            waiting["n"],
            parts.list_of("ledger_event", state="received"),
            f"{parked} only a person can read"
            if parked
            else (f"oldest {cells.length(now - waiting['oldest'])}" if waiting["n"] else "all handled"),
            "events received and not finished",
            "amber" if old else "",
            parts.list_of("ledger_event", state="parked") if parked else "",
            "amber" if parked else "",
        )
    ]


def systems() -> list[dict[str, Any]]:
    """Each configured system, used or not."""
    known = {one.provider: one for one in ProviderState.objects.all()}
    made = []
    for name, provider in settings.MESHLINE_PROVIDERS.items():
        state, test = known.get(name), is_test(name, provider)
        opened = state is not None and state.breaker == ProviderState.Breaker.OPEN
        made.append(
            {
                "name": cells.system(name),
                "state": state,
                "test": test,
                "open": opened,
                "tag": cells.tag("failed", "Paused")
                if opened
                else (
                    cells.tag("running", "Working")
                    if state and state.last_success_at
                    else cells.tag("", "Not used yet")
                ),
                "detail": cells.ago(state.probe_at if opened else state.last_success_at) if state else "",
                "word": "next try" if opened else "last answer",
            }
        )
    return made


def worker_line(visible: bool) -> dict[str, Any]:
    """The workers' last sign of life, and the schedule's."""
    slots = list(DrainSlot.objects.all())
    last, run = workers.newest(slots), JobRun.objects.aggregate(at=Max("started_at"))["at"]
    return {
        "tag": workers.tag(slots),
        "silent": workers.silent(slots),
        "seen": cells.ago(last.seen_at) if last else "never",
        "visible": visible,
        "job": cells.ago(run) if run else "never",
    }


def set_up(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """What to do on a new installation, each with its state."""
    secrets = [
        (name, bool(settings.MESHLINE_SECRETS.get(str(one["webhook_secrets"]))))
        for name, one in settings.MESHLINE_PROVIDERS.items()
        if one["webhook_secrets"]  # nothing is delivered by the others
    ]
    missing = ", ".join(cells.system(name) for name, there in secrets if not there)
    return [
        {
            "done": not missing,
            "text": "Set the signing secrets of the webhooks",
            "detail": f"missing: {missing}" if missing else "every source has one",
            "url": "",
        },
        {
            "done": not shown["workers"]["silent"],
            "text": "Start the workers",
            "detail": "manage.py serve, or manage.py runjobs",
            "url": reverse("admin:workers"),
        },
        {
            "done": False,
            "text": "Send the first webhook",
            "detail": "from the provider's own page, to /webhooks/<source>/",
            "url": reverse("admin:sync_refusal_changelist"),
        },
        {
            "done": False,
            "text": "Choose how far each automation is trusted",
            "detail": "they begin in shadow and send nothing",
            "url": reverse("admin:gates_automation_changelist"),
        },
        {
            "done": False,
            "text": "Press the emergency stop once",
            "detail": "on a quiet day, and resume with a second person",
            "url": reverse("admin:stop"),
        },
    ]
