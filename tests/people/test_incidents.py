"""Incidents, updates and their queues: what people may do, in which order, and what is refused with which sentence."""

from datetime import timedelta

import pytest

from gates.incidents import desk, queue, rounds, scope, services, templates
from gates.models import Incident, Outreach, OutreachTemplate, ReviewItem
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, ContextRecord, LedgerRow
from sync.incidents import sending
from tests import factories as f
from tests.people.cast import person, refusals, refused

ENTERPRISE = scope.parse(["tier is enterprise"])
SAY = {"template": "incident-update", "channel": "ticket", "text": "We are on it."}


@pytest.fixture
def ops(shipped_all):
    return person("Product Ops")


@pytest.fixture
def shipped_all(db, settings):
    """Messages as an installation has them; never night."""
    settings.MESHLINE_QUIET_HOURS = ()
    OutreachTemplate.objects.get_or_create(
        name="incident-update", version=1, defaults={"title": "Update", "subject": "{incident}", "body": "{status}"}
    )


def customer(**more):
    return f.CustomerFactory(**{"tier": "enterprise", "email": "ap@acme.example", **more})


def planned(ops, **more):
    one = desk.declare("Exports are late", "minor", ENTERPRISE, by=ops)
    return one, rounds.begin(one.pk, by=ops, version=one.state_version, **{**SAY, **more})


def asked(ops):
    one, update = planned(ops)
    return one, rounds.ask(update.pk, by=ops, version=update.state_version)


def states(update):
    return list(Outreach.objects.filter(update=update).order_by("place").values_list("state", flat=True))


def test_rules_match_what_is_known_of_customers(ops):
    big, mid, small = (
        customer(tier=tier, currency="usd", owner="dana") for tier in ("enterprise", "growth", "starter")
    )
    gone = customer(state="archived")
    f.ContractFactory(customer=big, plan="pro", state="past_due")
    f.ContractFactory(customer=mid, plan="free", state="cancelled")
    f.ContractFactory(customer=small, plan="free")
    f.ActionFactory(customer=mid, automation="dunning")
    f.ExternalIdFactory(customer=small, system="netsuite", kind="customer", value="7")
    ContextRecord.objects.create(customer=big, blocks={"support:9": {"tags": ["vip", "api"]}})

    def found(*lines):
        return {one.id for one in scope.matched(scope.parse(list(lines))).first}

    assert found("tier is enterprise, growth") == {big.pk, mid.pk}
    assert found("tier is not starter", "owner is dana") == {big.pk, mid.pk}
    assert found("plan is pro, free") == {big.pk, small.pk}
    assert found("contract is past_due") == found("tag is vip") == {big.pk}
    assert found("automation is dunning") == {mid.pk}
    assert found("system is netsuite") == found(f"customer is {small.external_id}") == {small.pk}
    assert found("currency is usd", "plan is not free") == {big.pk, mid.pk}
    assert found() == found("tier is nobody") == set()
    both = scope.matched(scope.parse(["tier is enterprise, starter", "plan is free"]))
    assert (both.total, both.alone, both.tiers) == (1, (2, 1), {"starter": 1})
    assert gone.pk not in found("tier is enterprise")


def test_the_queue_follows_revenue_then_tier_and_mends_itself(ops):
    yen = customer(mrr_minor=9_000, currency="jpy", tier="starter")
    dollars = customer(mrr_minor=500_000, currency="usd", tier="growth")
    same = customer(mrr_minor=500_000, currency="usd")
    none = customer(mrr_minor=None)
    ContextRecord.objects.create(customer=same, blocks={"deal:1": {"source": {"organization.country": "Germany"}}})
    one = desk.declare("Down", "critical", scope.parse(["tier is enterprise, growth, starter"]), by=ops)
    assert (one.affected, one.mrr) == (4, {"usd": 1_000_000, "jpy": 9_000})
    update = rounds.begin(one.pk, by=ops, version=one.state_version, **SAY)
    order = Outreach.objects.filter(update=update).order_by("place")
    assert list(order.values_list("customer", flat=True)) == [yen.pk, same.pk, dollars.pk, none.pk]
    assert set(order.values_list("zone", flat=True)) == {"", "Europe/Berlin"}

    first = order.get(customer=none)
    update = rounds.skip(update.pk, first.pk, by=ops, version=update.state_version, reason="called them")
    one.refresh_from_db()
    one = desk.rescope(one.pk, scope.parse(["tier is enterprise"]), by=ops, version=one.state_version)
    assert dict(order.values_list("customer", "state")) == {
        yen.pk: "skipped", same.pk: "planned", dollars.pk: "skipped", none.pk: "skipped",
    }  # fmt: skip
    late = customer(mrr_minor=900_000, currency="usd")
    desk.rescope(one.pk, scope.parse(["tier is enterprise, growth"]), by=ops, version=one.state_version)
    planned_now = order.filter(state="planned").values_list("customer", flat=True)
    assert list(planned_now) == [late.pk, same.pk, dollars.pk]
    assert list(order.values_list("place", flat=True)) == [1, 2, 3, 4, 5]
    row = LedgerRow.objects.filter(subject_kind="outreach", subject_id=str(first.pk)).order_by("-id").first()
    assert (row.decision, row.post_state, row.reasons[0]["reason"]) == ("skip", "skipped", "called them")


def test_a_set_is_approved_as_it_was_shown_by_as_many_as_it_takes(ops, settings):
    settings.MESHLINE_OUTREACH_ONE_PERSON = 2
    for _ in range(3):
        customer()
    lacking = customer(email="")
    one, update = asked(ops)
    assert (update.asked_count, Outreach.objects.get(customer=lacking).reason) == (3, "no e-mail address is known")
    digest, lead = queue.digest(update), person("Revenue Ops Lead")
    say = {"version": update.state_version, "digest": digest}
    assert refused(sending.approve, update.pk, by=person("Support"), **say) == (403, "permission")
    assert refused(sending.approve, update.pk, by=lead, version=update.state_version, digest="x") == (409, "changed")
    update = sending.approve(update.pk, by=ops, **say)
    assert (update.state, Action.objects.count()) == ("asked", 0)
    say["version"] = update.state_version
    assert refused(sending.approve, update.pk, by=ops, **say) == (403, "four_eyes")
    # Somebody leaves one out: what was agreed to is void, and the old digest is refused.
    chosen = Outreach.objects.filter(update=update, state="in_review").last()
    update = rounds.skip(update.pk, chosen.pk, by=ops, version=update.state_version, reason="called them")
    assert update.first_by is None
    assert refused(sending.approve, update.pk, by=lead, version=update.state_version, digest=digest) == (409, "changed")
    update = sending.approve(update.pk, by=lead, version=update.state_version, digest=queue.digest(update))
    assert (update.state, Action.objects.filter(state="approved").count()) == ("approved", 2)
    assert refused(sending.approve, update.pk, by=lead, version=update.state_version, digest=digest) == (409, "state")
    action = Action.objects.first()
    assert "acme" not in str([action.params, action.preview, action.facts])
    rows = LedgerRow.objects.filter(correlation_id=one.correlation_id)
    assert not any("Exports are late" in str(row.reasons) + str(row.inputs) for row in rows)
    assert {("approve", "permission"), ("approve", "four_eyes")} <= {row[:2] for row in refusals()}


def test_an_update_is_taken_back_dropped_and_followed_by_the_next(ops):
    customer()
    one, update = asked(ops)
    one.refresh_from_db()
    assert refused(rounds.begin, one.pk, by=ops, version=one.state_version, **SAY) == (409, "open")
    assert refused(desk.rescope, one.pk, ENTERPRISE, by=ops, version=one.state_version) == (409, "asked")
    update = rounds.take_back(update.pk, by=ops, version=update.state_version)
    assert (update.state, states(update)) == ("planned", ["planned"])
    message = Outreach.objects.get(update=update)
    update = rounds.skip(update.pk, message.pk, by=ops, version=update.state_version, reason="no")
    assert refused(rounds.ask, update.pk, by=ops, version=update.state_version) == (409, "empty")
    update = rounds.include(update.pk, message.pk, by=ops, version=update.state_version)
    update = rounds.rewrite(update.pk, by=ops, version=update.state_version, template="incident-update", text="Solved.")
    update = rounds.drop(update.pk, by=ops, version=update.state_version)
    assert (update.state, states(update)) == ("dropped", ["skipped"])
    one.refresh_from_db()
    again = rounds.begin(one.pk, by=ops, version=one.state_version, **SAY)
    assert (again.number, Outreach.objects.count()) == (2, 2)
    assert refused(rounds.ask, again.pk, by=ops, version=99) == (409, "stale")
    one.refresh_from_db()
    assert refused(desk.close, one.pk, by=ops, version=one.state_version, summary=" ") == (422, "summary")
    one = desk.mitigate(one.pk, by=ops, version=one.state_version)
    one = desk.reopen(one.pk, by=ops, version=one.state_version)
    assert refused(desk.reopen, one.pk, by=ops, version=one.state_version) == (409, "state")
    one = desk.close(one.pk, by=ops, version=one.state_version, summary="A bad deploy.")
    assert (one.state, states(again)) == ("closed", ["skipped"])
    assert refused(desk.take, one.pk, by=ops, version=one.state_version) == (409, "state")


def test_without_a_scope_nobody_is_written_to(ops):
    one = desk.declare("Down", "major", [], by=ops)
    assert refused(rounds.begin, one.pk, by=ops, version=one.state_version, **SAY) == (409, "scope")
    one = desk.rescope(one.pk, ENTERPRISE, by=ops, version=one.state_version)
    with pytest.raises(Refused, match="no customer matches; check the scope"):
        rounds.begin(one.pk, by=ops, version=one.state_version, **SAY)
    customer()
    for wrong, code in (
        ({"template": "gone"}, "template"),
        ({"channel": "pigeon"}, "channel"),
        ({"text": " "}, "text"),
    ):
        assert refused(rounds.begin, one.pk, by=ops, version=one.state_version, **{**SAY, **wrong}) == (422, code)
    assert not Outreach.objects.exists()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"title": " \u202e "}, "title"), ({"title": "x" * 300}, "title"), ({"severity": "awful"}, "severity"),
        ({"rules": [{"field": "tier"}]}, "scope"), ({"started_at": clock.now() + timedelta(days=1)}, "started"),
    ],
)  # fmt: skip
def test_what_is_declared_wrongly_is_refused_by_field(ops, given, code):
    said = {"title": "Down", "severity": "major", "rules": [], **given}
    more = {"started_at": said["started_at"]} if "started_at" in said else {}

    assert refused(desk.declare, said["title"], said["severity"], said["rules"], by=ops, **more) == (422, code)
    assert not Incident.objects.exists()


def test_messages_and_services_are_versions_that_only_some_write(ops):
    say = {"title": "Late", "subject": "{incident}", "body": "{status}", "reason": "asked for"}
    assert refused(templates.save_version, "late", by=person("Support"), version=0, **say) == (403, "permission")
    made = templates.save_version("late", by=ops, version=0, **say)
    assert (made.version, templates.current("late").pk) == (1, made.pk)
    assert refused(templates.save_version, "late", by=ops, version=0, **say) == (409, "stale")
    assert refused(templates.save_version, "late", by=ops, version=1, **{**say, "body": "{x}"}) == (422, "body")
    assert refused(templates.save_version, "Late!", by=ops, version=0, **say) == (422, "name")

    support = person("Support")
    assert refused(services.save, "pager", "P1", ENTERPRISE, by=support, version=0) == (403, "permission")
    assert services.save("pager", "P1", ENTERPRISE, by=ops, version=0, title="Billing").version == 1
    assert refused(services.save, "pager", "P1", ENTERPRISE, by=ops, version=0) == (409, "stale")
    assert refused(services.save, "pager", " ", ENTERPRISE, by=ops, version=0) == (422, "service")
    assert refused(services.save, "pager", "P2", [], by=ops, version=0) == (422, "scope")
    assert services.of("pager", "P1") == ENTERPRISE
    assert services.of("pager", "P2") == []
    assert refused(desk.declare, "Down", "major", [], by=support) == (403, "permission")
    assert not ReviewItem.objects.exists()
