"""A probe of a drill: walks the whole way of a write up to its last look at the stop, and then sends nothing.

It is about the internal customer that drills use. Whether the look let it through, and when, is all it says.
"""

from collections.abc import Mapping

from gates.types import Facts
from ledger import clock
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.params import Whole
from sync.facts import Known
from sync.providers.base import Guard
from sync.wiretypes import FrozenRequest

KIND, PREFIX = "drill.probe", "drill:"
NAME = "stripe"  # where money moves: whose turn, breaker and scope of the stop a probe answers to. It is sent nothing


class Probe(ActionKind):
    """Stand where a write would begin, and say whether it might have."""

    name, provider, verb = KIND, NAME, "Probe the emergency stop"
    about_customer = True
    is_offered = False
    irreversible_because = "nothing is changed, so there is nothing to undo"
    runbook = "drill-failed"
    asks_for = {"drill": Whole(), "number": Whole()}

    def unfit(self, known: Known, params: Mapping[str, object]) -> str:
        """Nobody asks for one."""
        return "probes are made by a drill"

    def business_key(self, known: Known, params: Mapping[str, object]) -> str:
        """The drill and the probe's number."""
        return f"{PREFIX}{params['drill']}:{params['number']}"

    def lane(self, customer_id: int, business_key: str) -> str:
        """Probes do not wait for each other."""
        return business_key

    def preview(self, facts: Facts, params: Mapping[str, object]) -> Preview:
        """Nothing changes."""
        return [{"system": "Drill", "field": "probe", "now": "-", "after": f"number {params['number']}"}]

    def freeze(self, work: Work) -> FrozenRequest:
        """What would be sent, were it sent."""
        return FrozenRequest(NAME, "NONE", f"/probes/{work.params['drill']}/{work.params['number']}", (), "")

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The last look at the stop, and the moment it let this through. Raises WriteHalted."""
        guard()
        return Confirmation(f"probe-{work.id}", {"began_at": clock.now().isoformat()})

    def look_up(self, work: Work) -> Found:
        """Nothing was sent, so nothing is there."""
        return NotDone()
