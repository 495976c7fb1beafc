"""Rules of cancellations and of whose say something is: pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gates import accounts, playbooks, regions
from gates.accounts import Holder
from gates.decide import decide
from gates.playbooks import cancellations
from gates.rules.cancel import cancel_window, cancellation_blocked, subscription_over
from gates.rules.owners import owner_sensitive
from gates.types import ASKED, FOLLOWS, Facts, Invoice, Limits, Policy, Proposal, Verdict

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAYS = timedelta(days=1)
POLICY = Policy(stage=ASKED, limits=Limits())
FACTS = Facts(now=NOW, subscription_status="active", erp_record_id="7", asked_at=NOW, synced_at={
    "billing": NOW, "entitlement": NOW,
})  # fmt: skip


def cancel(when: str = "now", **params: Any) -> Proposal:
    risk = cancellations.CANCEL if when == "now" else cancellations.CANCEL_LATER
    given = {"when": when, "reason": "unpaid", **params}
    return Proposal("subscription.cancel", "t", "subscription:sub_1", "asked", given, risk, cancellations.NEEDS)


def in_erp(**params: Any) -> Proposal:
    return cancellations.end_contract("con_1", "over", params)


def test_an_end_at_once_waits_72_hours_from_when_it_was_asked_and_for_planned_tries() -> None:
    asked = cancel_window(cancel(), FACTS, POLICY)
    assert (asked.verdict, asked.until) == (Verdict.HOLD, NOW + 3 * DAYS)
    almost = replace(FACTS, asked_at=NOW - 3 * DAYS + timedelta(seconds=1))
    assert cancel_window(cancel(), almost, POLICY).verdict is Verdict.HOLD
    over = replace(FACTS, asked_at=NOW - 3 * DAYS)
    assert cancel_window(cancel(), over, POLICY).verdict is Verdict.PASS
    tries = (
        Invoice("in_1", "open", next_attempt_at=NOW + DAYS),
        Invoice("in_2", "paid", next_attempt_at=NOW + 9 * DAYS),
    )
    late = cancel_window(cancel(), replace(over, invoices=tries), POLICY)
    assert (late.verdict, late.until) == (Verdict.HOLD, NOW + DAYS + POLICY.limits.attempt_margin)
    assert cancel_window(cancel("period_end"), FACTS, POLICY).verdict is Verdict.PASS
    skipped = cancel_window(cancel(window="skip"), FACTS, POLICY)
    assert (skipped.verdict, skipped.until) == (Verdict.REVIEW_TWO, None)


def test_a_hold_is_not_approved_away_and_the_list_is_final() -> None:
    everything = frozenset({"asked_by_person", "cancel_window", "cancellation_blocked", "subscription_over"})
    held = decide(cancel(), FACTS, POLICY, approved_rules=everything)
    assert (held.state, held.until) == ("held", NOW + 3 * DAYS)
    listed = replace(FACTS, asked_at=NOW - 4 * DAYS, cancel_blocked="tier growth (entry 1)")
    assert cancellation_blocked(cancel(), listed, POLICY).verdict is Verdict.BLOCK
    assert decide(cancel(), listed, POLICY, approved_rules=everything).state == "in_review"
    assert decide(cancel(), replace(listed, cancel_blocked=""), POLICY, approved_rules=everything).state == "approved"
    assert cancellation_blocked(in_erp(), listed, POLICY).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("facts", "verdict", "until"),
    [
        ({"subscription_status": "canceled"}, Verdict.PASS, None),
        ({"subscription_status": "incomplete_expired"}, Verdict.PASS, None),
        ({}, Verdict.BLOCK, None),
        ({"subscription_status": ""}, Verdict.BLOCK, None),
        ({"cancel_pending": True, "period_end": NOW + 9 * DAYS}, Verdict.HOLD, NOW + 9 * DAYS),
        ({"cancel_pending": True, "period_end": NOW - DAYS}, Verdict.HOLD, NOW + timedelta(minutes=15)),
        ({"cancel_pending": True}, Verdict.HOLD, NOW + timedelta(minutes=15)),
    ],
)
def test_the_erp_comes_last(facts: dict[str, Any], verdict: Verdict, until: datetime | None) -> None:
    live = replace(FACTS, executing=True, **facts)
    answer = subscription_over(in_erp(), live, POLICY)
    assert (answer.verdict, answer.until) == (verdict, until)
    state = {"pass": "approved", "hold": "held", "block": "in_review"}[verdict]
    everything = frozenset({"asked_by_person", "subscription_over"})
    assert decide(in_erp(**{FOLLOWS: "a"}), live, POLICY, approved_rules=everything).state == state


def test_what_follows_was_agreed_to_and_what_is_asked_alone_was_not() -> None:
    over = replace(FACTS, executing=True, subscription_status="canceled")
    assert decide(in_erp(**{FOLLOWS: "a"}), over, POLICY).state == "approved"
    assert decide(in_erp(), over, POLICY).state == "in_review"
    (made,) = playbooks.after_applied(
        "subscription.cancel", "subscription:s", {}, {}, {"contract": "con_1", "action": "a"}
    )
    assert (made.kind, made.params, made.business_key) == ("contract.cancel", {FOLLOWS: "a"}, "contract:con_1")
    assert playbooks.after_applied("subscription.uncancel", "subscription:s", {}, {}, {"id": "sub_1"}) == ()


def test_what_is_withdrawn() -> None:
    def why(kind: str, **facts: Any) -> str:
        return playbooks.withdraw_reason(replace(FACTS, **facts), "subscription:s", {}, kind)

    assert why("subscription.cancel") == why("subscription.uncancel", cancel_pending=True) == ""
    assert why("subscription.cancel", subscription_status="canceled") == "the subscription is over already"
    assert why("subscription.cancel", subscription_status="canceled", ended_by_this=True) == ""
    assert why("subscription.uncancel", subscription_status="canceled").startswith("the subscription is over")
    assert why("contract.cancel") == "the subscription is active and does not end"
    assert why("contract.cancel", cancel_pending=True) == why("contract.cancel", subscription_status="canceled") == ""


def test_an_owners_say_is_asked_about_in_every_stage_unless_allowed() -> None:
    over = replace(FACTS, executing=True, subscription_status="canceled")
    for stage, state in (
        ("full", "in_review"),
        ("half", "in_review"),
        ("suggest", "in_review"),
        ("shadow", "observed"),
    ):
        policy = Policy(stage=stage, sensitive=frozenset({"contract.cancel"}))
        assert decide(in_erp(), over, policy).state == state
        allowed = replace(policy, may_resolve=True)
        assert owner_sensitive(in_erp(), over, allowed).verdict is Verdict.PASS
    assert (
        decide(in_erp(), over, Policy(stage="full", sensitive=frozenset({"contract.cancel"}), may_resolve=True)).state
        == "approved"
    )
    assert decide(in_erp(), over, Policy(stage="full", sensitive=frozenset({"payment.refund"}))).state == "approved"
    agreed = decide(
        in_erp(),
        over,
        Policy(stage="full", sensitive=frozenset({"contract.cancel"})),
        approved_rules=frozenset({"owner_sensitive"}),
    )
    assert agreed.state == "approved"
    assert agreed.basis["sensitive"] == ["contract.cancel"]


def test_who_holds_a_role() -> None:
    big = Holder("Enterprise AM", 1, (("tier", frozenset({"enterprise"})),), 100_000)
    emea = Holder(
        "Enterprise AM", 2, (("region", frozenset({"emea"})), ("payment_state", frozenset({"past_due"}))), None
    )
    about = {"tier": "enterprise", "mrr_minor": 99_999, "region": "emea", "payment_state": "past_due"}
    assert accounts.holder_for("Enterprise AM", about, (big, emea))[0] == 2
    assert accounts.holder_for("Enterprise AM", {**about, "mrr_minor": 100_000}, (big, emea))[0] == 1
    assert accounts.holder_for("Enterprise AM", {**about, "mrr_minor": None, "region": ""}, (big, emea)) == (None, "")
    assert accounts.holder_for("Enterprise AM", {**about, "holders": {"Enterprise AM": 7}}, (big, emea)) == (
        7, "is named for the customer",
    )  # fmt: skip
    assert accounts.holder_for("Billing Resolver", about, (big, emea))[0] is None


@pytest.mark.parametrize(
    ("country", "region"),
    [("DE", "emea"), ("Germany", "emea"), ("us", "amer"), ("JP", "apac"), ("", ""), ("Atlantis", ""), ("D3", "")],
)
def test_regions(country: str, region: str) -> None:
    assert regions.region_of(country) == region
