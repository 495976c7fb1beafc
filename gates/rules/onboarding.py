"""Ready for billing: what a signed deal must say before anything of it is written to the books, and who it goes to."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from gates.rules import tax
from gates.types import Facts, Policy, Proposal, RuleResult, Verdict
from ledger import money

BILLING_KINDS = ("customer.create", "invoice.create")
READY = "ready_for_billing"
MOST_SHOWN = 450

_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signed deal says, as texts; empty where it says nothing. `gone_fields` exist here, in the CRM no more."""

    organization_id: str = ""
    organization_name: str = ""
    tax_id: str = ""
    country: str = ""
    email: str = ""
    emails: int = 0
    subsidiary: str = ""
    terms: str = ""
    currency: str = ""
    amount_minor: int | None = None
    package: str = ""
    csm: str = ""
    billing_owner: str = ""
    first_value_on: date | None = None
    gone_fields: tuple[str, ...] = ()


Lack = tuple[str, str]  # field, and what is wrong with it as a clause


def lacks(deal: Signed) -> tuple[Lack, ...]:
    """Everything that keeps a deal from being billed and handed over, each under the name of its field.

    No value is repeated: what stands here goes into the ledger.
    """
    found = [(field, fault) for field, check in CHECKS.items() if (fault := check(deal))]
    return tuple(found) + tuple((f"CRM field {name}", "does not exist any more") for name in deal.gone_fields)


def organization(deal: Signed) -> str:
    """A company stands behind it."""
    return "" if deal.organization_id and deal.organization_name.strip() else "is missing"


def email(deal: Signed) -> str:
    """An address the invoice can go to. Of several, one must be marked as the primary one."""
    if not deal.email:
        return "is missing" if not deal.emails else "has several entries and none is marked as primary"
    address = deal.email.strip()
    well = len(address) <= 254 and ".." not in address and _EMAIL.fullmatch(address)
    return "" if well and not address.startswith(".") else "is not an address mail can be sent to"


def tax_registration(deal: Signed) -> str:
    """There, and in the form its country uses."""
    return tax.fault(deal.tax_id, deal.country)


def currency(deal: Signed) -> str:
    """A currency whose decimals are known."""
    if not deal.currency:
        return "is missing"
    return "" if money.exponent(deal.currency) is not None else "is not a currency we know"


def amount(deal: Signed) -> str:
    """Something to bill."""
    if deal.amount_minor is None:
        return "is missing or cannot be written in its currency"
    return "" if deal.amount_minor > 0 else "must be above zero"


def present(name: str) -> Callable[[Signed], str]:
    """A check that a field is set."""
    return lambda deal: "" if getattr(deal, name) else "is missing"


CHECKS: dict[str, Callable[[Signed], str]] = {
    "organization": organization,
    "e-mail": email,
    "tax registration": tax_registration,
    "subsidiary": present("subsidiary"),
    "payment terms": present("terms"),
    "currency": currency,
    "amount": amount,
    "package": present("package"),
    # the handoff: who takes it over, who answers for its invoices, when it shall first be worth its money
    "billing owner": present("billing_owner"),
    "customer success manager": present("csm"),
    "first-value date": present("first_value_on"),
}


def in_words(found: tuple[Lack, ...]) -> str:
    """The list as one line: `tax registration is missing; billing owner is missing`."""
    text = "; ".join(f"{field} {fault}" for field, fault in found)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def ready_for_billing(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """Nothing is written to the books before the deal says everything that billing and handoff need."""
    if proposal.kind not in BILLING_KINDS:
        return RuleResult(READY, Verdict.PASS)
    if facts.deal is None:
        verdict = Verdict.REVIEW if facts.executing else Verdict.PASS
        return RuleResult(READY, verdict, "the deal is read before anything is sent")
    if facts.deal.lacks:
        return RuleResult(READY, Verdict.REVIEW, in_words(facts.deal.lacks))
    if proposal.kind == "invoice.create" and facts.executing and not facts.erp_customer_id:
        return RuleResult(READY, Verdict.REVIEW, "the customer is not in the ERP yet")
    return RuleResult(READY, Verdict.PASS)


def customer_settled(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """While nobody has said who a customer is, after a merge, a rename or a deletion, nobody bills it unasked."""
    bills = proposal.kind in BILLING_KINDS or proposal.risk.money or proposal.risk.contract
    if bills and facts.customer_state == "conflict":
        reason = "the customer was merged, renamed or deleted elsewhere; confirm who it is"
        return RuleResult("customer_settled", Verdict.REVIEW, reason)
    return RuleResult("customer_settled", Verdict.PASS)


def possible_duplicate(proposal: Proposal, facts: Facts, policy: Policy) -> RuleResult:
    """A record of the same name and the same address is a candidate: a person says whether it is the same client."""
    if proposal.kind == "customer.create" and facts.deal is not None and facts.deal.twin:
        reason = f"the ERP has customer {facts.deal.twin} with the same name and e-mail; it may be the same client"
        return RuleResult("possible_duplicate", Verdict.REVIEW, reason)
    return RuleResult("possible_duplicate", Verdict.PASS)
