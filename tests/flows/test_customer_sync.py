"""The customer sync against the simulators: each row of the decision table, and what happens when things change."""

import json
from typing import Any

import pytest

from gates.models import ReviewItem
from ledger.models import Action, ExternalId, LedgerRow
from sync.customer_sync.models import SyncError, SyncOutcome
from sync.models import Attempt, PortalLink
from sync.portal import links
from tests.flows.syncing import (
    ID_FIELD,
    billing_books,
    calls,
    erp_books,
    outcomes,
    plant_billing,
    plant_erp,
    run,
)
from tests.flows.world import World, acting

ADDRESS = {
    "addr1": "1 Main St", "addr2": "Floor 2", "addr3": "Unit B", "city": "Springfield", "state": "IL", "zip": "62701",
    "country": {"id": "US"}, "addressee": "Ada", "addrPhone": "+1 555 0100",
}  # fmt: skip
BOOK = {"items": [{"defaultBilling": True, "defaultShipping": True, "addressBookAddress": ADDRESS}]}


@pytest.fixture
def syncing(world: World) -> World:
    acting("customer_sync")
    return world


def test_new_customer_is_made_once_written_back_and_then_left_alone(syncing: World) -> None:
    (one,) = plant_erp(syncing, {"name": "Acme", "email": "ap@Acme.example", "phone": "+1 555", "addressBook": BOOK})

    first = run()

    assert (first.state, first.counts) == ("finished", {"created": 1})
    (made,) = billing_books(syncing).values()
    assert (made["name"], made["email"], made["phone"]) == ("Acme", "ap@acme.example", "+1 555")
    assert made["address"]["line2"] == "Floor 2, Unit B"
    assert made["address"]["postal_code"] == "62701"
    assert made["shipping"]["name"] == "Ada"
    customer = ExternalId.objects.get(system="netsuite", kind="customer", value=one).customer
    assert made["metadata"]["netsuite_customer_id"] == one
    assert made["metadata"]["meshline_external_id"] == customer.external_id
    assert erp_books(syncing)[one][ID_FIELD] == made["id"]
    page = erp_books(syncing)[one]["custentity_mesh_stripe_portal_url"]
    assert page == links.url_for(PortalLink.objects.get(customer=customer))
    assert page.rsplit("/", 2)[1] not in json.dumps(Action.objects.get(kind="billing_customer.link").params)
    assert customer.links.get(system="stripe").value == made["id"]
    applied = LedgerRow.objects.filter(decision="confirm", customer_id=customer.pk)
    assert applied.count() == 2
    before, seen = calls("stripe"), Attempt.objects.latest("id").pk

    again = run()

    assert again.counts == {"unchanged": 1}
    assert calls("stripe") == before
    paths = set(Attempt.objects.filter(pk__gt=seen).values_list("path", flat=True))
    assert all("suiteql" in path for path in paths), "pages of the list, nothing else"


ACTS = {
    "none": ("created", ""), "one": ("linked", ""), "several": ("review", "several_matches"),
    "changed": ("updated", ""), "case": ("updated", ""), "cross": ("updated", ""), "deleted": ("review", "deleted"),
    "test mode": ("error", "other_mode"), "foreign": ("error", "other_account"),
    "no e-mail": ("review", "missing_email"), "elsewhere": ("review", "linked_elsewhere"),
    "two addresses": ("review", "several_addresses"), "bad address": ("error", "bad_email"),
    "inactive": ("skipped", "inactive"), "typed in": ("updated", ""), "first of two": ("created", ""),
    "second of two": ("review", "shared_email"), "person": ("created", ""), "long": ("error", "too_long"),
}  # fmt: skip


def plant_table(syncing: World) -> tuple[dict[str, str], list[str]]:
    """A customer of every kind; its internal ids by kind, and the billing ids in order."""
    mine = {"netsuite_account": "1234567_SB1"}
    cus = plant_billing(
        syncing,
        {"email": "one@match.example", "name": "One"},
        {"email": "two@match.example"}, {"email": "two@match.example"},
        {"email": "old@changed.example", "name": "Renamed"},
        {"email": "Case@Differs.example", "name": "Case"},
        {"email": "x@cross.example", "name": "Cross"}, {"email": "y@cross.example"},
        {"email": "gone@x.example", "deleted": True},
        {"email": "t@x.example", "other_mode": True},
        {"email": "other@x.example", "metadata": {**mine, "netsuite_customer_id": "999"}},
        {"name": "Typed in"},
    )  # fmt: skip
    _, _, _, renamed, case, cross, _, gone, other_mode, _, typed = cus
    rows = {
        "none": {"email": "none@match.example"},
        "one": {"email": "one@match.example", "name": "One"},
        "several": {"email": "two@match.example"},
        "changed": {"email": "new@changed.example", "name": "Renamed", "stripe": renamed},
        "case": {"email": "case@differs.example", "name": "Case", "stripe": case},
        "cross": {"email": "y@cross.example", "name": "Cross", "stripe": cross},
        "deleted": {"email": "gone@x.example", "stripe": gone},
        "test mode": {"email": "t@x.example", "stripe": other_mode},
        "foreign": {"email": "f@x.example", "stripe": "cus_nobodyknows"},
        "no e-mail": {},
        "elsewhere": {"email": "other@x.example"},
        "two addresses": {"email": "a@x.example; b@x.example"},
        "bad address": {"email": "not-an-address"},
        "inactive": {"email": "in@x.example", "isInactive": True},
        "typed in": {"name": "Typed in", "stripe": typed},
        "first of two": {"email": "Shared@x.example"},
        "second of two": {"email": "shared@X.example"},
        "person": {"name": None, "isPerson": True, "firstName": "Ada", "lastName": "Byron", "email": "ada@x.example"},
        "long": {"name": "x" * 513, "email": "long@x.example"},
    }  # fmt: skip
    return dict(zip(rows, plant_erp(syncing, *rows.values()), strict=True)), cus


def test_every_row_of_the_table(syncing: World, settings: Any) -> None:
    """One mass run over a customer of every kind; each comes to what the table says, and stays so."""
    ids, cus = plant_table(syncing)
    one, renamed, case = cus[0], cus[3], cus[4]

    first = run()

    found = outcomes(first)
    assert {name: found[key] for name, key in ids.items()} == ACTS
    books = billing_books(syncing)
    assert (books[renamed]["email"], books[case]["email"]) == ("new@changed.example", "case@differs.example")
    assert erp_books(syncing)[ids["one"]][ID_FIELD] == one
    assert books[one]["metadata"]["netsuite_customer_id"] == ids["one"]
    assert SyncOutcome.objects.get(run=first, internal_id=ids["cross"]).notes == ["email_also_on"]
    asked = SyncOutcome.objects.get(run=first, internal_id=ids["several"])
    assert [one["id"] for one in asked.candidates] == sorted(cus[1:3])
    assert {one["subscriptions"] for one in asked.candidates} == {0}
    open_errors = SyncError.objects.filter(state="open")
    assert open_errors.filter(code="other_mode").count() == 1
    assert open_errors.get(code="other_mode").trace_key.endswith(":configuration:other_mode")
    assert set(ReviewItem.objects.filter(state="open").values_list("why", flat=True)) == {
        code for outcome, code in ACTS.values() if outcome == "review"
    }
    made, writes = len(books), calls("stripe")

    again = run()

    second = outcomes(again)
    after = {
        name: ("unchanged", "") if outcome in ("created", "linked", "updated") else (outcome, code)
        for name, (outcome, code) in ACTS.items()
    }
    assert {name: second[key] for name, key in ids.items()} == after
    assert len(billing_books(syncing)) == made
    assert SyncError.objects.filter(state="open").count() == open_errors.count()
    assert not Attempt.objects.filter(provider="stripe", is_write=True, pk__gt=writes).filter(action=None).exists()
    assert ReviewItem.objects.exclude(state="resolved").count() == 6
