"""Money: two people above the limit, whatever else was approved meanwhile, and nobody says yes to their own."""

from datetime import timedelta

import pytest
from django.core.management.base import CommandError

from gates import limits, policy, review, shell
from gates.models import Approval
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, LedgerRow
from tests.factories import ActionFactory, ApprovalFactory, CustomerFactory, GateVersionFactory, ReviewItemFactory
from tests.people.cast import answers, given, last_row, person, refused

pytestmark = pytest.mark.django_db
LIMIT = 50_000


@pytest.fixture(autouse=True)
def limit():
    """Two people above 500 dollars in 30 days."""
    rows = [{"field": "amount_30d", "op": "over", "value": {"usd": LIMIT}}]
    GateVersionFactory(name="sum-limit", rows=rows, result="review_two", message="over the limit in 30 days")
    policy._held.clear()
    yield
    policy._held.clear()


def refund(minor=30_000, *, customer=None, currency="usd", state="in_review", verdicts=("review",), **more):
    """A refund that waits for a person."""
    action = ActionFactory(
        kind="payment.refund", provider="stripe", state=state, amount_minor=minor, currency=currency, irreversible=True,
        customer=customer or CustomerFactory(), answers=answers(*verdicts), **more,
    )  # fmt: skip
    return ReviewItemFactory(action=action, amount_minor=minor, currency=currency)


def approve(item, by=None, **more):
    item.refresh_from_db()
    item.action.refresh_from_db()
    return review.approve(item.pk, by=by or person("Billing Resolver"), **given(item, **more))


class TestSum:
    def spent(self, customer, **more):
        return limits.spent_minor(customer.pk, "usd", **more)

    @pytest.mark.parametrize(
        ("state", "counts"),
        [
            ("proposed", True),
            ("held", True),
            ("in_review", True),
            ("approved", True),
            ("parked", True),
            ("sending", True),
            ("unknown", True),
            ("applied", True),
            ("failed", True),
            ("rejected", False),
            ("superseded", False),
            ("observed", False),
            ("compensated", False),
        ],
    )
    def test_what_counts(self, state, counts):
        item = refund(700, state=state)

        assert self.spent(item.customer) == (700 if counts else 0)

    def test_only_this_customer_this_currency_and_thirty_days(self):
        item = refund(700, state="applied")
        refund(900, state="applied")
        refund(900, state="applied", customer=item.customer, currency="eur")
        refund(900, state="applied", customer=item.customer, applied_at=clock.now() - timedelta(days=31))
        refund(900, state="applied", customer=item.customer, mode="shadow")
        ActionFactory(customer=item.customer, state="applied")
        assert self.spent(item.customer) == 700

    def test_what_waits_counts_for_the_later_ones_only(self):
        first = refund(100)
        second = refund(200, customer=first.customer)
        refund(400, customer=first.customer, state="approved")

        assert self.spent(first.customer, but=first.action_id) == 400
        assert self.spent(first.customer, but=second.action_id) == 500
        assert limits.total_minor(second.action) == 700

    def test_what_moves_no_money_has_no_sum(self):
        assert limits.total_minor(ActionFactory()) is None


class TestLimit:
    def test_below_it_one_person_is_enough(self):
        item = refund()

        approve(item)

        assert Action.objects.get().state == "approved"
        assert last_row().inputs == {"amount_30d_minor": 30_000}

    def test_what_was_below_and_is_above_by_now_needs_two(self):
        first = refund()
        second = refund(customer=first.customer)
        approve(first)

        approve(second)

        action = Action.objects.get(pk=second.action_id)
        assert (action.state, last_row().outcome) == ("in_review", "approved 1 of 2")
        assert [one["verdict"] for one in action.answers if one["rule"] == "sum-limit"] == ["review_two"]
        assert review.needed(action) == 2
        assert refused(approve, second) == (403, "above_limit")
        approve(second, person())
        assert Action.objects.get(pk=second.action_id).state == "approved"
        seen = Approval.objects.get(action=action, by__groups__name="Support Manager").rules
        assert {"rule-0", "sum-limit"} <= set(seen)

    def test_another_order_of_approving_changes_nothing(self):
        first = refund()
        second = refund(customer=first.customer, verdicts=("review", "review_two"))
        approve(second)
        approve(second, person())

        approve(first)

        assert Action.objects.get(pk=first.action_id).state == "in_review"

    def test_a_currency_without_a_limit_is_above_it(self):
        item = refund(1, currency="chf")

        approve(item)

        assert Action.objects.get().state == "in_review"

    def test_an_answer_of_another_gate_is_left_as_it_was(self):
        item = refund(verdicts=("review", "block"))
        before = item.action.answers

        approve(item)

        assert Action.objects.get().answers == before


WHO = {
    "asked": lambda by: {"requested_by": by},
    "edited last": lambda by: {"edited_by": by},
    "is paid": lambda by: {"customer": CustomerFactory(email=by.email.upper())},
    "asked with another account": lambda by: {"requested_by": person(email=by.email.title())},
    "edited with another account": lambda by: {"edited_by": person(email=by.email.upper())},
}


def by_service(item, by):
    review.approve(item.pk, by=by, **given(item))


def by_bulk(item, by):
    (result,) = review.bulk("approve", [(item.pk, 0, item.action.preview_hash)], by=by, reason="x")
    if not result.done:
        raise Refused(403, "four_eyes", result.why)


def by_shell(item, by):
    with pytest.raises(CommandError) as no, shell.door():
        review.approve(item.pk, by=shell.person(by.username), **given(item))
    assert no.value.returncode == shell.WRONG_USE
    raise Refused(403, "four_eyes", str(no.value))


@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("way", [by_service, by_bulk, by_shell])
@pytest.mark.parametrize("verdicts", [("review",), ("review", "review_two")])
def test_no_way_to_approve_ones_own(way, who, superuser, verdicts):
    by = person(is_superuser=superuser)
    item = refund(verdicts=verdicts, **WHO[who](by))

    status, _ = refused(way, item, by)

    assert status == 403
    assert Action.objects.get().state == "in_review"
    assert not Approval.objects.exists()
    assert LedgerRow.objects.filter(outcome="refused", actor=f"user:{by.pk}").count() == 1
    assert not review.verbs(item, by)[0].allowed


@pytest.mark.parametrize("who", WHO)
def test_nor_as_the_second_of_two(who):
    by = person()
    item = refund(verdicts=("review_two",), **WHO[who](by))
    ApprovalFactory(action=item.action, by=person("Billing Resolver"))

    assert refused(by_service, item, by) == (403, "four_eyes")
    assert Action.objects.get().state == "in_review"


def test_the_button_says_why_the_first_of_two_waits():
    item = refund(verdicts=("review_two",))
    first, resolver = person(), person("Billing Resolver")
    approve(item, resolver)

    def why(who):
        item.refresh_from_db()
        item.action.refresh_from_db()
        return next(one.why_not for one in review.verbs(item, who) if one.name == "approve")

    assert why(resolver) == "you approved this already, first of two; another person has to"
    assert "gates.approve_above_limit" in why(person("Billing Resolver"))
    assert why(first) == ""
