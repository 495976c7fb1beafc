"""What can be read: lists by key, one record, context with ages, the story of a customer; few statements each."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates.models import ReviewItem, StopSwitch
from ledger import clock
from ledger.models import Action, Customer
from tests import factories as f
from tests.api.client import by_session, by_token, error
from tests.people.cast import item_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def running(db):
    StopSwitch.objects.get_or_create(scope="all")


def an_item():
    item = item_in(requested_by=f.UserFactory(), contract=f.ContractFactory(), edited_by=f.UserFactory())
    ReviewItem.objects.filter(pk=item.pk).update(owner=f.UserFactory())
    return item


MAKE = {
    "customers/": f.CustomerFactory,
    "events/": lambda: f.EventFactory(customer=f.CustomerFactory()),
    "actions/": an_item,
    "review-items/": an_item,
    "ledger/": lambda: f.LedgerRowFactory(actor=f"user:{f.UserFactory().pk}"),
    "gates/": f.GateVersionFactory,
}
LISTS = tuple(MAKE)


def statements(caller, path):
    caller.get(path)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        answer = caller.get(path)
    assert answer.status_code == 200
    return len(seen), len(answer.json()["results"])


@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_as_many_statements_for_many_rows_as_for_few(path):
    caller = by_token()
    MAKE[path]()
    few, _ = statements(caller, path)
    for _ in range(12):
        MAKE[path]()

    many, rows = statements(caller, path)

    assert rows >= 13
    assert many == few <= 9


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_walked_by_key_both_ways(path):
    for _ in range(7):
        MAKE[path]()
    caller = by_session()

    pages, address = [], f"/api/v1/{path}?limit=3"
    while address:
        answer = caller.get(address).json()
        assert "count" not in answer
        pages.append(answer)
        address = answer["older"]
    back, address = [], pages[-1]["newer"]
    while address:
        answer = caller.get(address).json()
        back.append(answer)
        address = answer["newer"]

    seen = [row["id"] for page in pages for row in page["results"]]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) >= 7
    assert pages[0]["newer"] is None
    assert back[-1]["results"][0]["id"] == seen[0]


def test_a_page_that_came_meanwhile_shifts_nothing():
    made = [f.EventFactory() for _ in range(4)]
    caller = by_session()

    first = caller.get("events/?limit=2").json()
    f.EventFactory()
    second = caller.get(first["older"]).json()

    assert [one["id"] for one in second["results"]] == [made[1].pk, made[0].pk]
    assert len(caller.get(first["older"].replace("before", "after")).json()["results"]) == 2


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("mesh-cus-1", True), ("ap@initech.example", True), ("Init", True), ("Initech Labs", True),
        ("nitech", False), ("ap@initech", False), ("mesh-cus", False), ("%", False), ("_nitech", False),
    ],
)  # fmt: skip
def test_customers_are_found_by_what_is_exact_or_begins(word, found):
    f.CustomerFactory(external_id="mesh-cus-1", email="ap@initech.example", name="Initech Labs")
    f.CustomerFactory(external_id="mesh-cux-2", email="x@y.example", name="Other")

    answer = by_session().get("customers/", q=word).json()

    assert [one["external_id"] for one in answer["results"]] == (["mesh-cus-1"] if found else [])


def test_addresses_are_masked_for_who_may_not_see_bodies():
    customer = f.CustomerFactory(email="anna.berg@initech.example")
    billing = {"synced_at": clock.now().isoformat(), "name": "Anna Berg", "note": "call anna.berg@initech.example"}
    f.ContextFactory(customer=customer, blocks={"billing": billing})
    action = f.ActionFactory(
        state="in_review", customer=customer, because="anna.berg@initech.example asked",
        request={"body": '{"email": "anna.berg@initech.example"}'}, params={"email": "anna.berg@initech.example"},
    )  # fmt: skip
    item = f.ReviewItemFactory(action=action, sentence="Write to anna.berg@initech.example.")
    f.CommentFactory(item=item, text="anna.berg@initech.example called")
    paths = (
        "customers/", "customers/?q=anna.berg@initech.example", f"customers/{customer.external_id}/context/",
        f"review-items/{item.pk}/", f"actions/{action.pk}/", "actions/", "review-items/",
    )  # fmt: skip

    support, resolver = by_token("Support"), by_token("Billing Resolver")

    for path in paths:
        masked, full = support.get(path).content.decode(), resolver.get(path).content.decode()
        assert "anna.berg" not in masked, path
        assert "Berg" not in masked, path
        assert "anna.berg@initech.example" in full, path


def test_context_says_how_old_each_source_is():
    customer = f.CustomerFactory()
    f.ContractFactory(customer=customer)
    f.ExternalIdFactory(customer=customer, value="cus_1")
    now = clock.now()
    fresh, old = (now - timedelta(seconds=30)).isoformat(), (now - timedelta(hours=2)).isoformat()
    blocks = {
        "billing": {"synced_at": fresh, "live": True, "open_disputes": 1},
        "support": {"synced_at": old},
        "odd": 1,
    }
    f.ContextFactory(customer=customer, blocks={**blocks, "entitlement": {"plan": "x"}})

    said = by_token("Support").get(f"customers/{customer.external_id}/context/").json()

    found = {one["name"]: one for one in said["blocks"]}
    assert 30 <= found["billing"]["age_seconds"] <= 60
    assert (found["billing"]["stale"], found["billing"]["facts"]) == (False, {"open_disputes": 1})
    assert (found["support"]["stale"], found["support"]["age_seconds"] >= 7200) == (True, True)
    assert (found["entitlement"]["stale"], found["entitlement"]["age_seconds"]) == (True, None)
    assert (said["links"][0]["value"], len(said["contracts"]), said["pending_since"]) == ("cus_1", 1, None)


def test_a_customer_that_was_never_read_has_no_context():
    customer = f.CustomerFactory()

    said = by_session("Support").get(f"customers/{customer.external_id}/context/").json()

    assert said["blocks"] == []


def test_a_fresh_read_is_asked_for_once():
    customer = f.CustomerFactory()
    caller = by_session("Support")

    first = caller.post(f"customers/{customer.external_id}/refresh/")
    again = caller.post(f"customers/{customer.external_id}/refresh/")

    assert first.status_code == 202
    assert first.json()["pending_since"]
    assert error(again)[0] == 409
    assert by_session("Auditor").post(f"customers/{customer.external_id}/refresh/").status_code == 403


def test_the_story_of_a_customer_is_walked_to_its_beginning():
    customer, other = f.CustomerFactory(), f.CustomerFactory()
    begun = clock.now() - timedelta(hours=1)
    for minute in range(9):
        at = begun + timedelta(minutes=minute)
        if minute % 3:
            f.LedgerRowFactory(customer_id=customer.pk, recorded_at=at, actor=f"user:{f.UserFactory().pk}")
        else:
            f.EventFactory(customer=customer, received_at=at)
    f.EventFactory(customer=other)
    caller = by_token("Support")

    lines, address = [], f"/api/v1/customers/{customer.external_id}/timeline/?limit=2"
    while address:
        page = caller.get(address).json()
        assert len(page["results"]) <= 2
        lines += page["results"]
        address = page["older"]

    assert [one["at"] for one in lines] == sorted((one["at"] for one in lines), reverse=True)
    assert len({(one["source"], one["id"]) for one in lines}) == len(lines) == 9
    assert lines[0]["actor"].startswith("person")


@pytest.mark.parametrize("cursor", ["x", "e1", "e1r", "r1e1", "e1r1x", "e" + "9" * 19 + "r1", "e-1r1"])
def test_a_cursor_that_is_none(cursor):
    customer = f.CustomerFactory()

    answer = by_session().get(f"customers/{customer.external_id}/timeline/", before=cursor)

    assert error(answer) == (422, "field", "before")


def test_events_and_ledger_are_narrowed():
    customer = f.CustomerFactory()
    event = f.EventFactory(customer=customer, state="parked", object_id="in_7")
    f.EventFactory()
    row = f.LedgerRowFactory(customer_id=customer.pk, correlation_id=event.correlation_id, action_id=uuid.uuid4())
    f.LedgerRowFactory()
    caller = by_session()

    def keys(path, **query):
        return [one["id"] for one in caller.get(path, **query).json()["results"]]

    assert keys("events/", customer=customer.external_id) == keys("events/", object="in_7") == [event.pk]
    assert keys("events/", correlation_id=str(event.correlation_id)) == keys("events/", state="parked") == [event.pk]
    assert keys("events/", customer="nobody") == []
    for name, value in (("customer", customer.external_id), ("correlation_id", event.correlation_id)):
        assert keys("ledger/", **{name: str(value)}) == [row.pk]
    assert keys("ledger/", action=str(row.action_id)) == [row.pk]


def test_items_are_narrowed_as_on_the_page():
    mine, other, ended = item_in(), item_in("failed"), item_in()
    caller = by_session()
    ReviewItem.objects.filter(pk=mine.pk).update(owner=caller.user, state="claimed")
    ReviewItem.objects.filter(pk=ended.pk).update(state="resolved")

    def keys(**query):
        return {one["id"] for one in caller.get("review-items/", **query).json()["results"]}

    assert keys() == {mine.pk, other.pk}
    assert keys(owner="me") == keys(state="claimed") == {mine.pk}
    assert keys(state="failed") == {other.pk}
    assert keys(state="ended") == {ended.pk}
    assert keys(q=f"RV-{other.pk}") == {other.pk}
    assert error(caller.get("review-items/", owner="x")) == (422, "field", "owner")


def test_an_item_says_what_may_be_done_and_why_not():
    caller = by_session("Support")
    item = item_in()

    said = caller.get(f"review-items/{item.pk}/").json()

    verbs = {one["name"]: one for one in said["verbs"]}
    assert verbs["approve"]["allowed"] is False
    assert "gates.approve_item" in verbs["approve"]["why_not"]
    assert verbs["claim"]["allowed"] is True
    assert said["item"]["item"] == f"RV-{item.pk}"
    assert said["action"]["preview_hash"] == said["item"]["preview_hash"] == item.action.preview_hash


def test_an_item_takes_few_statements():
    caller = by_token()
    item = an_item()
    for _ in range(5):
        f.CommentFactory(item=item)
    caller.get(f"review-items/{item.pk}/")

    with CaptureQueriesContext(connection) as seen:
        caller.get(f"review-items/{item.pk}/")

    assert len(seen) <= 14, [one["sql"] for one in seen]


def test_the_stop_is_in_every_answer():
    caller = by_token("Support")
    assert "X-Meshline-Stopped" not in caller.get("customers/")
    StopSwitch.objects.filter(scope="all").update(state="stopped")

    answers = [
        caller.get("customers/"),
        caller.get("nothing/"),
        caller.get("events/0/"),
        caller.post("stop/", {"x": 1}),
    ]

    assert [one["X-Meshline-Stopped"] for one in answers] == ["1"] * 4


def test_the_correlation_id_comes_back():
    caller, mine = by_token("Support"), str(uuid.uuid4())

    kept = caller.browser.get("/api/v1/customers/", headers={**caller.headers, "X-Correlation-Id": mine})
    made = caller.browser.get("/api/v1/nothing/", headers={**caller.headers, "X-Correlation-Id": "x\x7fy"})

    assert kept["X-Correlation-Id"] == mine
    assert uuid.UUID(made["X-Correlation-Id"])


def test_gates_and_runbooks_can_be_read():
    gate = f.GateVersionFactory(name="mine", rows=[{"field": "open_disputes", "op": "over", "value": 3}])
    caller = by_token("Support")

    found = caller.get("gates/", name="mine").json()["results"]

    assert [(one["id"], one["rows"]) for one in found] == [(gate.pk, gate.rows)]
    assert caller.get("runbooks/").status_code == 200


def test_what_is_read_is_what_is_stored():
    action = f.ActionFactory(amount_minor=7_500_001, currency="jpy", available_at=clock.now())

    said = by_token().get(f"actions/{action.pk}/").json()

    assert (said["amount_minor"], said["currency"], said["id"]) == (7_500_001, "jpy", str(action.pk))
    assert said["available_at"].endswith("Z")
    assert Action.objects.count() == Customer.objects.count() == 1
