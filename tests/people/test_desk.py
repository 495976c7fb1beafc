"""What people do with an item itself: claim, hand on, let wait, escalate, and whatever comes next."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group

from gates import ownership, review
from gates.models import ReviewItem
from ledger import clock
from ledger.models import LedgerRow
from tests.factories import ActionFactory, ApprovalFactory, CustomerFactory, ReviewItemFactory
from tests.people.cast import item_in, last_row, person, refusals, refused

pytestmark = pytest.mark.django_db


def again(item):
    """As it is stored now."""
    return ReviewItem.objects.get(pk=item.pk)


def told(row):
    """What a row says."""
    return (row.subject_kind, row.decision, row.prior_state, row.post_state)


class TestClaim:
    def test_an_item_is_ones_own_for_a_quarter_of_an_hour(self):
        item, by = ReviewItemFactory(), person("Support")

        review.claim(item.pk, by=by)

        item.refresh_from_db()
        assert (item.state, item.owner) == ("claimed", by)
        assert 890 < (item.claimed_until - clock.now()).total_seconds() <= 900

    def test_nobody_else_gets_it_meanwhile(self):
        item = ReviewItemFactory()
        review.claim(item.pk, by=person("Support"))

        assert refused(review.claim, item.pk, by=person("Support")) == (409, "claimed")

    def test_it_is_free_again_afterwards(self):
        item, second = ReviewItemFactory(), person("Support")
        review.claim(item.pk, by=person("Support"))
        ReviewItem.objects.update(claimed_until=clock.now())

        review.claim(item.pk, by=second)

        item.refresh_from_db()
        assert item.owner == second

    def test_only_the_owner_gives_it_back(self):
        item, owner = ReviewItemFactory(), person("Support")
        review.claim(item.pk, by=owner)

        assert refused(review.release, item.pk, by=person("Support")) == (409, "not_yours")
        review.release(item.pk, by=owner)

        item.refresh_from_db()
        assert (item.state, item.owner) == ("open", None)

    @pytest.mark.parametrize("text", ["", " \n ", "x" * 4001, "x" * 2**20, "a\x00", None])
    def test_comments_have_words(self, text):
        assert refused(review.comment, ReviewItemFactory().pk, by=person("Support"), text=text) == (422, "comment")

    def test_a_comment_is_kept_even_when_settled(self):
        item = ReviewItemFactory(state="resolved")

        review.comment(item.pk, by=person("Support"), text=" Called them. ")

        assert item.comments.get().text == "Called them."

    def test_a_comment_leaves_a_row_without_its_words(self):
        item = ReviewItemFactory()

        review.comment(item.pk, by=person("Support"), text="Ana Ruiz called")

        assert told(last_row()) == ("item", "comment", "open", "open")
        assert "Ana" not in str(last_row().__dict__)

    def test_claiming_leaves_a_row_and_counts_as_the_first_touch(self):
        item, by = ReviewItemFactory(), person("Support")

        review.claim(item.pk, by=by)

        row = last_row()
        assert (told(row), row.actor) == (("item", "claim", "open", "claimed"), f"user:{by.pk}")
        assert again(item).touched_at is not None

    def test_who_has_it_is_named(self):
        item, owner = ReviewItemFactory(), person("Support")
        review.claim(item.pk, by=owner)

        with pytest.raises(review.Refused, match=rf"claimed by {owner.username} until \d\d:\d\d:\d\d UTC"):
            review.claim(item.pk, by=person("Support"))

    def test_an_open_page_keeps_the_claim_without_a_row(self):
        item, by = ReviewItemFactory(), person("Support")
        review.claim(item.pk, by=by)
        ReviewItem.objects.update(claimed_until=clock.now() + timedelta(seconds=5))
        before = again(item).state_version, LedgerRow.objects.count()

        review.touch(item.pk, by=by)

        assert (again(item).claimed_until - clock.now()).total_seconds() > 800
        assert (again(item).state_version, LedgerRow.objects.count()) == before

    def test_a_page_whose_claim_is_lost_is_told(self):
        item = ReviewItemFactory()
        review.claim(item.pk, by=person("Support"))

        assert refused(review.touch, item.pk, by=person("Support")) == (409, "not_yours")
        assert refused(review.touch, 404404, by=person("Support")) == (404, "unknown")
        assert refused(review.touch, item.pk, by=person("Auditor")) == (403, "permission")


class TestAssign:
    def give(self, item, to=None, **more):
        given = {"by": person(), "reason": "knows them", "to": to, **more}
        return review.assign(item.pk, **given)

    def test_to_a_person(self):
        item, to = ReviewItemFactory(), person("Support")

        self.give(item, to)

        assert (again(item).owner, again(item).state, again(item).state_version) == (to, "open", 1)
        assert told(last_row()) == ("item", "assign", "open", "open")
        assert again(item).comments.get().text == f"Assigned to {to.username}: knows them"
        assert "knows them" not in str(last_row().__dict__)

    def test_what_somebody_has_is_taken_from_them(self):
        item, to = ReviewItemFactory(), person("Support")
        review.claim(item.pk, by=person("Support"))

        self.give(item, to)

        assert (again(item).owner, again(item).state, again(item).claimed_until) == (to, "open", None)
        assert told(last_row()) == ("item", "assign", "claimed", "open")

    def test_to_a_group(self):
        item = ReviewItemFactory(fallback_group="Support Manager")

        self.give(item, group="Support Manager")

        assert (again(item).owner_group, again(item).owner) == ("Support Manager", None)
        assert again(item).fallback_group == "Revenue Ops Lead"

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            (lambda: {"to": None}, "to"),
            (lambda: {"group": "Nobody"}, "group"),
            (lambda: {"to": person("Auditor")}, "to"),
            (lambda: {"to": person("Support", is_active=False)}, "to"),
            (lambda: {"to": person("Support"), "group": "Billing Resolver"}, "to"),
            (lambda: {"to": person("Support"), "reason": " "}, "reason"),
        ],
    )
    def test_only_to_who_could_take_it(self, given, field):
        item = ReviewItemFactory()

        assert refused(self.give, item, **given()) == (422, field)
        assert (again(item).owner, again(item).state_version) == (None, 0)

    @pytest.mark.parametrize("group", ["Support", "Billing Resolver", "Revenue Ops Lead"])
    def test_assigning_is_the_managers(self, group):
        by = person(group)

        assert refused(self.give, ReviewItemFactory(), person("Support"), by=by) == (403, "permission")
        assert refusals() == [("assign", "permission", f"user:{by.pk}")]


class TestSnooze:
    def put_off(self, item, **more):
        said = {"by": person("Support"), "until": clock.now() + timedelta(hours=2), "why": "time", "reason": "later"}
        return review.snooze(item.pk, **(said | more))

    def test_it_waits_and_the_clock_goes_on(self):
        item = ReviewItemFactory()

        self.put_off(item)

        kept = again(item)
        assert (kept.state, kept.snooze_why, kept.paused_at, kept.due_at) == ("snoozed", "time", None, item.due_at)
        assert told(last_row()) == ("item", "snooze", "open", "snoozed")

    def test_the_clock_rests_while_the_customer_has_to_answer(self):
        item = ReviewItemFactory()

        self.put_off(item, why="customer", until=None)
        assert again(item).paused_at is not None
        assert (again(item).snoozed_until - clock.now()).days == 6

        review.wake(item.pk, by=person("Support"))
        kept = again(item)
        assert (kept.state, kept.paused_at, kept.snoozed_until, kept.snooze_why) == ("open", None, None, "")
        assert told(last_row()) == ("item", "wake", "snoozed", "open")

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, "until"),
            ({"until": datetime(2999, 1, 1, tzinfo=UTC)}, "until"),
            ({"until": datetime(2999, 1, 1)}, "until"),  # noqa: DTZ001
            ({"until": None}, "until"),
            ({"until": "tomorrow"}, "until"),
            ({"why": "mood"}, "why"),
            ({"reason": ""}, "reason"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, given, field):
        item = ReviewItemFactory()

        assert refused(self.put_off, item, **given) == (422, field)
        assert again(item).state == "open"

    def test_not_what_somebody_else_has_nor_twice(self):
        item = ReviewItemFactory()
        review.claim(item.pk, by=person("Support"))
        assert refused(self.put_off, item) == (409, "claimed")

        ReviewItem.objects.update(claimed_until=clock.now())
        self.put_off(item)
        assert refused(self.put_off, item) == (409, "snoozed")
        assert refused(review.wake, ReviewItemFactory().pk, by=person("Support")) == (409, "not_snoozed")

    def test_claiming_wakes_it(self):
        item = ReviewItemFactory()
        self.put_off(item, why="customer")

        review.claim(item.pk, by=person("Support"))

        assert (again(item).state, again(item).paused_at) == ("claimed", None)
        decisions = LedgerRow.objects.filter(subject_kind="item").order_by("id").values_list("decision", flat=True)
        assert list(decisions) == ["snooze", "wake", "claim"]


class TestEscalate:
    def up(self, item, by=None):
        return review.escalate(item.pk, by=by or person("Support"), reason="beyond me")

    def test_from_group_to_fallback_and_on_to_the_top(self):
        for group in ("Support Manager", "Revenue Ops Lead"):
            person(group)
        item = ReviewItemFactory(owner_group="Support", fallback_group="Billing Resolver", bumps=2)
        person("Billing Resolver")
        groups = []

        for _ in range(3):
            self.up(item)
            groups.append(again(item).owner_group)

        assert groups == ["Billing Resolver", "Support Manager", "Revenue Ops Lead"]
        assert refused(self.up, item) == (409, "highest")
        assert again(item).fallback_group

    def test_its_promise_begins_anew(self):
        person()
        item = ReviewItemFactory(due_at=clock.now() - timedelta(hours=3), bumps=2)
        review.claim(item.pk, by=person("Support"))

        self.up(item)

        kept = again(item)
        assert kept.due_at > clock.now()
        assert (kept.bumps, kept.owner, kept.state) == (0, None, "open")
        assert told(last_row()) == ("item", "escalate", "claimed", "open")


class TestNext:
    def items(self, *dues):
        return [ReviewItemFactory(due_at=clock.now() + timedelta(hours=hours)) for hours in dues]

    def test_the_first_due_of_what_nobody_has(self):
        late, soon, later = self.items(-1, 1, 5)
        review.claim(late.pk, by=person("Support"))

        by = person("Support")
        assert [review.next_item(by=by), review.next_item(by=by), review.next_item(by=by)] == [soon, later, None]
        assert (again(soon).owner, again(soon).state) == (by, "claimed")

    def test_with_the_same_due_time_the_larger_customer_comes_first(self):
        due = clock.now()
        small, none, large = (
            ReviewItemFactory(
                due_at=due, action=ActionFactory(state="in_review", customer=CustomerFactory(mrr_minor=mrr))
            )
            for mrr in (100, None, 90_000)
        )

        by = person("Support")
        assert [review.next_item(by=by) for _ in range(3)] == [large, small, none]

    def test_of_a_view(self):
        self.items(1, 2)
        wanted = ReviewItemFactory(why="fraud-flag", due_at=clock.now() + timedelta(days=2))
        view = ReviewItem.objects.filter(why="fraud-flag").select_related("customer").order_by("-id")

        assert review.next_item(by=person("Support"), query=view) == wanted
        assert review.next_item(by=person("Support"), query=view) is None

    def test_not_what_this_person_cannot_decide_or_somebody_else_was_given(self):
        by, other = person(), person("Support")
        item_in(requested_by=by)
        ApprovalFactory(action=item_in("in_review", "review_two").action, by=by)
        ReviewItemFactory(owner=other)
        left = ReviewItemFactory(owner=person("Support", is_active=False))
        mine = ReviewItemFactory(owner=by)

        assert {review.next_item(by=by), review.next_item(by=by)} == {left, mine}
        assert review.next_item(by=by) is None

    def test_a_claim_that_ran_out_is_free(self):
        (item,) = self.items(1)
        review.claim(item.pk, by=person("Support"))
        ReviewItem.objects.update(claimed_until=clock.now())

        assert review.next_item(by=person("Support")) == item

    def test_only_for_who_may_claim(self):
        assert refused(review.next_item, by=person("Auditor")) == (403, "permission")


def test_every_group_named_by_the_chain_is_there():
    assert set(ownership.CHAIN) <= set(Group.objects.values_list("name", flat=True))
