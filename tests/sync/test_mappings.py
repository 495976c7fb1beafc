"""The field mapping and who owns which field."""

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command

from sync import mappings
from sync.errors import PermanentError
from sync.mappings import checking, owners
from sync.providers import netsuite_records as records
from sync.wiretypes import FrozenRequest

DOCUMENT = json.loads((mappings.HERE / "fields.json").read_text("utf-8"))


@pytest.mark.parametrize("case", checking.cases(), ids=lambda one: one["name"])
def test_case_that_is_shipped_holds(case: dict[str, Any]) -> None:
    assert checking.check([case])[0].wrong == ""


def test_every_field_that_is_sent_has_a_case() -> None:
    assert checking.uncovered(checking.cases()) == []
    assert checking.uncovered([]) != []


def test_wrong_case_is_told() -> None:
    case = {"name": "x", "to": "netsuite.customer", "given": {"deal.id": "1"}, "sent": {}}

    assert checking.check([case])[0].wrong.startswith("custentity_mesh_deal_id: is '1'")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"owner": "somebody"}, "owner must be one of"),
        ({"transform": "shout"}, "transform must be one of"),
        ({"validator": "hope"}, "validator must be one of"),
        ({"when": "often"}, "when must be one of"),
        ({"to": "netsuite.customer"}, "to must be system.record.field"),
        ({"from": "custom.campaign_id"}, "stays where it is"),
        ({"to": "netsuite.customer.email"}, "is filled twice"),
    ],
)
def test_artifact_that_contradicts_itself_is_refused(change: dict[str, str], told: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["rows"][0] |= change

    with pytest.raises(mappings.BadMapping, match=told):
        mappings.read(document)


@pytest.mark.django_db
def test_command_says_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_mappings")

    assert "cases hold" in capsys.readouterr().out


@pytest.mark.django_db
def test_command_fails_with_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [*checking.cases(), {"name": "bad", "to": "netsuite.customer", "given": {"deal.id": "1"}, "sent": {}}]
    monkeypatch.setattr(checking, "cases", lambda: bad)

    with pytest.raises(SystemExit) as ended:
        call_command("check_mappings", "--json")
    assert ended.value.code == 1


def frozen(method: str, path: str, body: dict[str, Any]) -> FrozenRequest:
    return FrozenRequest("netsuite", method, path, (), json.dumps(body))


CUSTOMER = f"{records.RECORDS}/customer/eid:mesh-cus-1"
CONTRACT = f"{records.RECORDS}/customrecord_mesh_contract/501"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", CUSTOMER, {"email": "a@b.example"}),
        ("PATCH", CUSTOMER, {"companyName": "Other"}),
        ("PUT", f"{CUSTOMER}?replace=taxRegistration", {"companyName": "Acme", "comments": "likes dogs"}),
        ("PUT", f"{CUSTOMER}?replace=taxRegistration", {"salesRep": {"id": "1"}}),
        ("PATCH", CONTRACT, {"custrecord_mesh_note": "x"}),
        ("PATCH", f"{records.RECORDS}/subscription/1", {"billingSubscriptionStatus": "SUSPENDED"}),
        ("PATCH", "/services/rest/somewhere/else", {"x": 1}),
    ],
)
def test_field_that_another_system_owns_is_not_written(method: str, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(PermanentError) as refused:
        owners.refuse(frozen(method, path, body))

    assert refused.value.code == "field_owned"
    assert refused.value.never_sent


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", CUSTOMER, {"custentity_onboarding_code": "PKG", "custentity_mesh_action": "1"}),
        (
            "PUT",
            f"{CUSTOMER}?replace=taxRegistration",
            {"isPerson": False, "companyName": "Acme", "email": "a@b.example"},
        ),
        ("PATCH", CONTRACT, {"custrecord_mesh_status": "suspended", "custrecord_mesh_action": "1"}),
    ],
)
def test_what_is_ours_or_new_is_written(method: str, path: str, body: dict[str, Any]) -> None:
    owners.refuse(frozen(method, path, body))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("A customer record with this ID already exists. You must enter a unique customer ID.", "duplicate_name"),
        ("This entity already exists.", "exists"),
        ("Your current role does not have permission to perform this action.", "missing_permission"),
        ("Invalid reference key 9 for terms.", "invalid_reference"),
        ("This transaction falls in a closed posting period.", "closed_period"),
        ("You must enter a value for Company Name.", "missing_field"),
    ],
)
def test_refusal_has_its_class_and_one_sentence(words: str, code: str) -> None:
    found = records.explained(PermanentError(words, provider="netsuite", status=400, code="USER_ERROR"))

    assert found.code == code
    assert words in found.message
    assert not found.message.startswith(words)
    assert not found.is_transient


def test_words_nobody_knows_keep_the_code_of_the_erp() -> None:
    found = records.explained(PermanentError("Something odd.", provider="netsuite", status=400, code="USER_ERROR"))

    assert (found.code, found.message) == ("USER_ERROR", "Something odd.")


def test_amounts_are_written_as_they_are() -> None:
    assert records.exact_json({"b": [Decimal("4900.50")], "a": "“ü”"}) == '{"a":"“ü”","b":[4900.50]}'
    assert records.minor_of(Decimal("4900.5"), "eur") == 490_050
    assert records.minor_of(Decimal("4900.505"), "eur") is None
    assert records.minor_of(980, "jpy") == 980
