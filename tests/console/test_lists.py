"""Lists: the order of work, a fixed number of queries, paging by key, and any id found from one box."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gates.models import ReviewItem
from ledger import clock
from tests import factories as f
from tests.console import seed

QUEUE = "/admin/gates/reviewitem/"
BUDGETS = {
    QUEUE: 10,
    "/admin/": 15,
    "/admin/ledger/event/": 9,
    "/admin/ledger/ledgerrow/": 9,
    "/admin/ledger/action/": 8,
    "/admin/ledger/customer/": 8,
    "/admin/ledger/contract/": 8,
    "/admin/sync/attempt/": 8,
    "/admin/stop/": 9,
}


def queries(client, address):
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    # The session is saved on each request so that idle people are signed out; that is not the page's own work.
    return len([one for one in seen if not one["sql"].startswith(('UPDATE "django_session"', "SAVEPOINT", "RELEASE"))])


@pytest.mark.parametrize("address", BUDGETS)
def test_a_page_asks_the_database_a_fixed_number_of_times(manager, address):
    seed.fill(items=4)
    few = queries(manager, address)
    for customer in [f.CustomerFactory() for _ in range(20)]:
        event = f.EventFactory(customer=customer)
        f.ContractFactory(customer=customer)
        action = f.ActionFactory(state="in_review", customer=customer, event=event)
        f.ReviewItemFactory(action=action, owner=manager.user)
        f.LedgerRowFactory(action_id=action.pk, actor=f"user:{manager.user.pk}")
        f.AttemptFactory(action=action)

    many = queries(manager, address)

    assert many <= BUDGETS[address]
    assert many <= few + 1  # the people behind ledger rows are looked up once, where there are any


def test_the_item_page_keeps_its_budget(manager):
    seed.fill()

    assert queries(manager, f"{QUEUE}{ReviewItem.objects.earliest('id').pk}/change/") <= 16


def test_late_ones_come_first_then_due_then_the_larger_customer(resolver):
    now = clock.now()
    at = now + timedelta(hours=2)
    small = f.ReviewItemFactory(due_at=at, action__customer=f.CustomerFactory(mrr_minor=100))
    large = f.ReviewItemFactory(due_at=at, action__customer=f.CustomerFactory(mrr_minor=900))
    late = f.ReviewItemFactory(due_at=now - timedelta(minutes=5))
    f.ReviewItemFactory(state="resolved", due_at=now - timedelta(days=2))

    shown = [one.pk for one in resolver.get(QUEUE).context["cl"].result_list]

    assert shown == [late.pk, large.pk, small.pk]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=ended", 1),
        ("state=every", 4),
        ("state=failed", 1),
        ("owner=nobody", 2),
        ("owner=me", 1),
        ("due=late", 1),
        ("kind=contract.suspend", 3),
        ("why=late_event", 1),
        ("q=RV-0", 0),
    ],
)
def test_filters_of_the_queue(resolver, query, found):
    f.ReviewItemFactory(owner=resolver.user, why="late_event")
    f.ReviewItemFactory(action=f.ActionFactory(state="failed"))
    f.ReviewItemFactory(due_at=clock.now() - timedelta(hours=1))
    f.ReviewItemFactory(state="resolved")

    assert resolver.get(f"{QUEUE}?{query}").context["cl"].result_count == found


def test_search_finds_by_number_and_by_the_beginning_of_a_name(resolver):
    item = f.ReviewItemFactory(action__customer=f.CustomerFactory(name="Initech Labs"))
    f.ReviewItemFactory()

    for typed in (f"RV-{item.pk}", str(item.pk), "Initech", str(item.correlation_id)):
        assert [one.pk for one in resolver.get(QUEUE, {"q": typed}).context["cl"].result_list] == [item.pk]


@pytest.mark.parametrize(
    ("name", "make"),
    [("ledger_ledgerrow", f.LedgerRowFactory), ("ledger_event", f.EventFactory), ("ledger_action", f.ActionFactory)],
)
def test_paging_by_key_there_and_back_shows_each_row_once_and_never_counts(resolver, name, make):
    keys = [make().pk for _ in range(120)][::-1]
    address = reverse(f"admin:{name}_changelist")

    with CaptureQueriesContext(connection) as seen:
        first = resolver.get(address).context["cl"]
    second = resolver.get(address + first.older).context["cl"]
    third = resolver.get(address + second.older).context["cl"]
    back = resolver.get(address + third.newer).context["cl"]

    assert [row.pk for page in (first, second, third) for row in page.result_list] == keys
    assert (first.newer, third.older) == (None, None)
    assert [row.pk for row in back.result_list] == [row.pk for row in second.result_list]
    table = f'FROM "{name}"'
    assert not [one for one in seen if "COUNT(*)" in one["sql"] and table in one["sql"]]


def test_filters_of_the_ledger_by_thread_and_customer(resolver):
    thread = uuid.uuid4()
    row = f.LedgerRowFactory(correlation_id=thread, customer_id=7)
    f.LedgerRowFactory()
    address = reverse("admin:ledger_ledgerrow_changelist")

    for query in (f"correlation={thread}", "customer=7", f"q={thread}", f"q={row.pk}"):
        assert [one.pk for one in resolver.get(f"{address}?{query}").context["cl"].result_list] == [row.pk]


def test_amounts_are_shown_in_their_own_decimals(resolver):
    for minor, currency in ((123456, "usd"), (980, "jpy"), (1500, "kwd"), (77, "xyz")):
        f.ReviewItemFactory(amount_minor=minor, currency=currency)

    page = resolver.get(QUEUE).content.decode()

    for shown in ("1,234.56 USD", "980 JPY", "1.500 KWD", "77 minor units of XYZ"):
        assert shown in page


def found_at(client, typed):
    answer = client.get("/admin/find/", {"q": typed})
    return (
        answer["Location"]
        if answer.status_code == 302
        else [hit.url for hits in answer.context["groups"].values() for hit in hits]
    )


def test_any_id_leads_to_its_page(resolver):
    customer = f.CustomerFactory(name="Initech Labs", email="ap@initech.example")
    contract = f.ContractFactory(customer=customer)
    f.ExternalIdFactory(customer=customer, value="cus_N00")
    f.ExternalIdFactory(customer=customer, contract=contract, kind="subscription", value="sub_1M")
    event = f.EventFactory(provider_event_id="evt_1Q", object_id="in_1Q")
    action = f.ActionFactory(state="held")
    item = f.ReviewItemFactory()
    row = f.LedgerRowFactory()

    def page(record):
        return reverse(f"admin:{record._meta.app_label}_{record._meta.model_name}_change", args=[record.pk])

    for typed, record in (
        (f"RV-{item.pk}", item),
        (f"rv{item.pk}", item),
        (str(action.pk), action),
        (action.short, action),
        ("evt_1Q", event),
        ("in_1Q", event),
        (str(event.correlation_id), event),
        ("cus_N00", customer),
        ("sub_1M", contract),
        ("ap@initech.example", customer),
        ("Initech", customer),
        ("initech", customer),
        (customer.external_id, customer),
        (contract.external_id, contract),
        (f"#{row.pk}", row),
    ):
        assert found_at(resolver, typed) == page(record), typed


@pytest.mark.parametrize(
    "typed",
    ["nothing", "RV-999999999999", "\x00", "' or 1=1 --", "x" * 5000, "#99999999999999999999999", "%", "é" * 300],
)
def test_an_unknown_id_says_what_was_searched(resolver, typed):
    answer = resolver.get("/admin/find/", {"q": typed})

    assert answer.status_code in (200, 404)
    assert "review items" in answer.content.decode()


def test_the_box_finds_only_what_the_person_may_see(nobody):
    customer = f.CustomerFactory()

    assert found_at(nobody, customer.external_id) == []


def test_several_hits_give_a_list(resolver):
    f.EventFactory(object_id="in_1Q")
    f.EventFactory(object_id="in_1Q", source="netsuite")

    answer = resolver.get("/admin/find/", {"q": "in_1Q"})

    assert set(answer.context["groups"]) == {"Events from Stripe", "Events from NetSuite"}


def test_home_of_a_new_installation_says_what_to_set_up(resolver):
    page = resolver.get("/admin/").content.decode()

    assert "What to set up" in page
    assert "Start the workers" in page
