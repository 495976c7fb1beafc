"""The error desk in the console and by the API: tabs, classes, filters, paging, the verbs, the file, the archive."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger import clock, verify
from ledger.models import LedgerRow
from meshline import subjects
from sync.customer_sync import errors, errors_list, runs, troubles
from sync.customer_sync.models import SyncError, SyncOutcome, SyncRun
from sync.models import Attempt
from tests import factories as f
from tests.api.client import by_session
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401 - fixtures
from tests.console.test_sync_pages import signed_in, text
from tests.people.cast import person, refused

pytestmark = pytest.mark.django_db
HERE = "/admin/sync/errors/"


def opened(run: SyncRun, internal_id: int, **more: Any) -> SyncError:
    """An error of a run as a booked chunk opens it."""
    row = told(run, internal_id, **more)
    troubles.open_errors([row])
    return SyncError.objects.filter(trace_key=row["trace_key"], step=row["step"]).latest("pk")


def told(run: SyncRun, internal_id: int, **more: Any) -> dict[str, Any]:
    """What a chunk says of one row that went wrong."""
    return {
        "trace_key": troubles.trace_key("acct", internal_id), "step": "lookup", "error_class": "value",
        "code": "bad_email", "sentence": "the e-mail field holds no address", "run_id": run.pk, "outcome_id": None,
        "internal_id": internal_id, "customer_id": None, "source_version": "2026-01-01 00:00:00", **more,
    }  # fmt: skip


@pytest.fixture
def run(db: None) -> SyncRun:
    one = runs.start("all-customers", "mass", by=person("Support Manager"), ring=False)
    return runs.step(one.pk, "cancel", by=person("Support Manager"))


def states(*found: SyncError) -> list[str]:
    return [str(SyncError.objects.get(pk=one.pk).state) for one in found]


def test_what_a_run_closes_and_what_it_leaves(run: SyncRun) -> None:
    """Steps, versions of the source, doubles, what was ignored, and what a run gives back."""
    lookup, create = opened(run, 1), opened(run, 1, step="create", error_class="intermittent", code="500")
    key = lookup.trace_key

    troubles.settle([(key, "2026-01-01 00:00:00", ("lookup",))])
    assert states(lookup, create) == ["open", "open"], "a value error needs a newer version of the source"
    troubles.settle([(key, "2026-01-01 00:00:01", ("lookup",))])
    assert states(lookup, create) == ["resolved", "open"], "an error of another step stays"
    troubles.settle([(troubles.trace_key("acct", 11), "2026-01-02 00:00:00", troubles.EVERY_STEP)])
    assert states(create) == ["open"], "another trace key closes nothing"
    troubles.settle([(key, "", troubles.EVERY_STEP)])
    assert states(create) == ["resolved"]

    older, newer = opened(run, 2), opened(run, 2)
    assert (states(older, newer), older.pk < newer.pk) == (["resolved", "open"], True)
    assert SyncError.objects.get(pk=older.pk).resolution == "auto"
    lead = person("Support Manager")
    errors.ignore(newer.pk, by=lead, version=0, reason="known")
    assert opened(run, 2).pk == newer.pk, "ignored while the source is the one that was ignored"
    other = opened(run, 2, source_version="2026-01-03 00:00:00")
    assert (other.pk > newer.pk, states(newer, other)) == (True, ["ignored", "open"])

    began = errors.retry([other.pk], by=lead).runs[0]
    assert states(other) == ["retrying"]
    runs.step(began.pk, "cancel", by=lead)
    assert states(other) == ["open"], "a retry that came to nothing leaves it to people"
    assert verify.verify(subjects.SUBJECTS, subjects.UNCHAINED).broken is None


def test_doors_refuse_and_leave_rows(run: SyncRun) -> None:
    one, lead = opened(run, 1), person("Support Manager")
    support = person("Support")
    assert refused(errors.retry, [one.pk], by=support) == (403, "permission")
    assert refused(errors.retry_all, {}, by=support) == (403, "permission")
    assert refused(errors.assign, one.pk, by=support, version=0, to=None) == (403, "permission")
    assert LedgerRow.objects.filter(subject_kind="sync_error", outcome="refused").count() == 2
    assert refused(errors.retry, [], by=lead) == (422, "ids")
    assert refused(errors.retry, list(range(1, 502)), by=lead) == (422, "ids")
    assert refused(errors.retry, [10**9], by=lead) == (404, "error")
    assert refused(errors.retry, [one.pk], by=lead, version=3) == (409, "stale")
    assert refused(errors.ignore, one.pk, by=lead, version=0, reason="  ") == (422, "reason")
    assert refused(errors.assign, one.pk, by=lead, version=0, to=person("")) == (422, "to")
    assert errors.assign(one.pk, by=lead, version=0, to=support).state_version == 1
    errors.resolve(one.pk, by=lead, version=1, reason="mended there")
    assert refused(errors.ignore, one.pk, by=lead, version=2, reason="x") == (409, "state")
    assert refused(errors.retry_all, {"error_class": "value"}, by=lead) == (409, "state")
    assert verify.verify(subjects.SUBJECTS, subjects.UNCHAINED).broken is None


def test_archive_keeps_what_is_over_as_evidence(run: SyncRun, settings: Any) -> None:
    kept, over, ignored = (opened(run, n) for n in (1, 2, 3))
    lead = person("Support Manager")
    errors.resolve(over.pk, by=lead, version=0, reason="x")
    errors.ignore(ignored.pk, by=lead, version=0, reason="x")
    assert errors.archive() == "archived 0"
    SyncError.objects.update(resolved_at=clock.now() - timedelta(days=settings.MESHLINE_SYNC_ERROR_DAYS + 1))
    assert errors.archive() == "archived 2"
    assert SyncError.objects.count() == 3
    assert errors_list.tabs() == {"open": 1, "retrying": 0, "by_user": 0, "by_run": 0, "ignored": 0}
    assert states(kept, over, ignored) == ["open", "resolved", "ignored"]
    assert opened(run, 3).pk == ignored.pk, "what is ignored stays so in the archive"
    assert verify.verify(subjects.SUBJECTS, subjects.UNCHAINED).broken is None


def test_list_narrows_pages_and_retries(run: SyncRun) -> None:
    visitor = signed_in("Billing Resolver")
    assert "No open error" in text(visitor.get(HERE))
    troubles.open_errors([told(run, n) for n in range(1, 61)])
    made = list(SyncError.objects.order_by("pk"))
    double = opened(run, 99, error_class="duplicate", code="shared_email", sentence="see ap@acme.example")
    with CaptureQueriesContext(connection) as few:
        first = visitor.get(HERE)
    assert len(few) <= 16, len(few)
    shown = text(first)
    assert "Open (61)" in shown
    assert ("Duplicate (1)" in shown, "Value (60)" in shown, "All classes" in shown) == (True, True, True)
    assert f"?before={made[11].pk}" in first.content.decode()
    assert f"Error {made[11].pk} " not in text(visitor.get(f"{HERE}?before={made[11].pk}"))
    only = text(visitor.get(f"{HERE}?class=duplicate"))
    assert (f"Error {double.pk}" in only, f"Error {made[0].pk} " in only) == (True, False)
    assert f"Error {made[6].pk}" in text(visitor.get(f"{HERE}?q=7"))
    assert f"Error {made[6].pk}" in text(visitor.get(f"{HERE}?q={made[6].trace_key}"))
    assert "No error fits" in text(visitor.get(f"{HERE}?mine=1"))
    wrong = visitor.get(f"{HERE}?class=%00&tab=x")
    assert (wrong.status_code, "ab: one of open" in text(wrong)) == (422, True)
    assert "ap@acme.example" not in text(signed_in("Support").get(HERE))

    answer = visitor.post(f"{HERE}retry/", {"what": "picked"})
    assert (answer.status_code, "hoose 1 to 500 errors" in text(answer)) == (422, True)
    picked = visitor.post(f"{HERE}retry/", {"what": "picked", "pick": [made[0].pk, made[1].pk]}, follow=True)
    assert "2 errors, 2 customers are read again" in text(picked)
    assert SyncRun.objects.latest("pk").ids == ["1", "2"]
    group = visitor.post(f"{HERE}retry/?class=value", {"what": "all"}, follow=True)
    assert "58 errors, 58 customers are read again" in text(group)
    assert states(double) == ["open"]
    assert "Retrying (60)" in text(visitor.get(f"{HERE}?tab=retrying"))
    assert signed_in("Support").post(f"{HERE}retry/", {"what": "all"}).status_code == 403


def test_page_of_one_with_its_exchange(run: SyncRun) -> None:
    outcome = SyncOutcome.objects.create(run=run, internal_id=5, outcome="error", trace_key="k")
    action = f.ActionFactory(kind="billing_customer.link", correlation_id=outcome.correlation_id)
    Attempt.objects.create(
        action=action, provider="netsuite", method="PATCH", path="/record", is_write=True, began_at=clock.now(), ms=5,
        status=400, request_body='{"email":"ap@acme.example"}', response_body='{"title":"no such field"}',
    )  # fmt: skip
    found = [{"id": "cus_1", "created": 1700000000, "live": True, "subscriptions": 2}]
    one = opened(run, 5, step="write_back", outcome_id=outcome.pk, candidates=found)
    visitor, here = signed_in("Support Manager"), f"{HERE}{one.pk}/"
    said = text(visitor.get(here))
    for words in ("no such field", "PATCH 400", one.trace_key, "made 2023-11-14, live, 2 running", "Read again"):
        assert words in said
    hidden = text(signed_in("Support").get(here))
    assert ("no such field" in hidden, "may not see them" in hidden, "Read again" in hidden) == (False, True, False)

    stale = visitor.post(f"{here}ignore/", {"version": 9, "reason": "kept words"})
    assert (stale.status_code, "kept words" in stale.content.decode()) == (409, True)
    who = person("Billing Resolver")
    assert "Done." in text(visitor.post(f"{here}assign/", {"version": 0, "to": f"user:{who.pk}"}, follow=True))
    assert who.username in text(visitor.get(here))
    assert visitor.post(f"{here}assign/", {"version": 1, "to": "user:99999999"}).status_code == 422
    assert "Ignored" in text(visitor.post(f"{here}ignore/", {"version": 1, "reason": "known"}, follow=True))
    assert visitor.post(f"{here}explode/", {"version": 2}).status_code == 404
    assert visitor.get(f"{HERE}987654321/").status_code == 404


def test_file_runs_nothing_in_a_spreadsheet(run: SyncRun) -> None:
    opened(run, 1, sentence="=cmd|' /C calc'!A0 for ap@acme.example", code="@code")
    answer = signed_in("Support Manager").get(f"{HERE}csv/?class=value")
    raw = b"".join(answer.streaming_content).decode()
    head, row = csv.reader(io.StringIO(raw.lstrip("\ufeff")))
    cells = dict(zip(head, row, strict=True))
    assert cells["sentence"].startswith("'=cmd")
    assert (cells["code"], "ap@acme.example" in raw, cells["internal_id"]) == ("'@code", False, "1")
    assert signed_in("nobody-here").get(f"{HERE}csv/").status_code == 403


def test_api_has_the_same_doors(run: SyncRun) -> None:
    one, two = opened(run, 1), opened(run, 2, error_class="duplicate", sentence="see ap@acme.example")
    caller = by_session("Billing Resolver")
    (shown,) = caller.get("sync/errors/", **{"class": "duplicate"}).json()["results"]
    assert (shown["id"], shown["class"], shown["state_version"]) == (two.pk, "duplicate", 0)
    assert "ap@acme.example" not in by_session("Support").get("sync/errors/").content.decode()
    assert caller.get("sync/errors/", tab="nothing").status_code == 422
    assert [row["id"] for row in caller.get("sync/errors/", q="1").json()["results"]] == [one.pk]
    said = caller.post(f"sync/errors/{one.pk}/retry/", {"state_version": 0})
    assert (said.status_code, said.json()["state"], said.json()["retried_in_id"]) == (
        202, "retrying", SyncRun.objects.latest("pk").pk,
    )  # fmt: skip
    assert caller.post(f"sync/errors/{one.pk}/retry/", {"state_version": 1}).status_code == 409
    given = caller.post(f"sync/errors/{two.pk}/assign/", {"state_version": 0, "to": caller.user.username})
    assert given.json()["assigned_to"] == caller.user.username
    assert caller.post(f"sync/errors/{two.pk}/ignore/", {"state_version": 1}).status_code == 422
    over = caller.post(f"sync/errors/{two.pk}/ignore/", {"state_version": 1, "reason": "known"})
    assert (over.json()["state"], over.json()["resolution"]) == ("ignored", "user")
    assert by_session("Support").post(f"sync/errors/{one.pk}/retry/", {"state_version": 1}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_pages_are_accessible_and_fit(console: Any) -> None:  # noqa: F811
    run = runs.start("all-customers", "mass", by=None, ring=False)
    one = [opened(run, n + 1, error_class=("value", "duplicate", "too_large")[n]) for n in range(3)][-1]
    page = console()
    seen = {"desk": look_at(page, "desk", HERE), "error": look_at(page, "error", f"{HERE}{one.pk}/")}
    assert faults(seen) == {}
