"""Two accounts of the billing system: each subsidiary's customers live in its own, whatever is done with them."""

import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from ledger.models import Action, Event, ExternalId
from meshline import conf_stripe
from sync import correlate
from sync.customer_sync.models import SyncError, SyncLink, SyncOutcome
from sync.imports import links as imports
from sync.models import Attempt
from sync.sandbox import keys
from tests.flows.syncing import ID_FIELD, change_erp, erp_books, outcomes, plant_billing, plant_erp, run
from tests.flows.world import World, acting
from tests.people.cast import person

EU, EU_SECRET = keys.STRIPE_ACCOUNTS["eu"]


@pytest.fixture
def two(world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    acting("customer_sync")
    further = {"eu": {"api_key": EU, "id": "acct_1Eu", "configuration": "", "check_customer": ""}}
    stripe = {**settings.MESHLINE_PROVIDERS["stripe"], "accounts": further}
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "stripe": stripe}
    settings.MESHLINE_SYNC_ACCOUNTS = {"2": "eu"}
    monkeypatch.setenv("MESHLINE_STRIPE_WEBHOOK_SECRETS_EU", EU_SECRET)
    return world


def books(world: World, account: str = "") -> dict[str, Any]:
    """The customers of an account."""
    table = f"customers@{account}" if account else "customers"
    found: dict[str, Any] = world.sandbox.get("/_books/stripe?only=objects")["objects"].get(table, {})
    return found


def in_eu(world: World, **fields: Any) -> str:
    return str(world.play("stripe", "plant_customers", account="eu", rows=[fields])["ids"][0])


def test_each_customer_is_made_found_and_shown_in_the_account_of_its_subsidiary(two: World) -> None:
    there = in_eu(two, email="linked@eu.example", name="Linked")
    same_mail = {"email": "shared@both.example"}
    home, abroad, linked, twin = plant_erp(
        two, {"name": "Home", **same_mail}, {"name": "Abroad", "subsidiary": {"id": "2"}, **same_mail},
        {"name": "Linked", "email": "linked@eu.example", "subsidiary": {"id": "2"}},
        {"name": "Twin", "subsidiary": {"id": "2"}, **same_mail},
    )  # fmt: skip

    first = run()

    assert outcomes(first) == {
        home: ("created", ""), abroad: ("created", ""), linked: ("linked", ""), twin: ("review", "shared_email"),
    }  # fmt: skip
    (at_home,), at_eu = books(two), books(two, "eu")
    assert set(at_eu) == {there, erp_books(two)[abroad][ID_FIELD]}
    assert erp_books(two)[home][ID_FIELD] == at_home
    assert erp_books(two)[linked][ID_FIELD] == there
    held = dict(SyncLink.objects.exclude(billing_id="").values_list("internal_id", "billing_account"))
    assert held == {int(home): "default", int(abroad): "eu", int(linked): "eu"}
    creates = Action.objects.filter(kind="billing_customer.create").order_by("id")
    assert [(one.request or {}).get("account", "") for one in creates] == ["", "eu"]
    assert len({one.key for one in creates}) == 2
    assert set(Attempt.objects.filter(provider="stripe").values_list("account", flat=True)) == {"", "eu"}
    assert run().counts == {"unchanged": 3, "review": 1}

    change_erp(two, abroad, companyName="Abroad GmbH")
    assert outcomes(run())[abroad] == ("updated", "")
    assert books(two, "eu")[erp_books(two)[abroad][ID_FIELD]]["name"] == "Abroad GmbH"

    address = erp_books(two)[abroad]["custentity_mesh_stripe_portal_url"]
    answer = Client().get("/portal/" + address.rsplit("/portal/")[1])
    assert answer.status_code == 303
    session = Attempt.objects.filter(path__contains="billing_portal").latest("id")
    assert (session.account, session.status) == ("eu", 200)


def test_an_id_of_another_account_is_told_and_no_other_customer_waits_for_it(two: World) -> None:
    foreign = in_eu(two, email="x@x.example")
    (own,) = plant_billing(two, {"email": "y@y.example"})
    wrong, wrong_too, lost, fine = plant_erp(
        two, {"email": "x@x.example", "stripe": foreign},
        {"email": "y@y.example", "stripe": own, "subsidiary": {"id": "2"}},
        {"email": "z@z.example", "stripe": "cus_nobody", "subsidiary": {"id": "2"}}, {"email": "f@f.example"},
    )  # fmt: skip

    first = run()

    assert outcomes(first) == {
        wrong: ("error", "foreign_account"), wrong_too: ("error", "foreign_account"),
        lost: ("error", "other_account"), fine: ("created", ""),
    }  # fmt: skip
    told = {str(row.internal_id): row.notes for row in SyncOutcome.objects.filter(run=first)}
    assert (told[wrong], told[wrong_too]) == (["known_in_account_eu"], ["known_in_account_default"])
    assert SyncError.objects.filter(state="open", code="foreign_account").count() == 1

    change_erp(two, fine, subsidiary={"id": "2"})
    assert outcomes(run())[fine] == ("error", "moved_account"), "nothing is moved by a change of the subsidiary"
    change_erp(two, fine, **{ID_FIELD: None})
    assert outcomes(run())[fine] == ("created", "")
    assert erp_books(two)[fine][ID_FIELD] in books(two, "eu")
    assert SyncLink.objects.get(internal_id=int(fine)).billing_account == "eu"


def test_a_delivery_says_by_its_signature_which_account_it_is_of(two: World) -> None:
    (one,) = plant_erp(two, {"email": "a@eu.example", "subsidiary": {"id": "2"}})
    run()
    customer = ExternalId.objects.get(system="netsuite", kind="customer", value=one).customer
    billing = erp_books(two)[one][ID_FIELD]
    two.play("stripe", "create_customer", name="Home", email="home@x.example")
    two.play("stripe", "update_customer", account="eu", customer=billing, name="Renamed there")
    two.settle()

    accounts = dict(Event.objects.filter(source="stripe").values_list("object_id", "account"))
    assert accounts[billing] == "eu"
    assert sorted(set(accounts.values())) == ["", "eu"]
    drifted = Event.objects.filter(source="stripe", object_id=billing).latest("id")
    assert "drift" in drifted.verdict
    known = correlate.load_customers([customer.pk])[customer.pk]
    assert known.billing_account == "eu"

    stranger = in_eu(two, email="s@eu.example", metadata={})
    correlate.note_accounts([(customer.pk, "eu", stranger)])
    SyncLink.objects.update(billing_id="")
    assert correlate.load_customers([customer.pk])[customer.pk].billing_account == "eu", "told by an event alone"


def test_an_imported_id_is_verified_where_it_is(two: World) -> None:
    by, eu = person("Revenue Ops Lead"), in_eu(two, email="i@eu.example")
    home, abroad = plant_erp(two, {"name": "H"}, {"name": "A", "subsidiary": {"id": "2"}})
    run("dry")
    run()
    (own,) = plant_billing(two, {"email": "h@x.example"})
    raw = f"internal_id,stripe_id\n{abroad},{eu}\n{home},{own}\n".encode()

    batch = imports.check(imports.begin(raw, by=by, queue=False).pk)

    assert dict(batch.rows.values_list("internal_id", "reason")) == {abroad: "", home: ""}
    assert dict(batch.rows.values_list("internal_id", "billing_account")) == {abroad: "eu", home: "default"}
    imports.confirm(batch.pk, by=by, digest_seen=batch.digest, reason="moved over")
    assert {row[0] for row in outcomes(run()).values()} == {"linked"}
    assert erp_books(two)[abroad][ID_FIELD] == eu

    (third,) = plant_erp(two, {"name": "T", "subsidiary": {"id": "2"}})
    run()
    (other,) = plant_billing(two, {"email": "o@x.example"})
    wrong = imports.check(imports.begin(f"internal_id,stripe_id\n{third},{other}\n".encode(), by=by, queue=False).pk)
    assert "it is of account default, and this customer goes by account eu" in wrong.rows.get().reason


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"MESHLINE_STRIPE_ACCOUNTS": "EU"}, "MESHLINE_STRIPE_ACCOUNTS must be names"),
        ({"MESHLINE_STRIPE_ACCOUNTS": "eu=1Abc"}, "MESHLINE_STRIPE_ACCOUNTS must be names"),
        ({"MESHLINE_STRIPE_ACCOUNTS": "eu,eu", "MESHLINE_STRIPE_API_KEY_EU": "k"}, "'eu' is one too many"),
        ({"MESHLINE_STRIPE_ACCOUNTS": "default"}, "'default' is one too many"),
        ({"MESHLINE_STRIPE_ACCOUNTS": "eu"}, "MESHLINE_STRIPE_API_KEY_EU .* is required"),
        ({"MESHLINE_STRIPE_ACCOUNTS": "eu", "MESHLINE_STRIPE_API_KEY_EU": "first"}, "another key than"),
        (
            {"MESHLINE_STRIPE_ACCOUNTS": "eu", "MESHLINE_STRIPE_API_KEY_EU": "k",
             "MESHLINE_PORTAL_CONFIGURATION_EU": "x"}, "MESHLINE_PORTAL_CONFIGURATION_EU must be an id",
        ),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured, match=named):
        conf_stripe.accounts("first", "default")


def test_a_key_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "key").write_text("rk_test_eu\n")
    monkeypatch.setenv("MESHLINE_STRIPE_ACCOUNTS", "eu=acct_1Eu")
    monkeypatch.setenv("MESHLINE_STRIPE_API_KEY_EU_FILE", str(tmp_path / "key"))

    found = conf_stripe.accounts("first", "default")

    assert json.loads(json.dumps(found["eu"])) == {
        "api_key": "rk_test_eu", "id": "acct_1Eu", "configuration": "", "check_customer": "",
    }  # fmt: skip
