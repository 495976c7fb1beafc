"""What two systems say of the same customers is compared over HTTP: planted differences are found, owned and closed."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from gates import stop
from gates.models import ReviewItem
from gates.stop import Refused
from ledger import clock, verify
from ledger.models import Action, LedgerRow
from meshline import subjects
from sync import health, providers
from sync.models import Attempt
from sync.providers import netsuite_records
from sync.reconcile import runs
from sync.reconcile.models import Delta, ReconcileRow, ReconcileRun
from tests import factories as f
from tests.flows.books import Books
from tests.simulators import Sandbox


@pytest.fixture
def two_systems(
    transactional_db: None, sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Sandbox:  # fmt: skip
    monkeypatch.setattr(netsuite_records, "LISTED", netsuite_records.Lists())
    settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS = 0.01
    providers.get.cache_clear()
    health._seen.clear()
    health._seen_at[0] = 0.0
    return sandbox


def compare() -> ReconcileRun:
    return runs.to_the_end(runs.begin("customers", runs.SHELL, in_background=False))


def found(**filters: Any) -> list[tuple[str, str, str, str]]:
    rows = Delta.objects.filter(**filters).exclude(state="resolved").order_by("kind", "key", "field")
    return list(rows.values_list("kind", "key", "field", "owner_group"))


def plant(books: Books) -> str:
    """Three fields, one missing, one copied; the ERP's id of the copy."""
    books.change_erp(3, companyName="Other Oy")
    books.change_erp(4, terms={"id": "1"})
    books.change_erp(5, custentity_onboarding_code="PKG-SMALL")
    books.change_erp(6, custentity_mesh_deal_id=None, externalId="elsewhere-6")
    copy: str = books.play(
        "netsuite", "create_customer", name="Company 7 (copy)",
        fields={"custentity_mesh_deal_id": str(books.deals[7]["deal"])},
    )["id"]  # fmt: skip
    return copy


def mend(books: Books, copy: str) -> None:
    """People put all five right."""
    books.change_erp(3, companyName="COMPANY 3 Oy")
    books.change_erp(4, terms={"id": "2"})
    books.change_erp(5, custentity_onboarding_code="pkg-growth")
    books.change_erp(6, externalId=books.keys[6], custentity_mesh_deal_id=str(books.deals[6]["deal"]))
    books.play("netsuite", "change_customer", id=copy, fields={"custentity_mesh_deal_id": None})


def test_planted_differences_are_found_once_with_owners_and_closed_when_gone(two_systems: Sandbox, capsys: Any) -> None:
    books = Books.plant(two_systems, 100)
    assert compare().outcome == "agree"
    assert (found(), ReviewItem.objects.count()) == ([], 0)
    stop.engage("all", by=User.objects.create_superuser("dana", "d@meshline.example", "x"), reason="reads go on")
    copy = plant(books)

    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", "customers")

    assert ended.value.code == 1
    assert "1  duplicate" in capsys.readouterr().out
    planted = [
        ("duplicate", books.keys[7], "netsuite", "Revenue Ops Lead"),
        ("field_differs", books.keys[3], "companyName", "Billing Resolver"),
        ("field_differs", books.keys[4], "terms", "Billing Resolver"),
        ("field_differs", books.keys[5], "custentity_onboarding_code", "Revenue Ops Lead"),
        ("missing_right", books.keys[6], "", "Revenue Ops Lead"),
    ]
    assert found() == planted
    run = ReconcileRun.objects.get(outcome="differ")
    assert (run.left_rows, run.right_rows, run.compared) == (100, 100, 100)
    assert run.counts == {"duplicate": 1, "field_differs": 3, "missing_right": 1}
    assert (run.mismatch_permille, run.flagged) == (50, True)
    kinds = dict(ReviewItem.objects.values_list("kind", "owner_group"))
    assert kinds == {"reconcile.mismatch": "Revenue Ops Lead", "reconcile.duplicates": "Revenue Ops Lead"}
    name = Delta.objects.get(field="companyName")
    assert (name.left_value, name.right_value) == ("Company 3 Oy", "Other Oy")
    terms = Delta.objects.get(field="terms")
    assert (terms.left_value, terms.right_value) == ("Net 30", "Net 15")
    assert copy in Delta.objects.get(kind="duplicate").ids

    compare()
    assert found() == planted, "found again they are the same ones"
    assert set(Delta.objects.values_list("times_seen", "state_version")) == {(2, 1)}
    assert ReviewItem.objects.count() == 2

    mend(books, copy)
    last = compare()

    assert (last.outcome, last.closed, found()) == ("agree", 5, [])
    assert set(Delta.objects.values_list("state", "closed_run")) == {("resolved", last.pk)}
    assert not ReviewItem.objects.exclude(state="resolved").exists()
    assert ReconcileRow.objects.count() == 0
    assert not any(one["is_write"] for one in Attempt.objects.values("is_write"))
    report = verify.verify(subjects.SUBJECTS, subjects.UNCHAINED)
    assert report.is_intact, report
    told = str(list(LedgerRow.objects.filter(subject_kind="delta").values_list("inputs", "reasons")))
    assert "Other Oy" not in told
    assert "Company" not in told


def test_both_directions_several_deals_and_what_is_not_ours(two_systems: Sandbox) -> None:
    books = Books.plant(two_systems, 6)
    second = books.play(
        "pipedrive", "create_deal", title="Second deal", org_id=books.deals[0]["organization"],
        person_id=books.deals[0]["person"], stage="Contract Signed",
        fields={"Meshline external id": books.keys[0].upper(), "Payment terms": "Net 15"},
    )  # fmt: skip
    books.play("pipedrive", "create_deal", title="Never onboarded")
    books.play("netsuite", "create_customer", name="Of another integration", external_id="csv-77")
    books.play("pipedrive", "archive_deal", deal=books.deals[1]["deal"])
    refused = f.CustomerFactory(external_id=books.keys[0])
    f.ActionFactory(kind="customer.create", customer=refused, state="superseded")
    newest = f.ActionFactory(kind="customer.create", customer=refused, state="rejected")
    books.change_erp(0, custentity_mesh_deal_id=None, externalId="elsewhere-0")
    assert (compare().outcome, found()) == ("agree", []), "what a person refused to bill is missing nowhere"
    Action.objects.filter(pk=newest.pk).update(state="superseded")
    compare()
    assert [row[:2] for row in found()] == [("missing_right", books.keys[0])]
    books.change_erp(0, externalId=books.keys[0], custentity_mesh_deal_id=str(books.deals[0]["deal"]))
    assert (compare().outcome, found()) == ("agree", [])

    books.play("pipedrive", "create_deal", title="Stolen id", fields={"Meshline external id": books.keys[2]})
    books.play("pipedrive", "delete_deal", deal=books.deals[3]["deal"])
    books.change_erp(4, email="billing@elsewhere.example")
    books.change_erp(5, phone="+358 40 1234567", email=f"ap-{books.deals[5]['organization']}@SANDBOX.test")
    books.play("pipedrive", "edit_deal", deal=second["deal"], fields={"Payment terms": "Net 60"})
    compare()

    assert [row[:3] for row in found()] == [
        ("duplicate", books.keys[2], "pipedrive"),
        ("field_differs", books.keys[4], "email"),
        ("missing_left", books.keys[3], ""),
    ]


def test_a_run_that_is_killed_goes_on_and_one_that_cannot_be_ended_closes_nothing(
    two_systems: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Books.plant(two_systems, 5)
    books.change_erp(2, companyName="Other Oy")
    compare()
    before = found()
    assert [row[1] for row in before] == [books.keys[2]]
    books.change_erp(2, companyName="Company 2 Oy")

    # killed after the deals were kept: the lease ends, and the next slice goes on from there
    run = runs.begin("customers", runs.SHELL, in_background=False)
    with pytest.raises(Refused, match="goes on since"):
        runs.begin("customers", runs.SHELL, in_background=False)
    with monkeypatch.context() as patched:
        patched.setattr(runs, "_compare", _killed)
        with pytest.raises(KeyboardInterrupt):
            runs.slice_of(run.pk, 40)
    assert ReconcileRow.objects.exists()
    assert runs.slice_of(run.pk, 40) is None, "its lease holds"
    asked = Attempt.objects.count()
    ReconcileRun.objects.filter(pk=run.pk).update(lease_until=None)
    assert runs.slice_of(run.pk, 40).outcome == "agree"
    assert Attempt.objects.count() == asked, "nothing was read twice"
    assert found() == []

    # one failure in the middle is tried again; one that stays ends the run, and what is open stays open
    books.change_erp(2, companyName="Other Oy")
    two_systems.faults({"provider": "pipedrive", "rules": [
        {"kind": "error_before", "status": 503, "path": "/api/v2/organizations", "count": 2}]})  # fmt: skip
    assert compare().counts == {"field_differs": 1}
    two_systems.faults({"provider": "netsuite", "rules": [
        {"kind": "error_before", "status": 500, "path": "/services/rest/query", "after": 0}]})  # fmt: skip
    books.change_erp(2, companyName="Company 2 Oy")
    broken = compare()
    two_systems.faults({"provider": "*", "rules": []})

    assert (broken.outcome, broken.compared, broken.closed) == ("failed", 0, 0)
    assert "netsuite could not be read to the end" in broken.error
    assert found() == before
    assert ReviewItem.objects.exclude(state="resolved").filter(kind="reconcile.failed").count() == 1
    assert (ReconcileRow.objects.count(), ReconcileRun.objects.filter(finished_at=None).count()) == (0, 0)


def _killed(*args: Any) -> None:
    raise KeyboardInterrupt


def test_an_empty_answer_is_no_answer_and_wrong_use_is_said(two_systems: Sandbox, capsys: Any) -> None:
    Books.plant(two_systems, 3)
    compare()
    two_systems.reset()
    providers.get.cache_clear()  # emptied books know no token

    empty = compare()

    assert empty.outcome == "failed"
    assert "showed no records where it had 3 before" in empty.error
    assert found() == []
    with pytest.raises(Exception, match="there is no check 'nothing'") as wrong:
        call_command("reconcile", "nothing")
    assert wrong.value.returncode == 2  # type: ignore[attr-defined]


def test_somebody_who_was_erased_is_not_looked_into_again(two_systems: Sandbox) -> None:
    books = Books.plant(two_systems, 4)
    f.CustomerFactory(external_id=books.keys[1], erased_at=clock.now())
    books.change_erp(1, companyName="Gone Person Oy")
    books.change_erp(2, companyName="Other Oy")

    run = compare()

    assert [one[1] for one in found()] == [books.keys[2]]
    assert (run.outcome, run.differing) == ("differ", 1)
    assert any("erased here" in words for _, words in run.gaps)
    assert "Gone Person" not in str(list(Attempt.objects.values()) + list(Delta.objects.values()))
