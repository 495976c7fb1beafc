"""Who gets an item and why; never nobody. And who may change the rules."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection

from gates import items, ownership, presets, presets_routing, routing_edit
from gates.models import Absence, OwnershipRule, ReviewItem
from gates.routing_edit import RuleFields
from gates.stop import Refused
from ledger import clock
from ledger.models import LedgerRow
from tests.factories import (
    ActionFactory,
    AutomationFactory,
    ContractFactory,
    CustomerFactory,
    EventFactory,
    UserFactory,
)
from tests.people.cast import person, refusals

pytestmark = pytest.mark.django_db
GOOD = RuleFields("Big refunds", "Billing Resolver", "Support Manager", kinds=["contract.cancel"], reason="agreed")


def opened(why="open-dispute", kind="contract.suspend", automation="", contract=None, **more):
    ownership.forget()
    action = ActionFactory(
        state="in_review", kind=kind, automation=automation, contract=contract, customer=CustomerFactory(**more)
    )
    items.open_items([{"action_id": action.pk, "kind": kind, "sentence": "x", "why": why}])
    return ReviewItem.objects.get(action=action)


def staff(*groups):
    return {group: person(group) for group in groups or presets.GROUPS}


def rules():
    return list(OwnershipRule.objects.filter(retired_at=None).order_by("position", "id"))


def refused(call, *args, **kwargs):
    with pytest.raises(Refused) as no:
        call(*args, **kwargs)
    return no.value.status, no.value.code


def version(rule):
    return routing_edit.version_of(rule)


@pytest.mark.parametrize(
    ("about", "group", "fallback"),
    [
        ({"tier": "enterprise"}, "Support Manager", "Revenue Ops Lead"),
        ({"kind": "payment.refund"}, "Billing Resolver", "Support Manager"),
        ({"kind": "contract.restore"}, "Billing Resolver", "Support Manager"),
        ({"kind": "payment.refund", "tier": "enterprise"}, "Support Manager", "Revenue Ops Lead"),
        ({"kind": "ticket.open", "why": "schema_drift"}, "Automation Engineer", "Revenue Ops Lead"),
        ({"kind": "ticket.open"}, "Support", "Support Manager"),
    ],
)
def test_the_first_rule_that_fits_gets_it(about, group, fallback):
    staff()

    item = opened(**about)

    assert (item.owner_group, item.fallback_group, item.owner) == (group, fallback, None)
    assert item.routed_by in [one.title for one in rules()]
    assert item.tier == about.get("tier", "starter")


def test_an_event_goes_to_those_who_can_read_it():
    staff()
    event = EventFactory()

    items.open_items([items.for_event(event.pk, "event", "x", "unreadable")])

    assert ReviewItem.objects.get(event=event).owner_group == "Automation Engineer"


def test_a_rule_may_ask_for_revenue_and_the_state_of_the_contract():
    staff()
    said = RuleFields(
        "Behind and large", "Product Ops", "Support", contract_states=["past_due"], mrr_from_minor=50_000, reason="x"
    )
    routing_edit.save_rule(None, said, by=person())
    contract = ContractFactory(state="past_due")

    assert opened(kind="ticket.tag", contract=contract, mrr_minor=50_000).owner_group == "Product Ops"
    assert opened(kind="ticket.tag", contract=contract, mrr_minor=49_999).owner_group == "Support"
    assert opened(kind="ticket.tag", contract=contract, mrr_minor=None).owner_group == "Support"
    assert opened(kind="ticket.tag", contract=ContractFactory(state="active"), mrr_minor=10**9).owner_group == "Support"


def test_a_person_gets_it_while_there_and_the_group_otherwise():
    people = staff()
    named = people["Billing Resolver"]
    OwnershipRule.objects.filter(title="Changes of contracts").update(person=named)

    assert opened().owner == named

    away = Absence.objects.create(user=named, starts_at=clock.now(), ends_at=clock.now() + timedelta(days=1))
    person("Billing Resolver")
    item = opened()
    assert (item.owner, item.owner_group) == (None, "Billing Resolver")
    away.delete()
    User.objects.filter(pk=named.pk).update(is_active=False)
    assert opened().owner is None


def test_a_group_with_nobody_there_is_skipped_for_its_fallback():
    people = staff("Billing Resolver", "Support Manager")
    routing_edit.add_absence(
        people["Billing Resolver"].pk, clock.now(), clock.now() + timedelta(days=1), by=people["Support Manager"]
    )

    item = opened()

    assert (item.owner_group, item.fallback_group) == ("Support Manager", "Revenue Ops Lead")


def test_owner_and_fallback_are_never_empty_even_with_nobody_and_without_rules():
    assert not User.objects.exists()
    for _ in range(2):
        item = opened()
        assert item.owner_group
        assert item.fallback_group
        assert item.owner_group != item.fallback_group
        OwnershipRule.objects.all().delete()
    assert item.owner_group == "Support Manager"


def test_where_only_the_last_rule_fits_an_automation_keeps_its_own_owner():
    staff()
    AutomationFactory(name="helper", owner_group="Product Ops", fallback_group="Support Manager")

    item = opened(kind="ticket.note", automation="helper")

    assert (item.owner_group, item.fallback_group, item.routed_by) == (
        "Product Ops", "Support Manager", "owner of helper",
    )  # fmt: skip
    assert opened(kind="contract.restore", automation="helper").owner_group == "Billing Resolver"


def test_explain_says_who_and_why_by_the_same_rules():
    people = staff()
    OwnershipRule.objects.filter(title="Money").update(person=people["Billing Resolver"])

    rule, group, who, why = ownership.explain(kind="payment.refund", tier="growth")

    assert (rule.title, group, who, why) == ("Money", "Billing Resolver", people["Billing Resolver"], "rule 2, Money")
    routing_edit.add_absence(who.pk, clock.now(), clock.now() + timedelta(days=1), by=who)
    _, group, who, why = ownership.explain(kind="payment.refund")
    assert (group, who) == ("Support Manager", None)
    assert "away" in why
    assert "nobody of Billing Resolver is there" in why


def test_a_new_rule_is_asked_last_but_one_and_moves_up():
    staff()
    manager = person()
    made = routing_edit.save_rule(None, GOOD, by=manager)
    assert [one.title for one in rules()][-2:] == ["Big refunds", "Everything else"]

    for _ in range(8):
        routing_edit.move_rule(made.pk, by=manager, up=True)

    assert rules()[0] == made
    assert [one.position for one in rules()] == list(range(1, 11))
    assert refused(routing_edit.move_rule, made.pk, by=manager, up=True) == (409, "place")
    assert [row.decision for row in LedgerRow.objects.order_by("id")] == ["add_rule", *["move_rule"] * 8]
    assert LedgerRow.objects.first().subject_id == f"rule:{made.pk}"


def test_a_change_is_kept_with_what_was_before():
    staff()
    rule, manager = OwnershipRule.objects.get(title="Money"), person()
    said = RuleFields("Money", "Support Manager", "Revenue Ops Lead", kinds=["contract.cancel"], reason="holidays")

    routing_edit.save_rule(rule.pk, said, by=manager, version=version(rule))

    row = LedgerRow.objects.get(decision="edit_rule")
    assert (row.inputs["before"]["group"], row.inputs["after"]["group"]) == ("Billing Resolver", "Support Manager")
    assert (row.reasons[0]["reason"], row.actor, row.customer_id) == ("holidays", f"user:{manager.pk}", None)
    assert opened(kind="contract.cancel").owner_group == "Support Manager"


def test_the_last_rule_stays_last_fits_everything_and_is_never_retired():
    staff()
    last, manager = rules()[-1], person()

    conditioned = replace(GOOD, title="x")
    assert refused(routing_edit.save_rule, last.pk, conditioned, by=manager, version=version(last)) == (
        422,
        "conditions",
    )
    assert refused(routing_edit.retire_rule, last.pk, by=manager, reason="x") == (409, "last")
    assert refused(routing_edit.move_rule, last.pk, by=manager, up=True) == (409, "place")
    assert refused(routing_edit.move_rule, rules()[-2].pk, by=manager, up=False) == (409, "place")

    other = replace(GOOD, kinds=[], group="Product Ops")
    routing_edit.save_rule(last.pk, other, by=manager, version=version(last))
    assert opened(kind="ticket.tag").owner_group == "Product Ops"


def test_retiring_a_rule_leaves_its_items_and_closes_the_gap():
    staff()
    item, rule = opened(), OwnershipRule.objects.get(title="Changes of contracts")

    routing_edit.retire_rule(rule.pk, by=person(), reason="Support does it")

    item.refresh_from_db()
    assert item.owner_group == "Billing Resolver"
    assert opened().owner_group == "Support"
    assert [one.position for one in rules()] == list(range(1, 9))
    assert refused(routing_edit.retire_rule, rule.pk, by=person(), reason="x") == (404, "unknown")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": " "}, "title"), ({"title": "x" * 121}, "title"), ({"title": "a\x00b"}, "title"),
        ({"group": "Nobody"}, "group"), ({"group": ""}, "group"), ({"fallback_group": ""}, "fallback_group"),
        ({"fallback_group": "Billing Resolver"}, "fallback_group"), ({"person": 4711}, "person"),
        ({"kinds": ["nothing"]}, "kinds"), ({"whys": ["nothing"]}, "whys"), ({"tiers": ["gold"]}, "tiers"),
        ({"automations": ["nothing"]}, "automations"), ({"contract_states": ["gone"]}, "contract_states"),
        ({"kinds": []}, "conditions"), ({"mrr_from_minor": -1}, "mrr_from_minor"),
        ({"mrr_from_minor": 10**18}, "mrr_from_minor"), ({"reason": ""}, "reason"), ({"reason": "x" * 501}, "reason"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_by_field(wrong, field):
    with pytest.raises(Refused) as no:
        routing_edit.save_rule(None, replace(GOOD, **wrong), by=person())

    assert (no.value.status, no.value.code) == (422, field)
    assert ": " in no.value.message
    assert len(rules()) == 9


def test_a_person_of_a_rule_belongs_to_its_group_and_works_here():
    other, gone = person("Support"), person("Billing Resolver", is_active=False)
    for one in (other, gone):
        assert refused(routing_edit.save_rule, None, replace(GOOD, person=one.pk), by=person()) == (422, "person")


def test_a_form_that_was_overtaken_is_refused():
    rule, manager = OwnershipRule.objects.get(title="Money"), person()
    seen = version(rule)
    routing_edit.save_rule(rule.pk, GOOD, by=manager, version=seen)

    assert refused(routing_edit.save_rule, rule.pk, GOOD, by=manager, version=seen) == (409, "stale")
    assert refused(routing_edit.save_rule, rule.pk, GOOD, by=manager, version=10**9) == (409, "stale")


@pytest.mark.parametrize("group", [name for name in presets.GROUPS if name != "Support Manager"])
def test_only_who_may_edit_routing_does(group):
    by, other, rule = person(group), person(), rules()[0]
    now = clock.now()

    assert refused(routing_edit.save_rule, rule.pk, GOOD, by=by) == (403, "permission")
    assert refused(routing_edit.move_rule, rule.pk, by=by, up=False) == (403, "permission")
    assert refused(routing_edit.retire_rule, rule.pk, by=by, reason="x") == (403, "permission")
    assert refused(routing_edit.add_absence, other.pk, now, now + timedelta(days=1), by=by) == (403, "permission")

    assert [one[:2] for one in refusals()] == [
        (decision, "permission") for decision in ("edit_rule", "move_rule", "retire_rule", "add_absence")
    ]
    assert not Absence.objects.exists()


def test_ones_own_absence_needs_no_permission():
    by, now = person("Support"), clock.now()
    later = routing_edit.add_absence(by.pk, now + timedelta(days=3), now + timedelta(days=5), by=by)
    running = routing_edit.add_absence(by.pk, now - timedelta(hours=1), now + timedelta(days=2), by=by)

    assert refused(routing_edit.end_absence, later.pk, by=person("Support")) == (403, "permission")
    routing_edit.end_absence(later.pk, by=by)
    routing_edit.end_absence(running.pk, by=by)

    assert list(Absence.objects.values_list("pk", flat=True)) == [running.pk], (
        "what happened is kept, what did not is not"
    )
    assert Absence.objects.get().ends_at <= clock.now()
    assert refused(routing_edit.end_absence, later.pk, by=person()) == (404, "unknown")


@pytest.mark.parametrize(
    ("starts", "ends", "status", "field"),
    [(0, -1, 422, "ends"), (-9, -1, 422, "ends"), (0, 400, 422, "ends"), (0, 0, 422, "ends"), (2, 4, 409, "overlap")],
)
def test_an_absence_that_makes_no_sense_is_refused(starts, ends, status, field):
    by, now = person("Support"), clock.now()
    routing_edit.add_absence(by.pk, now + timedelta(days=3), now + timedelta(days=9), by=by)

    found = refused(routing_edit.add_absence, by.pk, now + timedelta(days=starts), now + timedelta(days=ends), by=by)

    assert found == (status, field)


def test_what_people_changed_survives_the_next_migrate():
    manager = person()
    routing_edit.retire_rule(rules()[0].pk, by=manager, reason="no")

    presets_routing.install()

    assert "Enterprise customers" not in [one.title for one in rules()]


@pytest.mark.django_db(transaction=True)
def test_several_editors_at_once_leave_one_order():
    manager = UserFactory(groups=["Support Manager"])
    manager = User.objects.get(pk=manager.pk)
    start, ended = threading.Barrier(4), []

    def edit(number):
        try:
            start.wait()
            for round_ in range(4):
                made = routing_edit.save_rule(None, replace(GOOD, title=f"{number}-{round_}"), by=manager)
                routing_edit.move_rule(made.pk, by=manager, up=True)
                if round_ % 2:
                    routing_edit.retire_rule(made.pk, by=manager, reason="x")
            ended.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(4)]
    [one.start() for one in threads]
    [one.join() for one in threads]

    assert sorted(ended) == [0, 1, 2, 3]
    assert [one.position for one in rules()] == list(range(1, 9 + 8 + 1))
    assert rules()[-1].title == "Everything else"
