"""The inbox: stored once for ever, counted, kept byte for byte."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates.models import ReviewItem
from ledger import sets, wake
from ledger.models import Event, EventBody
from sync import inbox
from sync.inbox import Delivery
from sync.wiretypes import Envelope

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def delivery(event_id="evt_1", raw=b'{"a": 1}', **envelope):
    named = Envelope(
        provider_event_id=event_id, account="acct_1", type="invoice.paid", kind="payment.succeeded",
        object_id="in_1", lane_key="cus_1", occurred_at=NOW, api_version="2026-01-01.clover", livemode=False,
    )  # fmt: skip
    return Delivery("stripe", dataclasses.replace(named, **envelope), {"user-agent": "x"}, raw, NOW)


def bodies(event_id):
    return [bytes(body.raw) for body in EventBody.objects.filter(event_id=event_id).order_by("id")]


def test_new_delivery_becomes_an_event_with_its_bytes():
    [stored] = inbox.store([delivery(raw=b'\xef\xbb\xbf{"a":  1}')])

    event = Event.objects.get()
    assert stored == inbox.Stored(event.pk, new=True, conflicting=False)
    assert (event.state, event.verdict, event.deliveries, event.late) == ("received", "", 1, False)
    assert event.lane.endswith(":stripe:acct_1:cus_1")
    assert event.enqueued_at is not None
    assert bodies(event.pk) == [b'\xef\xbb\xbf{"a":  1}']
    assert EventBody.objects.get().headers == {"user-agent": "x"}


def test_a_group_is_one_statement(monkeypatch):
    statements = []
    run = sets.run
    monkeypatch.setattr(sets, "run", lambda sql, params=None: statements.append(sql) or run(sql, params))

    with CaptureQueriesContext(connection) as django_queries:
        stored = inbox.store([delivery(f"evt_{number}") for number in range(40)])

    assert len({one.event_id for one in stored}) == 40
    assert (len(statements), len(django_queries)) == (1, 0)


def test_duplicates_are_counted_across_and_within_groups():
    inbox.store([delivery()])
    again = inbox.store([delivery(), delivery("evt_2"), delivery(), delivery("evt_2")])

    assert [(one.new, one.conflicting) for one in again] == [
        (False, False),
        (True, False),
        (False, False),
        (False, False),
    ]
    assert dict(Event.objects.values_list("provider_event_id", "deliveries")) == {"evt_1": 3, "evt_2": 2}
    assert EventBody.objects.count() == 2


def test_same_id_of_another_account_or_source_is_another_event():
    inbox.store([delivery(), delivery(account="acct_2"), dataclasses.replace(delivery(), source="netsuite")])

    assert Event.objects.count() == 3


@pytest.mark.parametrize(("case", "together"), [("later", False), ("in the same group", True)])
def test_same_id_with_another_body_is_kept_beside_and_opens_an_exception(case, together):
    first, other = delivery(raw=b'{"amount": 1}'), delivery(raw=b'{"amount": 2}')
    stored = inbox.store([first, other]) if together else inbox.store([first]) + inbox.store([other])

    event = Event.objects.get()
    assert [one.conflicting for one in stored] == [False, True]
    assert bodies(event.pk) == [b'{"amount": 1}', b'{"amount": 2}']
    assert (event.state, event.deliveries, event.verdict) == ("received", 2, "")
    item = ReviewItem.objects.get()
    assert (item.event_id, item.why) == (event.pk, "other_body")


def test_the_other_body_repeated_opens_no_second_exception():
    inbox.store([delivery()])
    for _ in range(3):
        inbox.store([delivery(raw=b'{"a": 2}')])

    assert (ReviewItem.objects.count(), EventBody.objects.count(), Event.objects.get().deliveries) == (1, 2, 4)


def test_what_only_a_person_may_read_is_parked_with_an_item():
    inbox.store([delivery(park="duplicate_key:amount")])
    inbox.store([delivery(park="duplicate_key:amount")])

    event = Event.objects.get()
    assert (event.state, event.verdict) == ("parked", "parked: duplicate_key:amount")
    assert (ReviewItem.objects.get().event_id, ReviewItem.objects.get().why) == (event.pk, "hard_to_read")


def test_fifty_at_once_are_one_row():
    def store(_):
        try:
            return inbox.store_or_reconnect([delivery()])
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        outcomes = [stored for [stored] in pool.map(store, range(50))]

    assert sum(one.new for one in outcomes) == 1
    assert (Event.objects.get().deliveries, EventBody.objects.count()) == (50, 1)


def test_groups_that_hold_the_same_events_in_any_order_do_not_deadlock():
    names = [f"evt_{number}" for number in range(30)]

    def store(turn):
        try:
            return inbox.store([delivery(name) for name in (names if turn % 2 else reversed(names))])
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(16)))

    assert set(Event.objects.values_list("deliveries", flat=True)) == {16}


def test_new_events_ring_once_and_duplicates_do_not():
    settings = connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"], user=settings["USER"], password=settings["PASSWORD"], dbname=settings["NAME"],
        autocommit=True,
    ) as listener:  # fmt: skip
        listener.execute(f"listen {wake.CHANNEL}")
        inbox.store([delivery("evt_1"), delivery("evt_2")])
        rings = list(listener.notifies(timeout=2, stop_after=1))
        inbox.store([delivery("evt_1")])
        more = list(listener.notifies(timeout=0.3))

    assert (len(rings), len(more)) == (1, 0)


def test_one_that_cannot_be_kept_does_not_spoil_the_others():
    outcomes = inbox.store_each([delivery("evt_1"), delivery("evt_2", type="x" * 300), delivery("evt_3")])

    assert [isinstance(one, inbox.Stored) for one in outcomes] == [True, False, True]
    assert outcomes[1].status == 400


def test_a_session_that_died_while_idle_is_replaced():
    inbox.store([delivery("evt_1")])
    with psycopg.connect(
        host=connection.settings_dict["HOST"], user=connection.settings_dict["USER"],
        password=connection.settings_dict["PASSWORD"], dbname=connection.settings_dict["NAME"], autocommit=True,
    ) as other:  # fmt: skip
        other.execute("select pg_terminate_backend(%s)", [connection.connection.info.backend_pid])

    [stored] = inbox.store_or_reconnect([delivery("evt_2")])

    assert stored.new
