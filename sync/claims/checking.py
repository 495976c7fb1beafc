"""Asking whether a text is true: one door for assistants, people and commands. What is kept is never the text."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates import assistants, claims
from gates.claims import Judged
from gates.stop import Refused
from ledger import book
from ledger.models import Contract, Customer, ExternalId
from sync.claims import drafts, evidence, wording
from sync.claims.models import ClaimCheck

PERMISSION, VIEW = "sync.verify_claim", "sync.view_claimcheck"
LONGEST, LONGEST_DRAFT = 20_000, 80


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in a text, sentence by sentence, and the row that says that it was looked at."""

    check: ClaimCheck
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class About:
    """Whom a text is about."""

    customer: Customer
    contract: Contract | None = None
    ticket: str = ""


def verify(
    text: str, *, by: User, customer: str = "", contract: str = "", ticket: str = "", draft: str = ""
) -> Outcome:
    """Judge every sentence on the ledger's confirmed rows of this customer, or of this contract alone.

    `customer` and `contract` are external ids, `ticket` the support desk's number; at least one of the three is given,
    and where several are they have to be of one customer. Raises Refused: 403 permission, 404 nobody, 422 a field.
    """
    about = _permitted(text, draft, by, customer, contract, ticket)
    using = wording.current()
    sentences = claims.read(text, using)
    only = about.contract.pk if about.contract else None
    known = evidence.proofs([about.customer.pk], using, contract=only)[about.customer.pk]
    who = evidence.named(sentences, about.customer.pk)
    judged = claims.judge(sentences, known, foreign=who.foreign, own=who.own, using=using)
    source = ClaimCheck.Source.ASSISTANT if assistants.is_assistant(by) else ClaimCheck.Source.PERSON
    check = ClaimCheck.objects.create(
        source=source, by=by, customer=about.customer, contract=about.contract, ticket=about.ticket, draft=draft,
        **drafts.described(text, judged),
    )  # fmt: skip
    return Outcome(check, judged)


def _permitted(text: str, draft: str, by: User, customer: str, contract: str, ticket: str) -> About:
    if not (by.is_active and by.has_perm(PERMISSION)):
        with transaction.atomic():
            row = {
                "subject_kind": "claim_check", "subject_id": "new", "decision": "verify_claim",
                "actor": f"user:{by.pk}", "prior_state": "asked", "post_state": "asked", "outcome": "refused",
                "error_code": "permission",
            }  # fmt: skip
            book.write_rows([row])
        raise Refused(403, "permission", f"your account may not ask this; it needs the permission {PERMISSION}")
    if not 1 <= len(text.strip()) <= len(text) <= LONGEST or "\x00" in text:
        raise Refused(422, "text", f"text: 1 to {LONGEST:,} characters")
    if len(draft) > LONGEST_DRAFT or "\x00" in draft:
        raise Refused(422, "draft", f"draft: at most {LONGEST_DRAFT} characters, your own id of the text")
    return about_whom(customer, contract, ticket)


def about_whom(customer: str, contract: str, ticket: str) -> About:
    """The customer that is meant. Raises Refused 422 without a reference or for two customers, 404 for nobody."""
    if not (customer or contract or ticket):
        raise Refused(422, "customer", "customer: name a customer, a contract or a ticket that the text is about")
    found: list[tuple[Customer, Contract | None]] = []
    if customer:
        one = Customer.objects.filter(external_id=customer).first()
        found.append((_known(one, "customer", customer), None))
    if contract:
        deal = Contract.objects.select_related("customer").filter(external_id=contract).first()
        found.append((_known(deal, "contract", contract).customer, deal))
    if ticket:
        links = ExternalId.objects.select_related("customer", "contract").filter(kind="ticket", value=ticket)
        link = _known(links.first(), "ticket", ticket)
        found.append((link.customer, link.contract))
    if len({one.pk for one, _ in found}) > 1:
        raise Refused(422, "customer", "customer: customer, contract and ticket are not of one customer")
    named = next((one for one in (deal for _, deal in found) if one is not None), None) if contract else None
    return About(found[0][0], named, ticket)


def _known(one: Any, field: str, value: str) -> Any:
    if one is None:
        raise Refused(404, field, f"{field}: {value[:64]!r} is not known here")
    return one
