"""Customers to billing in the console, by the API and from a shell: profiles, runs, rows, and a person's choice."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from ledger.models import Action, LedgerRow
from sync import guard, listen, providers
from sync.customer_sync import criteria, profiles, runs
from sync.customer_sync.criteria import BadProfile
from sync.customer_sync.models import SyncOutcome, SyncProfileVersion, SyncRun
from tests import factories as f
from tests.api.client import by_session
from tests.flows import syncing
from tests.people.cast import person, refused
from tests.simulators import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def drains() -> Iterator[None]:
    """What a drain in this process opened is closed again; emptied books know no token of an earlier test."""
    providers.get.cache_clear()
    yield
    guard._drop()
    listen.close()


HOME = "/admin/sync/"


def signed_in(group: str) -> Client:
    browser = Client()
    browser.force_login(person(group))
    return browser


def text(answer: Any) -> str:
    """A page without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


@pytest.fixture
def run_with_rows() -> SyncRun:
    """A finished run with one row of each sort."""
    run = runs.start("all-customers", "mass", by=person("Support Manager"), ring=False)
    SyncRun.objects.filter(pk=run.pk).update(state="finished", rows=60, total=60, counts={"created": 55, "review": 5})
    customer = f.CustomerFactory()
    found = [{"id": f"cus_{n}", "created": 1700000000, "live": True, "subscriptions": n} for n in (1, 2)]
    SyncOutcome.objects.bulk_create(
        [
            SyncOutcome(
                run=run, internal_id=n, customer=customer, outcome="review" if n < 6 else "created",
                code="several_matches" if n < 6 else "", error_class="duplicate" if n < 6 else "",
                candidates=found if n < 6 else [], trace_key=f"k{n}",
            )
            for n in range(1, 61)
        ]
    )  # fmt: skip
    return SyncRun.objects.get(pk=run.pk)


def test_pages_say_what_there_is_in_a_fixed_number_of_queries(
    run_with_rows: SyncRun, django_assert_max_num_queries: Any
) -> None:
    browser = signed_in("Billing Resolver")
    browser.get(HOME)
    with django_assert_max_num_queries(14):
        listed = text(browser.get(HOME))
    assert "55 created, 5 for a person" in listed
    assert "Dry run" in listed
    with django_assert_max_num_queries(18):
        page = browser.get(f"{HOME}runs/{run_with_rows.pk}/")
    shown = text(page)
    assert "60 of 60 customers are done" in shown
    assert "Several customers of the billing system have this e-mail address" in shown
    assert "made 2023-11-14, live, 1 running subscription" in shown
    assert "This one" in shown
    assert "after=50" in page.content.decode()
    narrowed = text(browser.get(f"{HOME}runs/{run_with_rows.pk}/?outcome=created&after=50"))
    assert "60" in narrowed
    assert "This one" not in narrowed
    customer = run_with_rows.outcomes.get(internal_id=1).customer
    assert "Sync to billing" in text(browser.get(f"/admin/ledger/customer/{customer.pk}/change/"))
    assert "This one" not in text(signed_in("Support").get(f"{HOME}runs/{run_with_rows.pk}/"))


def test_start_and_verbs_go_through_one_door(run_with_rows: SyncRun) -> None:
    browser = signed_in("Billing Resolver")
    answer = browser.post(f"{HOME}start/", {"profile": "all-customers", "mode": "mass"}, follow=True)
    assert "Planned." in text(answer)
    run = SyncRun.objects.latest("pk")
    again = browser.post(f"{HOME}start/", {"profile": "all-customers", "mode": "dry"})
    assert (again.status_code, "let it end or cancel it" in text(again)) == (409, True)
    stale = browser.post(f"{HOME}runs/{run.pk}/cancel/", {"version": "7"})
    assert stale.status_code == 409
    browser.post(f"{HOME}runs/{run.pk}/cancel/", {"version": "0"})
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert LedgerRow.objects.filter(subject_kind="sync_run", decision="cancel").count() == 1
    assert signed_in("Support").post(f"{HOME}start/", {"profile": "all-customers", "mode": "mass"}).status_code == 403

    customer = f.CustomerFactory()
    path = f"customers/{customer.external_id}/sync/"
    assert by_session("Billing Resolver").post(path).status_code == 409
    f.ExternalIdFactory(system="netsuite", value="1847", customer=customer)
    said = by_session("Billing Resolver").post(path)
    assert (said.status_code, said.json()["mode"], said.json()["state"]) == (202, "single", "planned")
    assert by_session("Support").post(path).status_code == 403
    listed = by_session("Support").get("sync-runs/", state="planned").json()["results"]
    assert [one["id"] for one in listed] == [said.json()["id"]]


def test_profile_is_changed_by_versions_and_checked_against_the_account(sandbox: Sandbox) -> None:
    browser = signed_in("Automation Engineer")
    form = {
        "title": "Europe", "criteria": "subsidiary one_of 2, 3\nemail not_empty", "columns": ["name", "email"],
        "email": "custentity_billing_email", "phone": "phone", "schedule": "delta", "stop_after": "5", "note": "n",
        "version": "1",
    }  # fmt: skip
    here = f"{HOME}profiles/all-customers/"
    assert 'name="criteria"' in browser.get(f"{here}?edit=1").content.decode()

    wrong = browser.post(f"{here}save/", {**form, "criteria": "emial is x@y.example"})
    assert wrong.status_code == 422
    assert "did you mean email" in text(wrong)
    for change, said in (
        ({"email": "custentity_biling_email"}, "custentity_billing_email"),
        ({"criteria": "email like x"}, "operators are"),
        ({"columns": []}, "choose at least one"), ({"version": "9"}, "version 1 by now"),
        ({"stop_after": "x"}, "a whole number"), ({"criteria": "email one_of "}, "1 to 200 values"),
        ({"schedule": "often"}, "must be one of"),
    ):  # fmt: skip
        assert said in text(browser.post(f"{here}save/", {**form, **change})), change
    assert SyncProfileVersion.objects.count() == 1

    assert browser.post(f"{here}save/", form).status_code == 302
    newest = profiles.current("all-customers")
    assert (newest.version, newest.columns, newest.sources["email"]) == (
        2,
        ["name", "email"],
        "custentity_billing_email",
    )
    assert newest.criteria[0] == {"field": "subsidiary", "op": "one_of", "value": ["2", "3"]}
    assert "subsidiary is one of 2, 3; email is not empty" in text(browser.get(here))
    made = browser.post(f"{HOME}profiles/new/", {**form, "name": "second"})
    assert made.status_code == 302
    taken = browser.post(f"{HOME}profiles/new/", {**form, "name": "second"})
    assert (taken.status_code, refused(profiles.save, profiles.Fields("second", "t"), by=person("Support"))) == (
        409, (403, "permission"),
    )  # fmt: skip


def test_conditions_hold_values_apart_from_the_query() -> None:
    rows, _, _ = criteria.check(
        [{"field": "email", "op": "begins_with", "value": "a' OR 1=1"}], ["name"], {}, "", {"email", "phone"}
    )

    (made,) = criteria.conditions(rows)

    assert (made.text, made.params) == ("SUBSTR(c.email, 1, 9) = ?", ("a' OR 1=1",))
    with pytest.raises(BadProfile, match="no field"):
        criteria.check([{"field": "email; drop", "op": "empty"}], ["name"], {}, "", {"email", "phone"})


@pytest.mark.django_db(transaction=True)
def test_person_chooses_and_the_command_reads_to_the_end(
    drains: None, sandbox: Sandbox, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS = 0.01
    post = sandbox.post
    old, new = post("/_play/stripe/plant_customers", {"rows": [{"email": "a@x.example"}] * 2})["ids"]
    row = {"companyName": "Acme", "email": "a@x.example"}
    (one,) = post("/_play/netsuite/plant_customers", {"rows": [row]})["ids"]
    lead = person("Support Manager")

    with pytest.raises(SystemExit) as ended:
        call_command("sync_customers", "--dry-run", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (ended.value.code, said["counts"], said["why"]) == (1, {"review": 1}, "")
    with pytest.raises(CommandError, match="no profile") as wrong:
        call_command("sync_customers", "--profile", "nobody")
    assert wrong.value.returncode == 2

    run = syncing.run("single", ids=[one], by=lead)
    assert syncing.outcomes(run) == {one: ("review", "several_matches")}
    browser = signed_in("Support Manager")
    page = f"{HOME}runs/{run.pk}/rows/{one}/choose/"
    assert browser.post(page, {"billing_id": "cus_else"}).status_code == 422
    assert browser.post(page, {"billing_id": new}).status_code == 302
    assert browser.post(page, {"billing_id": old}).status_code == 409
    assert Action.objects.get().params["billing_id"] == new
    syncing.drain.once()
    syncing.drain.once()

    books = sandbox.get("/_books/netsuite?only=objects")["objects"]["customer"]
    assert books[one][syncing.ID_FIELD] == new
    assert syncing.run("single", ids=[one], by=lead).counts == {"unchanged": 1}
