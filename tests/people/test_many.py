"""E6: several at once act on what was shown, each by itself, and never on what one decides alone."""

import pytest

from gates import review
from gates.models import ReviewItem
from ledger.models import Action, LedgerRow
from tests.factories import ActionFactory, ReviewItemFactory
from tests.people.cast import RECORD, item_in, person, refusals, refused

pytestmark = pytest.mark.django_db


def shown(*items):
    """What the confirm page sends along."""
    return [(one.pk, one.action.state_version, one.action.preview_hash) for one in items]


def bulk(verb, chosen, by=None, **more):
    return review.bulk(verb, chosen, by=by or person(), **{"reason": "checked all", **more})


def test_each_has_its_own_result():
    fine, stale, gone = item_in(), item_in(), item_in()
    chosen = [*shown(fine), (stale.pk, 7, stale.action.preview_hash), *shown(gone), (404404, 0, "")]
    review.reject(gone.pk, by=person(), reason="no", version=0)

    results = bulk("approve", chosen)

    assert [one.done for one in results] == [True, False, False, False]
    assert "newest is version 0" in results[1].why
    assert "settled already (rejected) by" in results[2].why
    assert results[3].why == "there is no such review item"
    assert Action.objects.filter(state="approved").count() == 1
    assert LedgerRow.objects.filter(outcome="approved").count() == 1


ALONE = {
    "two people": lambda: item_in("in_review", "review", "review_two"),
    "a dispute": lambda: item_in(facts={"open_disputes": 1}),
    "a fraud warning": lambda: item_in(facts={"fraud_flag": True}),
    "a dispute gate": lambda: ReviewItemFactory(
        action=ActionFactory(state="in_review", answers=[{"rule": "open-dispute", "verdict": "block", "reason": "x"}])
    ),
}


@pytest.mark.parametrize("case", ALONE)
@pytest.mark.parametrize("verb", ["approve", "retry"])
def test_what_is_decided_by_itself(case, verb):
    item = ALONE[case]()
    if verb == "retry":
        Action.objects.update(state="failed")
        item.action.refresh_from_db()

    fit = review.bulk_fit([item], verb, person())
    (result,) = bulk(verb, shown(item))

    assert fit[0][1].startswith("decide this one by itself: ")
    assert (result.done, result.why) == (False, fit[0][1])
    assert Action.objects.get().state == ("failed" if verb == "retry" else "in_review")


def test_unknown_outcomes_and_own_requests_do_not_fit():
    by = person()
    fine, unknown, own = item_in(), item_in("unknown"), item_in(requested_by=by)

    fits = dict(review.bulk_fit([fine, unknown, own], "approve", by))

    assert fits == {
        fine: "", unknown: "the action is unknown", own: "you asked for this; another person has to approve it",
    }  # fmt: skip


def test_failures_are_closed_together_with_one_record():
    items = item_in("failed"), item_in("failed")

    assert [one.done for one in bulk("reject", shown(*items))] == [False, False]
    assert [one.done for one in bulk("reject", shown(*items), **RECORD)] == [True, True]
    assert set(ReviewItem.objects.values_list("cause", flat=True)) == {RECORD["cause"]}


def test_claim_assign_and_escalate():
    items, to, by = [ReviewItemFactory(), ReviewItemFactory()], person("Support"), person()

    assert all(one.done for one in bulk("assign", shown(*items), by, to=to))
    assert set(ReviewItem.objects.values_list("owner", flat=True)) == {to.pk}
    assert all(one.done for one in bulk("claim", shown(*items), by))
    assert all(one.done for one in bulk("escalate", shown(*items), by))


@pytest.mark.parametrize("group", ["Support", "Billing Resolver", "Revenue Ops Lead", "Auditor"])
def test_it_is_a_permission_of_its_own(group):
    by, item = person(group), item_in()

    assert refused(bulk, "approve", shown(item), by) == (403, "permission")
    assert refusals() == [("bulk_approve", "permission", f"user:{by.pk}")]
    assert refused(review.bulk_fit, [item], "approve", by) == (403, "permission")


@pytest.mark.parametrize(
    ("verb", "count", "more", "field"),
    [("approve", 0, {}, "items"), ("approve", 201, {}, "items"), ("undo", 1, {}, "verb"),
     ("approve", 1, {"reason": " "}, "reason")],
)  # fmt: skip
def test_sets_that_make_no_sense(verb, count, more, field):
    assert refused(bulk, verb, [(n, 0, "") for n in range(count)], **more) == (422, field)
