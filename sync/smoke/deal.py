"""A synthetic deal in the CRM: organization, person, deal, and the move to the signed stage, as people make them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ledger import clock
from sync.crmtypes import FieldFacts
from sync.onboarding.reading import crm, erp
from sync.providers import netsuite_records as records
from sync.providers.pipedrive import V2
from sync.smoke import MARK
from sync.smoke.calls import Calls, NotReady
from sync.smoke.fixtures import Variant

DOMAIN = "meshline-smoke.example"  # reserved: no mail ever arrives there
AMOUNT, PACKAGE = 100, "MESHLINE-SMOKE"
FIRST_VALUE = timedelta(days=14)
WORDS = ("package_code", "csm", "billing_owner", "first_value_date", "subsidiary", "payment_terms")
CURRENCIES = ("EUR", "USD", "GBP")


@dataclass(frozen=True, slots=True)
class SetUp:
    """What this company's CRM and ERP offer a synthetic deal: field codes with a valid value each."""

    deal: dict[str, tuple[str, Any]]  # our word -> (code, value)
    tax_id: str  # code
    start_stage: int
    signed_stage: int
    currency: str


@dataclass(frozen=True, slots=True)
class Made:
    """One deal that is there and not signed yet."""

    deal: str
    organization: str
    person: str
    company: str


def prepare(calls: Calls) -> SetUp:
    """Read fields, stages and the ERP's lists. Raises NotReady naming what is missing."""
    with calls.kept("reading the set-up"):
        lists = records.LISTED.read(erp(), calls.exchanges)
        fields = crm().fields("deal", calls.exchanges)
        tax = crm().fields("organization", calls.exchanges).get("tax_id")
        signed = str(crm().config.get("signed_stage_id") or "")
        stages = crm().stages(str(crm().config.get("pipeline_id") or ""), calls.exchanges)
        me = crm().me(calls.exchanges).id
    start = next((one.id for one in stages if one.id != signed and not one.is_deleted), "")
    if not signed or not start:
        raise NotReady("the pipeline needs the signed stage (MESHLINE_PIPEDRIVE_SIGNED_STAGE_ID) and one before it")
    gone = [word for word in WORDS if fields.get(word) is None] + ([] if tax else ["tax_id"])
    if gone or tax is None:
        raise NotReady(f"the CRM has no field for {', '.join(gone)}; see MESHLINE_PIPEDRIVE_FIELD_...")
    chosen = {word: _chosen(word, field, me, lists) for word, field in fields.items() if field and word in WORDS}
    known = lists.get("currency") or {}
    currency = next((one for one in CURRENCIES if one.casefold() in known), next(iter(known), "eur").upper())
    return SetUp(chosen, tax.code, int(start), int(signed), currency)


def _chosen(word: str, field: FieldFacts, me: str, lists: dict[str, dict[str, str] | None]) -> tuple[str, Any]:
    """A field's code with a value that CRM and ERP both know."""
    if field.type in ("user", "people"):
        return field.code, int(me)
    if field.type == "date":
        return field.code, f"{clock.now() + FIRST_VALUE:%Y-%m-%d}"
    if not field.options:
        return field.code, PACKAGE if word == "package_code" else _listed(word, lists)
    known = lists.get({"payment_terms": "term"}.get(word, word))
    fitting = [number for number, label in field.options if known is None or label.casefold() in known]
    if word in ("subsidiary", "payment_terms") and not fitting:
        raise NotReady(f"no option of the CRM's field {field.name!r} is known to the ERP")
    return field.code, (fitting or [field.options[0][0]])[0]


def _listed(word: str, lists: dict[str, dict[str, str] | None]) -> str:
    known = lists.get({"payment_terms": "term"}.get(word, word)) or {}
    return next(iter(known), "")


def make(calls: Calls, setup: SetUp, variant: Variant, run: str, number: int) -> Made:
    """Organization, person and deal of one variant, in the stage before. Raises NotReady."""
    company = f"{MARK} {run}-{number:02} {variant.company}".rstrip() if variant.company else f"{MARK} {run}-{number:02}"
    with calls.kept(f"making the deal {variant.name!r}"):
        org = _post(calls, "organizations", {
            "name": company[:255], "address": _address(variant),
            "custom_fields": {setup.tax_id: variant.tax_id} if variant.tax_id else {},
        })  # fmt: skip
        emails = [
            {"value": f"{local}-{run}-{number}@{DOMAIN}", "primary": place == 0, "label": "work"}
            for place, local in enumerate(variant.emails)
        ]
        person = _post(calls, "persons", {"name": f"{variant.person} ({MARK})", "org_id": org, "emails": emails})
        values = dict(pair for word, pair in setup.deal.items() if word not in variant.without)
        deal = _post(calls, "deals", {
            "title": company[:255], "value": AMOUNT, "currency": setup.currency, "org_id": org, "person_id": person,
            "stage_id": setup.start_stage, "custom_fields": values, **variant.more,
        })  # fmt: skip
    return Made(str(deal), str(org), str(person), company)


def sign(calls: Calls, setup: SetUp, made: Made) -> None:
    """Move the deal to the signed stage. Raises NotReady."""
    with calls.kept("moving the deal to the signed stage"):
        calls.json("pipedrive", "PATCH", f"{V2}/deals/{made.deal}", {"stage_id": setup.signed_stage})


def _post(calls: Calls, name: str, body: dict[str, Any]) -> int:
    return int(calls.json("pipedrive", "POST", f"{V2}/{name}", body).json()["data"]["id"])


def _address(variant: Variant) -> dict[str, str]:
    street, code, town, country = variant.address
    return {"value": f"{street}, {code} {town}, {country}", "country": country, "locality": town, "postal_code": code,
            "route": street}  # fmt: skip


def alike(made: Made, external_id: str, calls: Calls) -> int:
    """How many customers the ERP holds of this client: by our external id, and others of the same name."""
    with calls.kept("counting customers in the ERP"):
        found = records.customer(erp(), external_id, calls.exchanges)
        if found is None:
            return 0
        return 1 + len(records.twins(erp(), found.name, external_id, calls.exchanges))
