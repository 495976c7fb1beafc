"""What salespeople do in the CRM."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sync.sandbox import keys
from sync.sandbox.pipedrive.errors import Refused
from sync.sandbox.pipedrive.records import BILLING_ID, CSM_ID, REP_ID
from sync.sandbox.wire import Json
from sync.sandbox.world import PlayError, need

if TYPE_CHECKING:
    from sync.sandbox.pipedrive.simulator import Pipedrive

USUAL = {
    "Onboarding package code": "PKG-GROWTH", "CSM": CSM_ID, "Billing owner": BILLING_ID,
    "First value date": "2026-12-15", "Subsidiary": "Parent Company", "Payment terms": "Net 30",
}  # fmt: skip
PLAIN = ("title", "value", "currency", "status", "org_id", "person_id", "pipeline_id", "owner_id", "label_ids")
Play = Callable[["Pipedrive", Json], Json]


def _try(make: Callable[[], Any]) -> Any:
    """The records' refusals, for whoever plays."""
    try:
        return make()
    except Refused as error:
        raise PlayError(str(error)) from error


def _stage(pipedrive: "Pipedrive", wanted: Any) -> int:
    """A stage by its number or its name."""
    for stage in pipedrive.records.stages:
        if wanted in (stage["id"], str(stage["id"]), stage["name"]):
            return int(stage["id"])
    raise PlayError(f"no stage {wanted!r}")


def _get(pipedrive: "Pipedrive", entity: str, number: Any) -> Json:
    found: Json = _try(lambda: pipedrive.records.get(entity, number))
    return found


def _create(pipedrive: "Pipedrive", entity: str, given: Json) -> Json:
    record: Json = _try(lambda: pipedrive.records.create(entity, given, REP_ID))
    pipedrive.tell("create", entity, record, None, REP_ID)
    return record


def _change(pipedrive: "Pipedrive", entity: str, record: Json, given: Json, **how: Any) -> list[str]:
    before = _try(lambda: pipedrive.records.change(entity, record, given))
    return [pipedrive.tell("change", entity, record, before, REP_ID, **how)] if before else []


def create_org(pipedrive: "Pipedrive", params: Json) -> Json:
    """An organization: `name`, `tax_id` (null for none), `address` {value, country, ...}, `external_id`."""
    words = {"Tax ID": params.get("tax_id", "FI12345678"), "Meshline external id": params.get("external_id")}
    custom = _try(lambda: pipedrive.fields.from_words("organization", words))
    place = {"value": "Mannerheimintie 1, Helsinki", "country": "Finland", "locality": "Helsinki",
             "postal_code": "00100", "route": "Mannerheimintie", "street_number": "1"}  # fmt: skip
    given = {"name": str(need(params, "name")), "address": params.get("address", place), "custom_fields": custom}
    return {"organization": _create(pipedrive, "organization", given)["id"]}


def create_person(pipedrive: "Pipedrive", params: Json) -> Json:
    """A contact: `name`, `emails` (first is primary, or a list of objects), `phones`, `org_id`."""
    given = {
        "name": str(need(params, "name")), "org_id": params.get("org_id"),
        "emails": _values(params.get("emails", [])), "phones": _values(params.get("phones", [])),
    }  # fmt: skip
    return {"person": _create(pipedrive, "person", given)["id"]}


def _values(listed: list[Any]) -> list[Json]:
    return [
        one if isinstance(one, dict) else {"value": one, "primary": place == 0, "label": "work"}
        for place, one in enumerate(listed)
    ]


def create_deal(pipedrive: "Pipedrive", params: Json) -> Json:
    """A deal, ready for billing unless told otherwise: `title`, `value`, `currency`, `stage`, `fields` by name.

    `org` {name, tax_id, address} and `person` {name, emails, phones} are made with it; null for none, or give
    `org_id` and `person_id` of known ones.
    """
    title = str(params.get("title", "Northwind onboarding"))
    org_id, person_id = params.get("org_id"), params.get("person_id")
    if org_id is None and params.get("org", {}) is not None:
        org_id = create_org(pipedrive, {"name": title, **params.get("org", {})})["organization"]
    if person_id is None and params.get("person", {}) is not None:
        who = {"name": "Aino Virta", "emails": [f"ap-{org_id}@sandbox.test"], "phones": ["+358 40 123 4567"]}
        person_id = create_person(pipedrive, {**who, "org_id": org_id, **params.get("person", {})})["person"]
    words = {**USUAL, **params.get("fields", {})}
    given = {
        "title": title, "value": params.get("value", 4900), "currency": params.get("currency", "EUR"),
        "org_id": org_id, "person_id": person_id, "stage_id": _stage(pipedrive, params.get("stage", "Proposal")),
        "custom_fields": _try(lambda: pipedrive.fields.from_words("deal", words)),
    }  # fmt: skip
    deal = _create(pipedrive, "deal", given)
    return {"deal": deal["id"], "organization": org_id, "person": person_id}


def move_stage(pipedrive: "Pipedrive", params: Json) -> Json:
    """`deal` goes to `stage`, by default the signed one."""
    deal = _get(pipedrive, "deal", need(params, "deal"))
    stage = _stage(pipedrive, params.get("stage", keys.PIPEDRIVE_SIGNED_STAGE_ID))
    return {"deal": deal["id"], "events": _change(pipedrive, "deal", deal, {"stage_id": stage})}


def edit_deal(pipedrive: "Pipedrive", params: Json) -> Json:
    """Change plain members and `fields` by name of `deal`; null clears."""
    deal = _get(pipedrive, "deal", need(params, "deal"))
    given = {name: params[name] for name in PLAIN if name in params}
    if "fields" in params:
        given["custom_fields"] = _try(lambda: pipedrive.fields.from_words("deal", params["fields"]))
    return {"deal": deal["id"], "events": _change(pipedrive, "deal", deal, given)}


def edit_org(pipedrive: "Pipedrive", params: Json) -> Json:
    """Change `name`, `tax_id`, `address` of the organization `org`."""
    org = _get(pipedrive, "organization", need(params, "org"))
    given: Json = {name: params[name] for name in ("name", "address") if name in params}
    if "tax_id" in params:
        words = {"Tax ID": params["tax_id"]}
        given["custom_fields"] = _try(lambda: pipedrive.fields.from_words("organization", words))
    return {"organization": org["id"], "events": _change(pipedrive, "organization", org, given)}


def edit_person(pipedrive: "Pipedrive", params: Json) -> Json:
    """Change `name`, `emails`, `phones` of `person`."""
    person = _get(pipedrive, "person", need(params, "person"))
    given: Json = {name: _values(params[name]) for name in ("emails", "phones") if name in params}
    given |= {"name": params["name"]} if "name" in params else {}
    return {"person": person["id"], "events": _change(pipedrive, "person", person, given)}


def merge_orgs(pipedrive: "Pipedrive", params: Json) -> Json:
    """The organization `org` goes into `into`, with its deals and people."""
    org, into = (_get(pipedrive, "organization", need(params, name)) for name in ("org", "into"))
    for entity in ("person", "deal"):
        for record in list(pipedrive.records.kept[entity].values()):
            if record["org_id"] == org["id"] and not record["is_deleted"]:
                _change(pipedrive, entity, record, {"org_id": into["id"]})
    return _merged(pipedrive, "organization", org, into)


def merge_deals(pipedrive: "Pipedrive", params: Json) -> Json:
    """`deal` goes into the deal `into`."""
    deal, into = (_get(pipedrive, "deal", need(params, name)) for name in ("deal", "into"))
    return _merged(pipedrive, "deal", deal, into)


def _merged(pipedrive: "Pipedrive", entity: str, gone: Json, into: Json) -> Json:
    """A merge is told twice: the delete of one and the change of the other."""
    events = [pipedrive.remove(entity, gone, REP_ID, merged_to_id=str(into["id"]))]
    into["update_time"] = pipedrive.clock.iso()
    events.append(pipedrive.tell("change", entity, into, {}, REP_ID, merged_from_id=str(gone["id"])))
    return {"gone": gone["id"], "into": into["id"], "events": events}


def delete_deal(pipedrive: "Pipedrive", params: Json) -> Json:
    """`deal` is deleted."""
    deal = _get(pipedrive, "deal", need(params, "deal"))
    return {"deal": deal["id"], "events": [pipedrive.remove("deal", deal, REP_ID)]}


def delete_org(pipedrive: "Pipedrive", params: Json) -> Json:
    """The organization `org` is deleted."""
    org = _get(pipedrive, "organization", need(params, "org"))
    return {"organization": org["id"], "events": [pipedrive.remove("organization", org, REP_ID)]}


def purge_deal(pipedrive: "Pipedrive", params: Json) -> Json:
    """Thirty days after its deletion `deal` is gone for good."""
    deal = _get(pipedrive, "deal", need(params, "deal"))
    del pipedrive.records.kept["deal"][deal["id"]]
    return {"deal": deal["id"]}


def archive_deal(pipedrive: "Pipedrive", params: Json) -> Json:
    """`deal` is archived."""
    deal = _get(pipedrive, "deal", need(params, "deal"))
    return {"deal": deal["id"], "events": _change(pipedrive, "deal", deal, {"is_archived": True})}


def bulk_edit(pipedrive: "Pipedrive", params: Json) -> Json:
    """All `deals` get `fields` by name or a `stage` in one gesture: one event each, in a burst."""
    given: Json = {"stage_id": _stage(pipedrive, params["stage"])} if "stage" in params else {}
    if "fields" in params:
        given["custom_fields"] = _try(lambda: pipedrive.fields.from_words("deal", params["fields"]))
    deals = [_get(pipedrive, "deal", number) for number in need(params, "deals")]
    return {"events": [one for deal in deals for one in _change(pipedrive, "deal", deal, given, is_bulk=True)]}


def remove_field(pipedrive: "Pipedrive", params: Json) -> Json:
    """An administrator deletes the field `name` of `entity`; its values are gone with it."""
    entity = str(params.get("entity", "deal"))
    listed = pipedrive.fields.listed[entity]
    listed[:] = [one for one in listed if one["field_name"] != need(params, "name")]
    return {"fields": len(listed)}


def add_field(pipedrive: "Pipedrive", params: Json) -> Json:
    """An administrator makes a field: `entity`, `name`, `type`, `options`; it has a new code."""
    entity, type_ = str(params.get("entity", "deal")), str(params.get("type", "varchar"))
    made = pipedrive.fields.add(entity, str(need(params, "name")), type_, tuple(params.get("options", ())))
    return {"code": made["field_code"]}


def set_options(pipedrive: "Pipedrive", params: Json) -> Json:
    """`daily` tokens a day, `spent` of them today, `burst` calls in two seconds (0: any), `block_after` refusals."""
    for name in ("daily", "spent", "burst", "block_after"):
        setattr(pipedrive.budget, name, int(params.get(name, getattr(pipedrive.budget, name))))
    if "spent" in params:
        pipedrive.budget.day = int(pipedrive.clock.now() // 86_400)
    return {"daily": pipedrive.budget.daily, "spent": pipedrive.budget.spent, "burst": pipedrive.budget.burst}


PLAYS: Mapping[str, Play] = {
    play.__name__: play
    for play in (
        create_org, create_person, create_deal, move_stage, edit_deal, edit_org, edit_person, merge_orgs, merge_deals,
        delete_deal, delete_org, purge_deal, archive_deal, bulk_edit, add_field, remove_field, set_options,
    )
}  # fmt: skip
