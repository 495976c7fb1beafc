"""A client of the CRM as a customer of the ERP: made once under our external id, brought in line where it exists.

What the ERP owns is sent with the record itself and never again; of one that exists only our own fields are written.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from gates.playbooks import onboarding
from gates.types import Facts
from sync import mappings
from sync.actions.base import Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.erp_write import ErpWrite
from sync.errors import ConflictError, PermanentError, UnconfirmedError
from sync.facts import Known
from sync.onboarding import blocks
from sync.onboarding.reading import erp
from sync.providers import netsuite_records as records
from sync.providers.base import Guard
from sync.wiretypes import FrozenRequest

SHOWN = (
    "company", "e-mail", "tax registration", "subsidiary", "payment terms", "currency", "onboarding code",
)  # fmt: skip


class ErpRecord(ErpWrite):
    """A record of the ERP under an external id of ours, marked with the action that wrote it."""

    needs = onboarding.LIVE_BLOCKS
    remake_on_conflict = True
    remake_on_change = True
    record = ""
    sublist = ""

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """A deal is behind it."""
        return "" if known.refs.deal else "no deal is linked to this contract"

    @abstractmethod
    def external_id(self, known: Known) -> str:
        """What the record is found by."""

    def fields(self, work: Work, *, is_new: bool) -> dict[str, Any]:
        """What is sent. Raises PermanentError that names the field where something cannot be."""
        known = work.known.blocks
        given = blocks.given(known["deal"], known["account"], meshline_action=work.id, **self.more(work))
        fields, faults = mappings.fill("netsuite", self.record, given, is_new=is_new)
        if faults:
            told = "; ".join(f"{field} {fault}" for field, fault in faults)
            raise PermanentError(told[:300], provider=self.provider, code="not_mappable", never_sent=True)
        return fields

    def more(self, work: Work) -> dict[str, Any]:
        """Further values for the mapping, the system's name before the first underscore."""
        return {}

    def exists(self, work: Work) -> bool:
        """Whether there was a record under our external id when it was read last."""
        return False

    def freeze(self, work: Work) -> FrozenRequest:
        """The whole record, or just our own fields of one that is there."""
        key = work.id if erp().config.get("async") else ""
        eid, is_new = self.external_id(work.known), not self.exists(work)
        fields = self.fields(work, is_new=is_new)
        if not is_new:
            return records.patch(self.record, eid, fields, async_key=key)
        return records.put(self.record, eid, self.bare(fields), replace=self.sublist, async_key=key)

    def bare(self, fields: dict[str, Any]) -> dict[str, Any]:
        """What says what sort of record it is."""
        return fields


class Create(ErpRecord):
    """One customer for each client, however many deals it signs and however often it is asked."""

    name, verb = "customer.create", "Create customer in the ERP"
    record, sublist = "customer", "taxRegistration"
    risk = onboarding.CUSTOMER
    irreversible_because = "a customer with records in the books is made inactive by finance, never deleted"
    runbook = "duplicate-customer"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The deal it comes from."""
        return f"deal:{known.refs.deal}:customer"

    def external_id(self, known: Known) -> str:
        """The customer's own, minted when it was first met."""
        return known.refs.external_id

    def exists(self, work: Work) -> bool:
        """As read a moment ago."""
        return bool(work.known.blocks["account"].get("customer"))

    def bare(self, fields: dict[str, Any]) -> dict[str, Any]:
        """A company."""
        return {"isPerson": False, **fields}

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The record as it will be; of one that is there, the fields of ours."""
        deal = facts.deal
        if deal is None:
            return [{"system": "ERP", "field": "customer", "now": "-", "after": "new"}]
        if deal.erp_customer:
            after = deal.shown.get("onboarding code", "-")
            return [
                {"system": "ERP", "field": f"customer {deal.erp_customer}: onboarding code", "now": "-", "after": after}
            ]
        return [
            {"system": "ERP", "field": f"customer: {name}", "now": "-", "after": deal.shown.get(name, "-")}
            for name in SHOWN
        ]

    def look_up(self, work: Work) -> Found:
        """By our external id; our mark says that this very action wrote last."""
        found = records.customer(erp(), self.external_id(work.known), work.exchanges)
        if found is None or found.action_id != work.id:
            return NotDone()
        if found.external_id.lower() != self.external_id(work.known).lower():
            raise UnconfirmedError("the record has another external id", provider=self.provider, code="differs")
        said = {"external_id": found.external_id, "action": work.id, "mapping": mappings.artifact().version}
        return Confirmation(found.id, said, (("netsuite", "customer", found.id),))

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """A record that came to be under our external id meanwhile is brought in line instead, by another action."""
        if request.method == "PUT":
            found = records.customer(erp(), self.external_id(work.known), work.exchanges)
            if found is not None and found.action_id != work.id:
                raise ConflictError("the customer is there by now", provider=self.provider, code="exists")
        return super().perform(request, work, guard)

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """Nothing is missing, or it had not been sent."""
        return (("qualify", "signed", "ready"),)

    def customer_moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """Known by id where it needs to be."""
        return (("link", "pending", "synced"), ("link", "ready", "synced"))
