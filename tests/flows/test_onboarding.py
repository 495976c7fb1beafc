"""A signed deal from the CRM's webhook to the ERP's books, and back to the deal."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from gates import review
from gates.models import ReviewItem
from ledger.models import Action, Contract, Customer, Event, ExternalId, LedgerRow
from tests.flows.deals import DONE, agree, books, notes, sign, states
from tests.flows.world import World


def test_signed_deal_becomes_one_customer_one_invoice_and_the_deal_says_so(crm: World) -> None:
    made = sign(crm, org={"name": "Northwind Robotics Oy"})

    crm.settle()

    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    (customer,), (invoice,) = books(crm, "customer"), books(crm, "invoice")
    ours = Customer.objects.get()
    assert customer["externalId"] == ours.external_id
    assert customer["companyName"] == "Northwind Robotics Oy"
    assert customer["taxRegistration"][0]["taxRegistrationNumber"] == "FI12345678"
    assert invoice["entity"]["id"] == customer["id"]
    assert (invoice["total"], invoice["otherRefNum"]) == (4900.0, f"PD-{made['deal']}")
    contract = Contract.objects.get()
    assert (contract.state, contract.amount_minor, contract.currency) == ("active", 490_000, "eur")
    assert ours.state == "synced"
    deal = next(one for one in crm.sandbox.books("pipedrive")["objects"]["deals"].values() if one["id"] == made["deal"])
    assert ours.external_id in deal["custom_fields"].values()
    assert len(notes(crm)) == 1
    assert not ReviewItem.objects.exists()


def test_our_own_marks_come_back_and_start_nothing(crm: World) -> None:
    sign(crm)

    crm.settle(0.3)

    assert Action.objects.count() == 4
    assert Event.objects.filter(verdict__contains="our own write").exists()


def test_deal_that_is_not_signed_starts_nothing(crm: World) -> None:
    made = crm.play("pipedrive", "create_deal")
    crm.play("pipedrive", "edit_deal", deal=made["deal"], value=5000)

    crm.settle()

    assert not Action.objects.exists()
    assert not Customer.objects.exists()


def test_everything_told_twice_and_out_of_order_has_one_effect(crm: World) -> None:
    crm.fault({"provider": "pipedrive", "kind": "hook_duplicate", "times": 9})
    crm.hold("pipedrive")
    made = sign(crm)
    crm.play("pipedrive", "move_stage", deal=made["deal"], stage="Proposal")
    crm.play("pipedrive", "move_stage", deal=made["deal"])
    crm.release("pipedrive", "reversed")

    crm.settle(0.3)

    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    assert Action.objects.count() == 4
    assert (len(books(crm, "customer")), len(books(crm, "invoice"))) == (1, 1)


def test_two_deals_of_one_organization_are_one_customer_with_two_invoices(crm: World) -> None:
    first = sign(crm)
    second = sign(crm, org_id=first["organization"], person_id=first["person"], value=100)

    crm.settle()

    assert Customer.objects.count() == 1
    assert Contract.objects.count() == 2
    assert len(books(crm, "customer")) == 1
    assert sorted(one["total"] for one in books(crm, "invoice")) == [100.0, 4900.0]
    assert {one["otherRefNum"] for one in books(crm, "invoice")} == {f"PD-{first['deal']}", f"PD-{second['deal']}"}


def test_missing_tax_id_is_one_item_that_names_it_and_goes_on_once_it_is_there(crm: World, biller: User) -> None:
    made = sign(crm, org={"name": "Acme", "tax_id": None})
    crm.settle()

    action = Action.objects.get(kind="customer.create")
    item = ReviewItem.objects.get()
    before = Customer.objects.get().external_id
    assert action.state == "in_review"
    assert (item.why, item.reason) == ("ready_for_billing", "tax registration is missing")
    assert item.owner_group == "Revenue Ops Lead"
    assert books(crm, "customer") == []
    assert states()["deal.note"] == "applied"

    crm.play("pipedrive", "edit_org", org=made["organization"], tax_id="FI87654321")
    crm.settle()
    agree(item, action, biller)
    crm.settle()

    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    (customer,) = books(crm, "customer")
    assert customer["externalId"] == before == Customer.objects.get().external_id
    assert customer["taxRegistration"][0]["taxRegistrationNumber"] == "FI87654321"
    assert len(books(crm, "invoice")) == 1
    assert len(notes(crm)) == 2


def test_approving_what_is_still_missing_asks_again_and_writes_nothing(crm: World, biller: User) -> None:
    sign(crm, fields={"Billing owner": None})
    crm.settle()
    action = Action.objects.get(kind="customer.create")

    agree(ReviewItem.objects.get(), action, biller)
    crm.settle()

    assert states()["customer.create"] == "in_review"
    assert ReviewItem.objects.exclude(state="resolved").get().reason == "billing owner is missing"
    assert books(crm, "customer") == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"org": None}, "organization is missing"),
        ({"person": {"emails": []}}, "e-mail is missing"),
        ({"person": {"emails": ["nobody at all"]}}, "e-mail is not an address mail can be sent to"),
        ({"currency": "XXX"}, "currency is not a currency we know"),
        ({"value": 0}, "amount must be above zero"),
        ({"fields": {"Onboarding package code": None}}, "package is missing"),
        ({"fields": {"Payment terms": None}}, "payment terms is missing"),
        ({"fields": {"CSM": None, "First value date": None}},
         "customer success manager is missing; first-value date is missing"),
        ({"org": {"name": "Acme", "tax_id": "FI123"}}, "tax registration does not have the form that FI uses"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_deal_is_one_item(crm: World, given: Any, named: str) -> None:
    sign(crm, **given)

    crm.settle()

    item = ReviewItem.objects.get()
    assert named in item.reason
    assert books(crm, "customer") == []


def test_terms_the_erp_does_not_have_are_named_in_the_item_and_once_on_the_deal(crm: World, biller: User) -> None:
    made = sign(crm, fields={"Payment terms": "Net 60"})
    crm.settle()

    item = ReviewItem.objects.get()
    assert item.reason == "payment terms is not among the term list of the ERP"
    assert books(crm, "customer") == []
    (note,) = crm.sandbox.books("pipedrive")["objects"]["notes"].values()
    assert "payment terms is not among the term list" in note["content"]
    assert states() == {"customer.create": "in_review", "deal.annotate": "applied", "deal.note": "applied"}

    review.retry(item.pk, by=biller, reason="look again", version=Action.objects.get(pk=item.action_id).state_version)
    crm.settle()
    assert (len(notes(crm)), Action.objects.filter(kind="deal.annotate").count()) == (1, 1)

    crm.play("pipedrive", "edit_deal", deal=made["deal"], fields={"Payment terms": "Net 15"})
    crm.settle()
    review.retry(item.pk, by=biller, reason="corrected", version=Action.objects.get(pk=item.action_id).state_version)
    crm.settle()
    assert (states(), len(notes(crm)), len(books(crm, "customer"))) == (DONE, 2, 1)


def test_removed_field_of_the_crm_is_named(crm: World) -> None:
    made = crm.play("pipedrive", "create_deal")
    crm.play("pipedrive", "remove_field", name="Billing owner")
    crm.play("pipedrive", "move_stage", deal=made["deal"])

    crm.settle()

    assert "CRM field Billing owner does not exist any more" in ReviewItem.objects.get().reason


def test_deal_that_left_the_stage_before_it_was_read_starts_nothing(crm: World) -> None:
    crm.hold("pipedrive")
    made = sign(crm)
    crm.play("pipedrive", "delete_deal", deal=made["deal"])
    crm.release("pipedrive")

    crm.settle()

    assert not Action.objects.exists()


def test_deal_lost_while_it_waits_for_a_person_withdraws_what_was_planned(crm: World) -> None:
    made = sign(crm, org={"name": "Acme", "tax_id": None})
    crm.settle()

    crm.play("pipedrive", "edit_deal", deal=made["deal"], status="lost")
    crm.settle()

    assert states()["customer.create"] == "superseded"
    assert not ReviewItem.objects.exclude(state="resolved").exists()


def test_same_name_of_another_client_gets_a_number_behind_it(crm: World) -> None:
    crm.play("netsuite", "create_customer", name="Acme", email="else@where.example")
    made = sign(crm, org={"name": "Acme"})

    crm.settle()

    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    names = sorted(one["entityId"] for one in books(crm, "customer"))
    assert names == ["Acme", f"Acme (PD-{made['organization']})"]


def test_same_name_and_address_is_a_candidate_and_a_person_decides(crm: World, biller: User) -> None:
    there = crm.play("netsuite", "create_customer", name="Acme", email="ap@acme.example")
    sign(crm, org={"name": "Acme"}, person={"emails": ["AP@acme.example"]})
    crm.settle()

    item = ReviewItem.objects.get()
    assert (item.why, there["id"] in item.reason) == ("possible_duplicate", True)
    assert len(books(crm, "customer")) == 1

    agree(item, Action.objects.get(kind="customer.create"), biller)
    crm.settle()

    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    assert len(books(crm, "customer")) == 2


def test_organization_that_is_merged_stops_the_billing_of_its_customer(crm: World, biller: User) -> None:
    first = sign(crm)
    crm.settle()
    other = crm.play("pipedrive", "create_org", name="Other Oy")["organization"]
    crm.play("pipedrive", "merge_orgs", org=first["organization"], into=other)
    crm.settle()

    assert Customer.objects.get().state == "conflict"
    item = ReviewItem.objects.get(kind="customer.identity")
    assert item.why == "organization_merged"

    sign(crm, org_id=other, person_id=first["person"])
    crm.settle()

    assert Customer.objects.count() == 1, "the link followed the merge"
    assert Action.objects.filter(kind="customer.create", state="in_review").count() == 1
    assert len(books(crm, "invoice")) == 1


def test_database_refuses_another_external_id(crm: World) -> None:
    sign(crm)
    crm.settle()

    assert ExternalId.objects.filter(system="pipedrive", kind="deal").count() == 1
    assert LedgerRow.objects.filter(subject_kind="customer", post_state="synced").count() == 1
