"""The durable queues: order within a lane, fairness between lanes, leases, fences, crashes."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from ledger import claim, clock, sets
from ledger.models import Action, Event
from tests.factories import ActionFactory, CustomerFactory, EventFactory

PAST = timedelta(minutes=5)
ME, OTHER = 11, 22


def event(lane="a", **more):
    return EventFactory(lane=lane, available_at=clock.now() - PAST, **more)


def claim_events(token=ME, lanes=64, run=8, cursor="", **more):
    """The ids and lanes of what a drain gets."""
    rows = claim.claim(claim.EVENTS, token=token, lanes=lanes, run=run, lease=40, cursor=cursor, **more)
    return [row[0] for row in rows]


def expire(model):
    """Let every lease run out."""
    model.objects.filter(lease_until__isnull=False).update(lease_until=clock.now() - PAST)


def finish(ids, token=ME, state="processed"):
    done = [{"id": one, "state": state, "verdict": "done", "customer_id": None, "late": False} for one in ids]
    return claim.finish_events(done, token)


@pytest.mark.django_db
class TestEvents:
    def test_a_claim_takes_the_oldest_first_and_a_run_of_each_lane(self):
        ids = [event("a").pk for _ in range(5)]

        assert claim_events(run=3) == ids[:3]
        assert set(Event.objects.filter(pk__in=ids[:3]).values_list("state", "attempts", "lease_token")) == {
            ("processing", 1, ME)
        }

    def test_what_is_claimed_holds_up_its_lane(self):
        first = event("a")
        assert claim_events(run=1) == [first.pk]
        event("a")

        assert claim_events(OTHER) == []

    def test_a_row_that_is_not_due_holds_up_those_behind_it(self):
        event("a", state="waiting")
        Event.objects.update(available_at=clock.now() + PAST)
        event("a")
        free = event("b")

        assert claim_events() == [free.pk]

    def test_a_run_ends_at_the_first_row_that_is_not_ready(self):
        ready = event("a")
        Event.objects.filter(pk=event("a", state="waiting").pk).update(available_at=clock.now() + PAST)
        event("a")

        assert claim_events() == [ready.pk]

    @pytest.mark.parametrize("state", ["processed", "ignored", "parked"])
    def test_closed_rows_hold_up_nothing(self, state):
        event("a", state=state)
        open_one = event("a")

        assert claim_events() == [open_one.pk]

    def test_the_cursor_says_where_to_begin(self):
        later = event("c")
        event("a")

        assert claim_events(cursor="b") == [later.pk]

    def test_one_lane_with_most_of_the_backlog_does_not_starve_the_others(self):
        flood = [event("m").pk for _ in range(160)]
        others = [event(f"{n:02x}").pk for n in range(40)]

        got = claim_events(lanes=64, run=8)

        assert set(others) <= set(got)
        assert [one for one in got if one in set(flood)] == flood[:8]

    def test_every_lane_gets_its_turn_when_there_are_more_than_fit(self):
        ids = [event(f"{n:02x}").pk for n in range(30)]
        rounds = 0
        while got := claim_events(lanes=8, run=1):
            finish(got)
            rounds += 1

        assert (rounds, Event.objects.filter(pk__in=ids, state="processed").count()) == (4, 30)

    def test_finishing_needs_the_token(self):
        one = event()
        claim_events()

        assert finish([one.pk], token=OTHER) == set()
        assert Event.objects.get().state == "processing"
        assert finish([one.pk]) == {one.pk}
        assert finish([one.pk]) == set(), "twice is once"

    def test_releasing_needs_the_token(self):
        one = event()
        claim_events()

        claim.release_events([one.pk], OTHER)

        assert (Event.objects.get().state, Event.objects.get().lease_token) == ("processing", ME)

    @pytest.mark.parametrize(
        ("case", "given", "state", "attempts"),
        [
            ("untried", {}, "received", 0),
            ("a provider is away", {"wait": 9.0, "error": "away"}, "waiting", 0),
            ("tried and broken", {"wait": 9.0, "tried": True, "error": "x"}, "received", 1),
        ],
    )
    def test_release(self, case, given, state, attempts):
        one = event()
        claim_events()

        claim.release_events([one.pk], ME, **given)

        one.refresh_from_db()
        assert (one.state, one.attempts, one.lease_token, one.last_error) == (
            state, attempts, None, given.get("error", ""),
        )  # fmt: skip
        assert (one.available_at > clock.now()) is ("wait" in given)

    def test_a_dead_workers_row_comes_back_without_an_attempt_but_with_a_crash(self):
        one = event()
        claim_events()
        expire(Event)

        assert claim.sweep_events() == []

        one.refresh_from_db()
        assert (one.state, one.attempts, one.crashes, one.lease_token) == ("received", 0, 1, None)
        assert finish([one.pk]) == set(), "the dead worker's token is worth nothing"

    def test_a_live_lease_is_left_alone(self):
        event()
        claim_events()

        claim.sweep_events()

        assert Event.objects.get().state == "processing"

    def test_renewing_keeps_only_ones_own(self):
        mine, other = event("a"), event("b")
        claim_events(ME, cursor="", lanes=1)
        claim_events(OTHER)
        expire(Event)

        claim.renew(ME, 40)
        claim.sweep_events()

        assert (Event.objects.get(pk=mine.pk).state, Event.objects.get(pk=other.pk).state) == ("processing", "received")

    def test_three_crashes_make_a_row_run_alone(self):
        killer, fine = event("a", crashes=claim.CRASHES_BEFORE_SOLO), event("b")

        assert claim_events() == [fine.pk]
        assert claim_events(solo=True, lanes=1, run=1) == [killer.pk]

    def test_six_crashes_park_it_for_a_person(self):
        killer = event()
        for _ in range(claim.CRASHES_BEFORE_PARK + 1):
            solo = Event.objects.get().crashes >= claim.CRASHES_BEFORE_SOLO
            assert claim_events(solo=solo) == [killer.pk]
            expire(Event)
            parked = claim.sweep_events()

        killer.refresh_from_db()
        assert (parked, killer.state, killer.crashes) == ([killer.pk], "parked", 6)

    def test_a_claim_is_one_statement(self, monkeypatch):
        event()
        count = count_statements(monkeypatch)

        claim_events()
        finish([Event.objects.get().pk])

        assert count == [1, 1]


def count_statements(monkeypatch):
    """A list that grows by one for each statement of `ledger.sets`."""
    seen, run = [], sets.run
    monkeypatch.setattr(sets, "run", lambda *given: (seen.append(1), run(*given))[1])
    return seen


@pytest.mark.django_db
class TestActions:
    def make(self, state="approved", lane="a", in_lane=True, **more):
        return ActionFactory(state=state, lane=lane, in_lane=in_lane, available_at=clock.now() - PAST, **more)

    def take(self, token=ME, lanes=8):
        rows = claim.claim(claim.ACTIONS, token=token, lanes=lanes, run=1, lease=40, cursor="")
        return [row[0] for row in rows]

    def test_actions_of_a_customer_go_one_after_the_other(self):
        first, second = self.make(), self.make()

        assert self.take() == [first.pk]
        assert self.take(OTHER) == []
        Action.objects.filter(pk=first.pk).update(in_lane=False, lease_until=None)
        assert self.take(OTHER) == [second.pk]

    def test_a_claim_moves_nothing(self):
        one = self.make()
        self.take()

        one.refresh_from_db()
        assert (one.state, one.state_version, one.lease_token) == ("approved", 0, ME)

    def test_held_ones_enter_their_lane_when_due(self):
        due = self.make("held", in_lane=False)
        later = self.make("held", "b", in_lane=False)
        Action.objects.filter(pk=later.pk).update(available_at=clock.now() + PAST)

        assert self.take() == []
        assert claim.flip_due() == 1
        assert self.take() == [due.pk]

    def test_the_fence(self):
        one = self.make()
        self.take()

        assert claim.ours([one.pk], OTHER) == set()
        claim.release_actions([one.pk], OTHER, error="mine")
        one.refresh_from_db()
        assert (one.lease_token, one.last_error) == (ME, "")
        assert claim.ours([one.pk], ME) == {one.pk}

    def test_release_keeps_the_state_and_waits(self):
        one = self.make("unknown")
        self.take()

        claim.release_actions([one.pk], ME, wait=60, error="not there yet")

        one.refresh_from_db()
        assert (one.state, one.state_version, one.lease_until, one.last_error) == ("unknown", 0, None, "not there yet")
        assert self.take() == []

    def test_expired_leases_are_seen_and_freed(self):
        one = self.make()
        self.take()
        assert claim.expired_actions() == []
        expire(Action)

        assert claim.expired_actions() == [(one.pk, "approved", 0)]
        claim.free_expired([one.pk])

        one.refresh_from_db()
        assert (one.lease_token, one.crashes) == (None, 1)
        assert self.take(OTHER) == [one.pk]

    def test_waiting_counts(self):
        self.make()
        self.make("held", "b", in_lane=False)
        event()

        oldest, events, actions = claim.waiting()

        assert (oldest > 60, events, actions) == (True, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_two_drains_at_once_share_the_lanes_and_no_row():
    ids = [event(f"{n:02x}").pk for n in range(60)]
    got, gate = {}, threading.Barrier(2)

    def drain(token):
        try:
            gate.wait(5)
            got[token] = claim_events(token, lanes=40, run=1)
        finally:
            connection.close()

    threads = [threading.Thread(target=drain, args=(token,)) for token in (ME, OTHER)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)

    assert not set(got[ME]) & set(got[OTHER])
    for token, mine in got.items():
        assert set(Event.objects.filter(lease_token=token).values_list("pk", flat=True)) == set(mine)
    assert len(got[ME]) + len(got[OTHER]) <= len(ids)


FILL = """
    insert into ledger_event (source, account, provider_event_id, type, kind, object_id, api_version, origin_key, lane,
        state, state_version, verdict, late, correlation_id, received_at, available_at, attempts, crashes, deliveries,
        body_sha, last_error)
    select 'stripe', '', 'evt_' || n, 't', 'k', '', '', '', to_hex(n %% 4096),
        case when n > %s then 'received' else 'processed' end, 0, '', false, gen_random_uuid(), now(),
        now() - interval '1 min', 0, 0, 1, '', '' from generate_series(1, %s) n
"""


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.django_db(transaction=True)
def test_a_claim_on_a_long_table_reads_only_what_is_open(owner_connection, monkeypatch):
    """The cost follows the lanes that are visited: the plan walks the partial index, never the whole table."""
    owner_connection.execute(FILL, (19_700, 20_000))
    owner_connection.execute("analyze ledger_event")
    asked = []
    run = sets.run
    monkeypatch.setattr(sets, "run", lambda *given: (asked.append(given), run(*given))[1])

    with transaction.atomic():
        assert len(claim_events(lanes=64, run=8)) == 64
        transaction.set_rollback(True)

    sql, params = asked[0]
    with transaction.atomic():
        plan = run(f"explain (analyze, buffers, format json) {sql}", params)[0][0][0]["Plan"]
        transaction.set_rollback(True)
    found = list(nodes(plan))
    scans = {one["Relation Name"]: one["Node Type"] for one in found if one["Node Type"] == "Seq Scan"}
    indexes = {one["Index Name"] for one in found if "Index Name" in one}
    assert scans == {}
    assert "event_lane_open" in indexes
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 4000


@pytest.mark.django_db
def test_a_customers_row_is_not_needed_to_claim():
    CustomerFactory()
    one = event(customer=None)

    assert claim_events() == [one.pk]
