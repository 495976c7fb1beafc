"""Payments, refunds, fees and disputes of billing as records in the ERP's books: found first, written once, read back.

Each is written under an external id that follows from billing's object. A record that is there already is taken for
done when it says the same to the minor unit, and is a person's to look at when it does not.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings

from gates.playbooks import accounting
from gates.types import Facts
from ledger import money
from sync.actions.base import ActionKind, Confirmation, Found, NotDone, Preview, Work
from sync.actions.erp_write import ErpWrite
from sync.actions.refund import biller
from sync.errors import PermanentError, TransientError
from sync.facts import Known
from sync.onboarding.reading import erp
from sync.providers import netsuite_accounting as books
from sync.providers import netsuite_credit as credit
from sync.providers import netsuite_records as records
from sync.providers import stripe_accounts, stripe_refunds
from sync.wiretypes import FrozenRequest

REST = "*"
VARIABLES = {
    "clearing": "MESHLINE_ACCOUNTING_CLEARING_ACCOUNT", "fee": "MESHLINE_ACCOUNTING_FEE_ACCOUNT",
    "dispute": "MESHLINE_ACCOUNTING_DISPUTE_ACCOUNT",
}  # fmt: skip


def line_of(params: Mapping[str, Any]) -> accounting.Line:
    """The line that an action books."""
    return accounting.Line(params["word"], params["object"], params["amount_minor"], params["currency"])


def chosen(name: str, billing_account: str) -> str:
    """What is configured for a billing account; "" for none."""
    found: Mapping[str, str] = settings.MESHLINE_ACCOUNTING[name]
    return found.get(stripe_accounts.on_wire(billing_account), found.get(REST, ""))


def account(name: str, billing_account: str) -> str:
    """The ledger account that is configured for a billing account. PermanentError where none is."""
    found = chosen(name, billing_account) if settings.MESHLINE_ACCOUNTING["on"] else ""
    if not found:
        place = f" for billing account {billing_account}" if billing_account else ""
        told = f"no account of the ERP is configured{place}: set {VARIABLES[name]}, such as {VARIABLES[name]}=218"
        raise PermanentError(told, provider="netsuite", code="not_possible", never_sent=True)
    return found


class Record(ErpWrite):
    """One record in the ERP's books."""

    risk = accounting.RISK
    runbook = "accounting-record-wrong"
    about_customer = True
    remake_on_change = True  # an account that was configured wrongly, an invoice that was paid otherwise meanwhile
    irreversible_because = "a record in the books is voided by finance, never deleted"
    sublist: ClassVar[str]
    words: ClassVar[str]

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """The ERP knows the customer."""
        return "" if known.refs.erp_customer else "the customer is not linked to the ERP"

    def lane(self, customer_id: int, business_key: str) -> str:
        """By itself: one that waits, such as for a credit memo, holds up no other of the customer."""
        return f"{super().lane(customer_id, business_key)}:{business_key}"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """What it books."""
        return line_of(params).business_key

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The record as it will be."""
        after = f"{money.display(params['amount_minor'], params['currency'])} for {params['object']}"
        of = f" of customer {facts.erp_customer_id}" if facts.erp_customer_id else ""
        return [{"system": "ERP", "field": f"{self.words}{of}", "now": "-", "after": after}]

    def freeze(self, work: Work) -> FrozenRequest:
        """The amount of billing's line on the accounts that are configured, on the line's own day (UTC)."""
        told, params, adapter = self.unfit(work.known, work.params), work.params, erp()
        if told:
            raise PermanentError(told, provider=self.provider, code="not_possible", never_sent=True)
        line = line_of(params)
        currency_id = credit.currency_id(adapter, line.currency, work.exchanges)
        fields = {
            "currency": {"id": currency_id}, "tranDate": params["day"], records.INVOICE_ACTION: work.id,
            "memo": f"{line.external_id}: {params['object']} at billing", **self.fields(work, line, currency_id),
        }  # fmt: skip
        key = work.id if adapter.config.get("async") else ""
        return records.put(self.record, line.external_id, fields, replace=self.sublist, async_key=key)

    @abstractmethod
    def fields(self, work: Work, line: accounting.Line, currency_id: str) -> dict[str, Any]:
        """What this kind of record says beside currency, day, memo and mark. Raises ProviderError."""

    def look_up(self, work: Work) -> Found:
        """By its external id. One that says something else is nobody's to overwrite."""
        line = line_of(work.params)
        found = books.find(erp(), self.record, line.external_id, line.currency, work.exchanges)
        if found is None:
            return NotDone()
        wanted = books.asked(self.record, json.loads(work.request.body), line.currency) if work.request else None
        if (wanted is not None and found.says != wanted.says) or found.minor != line.minor:
            told = f"{self.words} {found.number or found.id} is there already and says something else"
            raise PermanentError(told, provider=self.provider, code="differs")
        said = {
            "number": found.number, "customer": found.customer, "amount_minor": line.minor, "currency": line.currency,
            "external_id": line.external_id, "object": line.object, "action": found.action or work.id,
        }  # fmt: skip
        return Confirmation(found.id, said)


class Payment(Record):
    """A collected payment: it settles the ERP's invoice where one is known, else it stays on the customer's account."""

    name, verb, words = accounting.PAYMENT, "Record payment in the ERP", "payment"
    record, sublist = books.PAYMENT, books.APPLY

    def lane(self, customer_id: int, business_key: str) -> str:
        """All that the ERP is told of the customer: two payments never settle one invoice at the same time."""
        return ActionKind.lane(self, customer_id, business_key)

    def fields(self, work: Work, line: accounting.Line, currency_id: str) -> dict[str, Any]:
        """Who paid, into which account, and for which invoice."""
        adapter, customer = erp(), work.known.refs.erp_customer
        billed = stripe_refunds.invoice_of(biller(), line.object, work.exchanges)
        invoice = credit.invoice_of(adapter, billed, customer, work.exchanges)
        amount = books.decimal(line.minor, line.currency)
        left = books.open_invoice(adapter, invoice, currency_id, work.exchanges) if invoice else Decimal(0)
        settled = {books.APPLY: books.applied(invoice, min(left, amount))} if left else {}
        clearing = account("clearing", work.params["billing_account"])
        return {"customer": {"id": customer}, "account": {"id": clearing}, "payment": amount, **settled}


class CustomerRefund(Record):
    """A refund that was paid out: it settles the credit memo of the same refund, so that it is counted once."""

    name, verb, words = accounting.REFUND, "Record refund in the ERP", "customer refund"
    record, sublist = books.REFUND, books.APPLY
    needs = ("refund",)

    def fields(self, work: Work, line: accounting.Line, currency_id: str) -> dict[str, Any]:
        """Whose credit is paid out, from which account. TransientError while the credit memo is not there yet."""
        customer, place = work.known.refs.erp_customer, work.params["billing_account"]
        memo = credit.find(erp(), credit.external_id(line.object), line.currency, work.exchanges)
        if memo is None:
            told = f"refund {line.object} has no credit memo in the ERP yet, which its record would settle"
            raise TransientError(told, provider=self.provider, code="no_memo", never_sent=True)
        if (memo.customer_id, memo.currency_id, memo.total_minor) != (customer, currency_id, line.minor):
            told = f"credit memo {memo.number or memo.id} of the refund is of another customer, currency or amount"
            raise PermanentError(told, provider=self.provider, code="differs", never_sent=True)
        method = chosen("refund_method", place)
        return {
            "customer": {"id": customer}, "account": {"id": account("clearing", place)},
            books.APPLY: books.applied(memo.id, books.decimal(line.minor, line.currency)),
            **({"paymentMethod": {"id": method}} if method else {}),
        }  # fmt: skip


class Journal(Record):
    """Two lines between the clearing account and another one."""

    record, sublist = books.JOURNAL, books.LINES
    words, other = "journal entry", ""

    def fields(self, work: Work, line: accounting.Line, currency_id: str) -> dict[str, Any]:
        """What billing took is debited to the account it was taken for; what it gave back the other way round."""
        place = work.params["billing_account"]
        debit, credited = account(self.other, place), account("clearing", place)
        if line.word not in accounting.TAKES:
            debit, credited = credited, debit
        amount, whose = books.decimal(line.minor, line.currency), self.entity(work)
        rows = [{"account": {"id": debit}, "debit": amount}, {"account": {"id": credited}, "credit": amount}]
        subsidiary = chosen("subsidiary", place)
        return {
            books.LINES: {"items": [{**row, **whose} for row in rows]},
            **({"subsidiary": {"id": subsidiary}} if subsidiary else {}),
        }  # fmt: skip

    def entity(self, work: Work) -> dict[str, Any]:
        """Whom the lines name, where the ERP knows the customer."""
        customer = work.known.refs.erp_customer
        return {"entity": {"id": customer}} if customer else {}


class Fee(Journal):
    """A fee that billing kept, or gave back: one entry for each line of its balance."""

    name, verb, other = accounting.FEE, "Record fee in the ERP", "fee"
    about_account = True

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """A fee may be nobody's: billing takes some for the account as a whole."""
        return super().unfit(known, params) if known.refs.customer_id else ""


class Dispute(Journal):
    """Money of a disputed payment that a bank took back, or returned."""

    name, verb, other = accounting.DISPUTE, "Record dispute in the ERP", "dispute"
