"""What the deal in the CRM is told: our external id, how far billing is, and a note that people read."""

from collections.abc import Mapping
from typing import Any

from gates.playbooks import onboarding
from gates.types import Facts
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.errors import PermanentError
from sync.facts import Known
from sync.onboarding.reading import crm
from sync.providers.base import Guard
from sync.providers.pipedrive import deal_id_from, marked, marker, note_from
from sync.wiretypes import FrozenRequest

RUNBOOK = "deal-not-ready"
# Our word -> the option of the CRM's field.
STATUSES = {onboarding.INVOICED: "Billed", onboarding.FLAGGED: "Blocked"}


class DealChange(ActionKind):
    """Something said on a deal."""

    provider = "pipedrive"
    needs = ("deal",)
    risk = onboarding.MARK
    runbook = RUNBOOK

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """There is a deal."""
        return "" if known.refs.deal else "no deal is linked to this contract"

    def lane(self, customer_id: int, business_key: str) -> str:
        """One deal at a time; no other deal of the customer waits for it."""
        return f"{super().lane(customer_id, '')}:{':'.join(business_key.split(':')[:2])}"

    def deal_key(self, known: Known, word: str, status: Any) -> str:
        """What it is about."""
        return f"deal:{known.refs.deal}:{word}:{status}"


class Annotate(DealChange):
    """Our own fields of the deal: saying the same twice changes nothing."""

    name, verb = "deal.annotate", "Mark deal"
    irreversible_because = "colleagues may have acted on it; the next step of the deal says something else"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The deal and what it is marked with."""
        return self.deal_key(known, "status", params.get("status"))

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The status field."""
        now = (facts.deal.billing_status if facts.deal else "") or "-"
        return [{"system": "CRM", "field": "billing status", "now": now, "after": STATUSES[str(params["status"])]}]

    def freeze(self, work: Work) -> FrozenRequest:
        """External id and status; the label of blocked deals comes and goes with the status."""
        deal = crm().deal(work.known.refs.deal, work.exchanges)
        if deal is None:
            raise PermanentError("the deal is gone", provider=self.provider, status=404, code="gone", never_sent=True)
        label = crm().label_id(str(crm().config.get("flag_label") or ""), work.exchanges)
        labels = [label] if label else []
        is_flagged = work.params["status"] == onboarding.FLAGGED
        return crm().change_deal(
            deal, crm().fields("deal", work.exchanges), self.wanted(work), action_id=work.id,
            add_labels=labels if is_flagged else (), remove_labels=() if is_flagged else labels,
        )  # fmt: skip

    def wanted(self, work: Work) -> dict[str, str]:
        """Our fields and the values they shall have."""
        return {"external_id": work.known.refs.external_id, "billing_status": STATUSES[str(work.params["status"])]}

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The answer must be the deal; then it is read."""
        response = crm().perform(request, guard, work.exchanges)
        if deal_id_from(response) != work.known.refs.deal:
            raise response.unreadable("the answer is another deal")
        found = self.look_up(work)
        if isinstance(found, NotDone):
            raise response.unreadable("taken, but the deal does not show it")
        return found

    def look_up(self, work: Work) -> Found:
        """Read the deal."""
        deal = crm().deal(work.known.refs.deal, work.exchanges)
        if deal is None:
            raise PermanentError("the deal is gone", provider=self.provider, status=404, code="gone")
        wanted = self.wanted(work)
        if (deal.external_id, deal.billing_status) != (wanted["external_id"], wanted["billing_status"]):
            return NotDone()
        return Confirmation(deal.id, {"status": deal.billing_status, "external_id": deal.external_id})


class Note(DealChange):
    """A note of ours on the deal, found again by the marker at its end; a repeat is looked for first."""

    name, verb = "deal.note", "Add note to deal"
    irreversible_because = "a note stays on its deal; a further note can correct it"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The deal and what is said."""
        return self.deal_key(known, "note", params.get("status"))

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The text."""
        return [{"system": "CRM", "field": "note", "now": "-", "after": str(params.get("text", ""))[:300]}]

    def freeze(self, work: Work) -> FrozenRequest:
        """The words of the proposal."""
        return crm().add_note(work.known.refs.deal, str(work.params["text"]), marker(work.id), action_id=work.id)

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The answer must be a note of this deal with our marker."""
        if work.is_repeat:
            found = self.look_up(work)
            if not isinstance(found, NotDone):
                return found
        response = crm().perform(request, guard, work.exchanges)
        note = note_from(response)
        if note.deal_id not in ("", work.known.refs.deal) or marker(work.id) not in note.content:
            raise response.unreadable("the answer is another note")
        return Confirmation(note.id, {"deal": work.known.refs.deal})

    def look_up(self, work: Work) -> Found:
        """Look for the marker among the deal's notes."""
        found = marked(crm().notes(work.known.refs.deal, work.exchanges), marker(work.id))
        return Confirmation(found.id, {"deal": work.known.refs.deal}) if found else NotDone()
