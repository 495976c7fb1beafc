"""Differences and runs in the console and the API: found by any id, decided with a reason, in bounded queries."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client

from gates.models import ReviewItem
from ledger import clock, verify
from ledger.models import LedgerRow
from meshline import subjects
from sync.reconcile import alarms, deltas, desk
from sync.reconcile.finding import Finding, fingerprint
from sync.reconcile.models import Delta, ReconcileRun
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_routing import text

pytestmark = pytest.mark.django_db
LIST, RUNS = "/admin/sync/delta/", "/admin/sync/reconcilerun/"


def opened(**more):
    """A difference that a run opened, with its ledger row."""
    given = {
        "kind": "field_differs", "key": "mesh-cus-1", "field": "email", "owner_group": "Billing Resolver",
        "left": "ap@northwind.example", "right": "billing@northwind.example", "left_print": "a", "right_print": "b",
        "owner_system": "netsuite", "refs": (("pipedrive", "deal", "4711"), ("netsuite", "customer", "1847")),
    }  # fmt: skip
    one = Finding(**{**given, **more})
    run = f.ReconcileRunFactory(outcome="differ", compared=100, differing=1, counts={one.kind: 1})
    deltas.note("customers", [one], run=run.pk, about={})
    return Delta.objects.get(kind=one.kind, key=one.key, field=one.field)


def page_of(one):
    return f"{LIST}{one.pk}/change/"


def test_lists_are_filtered_searched_and_paged(support, django_assert_max_num_queries):
    first = opened()
    for n in range(60):
        f.DeltaFactory(key=f"mesh-cus-{n:04d}", customer=f.CustomerFactory(), refs=[["netsuite", "customer", str(n)]])
    old = clock.now() - timedelta(hours=30)
    f.DeltaFactory(kind="duplicate", field="netsuite", key="old", refs=[], first_seen_at=old, owner=support.user)
    f.ReconcileRunFactory(outcome="failed", error="netsuite could not be read to the end (timeout)")

    def shown(query):
        return re.findall(r">(D-\d+)<", support.get(f"{LIST}?{query}").content.decode())

    with django_assert_max_num_queries(14):
        page = support.get(LIST)
    assert "Failed, nothing compared" in text(page)
    assert "Older" in text(page)
    assert len(shown("")) == 50
    assert len(shown(f"before={first.pk + 11}")) == 11
    assert shown("class=duplicate") == shown("age=day") == shown("owner=me") == [f"D-{first.pk + 61}"]
    assert shown("class=missing_left") == []
    for query in ("q=4711", "q=MESH-CUS-1", f"q=D-{first.pk}", "field=email", f"run={first.last_run_id}"):
        assert shown(query) == [str(first)], query
    assert shown("q=zz") == shown("run=x") == shown("state=accepted") == []
    assert "Run now" not in text(page)
    with django_assert_max_num_queries(14):
        assert "netsuite could not be read" in text(support.get(RUNS))


def test_both_sides_stand_next_to_each_other_masked_for_who_may_not_see_them(support, resolver):
    one = opened()

    page, full = text(support.get(page_of(one))), text(resolver.get(page_of(one)))

    assert "Pipedrive NetSuite, decides" in page
    assert "a***@northwind.example b***@northwind.example" in page
    assert "ap@northwind.example billing@northwind.example" in full
    assert "There is nothing to do about it now, or your account may only read it." in page
    assert "NetSuite decides about email" in " ".join(full.split()).replace("Netsuite", "NetSuite")


def test_people_acknowledge_assign_accept_and_open_items(resolver, manager):
    one = opened()

    def act(client, verb, **said):
        one.refresh_from_db()
        return client.post(f"/admin/reconcile/deltas/{one.pk}/{verb}/", {"version": one.state_version, **said})

    assert act(resolver, "acknowledge").status_code == 302
    assert act(resolver, "acknowledge").status_code == 409
    assert act(resolver, "accept", reason="it is right").status_code == 403
    assert act(resolver, "assign", to="user:999999", reason="x").status_code == 422
    assert act(resolver, "assign", to=f"user:{manager.user.pk}", reason="").status_code == 422
    assert act(resolver, "assign", to=f"user:{manager.user.pk}", reason="knows them").status_code == 302
    assert act(resolver, "open_item").status_code == 302
    one.refresh_from_db()
    item = one.item
    assert (item.kind, item.owner_group, item.owner, one.owner) == (
        "reconcile.delta", "Billing Resolver", manager.user, manager.user,
    )  # fmt: skip
    assert item.routed_by == "the group that the difference belongs to"
    assert "northwind" not in item.sentence + item.reason
    assert "A difference between systems" in text(manager.get(f"/admin/gates/reviewitem/{item.pk}/change/"))
    assert act(resolver, "open_item").status_code == 409
    stale = manager.post(f"/admin/reconcile/deltas/{one.pk}/accept/", {"version": 1, "reason": "because"})
    assert (stale.status_code, "was changed since you saw it" in text(stale)) == (409, True)
    assert act(manager, "accept", reason="they bill another office").status_code == 302
    item.refresh_from_db()
    assert (item.state, item.resolution) == ("resolved", "accepted")

    rows = list(LedgerRow.objects.filter(subject_kind="delta").order_by("id").values_list("decision", "outcome"))
    assert rows == [
        ("open", "open"), ("acknowledge", "acknowledged"), ("accept", "refused"), ("assign", "assigned"),
        ("open_item", "assigned"), ("accept", "accepted"),
    ]  # fmt: skip
    report = verify.verify(subjects.SUBJECTS, subjects.UNCHAINED)
    assert report.is_intact, report


def test_what_was_accepted_comes_back_only_when_a_value_changes(manager):
    one = opened(left_print=fingerprint("a"), right_print=fingerprint("b"))
    desk.accept(one.pk, by=manager.user, version=1, reason="known")
    again = Finding("field_differs", one.key, one.field, "g", "x", "y", fingerprint("a"), fingerprint("b"))
    run = f.ReconcileRunFactory()

    assert deltas.note("customers", [again], run=run.pk, about={}) == 0
    one.refresh_from_db()
    assert one.state == "accepted"
    changed = Finding("field_differs", one.key, one.field, "g", "x", "z", fingerprint("a"), fingerprint("z"))
    assert deltas.note("customers", [changed], run=run.pk, about={}) == 1
    one.refresh_from_db()
    assert (one.state, one.times_seen, one.right_value) == ("open", 3, "z")
    assert deltas.close_gone("customers", ["duplicate"], run.pk) == 0
    assert deltas.close_gone("customers", ["field_differs"], f.ReconcileRunFactory().pk) == 1
    assert deltas.erase_resolved(0) == 1
    assert verify.verify(subjects.SUBJECTS, subjects.UNCHAINED).is_intact


@pytest.mark.parametrize(
    ("differing", "compared", "flagged"),
    [(2, 100, False), (3, 100, True), (20, 1000, False), (21, 1000, True), (0, 0, False)],
)  # fmt: skip
def test_more_than_two_percent_flags(shipped, differing, compared, flagged):
    run = f.ReconcileRunFactory(outcome="differ", differing=differing, compared=compared)

    alarms.judge(run)

    assert run.flagged is flagged
    assert ReviewItem.objects.filter(kind="reconcile.mismatch").exists() is flagged


def test_run_now_begins_once_and_shows_how_far_it_is(manager, support):
    assert support.post("/admin/reconcile/customers/run/").status_code == 403
    page = manager.post("/admin/reconcile/customers/run/", follow=True)
    run = ReconcileRun.objects.get()
    assert "0 of 6 lists read" in text(page)
    assert run.started_by == f"user:{manager.user.pk}"
    again = text(manager.post("/admin/reconcile/customers/run/", follow=True))
    assert f"Run {run.pk} goes on since" in again
    assert manager.post("/admin/reconcile/nothing/run/").status_code == 404


def test_the_api_says_and_does_the_same(manager, support):
    one = opened()
    api = "/api/v1/reconcile"

    def get(client, path):
        return client.get(f"{api}/{path}").json()

    def post(client: Client, path, **body):
        answer = client.post(f"{api}/{path}", json.dumps(body), "application/json")
        return answer.status_code, answer.json()

    (row,) = get(manager, "deltas/?id=4711&kind=field_differs&limit=1")["results"]
    assert (row["class"], row["check"], row["left_value"]) == ("field_differs", "customers", "ap@northwind.example")
    assert get(support, f"deltas/{one.pk}/")["left_value"] == "a***@northwind.example"
    assert get(manager, "deltas/?kind=nothing")["error"]["field"] == "kind"
    (run,) = get(manager, "runs/?check=customers")["results"]
    assert (run["state"], run["classes"]) == ("differ", {"field_differs": 1})
    assert post(support, f"deltas/{one.pk}/acknowledge/", state_version=1)[0] == 403
    assert post(manager, f"deltas/{one.pk}/accept/", state_version=1)[1]["error"]["field"] == "reason"
    assert (
        post(manager, f"deltas/{one.pk}/assign/", state_version=1, group="Support", reason="x")[1]["state"]
        == "assigned"
    )
    assert post(manager, f"deltas/{one.pk}/accept/", state_version=1, reason="x")[0] == 409
    status, begun = post(manager, "runs/", check="customers")
    assert (status, begun["state"]) == (202, "running")
    assert post(manager, "runs/", check="customers")[0] == 409


def test_a_customer_shows_its_differences(manager):
    customer = f.CustomerFactory()
    one = opened(customer_id=customer.pk)

    assert str(one) in text(manager.get(f"/admin/ledger/customer/{customer.pk}/change/"))
    assert deltas.erase(customer.pk) == 1
    assert "northwind" not in text(manager.get(page_of(one)))


def test_who_may_nothing_sees_nothing(nobody):
    one = opened()
    other = signed_in("Auditor")

    assert [nobody.get(address).status_code for address in (LIST, RUNS, page_of(one))] == [403, 403, 403]
    assert [other.get(address).status_code for address in (LIST, RUNS, page_of(one))] == [200, 200, 200]
