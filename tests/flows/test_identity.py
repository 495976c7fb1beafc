"""A customer that is renamed, merged or made inactive elsewhere is billed again once a person said who it is."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gates import review
from gates.models import ReviewItem
from ledger import verify
from ledger.models import Action, Customer, ExternalId
from meshline import subjects
from sync.reconcile.models import Delta
from tests.flows.deals import DONE, books, sign, states
from tests.flows.world import World


def asked() -> list[tuple[str, str, str]]:
    return list(Delta.objects.filter(check_name="identity").order_by("id").values_list("field", "state", "owner_group"))


def page_of(customer: Customer) -> str:
    return f"/admin/customers/{customer.pk}/identity/"


def test_what_waited_for_a_merge_goes_on_when_it_is_confirmed_on_the_page(
    crm: World, biller: User, client: Client
) -> None:
    first = sign(crm, org={"name": "Northwind Oy"})
    crm.settle()
    other = crm.play("pipedrive", "create_org", name="Northwind Group Oy")["organization"]
    crm.play("pipedrive", "merge_orgs", org=first["organization"], into=other)
    crm.settle()
    customer = Customer.objects.get()
    assert customer.state == "conflict"
    assert asked() == [("organization_merged", "open", "Revenue Ops Lead")]
    sign(crm, org_id=other, person_id=first["person"])
    crm.settle()
    waiting = Action.objects.get(kind="customer.create", state="in_review")
    assert len(books(crm, "invoice")) == 1, "nothing is billed while it is asked"

    client.force_login(biller)
    item = ReviewItem.objects.get(kind="customer.identity")
    assert page_of(customer) in client.get(f"/admin/gates/reviewitem/{item.pk}/change/").content.decode()
    assert page_of(customer) in client.get(f"/admin/ledger/customer/{customer.pk}/change/").content.decode()
    shown = client.get(page_of(customer)).content.decode()
    assert "Northwind Group Oy" in shown
    assert "Northwind Oy" in shown
    assert str(first["organization"]) in shown
    assert "1 action" in shown
    assert client.post(page_of(customer), {"reason": " "}).status_code == 422
    assert client.post(page_of(customer), {"reason": "their lawyer wrote"}).status_code == 302
    crm.settle()

    customer.refresh_from_db()
    waiting.refresh_from_db()
    assert (customer.state, waiting.state) == ("synced", "applied")
    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    assert len(books(crm, "customer")) == 1
    assert len(books(crm, "invoice")) == 2
    assert asked() == [("organization_merged", "resolved", "Revenue Ops Lead")]
    assert not ReviewItem.objects.exclude(state="resolved").exists()
    links = ExternalId.objects.filter(system="pipedrive", kind="organization", customer=customer).order_by("id")
    assert list(links.values_list("value", flat=True)) == [str(first["organization"]), str(other)]
    assert client.post(page_of(customer), {"reason": "again"}).status_code == 409
    report = verify.verify(subjects.SUBJECTS, subjects.UNCHAINED)
    assert report.is_intact, report


@pytest.mark.parametrize(
    ("why", "fields"),
    [("customer_renamed", {"companyName": "Other Ltd"}), ("customer_inactive", {"isInactive": True})],
)
def test_a_customer_changed_in_the_erp_is_asked_about_and_confirmed_by_the_api(
    crm: World, biller: User, client: Client, why: str, fields: dict[str, object]
) -> None:
    sign(crm, org={"name": "Northwind Oy"})
    crm.settle()
    (record,) = books(crm, "customer")
    crm.play("netsuite", "change_customer", id=record["id"], fields=fields)
    crm.settle()

    customer = Customer.objects.get()
    assert (customer.state, asked()) == ("conflict", [(why, "open", "Revenue Ops Lead")])
    one = Delta.objects.get(check_name="identity")
    assert (one.left_value, one.customer) == ("Northwind Oy", customer)
    assert ["netsuite", "customer", record["id"]] in one.refs

    client.force_login(biller)
    address = f"/api/v1/customers/{customer.external_id}/confirm/"
    assert client.post(address, json.dumps({}), "application/json").status_code == 422
    done = client.post(address, json.dumps({"reason": "asked them"}), "application/json")

    assert (done.status_code, done.json()["state"]) == (200, "synced")
    assert asked() == [(why, "resolved", "Revenue Ops Lead")]
    assert not ReviewItem.objects.exclude(state="resolved").exists()
    assert client.post(address, json.dumps({"reason": "again"}), "application/json").status_code == 409


def test_a_rename_before_anything_was_billed_is_the_name_that_is_billed_and_asks_nobody(
    crm: World, biller: User
) -> None:
    made = sign(crm, org={"name": "Before Oy", "tax_id": None})
    crm.settle()
    crm.play("pipedrive", "edit_org", org=made["organization"], name="After Oy", tax_id="FI12345671")
    crm.settle()
    item = ReviewItem.objects.get()

    review.retry(item.pk, by=biller, reason="corrected", version=Action.objects.get(pk=item.action_id).state_version)
    crm.settle()

    (record,), customer = books(crm, "customer"), Customer.objects.get()
    assert (record["companyName"], customer.name, customer.state) == ("After Oy", "After Oy", "synced")
    assert asked() == []
    assert not ReviewItem.objects.exclude(state="resolved").exists()
