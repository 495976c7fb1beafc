"""What is cached of a deal and of its place in the ERP, and what judgement sees of it. Plain data in and out."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from gates.rules import onboarding as rules
from gates.types import Deal
from ledger import money
from sync import mappings
from sync.crmtypes import DealFacts, OrganizationFacts, PersonFacts
from sync.mappings import Given

Block = Mapping[str, Any]


def deal_block(
    deal: DealFacts, person: PersonFacts | None, organization: OrganizationFacts | None, signed_stage: str
) -> dict[str, Any]:
    """A live read of a deal with the people behind it, under the names that the mapping uses."""
    someone = person if person and not person.is_deleted else None
    company = organization if organization and not organization.is_deleted else None
    return {
        "synced_at": deal.read_at.isoformat(), "deal": deal.id, "standing": standing(deal, signed_stage),
        "organization": company.id if company else "", "external_id": deal.external_id,
        "company_external_id": company.external_id if company else "", "billing_status": deal.billing_status,
        "gone_fields": [*deal.missing_fields, *(company.missing_fields if company else ())],
        "updated_at": deal.updated_at.isoformat(),
        "source": {
            "deal.id": deal.id, "deal.amount": deal.amount_minor, "deal.currency": deal.currency,
            "deal.subsidiary": deal.subsidiary, "deal.payment_terms": deal.payment_terms,
            "custom.onboarding_package_code": deal.package_code, "deal.csm": deal.csm_id,
            "deal.billing_owner": deal.billing_owner_id,
            "deal.first_value_date": deal.first_value_date.isoformat() if deal.first_value_date else "",
            "person.name": someone.name if someone else "",
            "person.primary_email": someone.primary_email if someone else "",
            "person.emails": len(someone.emails) if someone else 0,
            "person.phones": list(someone.phones) if someone else [],
            "organization.id": company.id if company else "", "organization.name": company.name if company else "",
            "organization.tax_id": company.tax_id if company else "",
            "organization.country": company.country if company else "",
        },
    }  # fmt: skip


def gone_block(deal_id: str, at: str) -> dict[str, Any]:
    """A deal that the CRM does not show any more."""
    return {"synced_at": at, "deal": deal_id, "standing": "gone", "organization": "", "gone_fields": [], "source": {}}


def standing(deal: DealFacts, signed_stage: str) -> str:
    """Whether a deal is signed; if not, why."""
    if deal.is_deleted:
        return "deleted"
    if deal.is_archived:
        return "archived"
    if deal.status not in ("open", "won"):
        return "lost"
    return "signed" if deal.stage_id == signed_stage else "elsewhere"


def signed(block: Block) -> rules.Signed:
    """What the validators look at."""
    source = block["source"]
    day = source.get("deal.first_value_date")
    return rules.Signed(
        organization_id=block["organization"], organization_name=source.get("organization.name", ""),
        tax_id=source.get("organization.tax_id", ""), country=source.get("organization.country", ""),
        email=source.get("person.primary_email", ""), emails=source.get("person.emails", 0),
        subsidiary=source.get("deal.subsidiary", ""), terms=source.get("deal.payment_terms", ""),
        currency=source.get("deal.currency", ""), amount_minor=source.get("deal.amount"),
        package=source.get("custom.onboarding_package_code", ""), csm=source.get("deal.csm", ""),
        billing_owner=source.get("deal.billing_owner", ""), first_value_on=date.fromisoformat(day) if day else None,
        gone_fields=tuple(block["gone_fields"]),
    )  # fmt: skip


def deal_of(block: Block, account: Block, external_id: str, organizations: tuple[str, ...]) -> Deal | None:
    """The deal as it is judged; None where it was never read. `organizations` are those linked to its customer."""
    if not block:
        return None
    source = block["source"]
    lacks = rules.lacks(signed(block)) if source else ()
    for name in ("external_id", "company_external_id"):
        if block.get(name) and external_id and block[name] != external_id:
            lacks += ((f"{'deal' if name == 'external_id' else 'organization'} external id", "is another customer's"),)
    if block["organization"] and block["organization"] not in organizations:
        lacks += (("organization", "is not the one this customer was made for"),)
    return Deal(
        id=block["deal"], standing=block["standing"], organization_id=block["organization"],
        lacks=lacks + tuple((field, fault) for field, fault in account.get("lacks", ())),
        amount_minor=source.get("deal.amount"), currency=source.get("deal.currency", ""),
        package=source.get("custom.onboarding_package_code", ""), erp_customer=account.get("customer", ""),
        twin=account.get("twin", ""), billing_status=block.get("billing_status", ""),
        mapping=mappings.artifact().version, shown=_shown(source),
    )  # fmt: skip


def given(block: Block, account: Block, **more: Any) -> Given:
    """What the mapping is filled from; `account` brings the ERP's own lists and what it knows of the customer."""
    extra = {
        "erp.name_is_taken": account.get("name_is_taken", False), "erp.item": account.get("item", ""),
        "erp.customer": account.get("customer", ""),
    }  # fmt: skip
    plain = {name.replace("_", ".", 1): value for name, value in more.items()}
    return Given({**block["source"], **extra, **plain}, account.get("lists", {}))


def for_ledger(deal: Deal) -> dict[str, Any]:
    """What the ledger keeps of a deal: ids, amounts, states and the names of fields; no values that may be personal."""
    kept = asdict(deal)
    del kept["shown"]
    return kept


def _shown(source: Block) -> dict[str, str]:
    """What people are shown before they agree to it, by the ERP's words for it."""
    amount, currency = source.get("deal.amount"), source.get("deal.currency", "")
    rows = {
        "company": source.get("organization.name"), "e-mail": source.get("person.primary_email"),
        "tax registration": source.get("organization.tax_id"), "subsidiary": source.get("deal.subsidiary"),
        "payment terms": source.get("deal.payment_terms"), "currency": currency.upper(),
        "onboarding code": source.get("custom.onboarding_package_code"),
        "amount": money.display(amount, currency) if amount is not None else "",
    }  # fmt: skip
    return {name: str(value or "-") for name, value in rows.items()}
