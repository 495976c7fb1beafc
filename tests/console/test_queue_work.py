"""The queue at work: the next item, saved views, columns, news, empty lists."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session

from gates import stop
from gates.cells import due_badge
from gates.models import Preference, ReviewItem, SavedView
from ledger import clock
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_queue import statements

QUEUE = "/admin/gates/reviewitem/"
NEXT, LIVE = "/admin/queue/next/", "/admin/queue/live/"


def test_next_item_claims_within_the_view_and_remembers_it(support):
    f.ReviewItemFactory(due_at=clock.now())
    wanted = f.ReviewItemFactory(why="late_event")

    answer = support.post(NEXT, {"view": "why=late_event"})

    assert answer["Location"] == f"{QUEUE}{wanted.pk}/change/?view=why%3Dlate_event&next=1"
    assert ReviewItem.objects.get(pk=wanted.pk).owner == support.user
    assert support.post(NEXT, {"view": "why=late_event"})["Location"] == f"{QUEUE}?why=late_event"


def test_two_people_get_two_items(support):
    other = signed_in("Billing Resolver")
    items = {f.ReviewItemFactory().pk for _ in range(2)}
    taken = {client.post(NEXT)["Location"].split("/")[4] for client in (support, other)}

    assert {int(key) for key in taken} == items


@pytest.mark.parametrize("view", ["nonsense=1", "tab=zzz", "q=" + "x" * 600])
def test_next_item_takes_nothing_from_a_view_that_makes_no_sense(support, view):
    item = f.ReviewItemFactory()

    answer = support.post(NEXT, {"view": view})

    assert answer.status_code == 400
    assert ReviewItem.objects.get(pk=item.pk).state == "open"


def test_next_item_needs_a_post_and_the_right_to_claim(manager, shipped):
    item, auditor = f.ReviewItemFactory(), signed_in("Auditor")

    assert manager.get(NEXT).status_code == 302
    assert auditor.post(NEXT).status_code == 403
    assert ReviewItem.objects.get(pk=item.pk).state == "open"


def test_a_view_is_saved_counted_and_deleted(support):
    f.ReviewItemFactory(why="late_event")
    f.ReviewItemFactory()

    saved = support.post("/admin/queue/views/", {"view": "why=late_event&tab=unclaimed", "name": " Late  events "})
    view = SavedView.objects.get()
    link = support.get(QUEUE).context["views"][0]
    deleted = support.post(f"/admin/queue/views/{view.pk}/delete/", {"view": ""})

    assert (saved.status_code, deleted.status_code) == (302, 302)
    assert (view.name, view.query, view.shared_with) == ("Late events", "tab=unclaimed&why=late_event", "")
    assert (link["label"], link["count"], link["url"]) == ("Late events", 1, f"{QUEUE}?{view.query}")
    assert not SavedView.objects.exists()


def test_a_shared_view_is_seen_by_its_group_and_deleted_by_its_owner_only(manager, resolver, support):
    manager.post("/admin/queue/views/", {"view": "tab=failed", "name": "Failures", "shared_with": "Billing Resolver"})
    view = SavedView.objects.get()
    delete = f"/admin/queue/views/{view.pk}/delete/"

    assert [one["label"] for one in resolver.get(QUEUE).context["views"]] == ["Failures"]
    assert support.get(QUEUE).context["views"] == []
    assert support.post(delete).status_code == 404
    assert resolver.post(delete).status_code == 403
    assert manager.get(delete).status_code == 302
    assert SavedView.objects.filter(pk=view.pk).exists()


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({"name": "x", "view": "tab=failed", "shared_with": "Support"}, 403, "gates.share_view"),
        ({"name": "", "view": "tab=failed"}, 422, "name"),
        ({"name": "x" * 61, "view": "tab=failed"}, 422, "name"),
        ({"name": "x", "view": ""}, 422, "choose a view"),
        ({"name": "x", "view": "password__startswith=p"}, 400, "there is no filter"),
        ({"name": "taken", "view": "tab=failed"}, 409, "already"),
    ],
)
def test_a_view_that_cannot_be_saved_is_refused_in_words(support, sent, status, words):
    SavedView.objects.create(owner=support.user, name="taken", query="tab=second")

    answer = support.post("/admin/queue/views/", sent)

    assert answer.status_code == status
    assert words in answer.content.decode().lower()
    assert SavedView.objects.count() == 1


def test_a_saved_view_that_means_nothing_any_more_breaks_no_page(support):
    SavedView.objects.create(owner=support.user, name="old", query="gone=1")

    assert support.get(QUEUE).context["views"][0]["count"] is None


def test_columns_are_a_persons_own(support):
    f.ReviewItemFactory(action=f.ActionFactory(state="in_review", automation="dunning"))

    assert support.post("/admin/queue/columns/", {"column": ["automation", "age"]}).status_code == 302
    assert support.get(QUEUE).context["columns"] == ["Automation", "Age"]
    assert support.post("/admin/queue/columns/", {"column": ["password"]}).status_code == 422
    assert Preference.objects.get(user=support.user).columns == ["automation", "age"]


def test_news_are_counted_within_the_view_and_unchanged_ones_cost_nothing(support):
    f.ReviewItemFactory(why="late_event")
    address = support.get(QUEUE, {"why": "late_event"}).context["live_url"]
    before = support.get(address)
    same = support.get(address, headers={"If-None-Match": before["ETag"]})
    f.ReviewItemFactory()
    f.ReviewItemFactory(why="late_event")
    after = support.get(address, headers={"If-None-Match": before["ETag"]})

    assert "new - show" not in before.content.decode()
    assert (same.status_code, same.content) == (304, b"")
    assert "1 new - show" in after.content.decode()
    assert len(after.content) < 1000


def test_news_take_two_statements_beside_the_sign_in(manager):
    f.ReviewItemFactory()
    for query in ("", "?view=tab%3Dmine%26system%3Dnetsuite&since=0"):
        signing_in, own = statements(manager, f"{LIVE}{query}")[:2], statements(manager, f"{LIVE}{query}")[2:]
        assert "django_session" in signing_in[0]
        assert len(own) <= 2, own


def test_news_keep_nobody_signed_in_and_say_the_stop_to_everybody(support, nobody):
    ends = Session.objects.get(session_key=support.session.session_key).expire_date
    stop.engage("all", by=signed_in("Support Manager").user, reason="drill")

    answer = support.get(LIVE)

    assert not answer.cookies
    assert Session.objects.get(session_key=support.session.session_key).expire_date == ends
    assert "STOPPED" in answer.content.decode()
    said = nobody.get(LIVE).content.decode()
    assert "STOPPED" in said
    assert "nav-queue" not in said


@pytest.mark.parametrize("query", ["since=abc", "since=-1", "since=" + "9" * 30, "since=%00"])
def test_news_since_nonsense_are_none(support, query):
    f.ReviewItemFactory()

    assert "new - show" not in support.get(f"{LIVE}?{query}").content.decode()
    assert support.get(f"{LIVE}?view=nonsense%3D1").status_code == 400


def test_empty_lists_say_why_and_what_next(support):
    assert "Nothing waits for a person" in support.get(QUEUE).content.decode()
    assert "No item matches" in support.get(f"{QUEUE}?q=nobody").content.decode()
    f.ReviewItemFactory()
    assert "1 item is unclaimed" in support.get(f"{QUEUE}?tab=mine").content.decode()
    stop.engage("all", by=signed_in("Support Manager").user, reason="drill")
    f.ActionFactory(state="parked")
    assert "1 action is held by the stop" in support.get(f"{QUEUE}?tab=mine").content.decode()


def test_the_queue_is_closed_to_who_may_not_see_it(nobody, client, shipped):
    item = f.ReviewItemFactory()

    for address in (QUEUE, NEXT, "/admin/queue/views/", "/admin/queue/bulk/claim/", f"/admin/queue/runbook/{item.pk}/"):
        assert nobody.post(address).status_code == 403
        assert client.get(address).status_code == 302


def test_shortcuts_can_be_switched_off(support):
    assert "data-keys" not in support.get(QUEUE).content.decode()
    Preference.objects.create(user=support.user, shortcuts=False)
    assert 'data-keys="off"' in support.get(QUEUE).content.decode()


@pytest.mark.parametrize(
    ("left", "target", "more", "words"),
    [
        (50, 86_400, {}, "is-soon"),
        (70, 86_400, {}, "is-fine"),
        (50, 3_600 * 2, {}, "is-fine"),
        (25, 3_600 * 2, {}, "is-soon"),
        (-12, 3_600, {}, "late 11m"),
        (185, 86_400, {"paused_at": timedelta(0)}, "paused, 3h 05m left"),
        (100, 86_400, {"paused_at": timedelta(minutes=85)}, "paused, 3h 05m left"),
    ],
)
def test_the_badge_says_how_much_time_is_left_and_how_bad_that_is(left, target, more, words):
    now = clock.now()
    item = ReviewItem(pk=1, due_at=now + timedelta(minutes=left, seconds=1), target_seconds=target)
    for name, ago in more.items():
        setattr(item, name, now - ago)

    assert words in due_badge(item)
