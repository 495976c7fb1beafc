"""The first invoice of a signed deal: its own action with its own key, once the customer is in the ERP."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gates.playbooks import onboarding
from gates.types import Facts
from ledger import clock
from sync.actions.base import Confirmation, Found, NotDone, Preview, Work
from sync.actions.customer import ErpRecord, erp
from sync.errors import PermanentError
from sync.facts import Known
from sync.providers import netsuite_records as records

PREFIX = "mesh-inv-"


def asked(work: Work, currency: str) -> tuple[str, int | None]:
    """Customer and amount in minor units as the frozen request says them: the deal may have changed since."""
    if work.request is None:
        return "", None
    body = json.loads(work.request.body, parse_float=Decimal)
    lines = body.get("item", {}).get("items", [])
    total = sum((Decimal(one["rate"]) * one["quantity"] for one in lines), Decimal(0))
    return str(body.get("entity", {}).get("id", "")), records.minor_of(total, currency)


class Create(ErpRecord):
    """One invoice for each deal, found by an external id that follows from the contract's."""

    name, verb = "invoice.create", "Create first invoice"
    record, sublist = "invoice", "item"
    risk = onboarding.INVOICE
    irreversible_because = "an invoice in the books is credited or voided by finance, never deleted"
    runbook = "first-invoice-wrong"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The deal it bills."""
        return f"deal:{known.refs.deal}:invoice"

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Its customer is there, and it was not made yet."""
        if known.state in ("active", "past_due", "suspended", "cancelled"):
            return f"the contract is {known.state.replace('_', ' ')}"
        return super().unfit(known, params) or ("" if known.refs.erp_customer else "the customer is not in the ERP yet")

    def external_id(self, known: Known) -> str:
        """The same for ever, whichever action makes it."""
        return PREFIX + known.refs.contract_external_id.removeprefix("mesh-con-")

    def more(self, work: Work) -> dict[str, Any]:
        """Whom it bills, and its date: the day it is made, in UTC."""
        return {"erp_customer": work.known.refs.erp_customer, "meshline_today": f"{clock.now():%Y-%m-%d}"}

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """What is billed."""
        shown = facts.deal.shown if facts.deal else {}
        return [
            {"system": "ERP", "field": f"invoice: {name}", "now": "-", "after": shown.get(name, "-")}
            for name in ("company", "amount", "payment terms", "onboarding code")
        ]

    def look_up(self, work: Work) -> Found:
        """By its external id. One that an earlier action made is ours as well if it bills the same."""
        currency = work.facts.deal.currency if work.facts.deal else ""
        found = records.invoice(erp(), self.external_id(work.known), currency, work.exchanges)
        if found is None:
            return NotDone()
        if (found.customer_id, found.total_minor) != asked(work, currency):
            told = f"invoice {found.number or found.id} is in the ERP already and bills another customer or amount"
            raise PermanentError(told, provider=self.provider, code="differs")
        said = {
            "number": found.number, "customer": found.customer_id, "amount_minor": found.total_minor,
            "currency": currency, "external_id": found.external_id, "action": found.action_id or work.id,
        }  # fmt: skip
        return Confirmation(found.id, said, (("netsuite", "invoice", found.id),))

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """Billing runs."""
        return (("qualify", "signed", "ready"), ("activate", "ready", "active"))

    def changes(self, work: Work) -> dict[str, Any]:
        """What was billed is what the contract costs."""
        deal = work.facts.deal
        if deal is None or deal.amount_minor is None:
            return {}
        return {"amount_minor": deal.amount_minor, "currency": deal.currency}
