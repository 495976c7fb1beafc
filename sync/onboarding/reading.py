"""Reading a deal and its place in the ERP. Runs in threads: plain data in and out, no ORM."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger import clock
from sync import mappings, providers
from sync.errors import ProviderError
from sync.facts import Known
from sync.onboarding import blocks
from sync.providers import netsuite_records as records
from sync.providers.netsuite import NetSuite
from sync.providers.pipedrive import Pipedrive
from sync.wiretypes import Exchange

MOST_AGAIN = 5  # deals of one client that are read again for one event
LABELS = {"subsidiary": "subsidiary", "terms": "payment terms", "currency": "currency"}


@dataclass(frozen=True, slots=True)
class Again:
    """Deals whose billing waits for something to be corrected: an event says that it may have been."""

    waiting: tuple[Known, ...]


@dataclass(frozen=True, slots=True)
class Reread:
    """What was read of these deals: their contract -> blocks by name. Without the ERP's where it did not answer."""

    blocks: Mapping[int, Mapping[str, Any]]


def crm() -> Pipedrive:
    """The adapter, narrowed."""
    adapter = providers.get("pipedrive")
    assert isinstance(adapter, Pipedrive)
    return adapter


def erp() -> NetSuite:
    """The adapter, narrowed."""
    adapter = providers.get("netsuite")
    assert isinstance(adapter, NetSuite)
    return adapter


def signed_stage() -> str:
    """The stage that means signed, by its id; webhooks never name it otherwise."""
    return str(crm().config.get("signed_stage_id") or "")


def deal(deal_id: str, exchanges: list[Exchange]) -> dict[str, Any]:
    """A deal with its person and organization: three small reads. Raises ProviderError."""
    found = crm().deal(deal_id, exchanges)
    if found is None:
        return blocks.gone_block(deal_id, clock.now().isoformat())
    if blocks.standing(found, signed_stage()) != "signed":
        return blocks.deal_block(found, None, None, signed_stage())
    organization = crm().organization(found.org_id, exchanges) if found.org_id else None
    person = crm().person(found.person_id, exchanges) if found.person_id else None
    return blocks.deal_block(found, person, organization, signed_stage())


def about(asked: str | Again, exchanges: list[Exchange]) -> dict[str, Any] | Reread:
    """What an event about the CRM needs: one deal by its id, or those that wait. Raises ProviderError."""
    if isinstance(asked, str):
        return deal(asked, exchanges)
    found: dict[int, dict[str, Any]] = {}
    for known in asked.waiting[:MOST_AGAIN]:
        blocks_ = found[known.refs.contract_id] = {"deal": deal(known.refs.deal, exchanges)}
        if blocks_["deal"]["standing"] != "signed":
            continue
        try:
            blocks_["account"] = account(known, blocks_["deal"], exchanges)
        except ProviderError:  # it is read before anything is sent; what the CRM says need not wait for it
            continue
    return Reread(found)


def account(known: Known, block: Mapping[str, Any], exchanges: list[Exchange]) -> dict[str, Any]:
    """What the ERP has for a deal: its customer, others of the same name, and ids of what the deal names."""
    read: dict[str, Any] = {"synced_at": clock.now().isoformat(), "lacks": [], "customer": "", "twin": ""}
    if not block.get("source"):
        return read
    lists = records.LISTED.read(erp(), exchanges)
    wanted = {"subsidiary": "subsidiary", "term": "terms", "currency": "currency"}
    found = records.customer(erp(), known.refs.external_id, exchanges)
    name = mappings.transforms.company_name(block["source"].get("organization.name", ""), mappings.Given({}))
    twins = records.twins(erp(), name, known.refs.external_id, exchanges) if found is None and name else []
    email = str(block["source"].get("person.primary_email", "")).casefold()
    same = [one for one in twins if email and str(one.get("email", "")).casefold() == email]
    read |= {
        "customer": found.id if found else "", "item": str(erp().config.get("item") or ""),
        "name_is_taken": bool(twins), "twin": str(same[0]["id"]) if same else "",
        "lists": {listed: _only(lists[listed], block, word) for listed, word in wanted.items()},
    }  # fmt: skip
    read["lacks"] = _lacks(block, read, is_inactive=bool(found and found.is_inactive))
    return read


def _only(listed: Mapping[str, str] | None, block: Mapping[str, Any], word: str) -> dict[str, str] | None:
    """Of a whole list just what this deal names: the rest is nobody's business in a cached block."""
    if listed is None:
        return None
    source = "deal.payment_terms" if word == "terms" else f"deal.{word}"
    asked = " ".join(str(block["source"].get(source, "")).split()).casefold()
    return {asked: listed[asked]} if asked in listed else {}


def _lacks(block: Mapping[str, Any], read: Mapping[str, Any], *, is_inactive: bool) -> list[tuple[str, str]]:
    """What the ERP cannot take, beside what the deal itself lacks."""
    own = {field for field, _ in blocks.rules.lacks(blocks.signed(block))}
    _, faults = mappings.fill("netsuite", "customer", blocks.given(block, read), is_new=True)
    found = [(LABELS[field], fault) for field, fault in faults if field in LABELS and LABELS[field] not in own]
    if not read["item"]:
        found.append(("ERP item", "is not configured"))
    if is_inactive:
        found.append(("ERP customer", "is inactive"))
    return found
