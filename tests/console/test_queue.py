"""The queue: views and filters in the address, the order of work, groups of failures, Next item, and news."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gates.models import Presence, SavedView
from ledger import clock
from ledger.models import LedgerRow
from meshline.console.queue import chips
from tests import factories as f
from tests.factories import User

QUEUE = "/admin/gates/reviewitem/"
NEXT, LIVE = "/admin/queue/next/", "/admin/queue/live/"


def shown(client, query=""):
    """The keys of the rows at an address of the queue."""
    return [one.pk for one in client.get(f"{QUEUE}?{query}").context["cl"].result_list]


def failed(error="tax_id", **more):
    """An item about an action that the provider refused."""
    action = f.ActionFactory(state="failed", error_code=error, automation="dunning", last_error=f"400: {error}", **more)
    return f.ReviewItemFactory(action=action, why="failed")


def statements(client, address, **headers):
    """How many statements a page takes beside saving the session, which every request does."""
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address, **headers).status_code in (200, 304)
    return [
        one["sql"] for one in seen if not one["sql"].startswith(('UPDATE "django_session"', "SAVEPOINT", "RELEASE"))
    ]


@pytest.fixture
def desk(manager):
    """One item of each sort, as (name -> item), and the manager who looks at them."""
    now, other = clock.now(), f.UserFactory(groups=["Billing Resolver"])
    waiting = f.ActionFactory(state="in_review")
    f.ApprovalFactory(action=waiting, by=other)
    return {
        "mine": f.ReviewItemFactory(owner=manager.user, state="claimed", claimed_until=now + timedelta(minutes=5)),
        "free": f.ReviewItemFactory(),
        "ran_out": f.ReviewItemFactory(owner=other, state="claimed", claimed_until=now - timedelta(minutes=1)),
        "late": f.ReviewItemFactory(owner=other, due_at=now - timedelta(minutes=5)),
        "second": f.ReviewItemFactory(action=waiting, owner=other, touched_at=now),
        "failed": f.ReviewItemFactory(action=f.ActionFactory(state="failed"), owner=other),
        "waiting": f.ReviewItemFactory(state="snoozed", owner=manager.user),
        "ended": f.ReviewItemFactory(state="resolved"),
    }


@pytest.mark.parametrize(
    ("tab", "names"),
    [
        ("mine", {"mine", "second"}),
        ("unclaimed", {"free", "ran_out"}),
        ("breached", {"late"}),
        ("second", {"second"}),
        ("failed", {"failed"}),
        ("waiting", {"waiting"}),
        ("", {"mine", "free", "ran_out", "late", "second", "failed", "waiting"}),
    ],
)
def test_a_view_shows_what_it_counts(manager, desk, tab, names):
    page = manager.get(QUEUE, {"tab": tab} if tab else {})
    counted = next(one for one in page.context["tabs"] if one["current"])["count"]

    assert {one.pk for one in page.context["cl"].result_list} == {desk[name].pk for name in names}
    assert counted == page.context["total"] == len(names)


def test_what_a_person_asked_for_or_agreed_to_is_not_theirs_to_agree_to_again(manager):
    action = f.ActionFactory(state="in_review")
    f.ReviewItemFactory(action=action, touched_at=clock.now())
    f.ApprovalFactory(action=action, by=manager.user)
    asked = f.ActionFactory(state="in_review", requested_by=manager.user)
    f.ReviewItemFactory(action=asked, touched_at=clock.now())
    f.ApprovalFactory(action=asked)

    assert len(shown(manager, "tab=second")) == 2
    assert shown(manager, "tab=mine") == []


def test_support_is_not_shown_second_approvals_as_its_own(support):
    f.ApprovalFactory(action=f.ReviewItemFactory(touched_at=clock.now()).action)

    assert len(shown(support, "tab=second")) == 1

    assert shown(support, "tab=mine") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=ticket.open", 1), ("why=late_event", 1), ("owner=me", 1), ("owner=nobody", 3), ("due=late", 1),
        ("owner=team:Support", 1), ("automation=dunning", 1), ("system=zendesk", 1), ("tier=enterprise", 1),
        ("mode=shadow", 1), ("amount=low", 1), ("amount=middle", 1), ("amount=none", 2), ("state=every", 5),
        ("state=ended", 1), ("due=paused", 1), ("tab=unclaimed&amount=middle", 1), ("tab=unclaimed&due=late", 1),
    ],
)  # fmt: skip
def test_chips_narrow_and_combine(manager, query, found):
    now = clock.now()
    action = f.ActionFactory(
        state="in_review", kind="ticket.open", provider="zendesk", automation="dunning", mode="shadow",
        customer=f.CustomerFactory(tier="enterprise"),
    )  # fmt: skip
    f.ReviewItemFactory(action=action, owner=manager.user, owner_group="Support", amount_minor=4999, currency="usd")
    f.ReviewItemFactory(why="late_event", amount_minor=51, currency="jpy")
    f.ReviewItemFactory(due_at=now - timedelta(hours=1), paused_at=now - timedelta(hours=2))
    f.ReviewItemFactory(due_at=now - timedelta(hours=1))
    f.ReviewItemFactory(state="resolved")

    assert len(shown(manager, query)) == found


def test_bands_of_amounts_meet_without_a_gap_in_every_currency(manager):
    for currency, unit in (("usd", 100), ("jpy", 1), ("kwd", 1000)):
        for whole in (49, 50, 499, 500, 4999, 5000):
            f.ReviewItemFactory(amount_minor=whole * unit, currency=currency)
    bands = [shown(manager, f"amount={band}") for band in ("low", "middle", "high", "top")]

    assert [len(band) for band in bands] == [3, 6, 6, 3]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("filter__password__startswith=a", "there is no filter"),
        ("owner__password__startswith=a", "there is no filter"),
        ("tab=everything", "no such view"),
        ("owner=root", "has no value"),
        ("state=%00", "no such value"),
        ("amount=1", "has no value"),
        ("customer=1 or 1=1", "cannot be a value"),
        ("customer=²", "cannot be a value"),
        ("correlation=zzz", "cannot be a value"),
        ("kind=" + "x" * 500, "no such value"),
        ("group=x", "no such group"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_in_words_and_shows_nothing(manager, query, words):
    f.ReviewItemFactory()

    answer = manager.get(f"{QUEUE}?{query}")

    assert answer.status_code == 400
    assert words in answer.content.decode().lower()
    assert answer.context["cl"].result_list == []


@pytest.mark.parametrize("query", ["p=-5", "p=zzz", "p=99999999999999999999", "q=%00", "q=RV-99999999999999999999"])
def test_nonsense_that_can_be_understood_finds_nothing_and_breaks_nothing(manager, query):
    assert manager.get(f"{QUEUE}?{query}").status_code == 200


def test_fifty_rows_take_ten_statements_and_eighty_kilobytes(manager):
    for number in range(60):
        customer = f.CustomerFactory(name=f"A customer with a long name, number {number}", mrr_minor=19900)
        action = f.ActionFactory(state="failed", error_code=f"error_{number}", customer=customer, automation="dunning")
        item = f.ReviewItemFactory(
            action=action, owner=manager.user, sentence="x" * 500, reason="y" * 500, amount_minor=123456, currency="usd"
        )
        Presence.objects.create(item=item, user=f.UserFactory())
    SavedView.objects.create(owner=manager.user, name="Old ones", query="due=late")

    for query in ("", "tab=failed", "tab=mine&system=netsuite&owner=me"):
        sent = statements(manager, f"{QUEUE}?{query}")
        page = manager.get(f"{QUEUE}?{query}")
        assert len(sent) <= 10, sent
        assert len(page.context["rows"]) == 50
        assert len(page.content) <= 80_000


def test_pages_follow_each_other_without_a_gap(manager):
    keys = [f.ReviewItemFactory(due_at=clock.now() + timedelta(minutes=n)).pk for n in range(120)]
    first, second, third = (shown(manager, f"p={page}") for page in (1, 2, 3))

    assert first + second + third == keys
    assert 'rel="next"' not in manager.get(f"{QUEUE}?p=3").content.decode()
    assert "p=1" not in manager.get(f"{QUEUE}?p=2").context["newer"]


def test_a_row_says_who_looks_at_it_who_agreed_and_which_version_of_the_gate_asked(manager):
    answers = [{"rule": "open-dispute", "verdict": "review", "reason": "so", "version": 3}]
    item = f.ReviewItemFactory(
        action=f.ActionFactory(state="in_review", answers=answers), reason="a payment is disputed"
    )
    watcher, gone = f.UserFactory(username="priya"), f.UserFactory(username="gone")
    Presence.objects.create(item=item, user=watcher)
    Presence.objects.create(item=item, user=gone, seen_at=clock.now() - timedelta(seconds=61))
    Presence.objects.create(item=item, user=manager.user)
    f.ApprovalFactory(action=item.action, by=f.UserFactory(username="miguel"))

    page = manager.get(QUEUE).content.decode()

    assert 'title="priya has it open">viewing now' in page
    assert "Second approval</span>" in page
    assert "approved by miguel" in page
    assert "a payment is disputed (open-dispute v3)" in page


def test_failures_of_one_kind_are_one_line_that_unfolds(manager):
    same = [failed() for _ in range(3)]
    alone = failed("other")
    folded = manager.get(f"{QUEUE}?tab=failed")
    group = next(row.group for row in folded.context["rows"] if row.group)
    unfolded = manager.get(group.url)

    assert [row.item.pk for row in folded.context["rows"] if row.is_shown] == [alone.pk]
    assert (group.group.size, group.group.key) == (3, "tax_id:netsuite:dunning")
    assert "Retry all 3" in folded.content.decode()
    assert {row.item.pk for row in unfolded.context["rows"] if row.is_shown} == {one.pk for one in [*same, alone]}
    assert len([row for row in unfolded.context["rows"] if row.group]) == 1


def test_looking_writes_nothing(manager, desk):
    before = LedgerRow.objects.count()
    for name, chip in chips.CHIPS.items():
        for value in chip.options:
            assert manager.get(QUEUE, {name: value}).status_code == 200
    manager.get(reverse("admin:queue_live"))

    assert LedgerRow.objects.count() == before
    assert User.objects.count() == 2
