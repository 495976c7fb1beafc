"""What cannot be cancelled is said, what is can be taken back in time, and ends made elsewhere are noticed."""

from typing import Any

import pytest

from gates import blocklist, policy
from gates.models import Automation
from gates.stop import Refused
from ledger.models import Action, Event, ExternalId, LedgerRow
from sync import proposals
from tests.flows.leaving import YOUNG, Tenant, ask, tenant_of
from tests.flows.shop import approve, item_of
from tests.flows.world import World, acting, steps
from tests.people.cast import person

BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"when": "tomorrow"}, 422, "params.when: must be one of period_end, now"),
    ({"when": None}, 422, "params.when: must be one of period_end, now"),
    ({"reason": "because"}, 422, "params.reason: must be one of requested_by_customer, unpaid"),
    ({"subscription": "cus_1"}, 422, "params.subscription: must be a text of 1 to 64 characters matching"),
    ({"subscription": "sub_other"}, 422, "params.subscription: sub_other is not this contract's subscription, which"),
    ({"window": "skip"}, 422, "params.window: an end with the period waits for no window; leave it out"),
    ({"follows": "x"}, 422, "params.follows: is not known here"),
]


def said(call: Any, *args: Any, **more: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as no:
        call(*args, **more)
    return no.value.status, no.value.message


def end_in_erp(one: Tenant) -> Action:
    return proposals.propose("contract.cancel", one.contract.external_id, {}, by=person("Support"), reason="it is over")


def test_what_cannot_be_gets_its_sentence_and_nothing_is_sent(shop: World) -> None:
    one, other, over = tenant_of(shop), tenant_of(shop), tenant_of(shop)
    for wrong, status, words in BAD:
        given = {"when": "period_end", "reason": "unpaid", **wrong}
        found = said(proposals.propose, "subscription.cancel", one.contract.external_id, given, by=person("Support"),
                     reason="x")  # fmt: skip
        assert (found[0], found[1][: len(words)]) == (status, words)
    keep: tuple[str, str, dict[str, Any]] = ("subscription.uncancel", one.contract.external_id, {})
    assert "no end of it is set" in said(proposals.propose, *keep, by=person("Support"), reason="x")[1]
    assert "active and does not end" in said(end_in_erp, one)[1]
    ask(one)
    assert "the same is under way already" in said(ask, one, "now")[1]
    assert said(ask, one, by=person("Auditor"))[0] == 403

    ExternalId.objects.filter(value=other.stripe).update(value="cus_somebody")
    assert f"{other.subscription} is another customer's at the payment provider" in said(ask, other)[1]
    ExternalId.objects.filter(value=other.erp, system="netsuite").delete()
    ExternalId.objects.filter(value="cus_somebody").update(value=other.stripe)
    assert "not linked to a record in the ERP" in said(ask, other)[1]
    shop.hold("stripe")
    shop.play("stripe", "end_subscription", subscription=over.subscription, reason="cancellation_requested")
    assert "the subscription is over already" in said(ask, over)[1]
    shop.release("stripe")
    shop.settle()

    assert Action.objects.filter(mode="live").count() == 1
    assert (shop.writes("stripe"), shop.writes("netsuite")) == ([], [])


def test_an_end_with_the_period_is_taken_back_and_one_that_came_is_not(shop: World) -> None:
    one = tenant_of(shop)
    approve(ask(one))
    shop.until("contract.cancel", "held")
    first = Action.objects.get(kind="subscription.cancel")
    by = person("Support Manager")
    back = proposals.roll_back(first.pk, by=by, reason="they stay", version=first.state_version)
    assert (back.kind, back.state, back.reverses_id) == ("subscription.uncancel", "in_review", first.pk)
    approve(back)
    shop.until("subscription.uncancel", "applied")

    assert (one.sub()["cancel_at_period_end"], one.state()) == (False, "active")
    assert set(Action.objects.values_list("kind", "state")) == {
        ("subscription.cancel", "compensated"), ("contract.cancel", "superseded"), ("subscription.uncancel", "applied"),
    }  # fmt: skip
    approve(ask(one))
    shop.until("contract.cancel", "held")
    again = Action.objects.get(kind="subscription.cancel", state="applied")
    shop.play("stripe", "end_period", subscription=one.subscription)
    shop.until("contract.cancel", "applied")
    late = said(proposals.roll_back, again.pk, by=by, reason="late", version=again.state_version)
    assert "the subscription is over since its period ended; it cannot be taken back" in late[1]
    done = Action.objects.get(kind="contract.cancel", state="applied")
    final = said(proposals.roll_back, done.pk, by=by, reason="late", version=done.state_version)
    assert (final[0], "cannot be undone" in final[1], "cancelled-wrongly" in final[1]) == (409, True, True)
    assert len(shop.effects("netsuite")) == 1


@pytest.mark.parametrize("stage", ["shadow", "full"])
def test_an_end_made_by_hand_is_recorded_and_reaches_the_erp_by_a_proposal_only(shop: World, stage: str) -> None:
    if stage == "full":
        acting("cancellations")
    one, waiting = tenant_of(shop), tenant_of(shop)
    approve(ask(waiting, "now"))
    shop.settle()
    shop.sandbox.faults({"provider": "stripe", "rules": [{"kind": "hook_duplicate", "times": 1}]})
    shop.play("stripe", "set_end", subscription=one.subscription)
    shop.settle()
    changed = Event.objects.filter(type="customer.subscription.updated").order_by("-id").first()
    assert changed is not None
    assert "was set at billing, not by Meshline" in changed.verdict
    assert not Action.objects.filter(contract=one.contract).exists()
    shop.play("stripe", "end_period", subscription=one.subscription)
    shop.play("stripe", "end_subscription", subscription=waiting.subscription, reason="cancellation_requested")
    shop.settle(0.1)

    assert (one.state(), waiting.state()) == ("cancelled", "cancelled")
    assert steps(Action.objects.get(kind="subscription.cancel"))[-1] == "superseded"
    found = Action.objects.filter(kind="contract.cancel", automation="cancellations")
    assert list(found.values_list("state", flat=True)) == ["in_review" if stage == "full" else "observed"] * 2
    assert shop.writes("netsuite") == []
    if stage == "full":
        ours = found.get(contract=one.contract)
        assert "owner_sensitive" in [each["rule"] for each in ours.answers if each["verdict"] != "pass"]
        approve(ours)
        shop.until("contract.cancel", "applied")
        assert one.record()["custrecord_mesh_status"] == "cancelled"


def test_gates_hold_at_the_last_moment(shop: World, settings: Any) -> None:
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 1
    listed, disputed, paid = tenant_of(shop, tier="growth"), tenant_of(shop), tenant_of(shop)
    for one in (disputed, paid):
        shop.play("stripe", "pay_invoice", subscription=one.subscription)
    shop.settle()
    for one in (listed, disputed):
        approve(ask(one, "now"))
    boss = person("Support Manager")
    blocked = blocklist.add("contract", listed.contract.external_id, "in court", by=boss)
    shop.play("stripe", "open_dispute", customer=disputed.stripe)
    shop.settle(1.5)

    states = dict(Action.objects.filter(kind="subscription.cancel").values_list("contract_id", "state"))
    assert set(states.values()) == {"in_review"}
    assert shop.writes("stripe") == []
    why = {one.contract_id: [each["rule"] for each in one.answers if each["verdict"] == "block"]
           for one in Action.objects.filter(kind="subscription.cancel")}  # fmt: skip
    assert "cancellation_blocked" in why[listed.contract.pk]
    assert "cancel-dispute" in why[disputed.contract.pk]
    stuck = Action.objects.get(contract=listed.contract)
    item = item_of(stuck)
    assert item.routed_by.startswith("May not be cancelled")
    approve(stuck)
    shop.settle(0.1)
    assert Action.objects.get(pk=stuck.pk).state == "in_review", "nobody approves it away"
    blocklist.end(blocked.pk, "settled", by=boss)
    approve(Action.objects.get(pk=stuck.pk))
    shop.until("contract.cancel", "applied")
    assert listed.state() == "cancelled"
    assert LedgerRow.objects.filter(subject_id=f"block:{blocked.pk}").count() == 2


def test_long_and_unknown_tenure_take_two_people_one_a_manager(shop: World) -> None:
    for tenure in (YOUNG * 12, None):
        one = tenant_of(shop, tenure=tenure)
        action = ask(one)
        approve(action, by=person("Billing Resolver"))
        assert Action.objects.get(pk=action.pk).state == "in_review"
        item = item_of(action)
        assert said(approve, Action.objects.get(pk=action.pk), by=person("Billing Resolver"))[0] == 403
        approve(Action.objects.get(pk=action.pk), by=person("Support Manager"))
        assert (Action.objects.get(pk=action.pk).state, item.owner_group) == ("approved", "Support Manager")
    policy._held.clear()
    assert Automation.objects.get(name="cancellations").state == "shadow"
