"""One message in the chat for each episode of an alert: posted when it begins, written anew when it is over.

Our own words, nothing of a customer, to channels that are set: allowed while the stop is on, as pages are. The message
carries a marker made of alert and episode; it is looked for before anything is posted a second time.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.urls import reverse

from gates.types import Facts
from ledger.cells import utc
from sync import providers
from sync.actions.alert import PREFIX
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.params import Text, Whole
from sync.errors import AuthError, PermanentError, TransientError
from sync.facts import Known
from sync.providers.base import Guard
from sync.providers.pagerduty import RESOLVE, SEVERITIES, TRIGGER
from sync.providers.slack import Posted, Slack, posted_from
from sync.slack import blocks
from sync.wiretypes import FrozenRequest

KIND, NAME = "alert.message", "slack"
BEFORE = timedelta(minutes=1)  # its clock and ours
STORM = "storm"  # the alert that stands for many


def chat() -> Slack:
    """The adapter, narrowed."""
    adapter = providers.get(NAME)
    assert isinstance(adapter, Slack)
    return adapter


def channel_for(owner: str) -> str:
    """Where an owner's alerts go: the channel of alerts, else the owner's own, else any; empty where there is none."""
    config = settings.MESHLINE_PROVIDERS.get(NAME, {})
    channels: Mapping[str, str] = config.get("channels") or {}
    chosen = config.get("alert_channel") or channels.get(owner) or next(iter(channels.values()), "")
    return str(chosen)


def marker_of(params: Mapping[str, Any]) -> str:
    """What the message of an episode is found by."""
    return str(uuid5(NAMESPACE_URL, f"meshline:{params['alert']}:{params['episode']}"))


class AlertMessage(ActionKind):
    """Say in the chat that an alert is on, or that it is over."""

    name, provider, verb = KIND, NAME, "Tell the chat of an alert"
    about_nobody = True
    is_offered = False
    patient = True
    says = ()
    irreversible_because = "what was read stays read"
    runbook = "on-call-not-paged"
    asks_for = {
        "alert": Text(80, pattern=r"[a-z0-9:_-]+"), "episode": Whole(), "event": Text(choices=(TRIGGER, RESOLVE)),
        "severity": Text(choices=SEVERITIES), "summary": Text(300), "channel": Text(32), "owner": Text(80),
        "number": Whole(), "since": Text(40),
    }  # fmt: skip

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Nobody asks for one."""
        return "alerts are told by Meshline itself"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The episode."""
        return f"{PREFIX}{params['alert']}:{params['episode']}"

    def lane(self, customer_id: int, business_key: str) -> str:
        """What ends an episode never overtakes what began it; no other alert, and nothing else, waits for them."""
        return f"chat:{business_key.rpartition(':')[0]}"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """Our own words."""
        return [{"system": "Chat", "field": str(params["event"]), "now": "-", "after": str(params["summary"])}]

    def freeze(self, work: Work) -> FrozenRequest:
        """A new message; or the one that stands, written anew. One that is gone is posted as over."""
        content, channel = render(work.params, work.facts.now), str(work.params["channel"])
        place = self._place(work) if work.params["event"] == RESOLVE else None
        if place is not None:
            return chat().update_message(place.channel, place.ts, content)
        return chat().post_message(channel, content, marker_of(work.params))

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Where it stands. A refused token is waited for like an outage: whoever mends it loses no message."""
        try:
            place = posted_from(chat().perform(request, guard, work.exchanges))
        except AuthError as error:
            raise patiently(error) from error
        return Confirmation(place.ts, {"channel": place.channel, "event": work.params["event"]})

    def look_up(self, work: Work) -> Found:
        """By its marker. Writing the same words once more changes nothing, so an end is simply written again."""
        place = self._place(work)
        if place is None or work.params["event"] == RESOLVE:
            return NotDone()
        return Confirmation(place.ts, {"channel": place.channel, "event": work.params["event"]})

    def _place(self, work: Work) -> Posted | None:
        since = datetime.fromisoformat(str(work.params["since"])) - BEFORE
        try:
            return chat().find(str(work.params["channel"]), marker_of(work.params), since, work.exchanges)
        except AuthError as error:
            raise patiently(error) from error


def patiently(error: PermanentError) -> TransientError:
    """A refusal of our credentials as what it is for an alert: nobody can be told until it is mended."""
    return TransientError(
        error.message, provider=error.provider, status=error.status, code=error.code, exchange=error.exchange
    )


def render(params: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The message: what, how bad, since when, whose, and where to look."""
    is_over = params["event"] == RESOLVE
    title = f"Over: {params['summary']}" if is_over else f"{str(params['severity']).capitalize()}: {params['summary']}"
    since = utc(datetime.fromisoformat(str(params["since"])))
    when = f"{since} to {utc(now)}" if is_over else f"since {since}"
    base = str(settings.MESHLINE_PROVIDERS.get(NAME, {}).get("console_url") or "")
    made = [blocks.section(title), blocks.context(f"{params['owner']}, {when}, alert {params['alert']}")]
    if base:
        many = params["alert"] == STORM
        path = reverse("admin:alerts") if many else reverse("admin:alert", args=[params["number"]])
        made.append(blocks.buttons("alert", [blocks.button("open_alert", "Open", url=f"{base}{path}")]))
    return {"text": blocks.escaped(title, blocks.FALLBACK), "blocks": made}
