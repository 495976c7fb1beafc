"""What a refund is in the books: one credit memo for each confirmed refund, under an external id made of the refund's.

It is proposed when the refund is confirmed and made only while the refund stands: that is read right before.
"""

import json
from collections.abc import Mapping
from typing import Any

from gates.playbooks import refunds
from gates.types import Facts
from ledger import clock, money
from sync.actions.base import Confirmation, Found, NotDone, Preview, Work
from sync.actions.erp_write import ErpWrite
from sync.actions.refund import biller
from sync.errors import PermanentError
from sync.facts import Known
from sync.onboarding.reading import erp
from sync.providers import netsuite_credit as credit
from sync.providers import stripe_refunds
from sync.wiretypes import FrozenRequest


class Create(ErpWrite):
    """A credit memo for what was given back, found first, written once, read back to the minor unit."""

    name, verb = refunds.MEMO, "Write credit memo in the ERP"
    record = credit.RECORD
    risk = refunds.MEMO_RISK
    needs = ("refund",)
    irreversible_because = "a credit memo in the books is voided by finance, never deleted"
    runbook = "credit-memo-wrong"
    about_customer = True  # the memo of a refund that was made at billing belongs to no contract of ours

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """The ERP knows the customer."""
        return "" if known.refs.erp_customer else "the customer is not linked to the ERP"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The memo as it will be."""
        after = f"{money.display(params['amount_minor'], params['currency'])} for refund {params['refund']}"
        field = f"credit memo of customer {facts.erp_customer_id or '(not linked)'}"
        return [{"system": "ERP", "field": field, "now": "-", "after": after}]

    def freeze(self, work: Work) -> FrozenRequest:
        """Customer, currency and amount of the refund; the invoice where the ERP knows which one was paid."""
        told, params, adapter = self.unfit(work.known, work.params), work.params, erp()
        item = str(adapter.config.get("credit_item") or adapter.config.get("item") or "")
        if told or not item:
            told = told or "no item is configured for credit memos, set MESHLINE_NETSUITE_CREDIT_ITEM"
            raise PermanentError(told, provider=self.provider, code="not_possible", never_sent=True)
        customer, currency = work.known.refs.erp_customer, params["currency"]
        currency_id = credit.currency_id(adapter, currency, work.exchanges)
        billed = stripe_refunds.invoice_of(biller(), params["charge"], work.exchanges)
        draft = credit.Draft(
            external_id=credit.external_id(params["refund"]), customer=customer, currency=currency,
            currency_id=currency_id, minor=params["amount_minor"], day=f"{clock.now():%Y-%m-%d}",
            memo=f"Refund {params['refund']} of payment {params['charge']}",
            invoice=credit.invoice_of(adapter, billed, customer, work.exchanges), item=item, action_id=work.id,
        )  # fmt: skip
        return credit.put(draft, async_key=work.id if adapter.config.get("async") else "")

    def look_up(self, work: Work) -> Found:
        """By its external id. One of another customer, currency or amount is nobody's to overwrite."""
        params = work.params
        found = credit.find(erp(), credit.external_id(params["refund"]), params["currency"], work.exchanges)
        if found is None:
            return NotDone()
        customer, currency, invoice = credit.asked(json.loads(work.request.body)) if work.request else ("", "", "")
        same = (found.customer_id, found.currency_id, found.total_minor) == (customer, currency, params["amount_minor"])
        if not same or (invoice and found.invoice_id != invoice):
            told = f"credit memo {found.number or found.id} is there already and says something else"
            raise PermanentError(told, provider=self.provider, code="differs")
        said = {
            "number": found.number, "customer": found.customer_id, "amount_minor": found.total_minor,
            "currency": params["currency"], "invoice": found.invoice_id, "external_id": found.external_id,
            "refund": params["refund"], "action": found.action_id or work.id,
        }  # fmt: skip
        return Confirmation(found.id, said, (("netsuite", "creditmemo", found.id),))
