"""Several items at once: asked first, each decided by itself, and whatever cannot be is left alone with its reason."""

import re
from datetime import timedelta

import pytest
import time_machine

from gates.models import ReviewItem
from ledger import clock
from ledger.models import Action, LedgerRow
from meshline.console.queue.cells import pick
from tests import factories as f
from tests.console.conftest import signed_in

BULK = "/admin/queue/bulk/{}/"
HIDDEN = re.compile(r'name="(seal|pick)" value="([^"]*)"')


def fresh(item):
    """The item as a row of the queue would show it now."""
    return pick(ReviewItem.objects.select_related("action").get(pk=item.pk))


def ask(client, verb, items, **more):
    """Press a bulk button."""
    return client.post(
        BULK.format(verb), {"pick": [one if isinstance(one, str) else fresh(one) for one in items], **more}
    )


def sure(client, verb, page, **more):
    """Press the button of the confirm page."""
    found = HIDDEN.findall(page.content.decode())
    sent = {"seal": next(value for name, value in found if name == "seal"), "confirmed": "1", "reason": "checked"}
    return client.post(BULK.format(verb), sent | {"pick": [value for name, value in found if name == "pick"]} | more)


def states(*items):
    return [Action.objects.get(pk=one.action_id).state for one in items]


def test_the_confirm_page_says_what_fits_what_it_adds_up_to_and_why_the_rest_does_not(manager):
    dollars = [f.ReviewItemFactory(amount_minor=minor, currency="usd") for minor in (12_345, 100)]
    yen = f.ReviewItemFactory(amount_minor=980, currency="jpy")
    unknown = f.ReviewItemFactory(action=f.ActionFactory(state="unknown"))
    own = f.ReviewItemFactory(action=f.ActionFactory(state="in_review", requested_by=manager.user))

    page = ask(manager, "approve", [*dollars, yen, unknown, own])
    sheet, text = page.context["sheet"], page.content.decode()

    assert page.status_code == 200
    assert {one.pk for one in sheet.fit} == {one.pk for one in [*dollars, yen]}
    assert sheet.sums == ["980 JPY", "124.45 USD"]
    assert {name for name, _, _ in sheet.unfit} == {str(unknown), str(own)}
    assert "you asked for this" in text
    assert "valid 10 min" in text
    assert not LedgerRow.objects.exists()
    assert set(states(*dollars, yen)) == {"in_review"}


def test_approving_several_does_each_by_itself_and_says_what_was_not_done(manager):
    first, second, third = (f.ReviewItemFactory() for _ in range(3))
    page = ask(manager, "approve", [first, second, third])
    Action.objects.filter(pk=second.action_id).update(state_version=9)

    done = sure(manager, "approve", page)
    results = {one["name"]: one for one in done.context["results"]}

    assert done.status_code == 200
    assert states(first, second, third) == ["approved", "in_review", "approved"]
    assert not results[str(second)]["done"]
    assert "changed since the page was drawn" in results[str(second)]["why"]
    assert LedgerRow.objects.filter(decision="approve", outcome="approved").count() == 2
    assert "1 was not done and stays as it was" in done.content.decode()


@pytest.mark.parametrize(
    ("verb", "state", "sent", "after"),
    [
        ("retry", "failed", {}, "approved"),
        ("reject", "in_review", {}, "rejected"),
        (
            "reject", "failed",
            {"cause": "wrong_data", "corrective_action": "Corrected it.", "prevention": "A check."}, "rejected",
        ),
    ],
)  # fmt: skip
def test_other_verbs_go_the_same_way(manager, verb, state, sent, after):
    items = [f.ReviewItemFactory(action=f.ActionFactory(state=state)) for _ in range(2)]

    done = sure(manager, verb, ask(manager, verb, items), **sent)

    assert [one["done"] for one in done.context["results"]] == [True, True]
    assert states(*items) == [after, after]


def test_failures_are_not_closed_without_what_was_done_about_them(manager):
    item = f.ReviewItemFactory(action=f.ActionFactory(state="failed"))

    page = ask(manager, "reject", [item])
    done = sure(manager, "reject", page)

    assert 'name="corrective_action"' in page.content.decode()
    assert not done.context["results"][0]["done"]
    assert states(item) == ["failed"]


def test_claim_assign_and_snooze(manager):
    items, other = [f.ReviewItemFactory() for _ in range(2)], signed_in("Billing Resolver").user

    sure(manager, "claim", ask(manager, "claim", items), reason="")
    assert {one.owner for one in ReviewItem.objects.all()} == {manager.user}
    sure(manager, "assign", ask(manager, "assign", items), to=f"user:{other.pk}")
    assert {one.owner for one in ReviewItem.objects.all()} == {other}
    sure(manager, "assign", ask(manager, "assign", items), to="group:Support")
    assert {one.owner_group for one in ReviewItem.objects.all()} == {"Support"}
    until = clock.now() + timedelta(days=2)
    sure(manager, "snooze", ask(manager, "snooze", items), until=f"{until:%Y-%m-%dT%H:%M}", why="customer")
    assert {one.state for one in ReviewItem.objects.all()} == {"snoozed"}


@pytest.mark.parametrize(
    ("verb", "sent", "words"),
    [
        ("assign", {"to": "user:999999"}, "to:"),
        ("assign", {"to": "group:Nobody"}, "to:"),
        ("assign", {"to": ""}, "to:"),
        ("snooze", {"until": "never", "why": "time"}, "until:"),
        ("snooze", {"until": "2026-13-45T99:99", "why": "time"}, "until:"),
        ("approve", {"reason": ""}, "reason:"),
        ("approve", {"reason": "\x00 "}, "reason:"),
        ("approve", {"reason": "x" * 501}, "reason:"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_done(manager, verb, sent, words):
    item = f.ReviewItemFactory()

    answer = sure(manager, verb, ask(manager, verb, [item]), **sent)

    assert answer.status_code == 422
    assert words in answer.content.decode().lower()
    assert states(item) == ["in_review"]
    assert ReviewItem.objects.get(pk=item.pk).state == "open"
    assert not LedgerRow.objects.exists()


@pytest.mark.parametrize("chosen", [["1:2"], ["x:1:ab"], ["1:1:../etc"], ["²:1:ab"], [], ["1:-1:ab"], ["1:1:ab\n"]])
def test_a_selection_that_no_page_sends_is_refused(manager, chosen):
    f.ReviewItemFactory()

    answer = manager.post(BULK.format("approve"), {"pick": chosen})

    assert answer.status_code == 422
    assert "Not done" in answer.content.decode()


def test_over_two_hundred_are_refused_before_anything_is_read(manager):
    answer = manager.post(BULK.format("claim"), {"pick": [f"{n}:0:" for n in range(1, 202)]})

    assert answer.status_code == 422
    assert "at most 200" in answer.content.decode().lower()


def test_unknown_and_stale_ones_are_listed_and_left_alone(manager):
    item = f.ReviewItemFactory()
    stale = fresh(item)
    Action.objects.filter(pk=item.action_id).update(state_version=7)

    page = ask(manager, "approve", [stale, f"{item.pk + 100}:1:ab"])

    assert [why for _, _, why in page.context["sheet"].unfit] == [
        "it changed since the page was drawn; look at it again",
        "there is no such item, or you may not see it",
    ]
    assert 'name="confirmed"' not in page.content.decode()


def test_the_confirm_page_holds_for_ten_minutes_for_one_person_and_one_selection(manager):
    item, other = f.ReviewItemFactory(), f.ReviewItemFactory()
    page, stranger = ask(manager, "approve", [item]), signed_in("Support Manager")

    swapped = sure(manager, "approve", page, pick=[fresh(other)])
    borrowed = sure(stranger, "approve", page)
    other_verb = sure(manager, "reject", page)
    forged = sure(manager, "approve", page, seal="x")
    with time_machine.travel(clock.now() + timedelta(minutes=11), tick=False):
        late_client = signed_in("Support Manager")
        late_page = ask(late_client, "approve", [item])
        with time_machine.travel(clock.now() + timedelta(minutes=11), tick=False):
            expired = sure(late_client, "approve", late_page)

    assert [one.status_code for one in (swapped, borrowed, other_verb, forged, expired)] == [422, 422, 422, 422, 409]
    assert "older than 10 minutes" in expired.content.decode()
    assert states(item, other) == ["in_review", "in_review"]


def test_deciding_several_is_a_right_of_its_own(support):
    item = f.ReviewItemFactory()
    page = support.get("/admin/gates/reviewitem/")

    answer = ask(support, "approve", [item])

    assert all(one["why_not"] for one in page.context["verbs"])
    assert answer.status_code == 403
    assert LedgerRow.objects.get().outcome == "refused"
    assert states(item) == ["in_review"]


def test_a_link_does_nothing_and_an_unknown_verb_is_a_missing_page(manager):
    assert manager.get(BULK.format("approve")).status_code == 302
    assert manager.post(BULK.format("delete"), {"pick": ["1:1:"]}).status_code == 404


def test_a_group_of_failures_is_sent_again_at_once(manager):
    same = [
        f.ReviewItemFactory(action=f.ActionFactory(state="failed", error_code="tax_id", automation="dunning"))
        for _ in range(3)
    ]
    alone = f.ReviewItemFactory(action=f.ActionFactory(state="failed", error_code="other"))

    page = manager.post(BULK.format("retry"), {"group": "tax_id:netsuite:dunning"})
    done = sure(manager, "retry", page)

    assert {one.pk for one in page.context["sheet"].fit} == {one.pk for one in same}
    assert all(one["done"] for one in done.context["results"])
    assert states(*same, alone) == ["approved"] * 3 + ["failed"]
    assert manager.post(BULK.format("retry"), {"group": "tax_id:netsuite:dunning"}).status_code == 409


def test_the_way_back_leads_to_the_view_it_came_from(manager):
    item = f.ReviewItemFactory()

    page = ask(manager, "approve", [item], view="tab=unclaimed&why=open-dispute&p=2")

    assert page.context["asked"].url == "/admin/gates/reviewitem/?tab=unclaimed&why=open-dispute&p=2"
