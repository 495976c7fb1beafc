"""Every system against every other over HTTP: each planted difference is found once, with its class and its owner."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction

from gates import ownership
from gates.models import OwnershipRule, ReviewItem, Ticket
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, Event
from sync import catch_up_events, health, providers
from sync.errors import PermanentError
from sync.models import Attempt
from sync.providers import netsuite_records, stripe_lists
from sync.providers.stripe import Stripe
from sync.reconcile import deltas, desk, judging, matching, pairing, runs, staging, weekly
from sync.reconcile.finding import Finding
from sync.reconcile.models import Delta, ReconcileRun
from tests import factories as f
from tests.simulators import Sandbox

Found = list[tuple[str, str, str]]


class Town:
    """Stripe, the ERP and the support desk with the same customers in them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.subs: list[str] = []
        self.contracts: list[str] = []
        self.charges: list[str] = []
        self.erp_customers: list[str] = []

    def play(self, provider: str, verb: str, **params: Any) -> Any:
        return self.sandbox.post(f"/_play/{provider}/{verb}", params)

    def add(self, count: int) -> None:
        """So many customers whose subscription is a contract in the ERP, each with one payment."""
        for n in range(count):
            stripe = self.play("stripe", "create_customer", name=f"C{n}", email=f"c{n}@sandbox.test")["customer"]
            sub = self.play("stripe", "create_subscription", customer=stripe, mrr=4900)["subscription"]
            erp = self.play("netsuite", "create_customer", name=f"C{n} {stripe}", stripe_customer=stripe)["id"]
            self.subs.append(sub)
            self.erp_customers.append(erp)
            self.contracts.append(self.contract(erp, sub))
            self.charges.append(self.play("stripe", "pay_invoice", subscription=sub)["charge"])

    def contract(self, erp: str, sub: str, **more: Any) -> str:
        given = {"customer": erp, "subscription": sub, "mrr": 49, "currency": "USD", **more}
        return str(self.play("netsuite", "create_contract", **given)["id"])

    def change(self, n: int, **fields: Any) -> None:
        self.play("netsuite", "change_contract", id=self.contracts[n], fields=fields)

    def refund(self, n: int, minor: int, mark: str = "") -> str:
        more = {"metadata": {"meshline_action": mark}} if mark else {}
        return str(self.play("stripe", "refund_charge", charge=self.charges[n], amount=minor, **more)["refund"])

    def given(self, n: int, minor: int = 300, *, state: str = "applied", refund: str | None = None) -> Action:
        """A refund of ours, at the provider too unless told otherwise."""
        made = uuid4()
        key = self.refund(n, minor, str(made)) if refund is None else refund
        said = {"id": key, "amount_minor": minor, "currency": "usd", "status": "succeeded"}
        return f.ActionFactory(
            id=made, kind="payment.refund", provider="stripe", state=state, amount_minor=minor, currency="usd",
            confirmation=said if state == "applied" else None, applied_at=clock.now() - timedelta(hours=1),
            unknown_since=clock.now() - timedelta(hours=1) if state == "unknown" else None,
        )  # fmt: skip

    def ticket(self, status: str, ours: str) -> str:
        number = str(self.play("zendesk", "create_ticket", subject="Help", status=status)["ticket"])
        past = clock.now() - timedelta(hours=1)
        Ticket.objects.create(number=number, state=ours, stamp=past, seen_at=past, correlation_id=uuid4())
        return number


@pytest.fixture
def town(transactional_db: None, sandbox: Sandbox, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setattr(netsuite_records, "LISTED", netsuite_records.Lists())
    monkeypatch.setattr(judging, "AIR", timedelta(0))
    monkeypatch.setattr(stripe_lists, "PAGE", 5)
    settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS = 0.01
    providers.get.cache_clear()
    health._seen.clear()
    health._seen_at[0] = 0.0
    return Town(sandbox)


def compare(check: str) -> ReconcileRun:
    return runs.to_the_end(runs.begin(check, runs.SHELL, in_background=False))


def found(check: str) -> Found:
    rows = Delta.objects.filter(check_name=check).exclude(state="resolved").order_by("kind", "field", "id")
    return [(str(one.kind), one.key, one.field) for one in rows]


def plant(town: Town) -> Found:
    """Seven differences, an echo and a contract that is rightly alone; what a run must say of them."""
    subs = town.subs
    town.change(0, custrecord_mesh_status="suspended")
    town.change(1, custrecord_mesh_mrr=48.99)
    town.change(2, custrecord_mesh_currency="EUR")
    town.change(3, custrecord_stripe_subscription_id="sub_of_nobody")
    town.contract(town.erp_customers[4], subs[4])
    town.play("stripe", "end_subscription", subscription=subs[5])
    town.contract(town.erp_customers[6], "sub_long_over", status="cancelled")
    echo = f.CustomerFactory()
    f.ExternalIdFactory(system="netsuite", kind="contract", value=town.contracts[7], customer=echo)
    f.ActionFactory(kind="contract.suspend", state="applied", customer=echo, applied_at=clock.now())
    town.change(7, custrecord_mesh_status="suspended")
    return [
        ("duplicate", subs[4], "netsuite"),
        ("echo", subs[7], "standing"),
        ("field_differs", subs[2], "currency"),
        ("field_differs", subs[5], "ended"),
        ("field_differs", subs[1], "monthly amount"),
        ("field_differs", subs[0], "standing"),
        ("missing_left", "sub_of_nobody", ""),
        ("missing_right", subs[3], ""),
    ]


def ask_for_the_fix(town: Town) -> None:
    # through the gates: what billing says is asked for in the ERP, or the reason why not is said
    lead = User.objects.create_superuser("dana", "d@meshline.example", "x")
    ended = Delta.objects.get(field="ended")
    with pytest.raises(Refused, match="no contract of ours is linked"):
        desk.propose(ended.pk, by=lead, version=ended.state_version, reason="billing ended it")
    contract = f.ContractFactory(state="active")
    for system, kind, value in (("stripe", "subscription", town.subs[5]), ("netsuite", "contract", town.contracts[5])):
        f.ExternalIdFactory(system=system, kind=kind, value=value, customer=contract.customer, contract=contract)
    asked = desk.propose(ended.pk, by=lead, version=ended.state_version, reason="billing ended it")
    action = Action.objects.get(pk=asked.action_id)
    assert (action.kind, action.contract_id, asked.state) == ("contract.cancel", contract.pk, "acknowledged")


def test_subscriptions_are_compared_with_contracts_whole_or_the_run_says_what_is_missing(town: Town) -> None:
    town.add(12)
    assert (compare("subscriptions").outcome, found("subscriptions")) == ("agree", [])
    subs = town.subs
    planted = plant(town)

    # a dry run says what is there and changes nothing
    dry = runs.dry("subscriptions")
    assert (dry.outcome, dry.counts["field_differs"], dry.opened) == ("differ", 4, 0)
    assert (found("subscriptions"), ReconcileRun.objects.count()) == ([], 1)

    # the ERP fails for good in the middle: what only it could tell is not called missing, and the run says so
    ended = {"provider": "netsuite", "kind": "error_before", "status": 400, "path": "/services/rest/query"}
    town.sandbox.faults({"provider": "*", "rules": [ended]})
    broken = compare("subscriptions")
    town.sandbox.faults({"provider": "*", "rules": []})
    assert (broken.outcome, broken.compared, found("subscriptions")) == ("failed", 0, [])
    assert "netsuite could not be read to the end" in broken.error

    # one failure in the middle of the pages is tried again, and everything is found
    town.sandbox.faults({"provider": "stripe", "rules": [
        {"kind": "error_before", "status": 503, "path": "/v1/subscriptions", "after": 1, "count": 2}]})  # fmt: skip
    run = compare("subscriptions")
    assert found("subscriptions") == planted
    assert (run.outcome, run.left_rows, run.right_rows, run.differing) == ("differ", 12, 14, 7)
    assert Delta.objects.get(field="monthly amount").right_value == "4899 usd"
    assert set(Delta.objects.values_list("owner_group", flat=True)) == {"Billing Resolver"}
    assert staging.counted(run.pk) == {}

    # a page that fails for good later on: what was read is compared, nothing is closed, nothing is called missing
    town.change(0, custrecord_mesh_status="active")
    town.sandbox.faults({"provider": "stripe", "rules": [
        {"kind": "error_before", "status": 400, "path": "/v1/subscriptions", "after": 1}]})  # fmt: skip
    partial = compare("subscriptions")
    town.sandbox.faults({"provider": "*", "rules": []})
    assert (partial.outcome, partial.closed) == ("partial", 0)
    assert partial.gaps[0][0] == "billing"
    assert "stripe could not be read to the end" in partial.gaps[0][1]
    assert found("subscriptions") == planted

    ask_for_the_fix(town)
    assert compare("subscriptions").closed == 1
    assert ("field_differs", subs[0], "standing") not in found("subscriptions")
    assert not Attempt.objects.filter(is_write=True).exists()


def test_refunds_actions_tickets_invoices_and_events(
    town: Town, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:  # fmt: skip
    town.add(4)
    fine = town.given(0)
    twice, gone, doubtful = town.given(1), town.given(1, refund="re_gone"), town.given(2, state="unknown")
    town.refund(1, 1, str(twice.pk))
    stranger = town.refund(3, 7, "0192f000-0000-7000-8000-000000000001")
    other = town.given(3, 500)
    Action.objects.filter(pk=other.pk).update(confirmation={**other.confirmation, "amount_minor": 501})  # type: ignore[dict-item]
    open_ticket, solved = town.ticket("open", "open"), town.ticket("solved", "pending")
    lost = town.ticket("open", "open")
    Ticket.objects.filter(number=lost).update(number="999999")
    billed = town.play("stripe", "pay_invoice", subscription=town.subs[0])["invoice"]
    books = {"customer": town.erp_customers[0], "stripe_invoice": billed}
    town.play("netsuite", "create_invoice", amount=48, **books)
    later = datetime.now(UTC) + timedelta(seconds=5)  # the simulators' times are whole seconds
    monkeypatch.setattr(clock, "now", lambda: later)

    assert compare("refunds").outcome == "differ"
    assert found("refunds") == [
        ("duplicate", str(twice.pk), "stripe"), ("field_differs", str(other.pk), "amount"),
        ("missing_left", "0192f000-0000-7000-8000-000000000001", ""), ("missing_right", str(gone.pk), ""),
        ("unknown_outcome", str(doubtful.pk), ""),
    ]  # fmt: skip
    run = compare("actions")
    kinds = {(kind, key) for kind, key, _ in found("actions")}
    assert kinds == {
        ("duplicate", str(twice.pk)), ("missing_left", "0192f000-0000-7000-8000-000000000001"),
        ("missing_right", "stripe:refund:re_gone"), ("unknown_outcome", str(doubtful.pk)),
    }, run.error  # fmt: skip
    compare("tickets")
    assert found("tickets") == [("field_differs", solved, "state"), ("missing_left", "999999", "")]
    compare("invoices")
    assert found("invoices") == [("field_differs", billed, "total")]

    # events: all of them were sent to nobody; those that are in the inbox are not missing
    run = compare("events")
    missing = Delta.objects.filter(check_name="events").count()
    assert (run.outcome, run.counts["missing_right"]) == ("differ", missing)
    assert missing >= 8
    lead = User.objects.create_superuser("dana", "d@meshline.example", "x")
    one = Delta.objects.filter(check_name="events").order_by("id")[0]
    desk.fetch(one.pk, by=lead, version=one.state_version)
    assert Event.objects.get(source="stripe", provider_event_id=one.key).deliveries == 1
    monkeypatch.setattr(catch_up_events, "IN_THE_AIR", timedelta(0))
    call_command("fetch_missing", "stripe", "--yes")
    assert f"{missing - 1} stored" in capsys.readouterr().out
    again = compare("events")
    assert not found("events"), "what was fetched is missing no more"
    assert (again.covers_from, again.outcome) == (run.covers_to, "agree"), "windows go on where the last one ended"
    assert {str(fine.pk), open_ticket, stranger}.isdisjoint(Delta.objects.values_list("key", flat=True))


def test_accepted_until_a_day_and_the_window_of_a_day_with_25_hours(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = f.DeltaFactory(key="sub_1", check_name="subscriptions")
    lead = User.objects.create_superuser("dana", "d@meshline.example", "x")
    day = clock.now() + timedelta(days=3)
    desk.accept(one.pk, by=lead, version=one.state_version, reason="moves on Friday", until=day)
    assert deltas.reopen_due() == 0
    monkeypatch.setattr(clock, "now", lambda: day + timedelta(seconds=1))
    assert deltas.reopen_due() == 1
    one.refresh_from_db()
    assert (one.state, one.accepted_until) == ("open", None)

    # an ownership rule that names differences decides whose they are; all others stay with the check's group
    rule = {"title": "Twice is for the desk", "kinds": [deltas.KIND], "whys": ["duplicate"], "person": lead}
    OwnershipRule.objects.create(position=0, group="Support", fallback_group="Support Manager", **rule)
    ownership.forget()
    two = [Finding("duplicate", "a", "netsuite", "Billing Resolver"), Finding("echo", "b", "", "Billing Resolver")]
    deltas.note("subscriptions", two, about={})
    owned = Delta.objects.filter(key__in="ab").order_by("key").values_list("owner_group", "owner__username")
    assert list(owned) == [("Support", "dana"), ("Billing Resolver", None)]
    Delta.objects.filter(key__in="ab").delete()

    f.ReconcileRunFactory(check_name="subscriptions", outcome="differ", compared=200, differing=3)
    f.ReconcileRunFactory(check_name="subscriptions", outcome="partial", compared=90)
    first = weekly.post()
    weekly.post()
    (item,) = ReviewItem.objects.filter(kind=weekly.ITEM).exclude(state="resolved")
    assert (item.sentence, item.owner_group) == (first, "Revenue Ops Lead")
    assert "Differences open: 1 (+1 in seven days" in first
    assert "2 runs, 0 failed, 1 partial; last: 1.50 % of 200 differ" in item.reason

    # Europe's clocks go back on 25 October 2026: the windows of that day join without a gap
    ends = datetime(2026, 10, 24, 22, tzinfo=UTC)
    for started in (datetime(2026, 10, 25, 22, tzinfo=UTC), datetime(2026, 10, 26, 23, tzinfo=UTC)):
        window = pairing.window_for(started, ends, timedelta(days=1))
        assert window[1] == ends.timestamp()
        ends = datetime.fromtimestamp(window[2], UTC)
    assert ends == datetime(2026, 10, 26, 23, tzinfo=UTC)


def test_a_list_whose_order_changes_is_not_believed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.add(2)
    page = [{"id": one, "created": at} for one, at in (("sub_b", 20), ("sub_a", 30))]
    monkeypatch.setattr(Stripe, "get", lambda *args: {"data": page, "has_more": False})
    assert stripe_lists.page(Stripe(), "refunds", "", until=clock.now()) == (page, "")
    for cursor, rows in (("", page), ("10:sub_c", page[1:]), ("30:sub_a", page[1:])):
        monkeypatch.setattr(Stripe, "get", lambda *args, rows=rows: {"data": rows, "has_more": False})
        with pytest.raises(PermanentError, match="came in another order than it was asked for"):
            stripe_lists.page(Stripe(), "refunds", cursor, until=clock.now(), is_ordered=True)
    monkeypatch.undo()

    # where nobody can tell from a page, a record that comes twice does
    run = f.ReconcileRunFactory(check_name="subscriptions")
    row = staging.Row("sub_1", "sub_1", "no\x1factive\x1f")
    staging.keep(run.pk, "billing", [row, row, staging.Row("sub\\2\t", "x\x00y", "a\nb")])
    with transaction.atomic():
        assert matching.doubled(run.pk, ["billing", "books"]) == ([], 1)
    assert staging.counted(run.pk) == {"billing": 2}
