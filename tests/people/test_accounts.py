"""Who gets an item by the roles of its account, and who may say what is an owner's say and what is never cancelled."""

import pytest

from gates import accounts_edit, blocklist, items, ownership, policy, presets, presets_cancel
from gates.accounts_edit import HolderFields
from gates.models import AccountHolder, Automation, CancellationBlock, OwnershipRule, ReviewItem
from gates.stop import Refused
from ledger.models import ContextRecord, LedgerRow
from tests.factories import ActionFactory, ContractFactory, CustomerFactory
from tests.people.cast import person, refusals

pytestmark = pytest.mark.django_db
AM = "Enterprise AM"


@pytest.fixture(autouse=True)
def fresh():
    ownership.forget()
    blocklist.forget()
    policy._held.clear()


def opened(customer, kind="subscription.cancel", why="asked_by_person"):
    ownership.forget()
    contract = ContractFactory(customer=customer, state="past_due")
    action = ActionFactory(state="in_review", kind=kind, customer=customer, contract=contract)
    items.open_items([{"action_id": action.pk, "kind": kind, "sentence": "x", "why": why}])
    return ReviewItem.objects.get(action=action)


def refused(call, *args, **kwargs):
    with pytest.raises(Refused) as no:
        call(*args, **kwargs)
    return no.value.status, no.value.code


def test_the_accounts_own_people_come_first_then_conditions_then_the_group():
    boss, named, general = person("Support Manager"), person("Billing Resolver"), person("Support")
    big = CustomerFactory(tier="enterprise", mrr_minor=500_000, currency="usd")
    assert (opened(big).owner, opened(big).routed_by) == (None, "Enterprise customers")

    made = accounts_edit.save_holder(
        None, HolderFields(AM, general.pk, tiers=["enterprise"], mrr_from_minor=100_000, reason="big ones"), by=boss
    )
    item = opened(big)
    assert (item.owner, item.owner_group, item.routed_by) == (general, "Support Manager", f"Enterprise customers: {AM}")
    assert opened(CustomerFactory(tier="enterprise", mrr_minor=99_999)).owner is None
    accounts_edit.save_holder(None, HolderFields(AM, named.pk, big.external_id, reason="knows them"), by=boss)
    assert opened(big).owner == named
    owned = CustomerFactory(tier="enterprise", mrr_minor=500_000, owner=boss.username)
    assert opened(owned).owner == boss, "the account owner on the customer's record"
    again = HolderFields(AM, boss.pk, big.external_id, reason="x")
    assert refused(accounts_edit.save_holder, None, again, by=boss) == (409, "customer")

    by = ownership.explain(kind="payment.refund", tier="enterprise", mrr_minor=100_000)
    assert (by[1], by[2]) == ("Support Manager", general)
    assert by[3] == f"rule 1, Enterprise customers; {AM} of this account is the first one whose conditions fit"
    named.is_active = False
    named.save()
    assert opened(big).owner is None
    assert AccountHolder.objects.get(customer=big).history.count() == 1
    accounts_edit.retire_holder(made.pk, by=boss, reason="left")
    rows = LedgerRow.objects.filter(subject_kind="routing", decision__endswith="_holder").order_by("id")
    assert list(rows.values_list("decision", flat=True)) == ["add_holder", "add_holder", "retire_holder"]


def test_region_stage_and_payment_of_the_account_route():
    boss, rule = person("Support Manager"), OwnershipRule.objects.get(title="Customers who leave")
    customer = CustomerFactory(tier="growth")
    contract = ContractFactory(customer=customer, state="past_due")
    ContextRecord.objects.create(customer=customer, blocks={
        f"billing:{contract.pk}": {"subscription_status": "unpaid"},
        f"deal:{contract.pk}": {"source": {"organization.country": "Japan"}},
    })  # fmt: skip
    said = HolderFields(
        AM, boss.pk, regions=["apac"], payment_states=["unpaid"], contract_states=["past_due"], reason="there"
    )
    accounts_edit.save_holder(None, said, by=boss)
    ownership.forget()
    action = ActionFactory(state="in_review", kind="contract.cancel", customer=customer, contract=contract)
    items.open_items([{"action_id": action.pk, "kind": "contract.cancel", "sentence": "x", "why": "owner_sensitive"}])
    item = ReviewItem.objects.get(action=action)
    assert (item.owner, item.routed_by) == (boss, f"{rule.title}: {AM}")
    assert opened(customer).owner is None, "another contract, of which no payment is known"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"role": "Boss"}, "role"), ({"person": None}, "person"), ({"person": 10**6}, "person"),
        ({"customer": "mesh-cus-nobody"}, "customer"), ({}, "customer"), ({"tiers": ["gold"]}, "tiers"),
        ({"regions": ["mars"]}, "regions"), ({"mrr_from_minor": 0}, "mrr_from_minor"),
        ({"tiers": ["growth"], "reason": " "}, "reason"),
    ],
)  # fmt: skip
def test_a_wrong_holder_is_named(said, code):
    boss = person("Support Manager")
    given = HolderFields(**{"role": AM, "person": boss.pk, "reason": "x", **said})
    assert refused(accounts_edit.save_holder, None, given, by=boss) == (422, code)
    assert not AccountHolder.objects.exists()


def test_who_may_change_these_and_what_is_kept_of_it():
    lead, boss, support = person("Revenue Ops Lead"), person("Support Manager"), person("Support")
    assert refused(accounts_edit.save_holder, None, HolderFields(AM, boss.pk, reason="x"), by=support)[0] == 403
    assert refused(accounts_edit.set_sensitive, "payment.refund", on=True, by=boss, reason="x")[0] == 403
    assert refused(blocklist.add, "tier", "growth", "x", by=support)[0] == 403
    assert [one[0] for one in refusals()] == ["add_holder", "set_sensitive", "add_block"]

    accounts_edit.set_sensitive("payment.refund", on=True, by=lead, reason="until spring")
    accounts_edit.set_sensitive("contract.cancel", on=False, by=lead, reason="trusted")
    assert refused(accounts_edit.set_sensitive, "nothing", on=True, by=lead, reason="x") == (422, "kind")
    presets_cancel.install()
    assert policy.read().sensitive == {"subscription.cancel", "subscription.uncancel", "payment.refund"}
    Automation.objects.filter(name="cancellations").update(may_resolve=True)
    assert policy.read().of("cancellations").may_resolve
    assert not policy.read().of("dunning").may_resolve


def test_the_list_of_what_may_not_be_cancelled():
    boss, customer = person("Support Manager"), CustomerFactory(tier="growth")
    contract = ContractFactory(customer=customer)
    for what, value, why, code in (
        ("colour", "red", "x", "what"), ("tier", "gold", "x", "value"), ("reason", "because", "x", "value"),
        ("customer", "nobody", "x", "value"), ("contract", "con_x\x00", "x", "value"), ("tier", "growth", " ", "why"),
        ("tier", "growth", "x" * 301, "why"),
    ):  # fmt: skip
        assert refused(blocklist.add, what, value, why, by=boss) == (422, code)

    def hit(reason="unpaid", kind="subscription.cancel"):
        return blocklist.hit(kind, {"reason": reason}, customer.external_id, contract.external_id, customer.tier)

    assert hit() == ""
    for what, value in (
        ("reason", "unpaid"), ("tier", "growth"), ("contract", contract.external_id),
        ("customer", customer.external_id),
    ):  # fmt: skip
        made = blocklist.add(what, value, "agreed", by=boss)
        assert hit() == f"{what} {value} (entry {made.pk})"
        assert hit(kind="contract.cancel") == ""
        assert refused(blocklist.add, what, value, "again", by=boss) == (409, "value")
    for one in CancellationBlock.objects.all():
        blocklist.end(one.pk, "over", by=boss)
        assert refused(blocklist.end, one.pk, "over", by=boss) == (404, "unknown")
    assert hit() == ""


def test_the_seven_groups_see_the_list_and_roles_are_no_groups():
    may_see = {name for name, may in presets.GROUPS.items() if "gates.view_cancellationblock" in may}
    may_edit = {name for name, may in presets.GROUPS.items() if "gates.edit_cancellation_block" in may}
    assert {"Support", "Billing Resolver", "Automation Engineer", "Product Ops", "Auditor"} <= may_see - may_edit
    assert may_edit == {"Support Manager", "Revenue Ops Lead"}
    assert not {AM, "Product Escalation"} & set(presets.GROUPS)
