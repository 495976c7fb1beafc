"""Paging whoever is on call about Meshline itself: a fixed target, our own sentence, nothing of a customer.

Allowed while the stop is on, since the stop is when somebody has to come. A repeat with the same key is no second page
while the alert is open; the key carries the episode, so one that is over is never opened again.
"""

from collections.abc import Mapping
from typing import Any

from gates.types import Facts
from sync import providers
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.params import Text, Whole
from sync.errors import AuthError, PermanentError, TransientError
from sync.facts import Known
from sync.providers.base import Guard
from sync.providers.pagerduty import ACKNOWLEDGE, MOST_SUMMARY, OURS, RESOLVE, SEVERITIES, TRIGGER, PagerDuty
from sync.wiretypes import FrozenRequest

KIND, NAME, PREFIX = "alert", "pagerduty", "alert:"
SOURCE = "meshline"


def pager() -> PagerDuty:
    """The adapter, narrowed."""
    adapter = providers.get(NAME)
    assert isinstance(adapter, PagerDuty)
    return adapter


def dedup_key(alert: str, episode: int) -> str:
    """One episode of one alert."""
    return f"{OURS}alert:{alert}:{episode}"


class Alert(ActionKind):
    """Page, or say that it is over."""

    name, provider, verb = KIND, NAME, "Page the on-call"
    about_nobody = True
    patient = True
    is_offered = False
    irreversible_because = "a telephone that rang cannot be unrung"
    runbook = "on-call-not-paged"
    asks_for = {
        "alert": Text(80, pattern=r"[a-z0-9:_-]+"), "episode": Whole(),
        "event": Text(choices=(TRIGGER, ACKNOWLEDGE, RESOLVE)), "severity": Text(choices=SEVERITIES),
        "summary": Text(MOST_SUMMARY),
    }  # fmt: skip

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Nobody asks for one."""
        return "alerts are raised by Meshline itself"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The episode."""
        return f"{PREFIX}{params['alert']}:{params['episode']}"

    def lane(self, customer_id: int, business_key: str) -> str:
        """What ends an episode never overtakes what began it; no other alert waits for them."""
        return business_key.rpartition(":")[0]

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """Our own words."""
        return [{"system": "On-call", "field": str(params["event"]), "now": "-", "after": str(params["summary"])}]

    def freeze(self, work: Work) -> FrozenRequest:
        """The event. PermanentError where no key is set."""
        if not pager().config.get("routing_key"):
            words = "nobody can be paged; set MESHLINE_PAGERDUTY_ROUTING_KEY"
            raise PermanentError(words, provider=NAME, code="no_routing_key", never_sent=True)
        params = work.params
        key = dedup_key(str(params["alert"]), int(params["episode"]))
        if params["event"] != TRIGGER:
            return pager().close(key, str(params["event"]))
        return pager().page(
            key, str(params["summary"]), str(params["severity"]), source=SOURCE, kind=str(params["alert"]),
            at=work.facts.now, action_id=work.id,
        )  # fmt: skip

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Accepted there; that somebody came, only they can say."""
        try:
            response = pager().perform(request, guard, work.exchanges)
        except AuthError as error:  # a refused key is waited for like an outage: whoever mends it loses no page
            raise TransientError(
                error.message, provider=error.provider, status=error.status, code=error.code, exchange=error.exchange
            ) from error
        return Confirmation(str(response.json()["dedup_key"]), {"event": work.params["event"]})

    def look_up(self, work: Work) -> Found:
        """It cannot be asked for and need not be: while its alert is open, a repeat pages nobody."""
        return NotDone()
