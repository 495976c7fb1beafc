"""E3: two people at the same instant. Exactly one wins, and the other is told who won and when."""

import re
from functools import partial

import pytest

from gates import policy, review
from gates.models import Approval, ReviewItem
from ledger.models import Action, LedgerRow
from tests.factories import ActionFactory, CustomerFactory, GateVersionFactory, ReviewItemFactory
from tests.people.cast import answers, given, item_in, person
from tests.people.crew import Crew, losers

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 200


def many_items(count=ROUNDS, verdicts=("review",), **more):
    """Items about actions in review, stored in two statements."""
    customer = CustomerFactory()
    made = [ActionFactory.build(state="in_review", customer=customer, answers=answers(*verdicts)) for _ in range(count)]
    Action.objects.bulk_create(made)
    items = [ReviewItemFactory.build(action=one, customer=customer, **more) for one in made]
    return ReviewItem.objects.bulk_create(items)


def approving(item, by):
    return partial(review.approve, item.pk, by=by, **given(item))


def rejecting(item, by):
    return partial(review.reject, item.pk, by=by, reason="no", version=0)


def told(refusal, people):
    """Whoever lost is told which of these people was faster, and when."""
    names = "|".join(re.escape(one.username) for one in people)
    assert re.search(rf"by ({names})\b.* at \d\d:\d\d:\d\d UTC", refusal.message), refusal.message
    return refusal.status == 409


def outcomes(items):
    """Which state each action came to, by id, with how many rows say that it moved."""
    states = dict(Action.objects.filter(pk__in=[one.action_id for one in items]).values_list("pk", "state"))
    rows = LedgerRow.objects.filter(subject_kind="action").values_list("action_id", "post_state")
    return states, list(rows)


def test_approve_and_reject_have_one_outcome():
    items, people = many_items(), (person(), person())

    with Crew(2) as crew:
        for item in items:
            came_to = crew.at_once(approving(item, people[0]), rejecting(item, people[1]))
            (late,) = losers(came_to)
            winner = people[1 - came_to.index(late)]
            assert told(late, [winner])
            assert ReviewItem.objects.get(pk=item.pk).resolved_by == winner

    states, rows = outcomes(items)
    assert sorted(rows, key=str) == sorted(states.items(), key=str), "one row for each outcome"
    assert set(states.values()) <= {"approved", "rejected"}


def test_five_approvals_are_one():
    items, people = many_items(), [person() for _ in range(5)]

    with Crew(5) as crew:
        for item in items:
            came_to = crew.at_once(*(approving(item, by) for by in people))
            late = losers(came_to)
            assert len(late) == 4
            winner = next(by for by, one in zip(people, came_to, strict=True) if one not in late)
            assert all(told(one, [winner]) for one in late)

    states, rows = outcomes(items)
    assert set(states.values()) == {"approved"}
    assert (len(rows), Approval.objects.count()) == (ROUNDS, ROUNDS)


def test_of_two_first_approvals_one_is_told_to_look_again():
    items, people = many_items(50, ("review_two",)), (person(), person())

    with Crew(2) as crew:
        for item in items:
            came_to = crew.at_once(*(approving(item, by) for by in people))
            (late,) = losers(came_to)
            assert late.code == "stale"
            assert told(late, people)

    states, _ = outcomes(items)
    assert set(states.values()) == {"in_review"}
    assert Approval.objects.count() == 50


def test_two_claims_have_one_owner():
    items, people = many_items(50), (person("Support"), person("Support"))

    with Crew(2) as crew:
        for item in items:
            came_to = crew.at_once(*(partial(review.claim, item.pk, by=by) for by in people))
            (late,) = losers(came_to)
            winner = people[1 - came_to.index(late)]
            assert late.message.startswith(f"{item} is claimed by {winner.username} until ")
            assert ReviewItem.objects.get(pk=item.pk).owner == winner


def test_undo_and_approve_do_not_meet_half_way():
    """A second person presses approve while the first takes theirs back: one of both is refused."""
    items, people = many_items(30), (person(), person())

    with Crew(2) as crew:
        for item in items:
            approving(item, people[0])()
            came_to = crew.at_once(partial(review.undo, item.pk, by=people[0]), approving(item, people[1]))
            assert len(losers(came_to)) == 1
            assert told(losers(came_to)[0], people)

    states, _ = outcomes(items)
    assert set(states.values()) == {"in_review"}
    assert not Approval.objects.filter(voided_at=None).exists()


def test_next_item_gives_nothing_twice():
    items, people = many_items(150), [person("Support") for _ in range(12)]

    with Crew(12) as crew:
        given_out = [
            one for _ in range(10) for one in crew.at_once(*(partial(review.next_item, by=by) for by in people))
        ]

    assert None not in given_out
    assert len({one.pk for one in given_out}) == 120
    assert {one.pk for one in given_out} == {one.pk for one in items[:120]}, "the first due ones"
    kept = dict(ReviewItem.objects.filter(state="claimed").values_list("pk", "owner"))
    assert kept == {one.pk: one.owner_id for one in given_out}


def test_the_last_item_goes_to_one_of_twelve():
    item_in()
    people = [person("Support") for _ in range(12)]

    with Crew(12) as crew:
        given_out = crew.at_once(*(partial(review.next_item, by=by) for by in people))

    assert sum(1 for one in given_out if one is not None) == 1


def test_of_two_refunds_above_the_limit_together_one_waits_for_a_manager():
    rows = [{"field": "amount_30d", "op": "over", "value": {"usd": 50_000}}]
    GateVersionFactory(name="sum-limit", rows=rows, result="review_two", message="over the limit in 30 days")
    policy._held.clear()
    resolvers, manager = (person("Billing Resolver"), person("Billing Resolver")), person()

    with Crew(2) as crew:
        for _ in range(40):
            customer = CustomerFactory()
            pair = [
                ReviewItemFactory(
                    action=ActionFactory(
                        kind="payment.refund", state="in_review", customer=customer, amount_minor=30_000,
                        currency="usd", answers=answers("review"),
                    )
                )
                for _ in range(2)
            ]  # fmt: skip
            assert losers(crew.at_once(*(approving(item, by) for item, by in zip(pair, resolvers, strict=True)))) == []
            states = [Action.objects.get(pk=one.action_id).state for one in pair]
            assert sorted(states) == ["approved", "in_review"]
            waits = ReviewItem.objects.get(pk=pair[states.index("in_review")].pk)
            other = resolvers[1 - states.index("in_review")]
            with pytest.raises(review.Refused, match="approve_above_limit"):
                approving(waits, other)()
            approving(waits, manager)()
    policy._held.clear()

    assert set(Action.objects.values_list("state", flat=True)) == {"approved"}
