"""Pipedrive's webhooks and records, read through their contracts; no network, no database."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sync import contracts
from sync.contracts import Drift, pipedrive, pipedrive_records
from sync.contracts.members import DriftError
from sync.contracts.pipedrive import DealSeen, OrganizationSeen, PersonSeen
from sync.crmtypes import FieldFacts
from tests.sync.payloads import payload

NAMES = {"package_code": "Package", "billing_status": "Billing status", "csm": "CSM", "first_value_date": "First value"}
FIELDS = {
    "package_code": FieldFacts("Package", "a1", "varchar"),
    "billing_status": FieldFacts("Billing status", "b2", "enum", ((17, "Blocked"), (18, "Billed"))),
    "csm": FieldFacts("CSM", "c3", "user"),
    "first_value_date": FieldFacts("First value", "d4", "date"),
}
RECORD = {
    "id": 4711, "title": "Northwind", "org_id": 130, "person_id": 179, "owner_id": 5, "pipeline_id": 5, "stage_id": 428,
    "status": "open", "is_deleted": False, "is_archived": False, "value": Decimal("4900.5"), "currency": "EUR",
    "label_ids": [3, 4], "add_time": "2026-11-02T07:11:00Z", "update_time": "2026-11-21T09:15:56Z",
    "custom_fields": {"a1": " PKG ", "b2": 17, "c3": 99, "d4": "2026-12-15"},
}  # fmt: skip


def read(name, type_="", **meta):
    document = payload("pipedrive", name)
    document["meta"] |= meta
    return contracts.read("pipedrive", type_ or pipedrive.type_of(document["meta"]), "2.0", document)


# --- events


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("create.deal", "deal.changed"), ("change.deal", "deal.changed"), ("delete.deal", "deal.deleted"),
        ("change.deal.merged", "deal.merged"), ("delete.deal.merged", "deal.merged"),
        ("create.organization", "organization.changed"), ("change.organization", "organization.changed"),
        ("delete.organization", "organization.deleted"), ("delete.organization.merged", "organization.merged"),
        ("change.organization.merged", "organization.merged"), ("change.person", "person.changed"),
        ("create.note", "unknown"), ("change.stage", "unknown"), ("delete.person", "unknown"), ("", "unknown"),
        ("Change.Deal", "unknown"),
    ],
)  # fmt: skip
def test_kinds(type_, kind):
    assert contracts.contract_for("pipedrive", type_).kind == kind


def test_a_deal_that_moved():
    seen = read("change.deal")
    assert seen == DealSeen(
        id="4711", action="change", org_id="130", person_id="179", pipeline_id="5", stage_id="428",
        previous_stage_id="427", status="open", is_archived=False, is_polled=False, actor_id="12415231", merged_to="",
        merged_from="", updated_at=datetime(2026, 11, 21, 9, 15, 56, tzinfo=UTC),
    )  # fmt: skip
    assert (seen.entered("428"), seen.entered("427"), seen.entered("")) == (True, False, False)


@pytest.mark.parametrize(
    ("record", "previous", "action", "entered"),
    [
        ({}, {"stage_id": 427}, "change", True),
        ({"status": "won"}, {"stage_id": 427}, "change", True),
        ({"status": "lost"}, {"stage_id": 427}, "change", False),
        ({"is_archived": True}, {"stage_id": 427}, "change", False),
        ({}, {"title": "x"}, "change", False),
        ({}, None, "create", True),
        ({"stage_id": 429}, {"stage_id": 428}, "change", False),
    ],
)
def test_when_a_deal_counts_as_having_reached_a_stage(record, previous, action, entered):
    document = payload("pipedrive", "change.deal")
    document["data"] |= record
    document |= {"previous": previous, "meta": document["meta"] | {"action": action}}

    assert contracts.read("pipedrive", f"{action}.deal", "2.0", document).entered("428") is entered


def test_a_deleted_deal_shows_its_last_state():
    seen = read("delete.deal")
    assert (seen.id, seen.org_id, seen.stage_id, seen.entered("428")) == ("4711", "130", "428", False)


def test_both_sides_of_a_merge_name_the_other():
    gone = read("delete.organization.merged")
    kept = read("change.organization", merged_from_id="130", entity_id="130")

    assert isinstance(gone, OrganizationSeen)
    assert (gone.merged_to, gone.name) == ("131", "Northwind Robotics Oy")
    assert (kept.merged_from, kept.previous_name) == ("130", "Northwind Oy")


def test_a_person_says_only_whose():
    seen = read("change.person")
    assert isinstance(seen, PersonSeen)
    assert (seen.id, seen.org_id) == ("179", "130")


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"data": {}}, "id"), ({"data": None}, "id"), ({"data": []}, "data"), ({"previous": "x"}, "previous"),
        ({"data": {"id": 4711, "pipeline_id": 5, "status": "open"}}, "stage_id"),
        ({"data": {"id": 1, "stage_id": 1, "pipeline_id": 5, "status": "open"}}, "id"),
        ({"data": {"id": 4711, "stage_id": [1], "pipeline_id": 5, "status": "open"}}, "stage_id"),
        ({"data": {"id": 4711, "stage_id": 1, "pipeline_id": 5, "status": 7}}, "status"),
        ({"meta": {"action": "change", "entity": "deal", "entity_id": "abc"}}, "entity_id"),
        ({"meta": {"action": "change", "entity": "deal", "entity_id": "٤٧١١"}}, "entity_id"),
    ],
)  # fmt: skip
def test_drift_names_the_member(change, member):
    found = contracts.read("pipedrive", "change.deal", "2.0", payload("pipedrive", "change.deal") | change)
    assert isinstance(found, Drift)
    assert (found.source, found.member) == ("pipedrive", member)


# --- records


def deal(**members):
    return pipedrive_records.deal(RECORD | members, FIELDS, NAMES)


def test_a_deal():
    found = deal()
    assert (found.id, found.org_id, found.amount_minor, found.currency) == ("4711", "130", 490050, "eur")
    assert (found.package_code, found.billing_status, found.csm_id) == ("PKG", "Blocked", "99")
    assert (found.first_value_date, found.label_ids, found.missing_fields) == (date(2026, 12, 15), (3, 4), ())
    assert (found.external_id, found.payment_terms) == ("", "")


@pytest.mark.parametrize(
    ("value", "currency", "amount", "why"),
    [
        (980, "JPY", 980, ""), (Decimal("1.5"), "KWD", 1500, ""), (0, "usd", 0, ""),
        (Decimal("49.999"), "EUR", None, "more decimals than the currency has"),
        (Decimal("1.5"), "JPY", None, "more decimals than the currency has"),
        (10, "XTS", None, "unknown currency"), (10, None, None, "unknown currency"), (None, "EUR", None, "no value"),
    ],
)  # fmt: skip
def test_money_is_exact_or_says_why_not(value, currency, amount, why):
    found = deal(value=value, currency=currency)
    assert (found.amount_minor, found.amount_why) == (amount, why)


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"value": "4900"}, "value"), ({"value": True}, "value"), ({"value": 10**16}, "value"),
        ({"status": "maybe"}, "status"), ({"update_time": None}, "update_time"),
        ({"update_time": "soon"}, "update_time"),
        ({"id": None}, "id"), ({"stage_id": None}, "stage_id"), ({"label_ids": ["a"]}, "label_ids"),
        ({"custom_fields": []}, "custom_fields"),
        ({"custom_fields": {**RECORD["custom_fields"], "b2": 99}}, "Billing status"),
        ({"custom_fields": {**RECORD["custom_fields"], "a1": 1.5}}, "Package"),
        ({"custom_fields": {**RECORD["custom_fields"], "d4": "15/12/2026"}}, "First value"),
    ],
)  # fmt: skip
def test_a_deal_that_cannot_be_read(members, member):
    with pytest.raises(DriftError) as drift:
        deal(**members)
    assert drift.value.member == member


def test_options_that_come_with_their_words_and_fields_that_are_gone():
    found = deal(custom_fields={"a1": None, "b2": {"id": 17, "label": "Blocked"}})
    assert (found.package_code, found.billing_status) == ("", "Blocked")
    assert found.missing_fields == ("CSM", "First value")


def test_without_organization_and_person():
    found = deal(org_id=None, person_id=None)
    assert (found.org_id, found.person_id) == ("", "")


@pytest.mark.parametrize(
    ("emails", "primary"),
    [
        ([{"value": "a@x.test", "primary": False}, {"value": "b@x.test", "primary": True}], "b@x.test"),
        ([{"value": "a@x.test"}, {"value": "b@x.test"}], "a@x.test"),
        ([{"value": " ", "primary": True}, {"value": "b@x.test"}], "b@x.test"),
        ([{"value": None, "primary": True}], ""), ([], ""), (None, ""),
    ],
)  # fmt: skip
def test_the_primary_address(emails, primary):
    found = pipedrive_records.person({"id": 179, "name": "Ana Ñandú-O'Brien", "emails": emails})
    assert (found.primary_email, found.org_id) == (primary, "")


def test_an_organization():
    address = {"value": "Calle 1", "country": "España", "route": "Calle", "street_number": "1", "locality": None}
    fields = {"tax_id": FieldFacts("Tax ID", "t1", "varchar"), "external_id": None}
    record = {"id": 130, "name": "Núñez & Søn", "address": address, "custom_fields": {"t1": "ESX123"}}

    found = pipedrive_records.organization(record, fields, {"tax_id": "Tax ID", "external_id": "Meshline external id"})

    assert (found.tax_id, found.street, found.country, found.locality) == ("ESX123", "Calle 1", "España", "")
    assert found.missing_fields == ("Meshline external id",)
