"""What a ban swallowed is found by asking; what is known is not stored twice; the plan comes first."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ledger import clock
from ledger.models import Event
from sync import catch_up, providers, receive
from sync.connections import state
from sync.connections.models import ConnectionCheck
from sync.contracts.pipedrive import type_of
from sync.errors import PermanentError
from sync.models import Attempt, PollMark
from sync.providers import pipedrive
from sync.sandbox.pipedrive import hooks

pytestmark = pytest.mark.django_db(transaction=True)


def says_ill():
    """Whether the connection card of the CRM says that its webhook is."""
    (card,) = [one for one in state.cards() if one.known.provider == "pipedrive"]
    return any("never came as a delivery" in one for one in card.problems)


class Company:
    """The simulated company, and what its webhooks would have said."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def play(self, verb, **params):
        return self.sandbox.post(f"/_play/pipedrive/{verb}", params)

    def deals(self, count=1):
        return [str(self.play("create_deal")["deal"]) for _ in range(count)]

    def later(self, seconds):
        self.sandbox.post("/_clock", {"advance_s": seconds})

    def tell(self, deal_id, event_id="w-1", changed="stage_id", **meta):
        """Deliver the webhook of a deal's latest change."""
        record = self.sandbox.books("pipedrive")["objects"]["deals"][deal_id]
        at = datetime.fromisoformat(record["update_time"]).timestamp()
        said = hooks.meta_of(event_id, "change", int(deal_id), at, 12415231) | {"entity": "deal"} | meta
        raw = json.dumps({"meta": said, "data": record, "previous": {changed: 1}}).encode()
        pair = hooks.basic(self.sandbox_secret())
        now = datetime.now(UTC)
        assert receive.take("pipedrive", {"authorization": (pair,)}, raw=raw, now=now, address="").status == 200
        assert type_of(said) == "change.deal"

    @staticmethod
    def sandbox_secret():
        return providers.get("pipedrive").webhook_secrets()[0]


@pytest.fixture
def company(sandbox):
    providers.get("pipedrive")._forget()
    return Company(sandbox)


def missing(**how):
    return [one.id for one in catch_up.plan("pipedrive", **how).missing]


def test_what_no_event_tells_of_is_found_and_stored_once(company):
    lost, told = company.deals(2)
    company.tell(told)

    assert missing() == [lost]
    assert Event.objects.count() == 1
    assert [catch_up.run(), catch_up.run()] == [
        "pipedrive: 2 changed, 1 were missing", "pipedrive: 2 changed, 0 were missing",
    ]  # fmt: skip

    event = Event.objects.get(object_id=lost)
    webhook = Event.objects.get(object_id=told)
    assert (event.source, event.kind, event.type, event.state) == (
        "pipedrive",
        "deal.changed",
        "change.deal",
        "received",
    )
    assert (event.account, event.deliveries) == (webhook.account, 1)
    assert event.provider_event_id.startswith(f"poll-{lost}-")


def test_archived_and_deleted_deals_are_found_too(company):
    archived, deleted, usual = company.deals(3)
    company.play("archive_deal", deal=archived)
    company.play("delete_deal", deal=deleted)

    catch_up.run()

    assert dict(Event.objects.values_list("object_id", "kind")) == {
        archived: "deal.changed", deleted: "deal.deleted", usual: "deal.changed",
    }  # fmt: skip


def test_a_webhook_that_comes_after_all_is_one_hint_more(company):
    (deal,) = company.deals()
    catch_up.run()
    company.tell(deal)
    catch_up.run()

    assert sorted(Event.objects.values_list("provider_event_id", flat=True))[1] == "w-1"
    assert Event.objects.count() == 2
    assert {event.review_items.count() for event in Event.objects.all()} == {0}
    assert len(set(Event.objects.values_list("lane", flat=True))) == 1


def test_a_later_change_is_found_although_an_earlier_one_was_told(company):
    (deal,) = company.deals()
    company.tell(deal)
    company.later(5)
    company.play("move_stage", deal=deal)

    assert missing() == [deal]


def test_behind_our_own_echo_somebody_elses_change_may_hide(company):
    (deal,) = company.deals()
    company.tell(deal, changed="title", change_source="api", user_id="12094821")

    assert missing() == [deal]


def test_the_webhook_is_ill_where_no_delivery_at_all_told_of_a_change_for_minutes(company, monkeypatch):
    lost, echoed, told = company.deals(3)
    company.tell(echoed, "w-1", changed="title", change_source="api", user_id="12094821")
    company.tell(told, "w-2")

    young = catch_up.plan("pipedrive")
    soon = clock.now() + timedelta(minutes=3)
    monkeypatch.setattr(clock, "now", lambda: soon)
    old = catch_up.plan("pipedrive")

    assert ({one.id for one in young.missing}, young.unheard) == ({lost, echoed}, 0)
    assert ({one.id for one in old.missing}, old.unheard) == ({lost, echoed}, 1)
    assert ConnectionCheck.objects.get(provider="pipedrive").polled["missing"] == 1
    assert says_ill()
    catch_up.store(old)
    assert catch_up.plan("pipedrive").unheard == 0
    assert not says_ill()


def test_the_mark_follows_polls_not_webhooks(company):
    """A webhook after a ban must not move the window past what the ban swallowed."""
    first = company.deals()[0]
    catch_up.run()
    company.later(3600)
    lost = company.deals()[0]
    company.later(3600)
    told = company.deals()[0]
    company.tell(told)

    plan = catch_up.plan("pipedrive")

    assert [one.id for one in plan.missing] == [lost]
    assert first not in {one.id for one in plan.missing}
    assert plan.since == PollMark.objects.get().seen_until - catch_up.OVERLAP


def test_the_window_overlaps_by_five_minutes(company):
    deal = company.deals()[0]
    catch_up.run()
    assert catch_up.plan("pipedrive").seen == 1
    company.later(301)
    company.deals()
    catch_up.run()
    assert deal not in {one.id for one in catch_up.plan("pipedrive").missing}
    assert catch_up.plan("pipedrive").seen == 1


def test_what_is_too_much_for_one_run_is_read_by_the_next(company, monkeypatch):
    monkeypatch.setattr(pipedrive, "PAGE", 2)
    monkeypatch.setattr(catch_up, "PAGES", 2)
    deals = []
    for _ in range(7):
        deals += company.deals()
        company.later(400)

    plan = catch_up.plan("pipedrive", datetime(2020, 1, 1, tzinfo=UTC))
    catch_up.store(plan)
    catch_up.run()

    assert (plan.is_whole, [one.id for one in plan.missing]) == (False, deals[:4])
    assert set(Event.objects.values_list("object_id", flat=True)) >= set(deals[:6])


def test_a_system_that_does_not_answer_is_said_and_tried_again(company):
    company.deals()
    company.sandbox.faults({"provider": "pipedrive", "rules": [{"kind": "error_before", "status": 503}]})
    failed = catch_up.run()
    company.sandbox.faults({"provider": "pipedrive", "rules": []})

    assert failed == "pipedrive did not answer: TransientError"
    assert PollMark.objects.count() == 0
    assert Attempt.objects.filter(provider="pipedrive", status=503).exists()
    assert missing() != []


def test_not_connected_is_nothing_to_do(settings):
    settings.MESHLINE_PROVIDERS = {
        name: one for name, one in settings.MESHLINE_PROVIDERS.items() if name != "pipedrive"
    }

    assert catch_up.run() == "nothing is connected that can be asked"
    with pytest.raises(PermanentError):
        catch_up.plan("pipedrive")
    with pytest.raises(CommandError) as refused:
        call_command("fetch_missing", "pipedrive")
    assert refused.value.returncode == 2


def test_the_command_plans_first(company):
    deals = company.deals(2)

    def command(*options):
        said = StringIO()
        call_command("fetch_missing", "pipedrive", *options, stdout=said)
        return said.getvalue()

    plan, counted = command(), json.loads(command("--json"))
    before = Event.objects.count()
    done = command("--yes", "--since", (datetime.now(UTC) - timedelta(hours=1)).isoformat())
    again = command("--yes")

    assert "no event tells of 2" in plan
    assert "add --yes" in plan
    assert "0 of them came by no delivery at all" in plan
    assert (counted["deals"], counted["unheard"], counted["whole"], "stored" in counted, before) == (
        deals, 0, True, False, 0,
    )  # fmt: skip
    assert done.endswith("2 stored\n")
    assert again.endswith("0 stored\n")
    assert Event.objects.count() == 2


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01"])
def test_the_command_refuses_a_time_that_is_none(since):
    with pytest.raises(CommandError) as refused:
        call_command("fetch_missing", "pipedrive", "--since", since)
    assert refused.value.returncode == 2
