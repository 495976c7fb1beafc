"""Onboarding when things go wrong: answers lost, workers killed, the stop, refusals, jobs, fields that are not ours."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from gates import review, stop
from gates.models import ReviewItem
from ledger.models import Action, LedgerRow
from sync import drain, mappings, settle
from sync.actions.customer import Create
from sync.models import Delta
from tests.flows.deals import DONE, INVOICES, books, notes, refusal, sign, states
from tests.flows.test_crash import KilledError, expire, kill
from tests.flows.world import World


@pytest.mark.parametrize("kind", ["lost_answer", "error_after"])
def test_answer_that_is_lost_is_looked_up_and_nothing_is_doubled(crm: World, kind: str) -> None:
    crm.fault(
        {"provider": "netsuite", "kind": kind, "method": "PUT", "count": 1},
        {"provider": "pipedrive", "kind": kind, "method": "POST", "count": 1},
    )
    sign(crm)

    crm.until("deal.note", "applied")
    crm.settle(0.2)

    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    assert (len(books(crm, "customer")), len(books(crm, "invoice")), len(notes(crm))) == (1, 1, 1)


def test_writes_that_run_as_jobs_are_asked_about_until_they_are_done(crm: World, settings: Any) -> None:
    settings.MESHLINE_PROVIDERS["netsuite"]["async"] = True
    crm.play("netsuite", "set_options", job_delay_s=0.1)
    sign(crm)

    crm.until("deal.note", "applied")

    assert states() == DONE, list(Action.objects.values_list("kind", "state", "last_error"))
    jobs = crm.sandbox.books("netsuite")["objects"]["jobs"]
    assert {one["key"] for one in jobs.values()} == {
        str(pk) for pk in Action.objects.filter(provider="netsuite").values_list("pk", flat=True)
    }
    assert (len(books(crm, "customer")), len(books(crm, "invoice"))) == (1, 1)


def test_refused_as_a_person_sees_it_then_corrected_and_sent_again(crm: World, biller: User) -> None:
    crm.fault(refusal("Invalid reference key 9 for terms.", "INVALID_CONTENT", path=INVOICES))
    made = sign(crm)
    failed = crm.until("invoice.create", "failed")
    item = ReviewItem.objects.get()
    assert failed.error_code == "invalid_reference"
    assert failed.tries == 1
    assert "the ERP does not know a value that the record refers to" in failed.last_error

    crm.play("pipedrive", "edit_deal", deal=made["deal"], fields={"Payment terms": "Net 15"})
    crm.settle()
    review.retry(item.pk, by=biller, reason="mended", version=failed.state_version)
    crm.settle()

    kinds = list(Action.objects.filter(kind="invoice.create").order_by("id").values_list("state", flat=True))
    assert kinds == ["superseded", "applied"]
    (invoice,) = books(crm, "invoice")
    assert invoice["terms"]["id"] == "1"


@pytest.mark.parametrize("moment", ["after the call", "before the call"])
def test_killed_around_every_call_leaves_one_of_each(crm: World, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    sign(crm)
    crm.sandbox.post("/_webhooks/flush", {"timeout_s": 30})
    killed = 0
    for _ in range(6):
        with monkeypatch.context() as patched:
            if moment == "after the call":
                patched.setattr(settle, "book_sent", kill)
            else:
                patched.setattr(drain.Drain, "go", lambda self, going: kill() if going else None)
            try:
                drain.once()
            except KilledError:
                killed += 1
        expire()
        for _ in range(20):
            crm.settle(0.05)
            if not Action.objects.filter(state="unknown").exists():
                break

    crm.until("deal.note", "applied")
    crm.settle(0.2)

    assert killed >= 1
    assert states() == DONE
    assert (len(books(crm, "customer")), len(books(crm, "invoice")), len(notes(crm))) == (1, 1, 1)


def test_stopped_nothing_is_written_and_resumed_each_is_written_once(crm: World) -> None:
    one = User.objects.create_superuser("one", "1@meshline.example", "x")
    two = User.objects.create_superuser("two", "2@meshline.example", "x")
    stop.engage(stop.ALL, by=one, reason="drill")
    sign(crm)
    crm.settle()

    assert states() == {"customer.create": "parked"}
    assert books(crm, "customer") == []

    stop.request_resume(stop.ALL, by=one, reason="over")
    stop.confirm_resume(stop.ALL, by=two)
    crm.until("deal.note", "applied")

    assert states() == DONE
    assert (len(books(crm, "customer")), len(books(crm, "invoice"))) == (1, 1)


def test_name_taken_at_the_very_moment_is_sent_with_a_number(crm: World) -> None:
    crm.fault(refusal("A customer record with this ID already exists. You must enter a unique customer ID."))
    sign(crm)

    crm.until("deal.note", "applied")

    made = list(Action.objects.filter(kind="customer.create").order_by("id").values_list("state", "business_key"))
    assert [state for state, _ in made] == ["superseded", "applied"]
    assert made[1][1].endswith("#2")
    assert len(books(crm, "customer")) == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("Your current role does not have permission to perform this action.", "missing_permission",
         "an administrator of the ERP has to allow it"),
        ("Invalid reference key 9 for subsidiary.", "invalid_reference", "the ERP does not know a value"),
    ],
)  # fmt: skip
def test_refusal_is_said_in_one_sentence_and_not_tried_again(crm: World, words: str, code: str, sentence: str) -> None:
    crm.fault(refusal(words))
    sign(crm)

    failed = crm.until("customer.create", "failed")
    crm.settle(0.1)

    failed.refresh_from_db()
    assert (failed.state, failed.error_code, failed.tries) == ("failed", code, 1)
    assert sentence in ReviewItem.objects.get().reason
    assert books(crm, "customer") == []


def test_write_to_a_field_the_erp_owns_fails_before_it_leaves(crm: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Create, "bare", lambda self, fields: {**fields, "creditLimit": 1})
    sign(crm)

    failed = crm.until("customer.create", "failed")

    assert failed.error_code == "field_owned"
    assert "creditLimit" in failed.last_error
    assert LedgerRow.objects.filter(action_id=failed.pk, error_code="field_owned", post_state="failed").exists()
    assert crm.writes("netsuite") == []
    assert ReviewItem.objects.get(action=failed).error_code == "field_owned"
    delta = Delta.objects.get()
    assert (delta.check_name, delta.kind, delta.field) == ("field_ownership", "field_differs", "customer.creditLimit")
    assert (delta.owner_system, delta.owner_group, delta.customer_id) == (
        "netsuite", "Billing Resolver", failed.customer_id,
    )  # fmt: skip


def test_ledger_says_by_which_version_of_the_mapping(crm: World) -> None:
    sign(crm)
    crm.settle()

    row = LedgerRow.objects.filter(post_state="sending").order_by("id").first()
    assert row is not None
    assert row.inputs["deal"]["mapping"] == mappings.artifact().version
    assert "ap-130@sandbox.test" not in str(list(LedgerRow.objects.values_list("inputs", "reasons")))
