"""The error desk at work: errors of a run, read again from the ERP, and closed by the run that finds them settled."""

from typing import Any

import pytest

from ledger import verify
from ledger.models import LedgerRow
from meshline import subjects
from sync.customer_sync import errors, errors_list
from sync.customer_sync.models import SyncError
from tests.flows.syncing import ID_FIELD, change_erp, erp_books, finish, plant_billing, plant_erp, run
from tests.flows.world import World, acting
from tests.people.cast import refused


@pytest.fixture
def syncing(world: World) -> World:
    acting("customer_sync")
    return world


def newest(code: str) -> SyncError:
    return SyncError.objects.filter(code=code).latest("pk")


def test_errors_are_read_again_one_by_one_and_by_class(syncing: World, biller: Any) -> None:
    (foreign,) = plant_billing(syncing, {"email": "t@x.example"})
    plant_billing(syncing, {"email": "two@x.example"}, {"email": "two@x.example"})
    wrong, twice, *set_up = plant_erp(
        syncing, {"email": "not-an-address"}, {"email": "two@x.example"},
        *({"email": f"c{number}@x.example", "stripe": f"{foreign}{number}"} for number in range(3)),
    )  # fmt: skip

    first = run()

    assert first.counts == {"error": 4, "review": 1}
    counted = errors_list.classes(errors_list.Asked())
    assert counted == {"connection": 1, "duplicate": 1, "value": 1}, "one fault of the set-up is one error"
    value, config = newest("bad_email"), newest("other_account")

    # A13: read again with the same fault, the newest is open and the older one settled
    again = finish(errors.retry([value.pk], by=biller, version=0).runs[0])
    assert again.ids == [wrong]
    value.refresh_from_db()
    assert (value.state, value.resolution, value.retried_in_id) == ("resolved", "auto", again.pk)
    assert newest("bad_email").state == "open"
    assert refused(errors.retry, [value.pk], by=biller) == (409, "state")

    # A12: corrected in the ERP, the next run closes it, by the same trace key
    change_erp(syncing, wrong, email="right@x.example")
    open_one = newest("bad_email")
    assert open_one.trace_key == value.trace_key
    assert finish(errors.retry([open_one.pk], by=biller).runs[0]).counts == {"created": 1}
    open_one.refresh_from_db()
    assert (open_one.state, open_one.resolution) == ("resolved", "auto")
    assert newest("several_matches").state == "open", "nothing else was touched"

    # A10: a whole class; one fault of the set-up reads everybody that showed it
    for one in set_up:
        change_erp(syncing, one, **{ID_FIELD: None})
    began = errors.retry_all({"error_class": "connection"}, by=biller)
    assert (began.errors, began.customers, began.left) == (1, 3, 0)
    config.refresh_from_db()
    assert config.state == "retrying"
    assert finish(began.runs[0]).counts == {"created": 3}
    config.refresh_from_db()
    assert (config.state, config.resolution) == ("resolved", "auto")
    assert all(erp_books(syncing)[one][ID_FIELD] for one in set_up)

    # ignored: a later run does not open it again until the customer changes in the ERP
    ignored = newest("several_matches")
    errors.ignore(ignored.pk, by=biller, version=ignored.state_version, reason="known")
    assert run().counts["review"] == 1
    assert newest("several_matches").pk == ignored.pk
    change_erp(syncing, twice, phone="1")
    run()
    assert (newest("several_matches").pk > ignored.pk, newest("several_matches").state) == (True, "open")
    steps = LedgerRow.objects.filter(subject_kind="sync_error", subject_id=str(config.pk)).order_by("id")
    assert [row.decision for row in steps] == ["open", "retry", "resolve"]
    report = verify.verify(subjects.SUBJECTS, subjects.UNCHAINED)
    assert report.broken is None, report.broken


def test_the_exchange_behind_an_error_is_found(syncing: World, biller: Any) -> None:
    (one,) = plant_erp(syncing, {"email": "a@one.example"})
    rule = {"kind": "error_before", "status": 400, "count": 1}
    syncing.fault({**rule, "provider": "stripe", "method": "GET", "path": "/v1/customers", "code": "parameter_unknown"})
    assert run().counts == {"error": 1}
    looked = SyncError.objects.get()
    (read,) = errors_list.exchanges(looked)
    assert (looked.step, read.method, read.status, "/v1/customers" in read.path) == ("lookup", "GET", 400, True)

    syncing.fault({**rule, "provider": "netsuite", "method": "PATCH", "code": "USER_ERROR"})
    change_erp(syncing, one, phone="1")
    assert run().counts == {"error": 1}
    looked.refresh_from_db()
    failed = SyncError.objects.get(state="open")
    assert (looked.state, failed.step) == ("resolved", "write_back"), "the look-up went well, the write back did not"
    shown = errors_list.exchanges(failed)
    assert {(each.provider, each.method, each.status) for each in shown} >= {("netsuite", "PATCH", 400)}
    assert any("/portal/***/" in each.request_body for each in shown)

    # tried again with the source as it was: it went well now, and a value error is not believed settled by that
    syncing.fault()
    assert finish(errors.retry([failed.pk], by=biller).runs[0]).counts == {"linked": 1}
    failed.refresh_from_db()
    assert failed.state == "open"
    errors.resolve(failed.pk, by=biller, version=failed.state_version, reason="the field was unlocked there")
    assert errors_list.tabs() == {"open": 0, "retrying": 0, "by_user": 1, "by_run": 1, "ignored": 0}
