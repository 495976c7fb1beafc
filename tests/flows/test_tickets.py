"""Tickets from the desk's signed webhooks to its books: state, echoes, flips, kinds, answers, what is gone."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from gates import automations, policy, review, stop
from gates.models import ReviewItem, Ticket, TicketKind
from gates.tickets import figures, kinds
from ledger.models import Action, Event, LedgerRow
from meshline import subjects
from sync import rebuild, settle
from sync.tickets import handoff
from tests.factories import ContractFactory, CustomerFactory, ExternalIdFactory
from tests.flows.test_crash import KilledError, expire, kill
from tests.flows.world import World, acting
from tests.people.cast import given, person

TAG = "invoice_copy"


class Desk:
    """A customer of ours with a help desk, and a kind of ticket in its pilot."""

    def __init__(self, world: World, stage: str = "pilot", **more: Any) -> None:
        self.world = world
        self.customer = CustomerFactory(name="Initech Labs", email="ap@initech.example")
        self.contract = ContractFactory(customer=self.customer, plan="growth")
        newest = kinds.current("invoice-copy")
        columns = {"reply": "Hello {company}, see {contract}.", "solves": True, "stage": stage, **more}
        TicketKind.objects.create(
            name="invoice-copy", version=(newest.version if newest else 0) + 1, title="Copy", tags=[TAG],
            owner_group="Billing Resolver", **columns,
        )  # fmt: skip
        kinds.forget()

    def writes_in(self, **more: Any) -> str:
        """The customer writes; the ticket's number."""
        params = {"email": "ap@initech.example", "tags": [TAG], "status": "open", **more}
        made = self.world.play("zendesk", "create_ticket", **params)
        self.requester = made["requester"]
        return str(made["ticket"])

    def play(self, verb: str, number: str, **more: Any) -> Any:
        return self.world.play("zendesk", verb, ticket=number, **more)

    def comments(self, number: str) -> list[Any]:
        books = self.world.sandbox.get("/_books/zendesk?only=objects")["objects"]
        found: list[Any] = books["comments"][number]
        return found

    def ticket(self, number: str) -> Any:
        return self.world.sandbox.get("/_books/zendesk?only=objects")["objects"]["tickets"][number]


@pytest.fixture
def pilot(world: World) -> Desk:
    acting("tickets")
    return Desk(world)


def suggesting() -> None:
    """The automation asks each time."""
    lead = User.objects.get(username="lead-tickets")
    automations.step_to("tickets", "suggest", by=lead, reason="test")
    policy._held.clear()


def states(number: str) -> list[str]:
    ticket = Ticket.objects.get(number=number)
    rows = LedgerRow.objects.filter(subject_kind="ticket", subject_id=str(ticket.pk)).order_by("id")
    return [post for prior, post in rows.values_list("prior_state", "post_state") if prior != post]


def test_a_ticket_of_the_pilot_is_answered_and_solved_once_whatever_goes_wrong(
    pilot: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = pilot.world
    world.sandbox.faults({"provider": "zendesk", "rules": [{"kind": "hook_duplicate", "times": 3}]})
    number = pilot.writes_in()
    world.settle()
    [answer] = Action.objects.filter(kind="ticket.reply")
    assert (answer.state, answer.params["text"]) == ("applied", f"Hello {{company}}, see {pilot.contract.external_id}.")
    assert [one["body"] for one in pilot.comments(number)][1:] == [
        f"Hello Initech Labs, see {pilot.contract.external_id}."
    ]
    assert pilot.ticket(number)["status"] == "solved"
    assert states(number) == ["open", "solved"]

    # Killed between the call and its booking, and an answer that was lost: found again by the change's own data.
    for lost in ("killed", "lost"):
        number = pilot.writes_in(tags=[TAG, lost])
        world.sandbox.post("/_webhooks/flush", {"timeout_s": 30})
        if lost == "killed":
            with monkeypatch.context() as patched:
                patched.setattr(settle, "book_sent", kill)
                with pytest.raises(KilledError):
                    world.settle()
            expire()
        else:
            world.fault({"kind": "lost_answer", "provider": "zendesk", "method": "PUT", "count": 1})
        world.settle(0.2)
        assert len(pilot.comments(number)) == 2, lost
        assert Ticket.objects.get(number=number).resolved_how == "automation"

    echoes = Event.objects.filter(verdict__startswith="ignored: our own write coming back")
    assert echoes.count() >= 6  # a comment and a status for each answer
    assert not Action.objects.filter(event__in=echoes).exists()  # the chain of an echo is the echo itself
    assert Action.objects.count() == 3
    made = figures.by_kind()["invoice-copy"]
    assert (made.seen, made.by_automation, made.by_person, made.share_resolved) == (3, 3, 0, 1.0)

    # The customer opens it again: counted, a person's, and no second answer.
    pilot.play("set_status", number, status="open", agent_id=pilot.requester)
    world.settle()
    item = ReviewItem.objects.get(why="ticket_reopened")
    assert "the customer opened it again" in item.sentence
    assert (item.owner_group, Ticket.objects.get(number=number).reopened) == ("Billing Resolver", 1)
    assert Action.objects.filter(kind="ticket.reply").count() == 3
    assert figures.by_kind()["invoice-copy"].share_back == pytest.approx(1 / 3)
    assert [
        told for one in rebuild.replay({"ticket": subjects.SUBJECTS["ticket"]}, {}) for told in one.differences
    ] == []
    told = json.dumps(list(LedgerRow.objects.values("inputs", "reasons")), default=str)
    assert "Initech" not in told
    assert "initech" not in told


def test_the_desks_own_stamp_decides_in_any_order(pilot: Desk) -> None:
    world = pilot.world
    world.hold("zendesk")
    number = pilot.writes_in(tags=["other"])
    ExternalIdFactory(system="zendesk", kind="customer_ticket", value=number, customer=pilot.customer)
    for status in ("pending", "hold", "open", "solved"):
        world.sandbox.post("/_clock", {"advance_s": 2})
        pilot.play("set_status", number, status=status)
    world.release("zendesk", "reverse")
    world.settle()
    ticket = Ticket.objects.get(number=number)
    assert (ticket.state, ticket.customer_id) == ("solved", pilot.customer.pk)
    assert states(number) == ["solved"]  # what came later and is older changed nothing
    assert Event.objects.filter(source="zendesk", verdict__startswith="superseded").count() == 5
    assert Action.objects.count() == 0


def test_flipped_by_something_else_it_is_one_exception_and_our_automation_leaves_it_alone(pilot: Desk) -> None:
    world = pilot.world
    suggesting()
    number = pilot.writes_in()
    world.settle()
    [answer] = Action.objects.filter(kind="ticket.reply")
    assert answer.state == "in_review"
    world.hold("zendesk")
    for status in ("pending", "open", "pending", "open", "pending"):
        world.sandbox.post("/_clock", {"advance_s": 1})
        pilot.play("set_status", number, status=status, agent_id=99)
    world.release("zendesk", "shuffle")
    world.settle()
    item = ReviewItem.objects.get(why="ticket_flips")
    ticket = Ticket.objects.get(number=number)
    assert (ticket.guard_item, item.owner_group, item.state) == (item.pk, "Billing Resolver", "open")
    assert "its status" in item.sentence
    assert LedgerRow.objects.filter(subject_kind="ticket", decision="flip_ticket").count() == 1

    # What a person agrees to meanwhile is judged again and asks once more; nothing leaves.
    manager = person("Support Manager")
    asking = ReviewItem.objects.exclude(state="resolved").get(action=answer)
    review.approve(asking.pk, by=manager, **given(asking))
    world.settle(0.2)
    answer.refresh_from_db()
    assert answer.state == "in_review"
    assert {"ticket_steady", "ticket_unchanged"} <= {
        one["rule"] for one in answer.answers if one["verdict"] == "review"
    }
    assert len(pilot.comments(number)) == 1

    # A person has settled it: the flips of before do not count again, and what is agreed to now leaves.
    review.reject(item.pk, by=manager, reason="switched the other rule off", version=item.state_version)
    pilot.play("set_status", number, status="open", agent_id=99)
    world.settle()
    assert ReviewItem.objects.filter(why="ticket_flips").count() == 1
    asking = ReviewItem.objects.exclude(state="resolved").get(action=answer)
    for _ in range(2):  # the first time it is judged on what is true now, and shown anew
        if asking is not None:
            review.approve(asking.pk, by=manager, **given(asking))
        world.settle(0.2)
        asking = ReviewItem.objects.exclude(state="resolved").filter(action=answer).first()
    answer.refresh_from_db()
    assert answer.state == "applied"
    assert (len(pilot.comments(number)), Ticket.objects.get(number=number).resolved_how) == (2, "person")


def test_what_waits_for_a_ticket_that_is_gone_goes_to_a_person_and_nothing_is_sent(pilot: Desk) -> None:
    world = pilot.world
    suggesting()
    merged, deleted, solved, kept = (pilot.writes_in() for _ in range(4))
    world.settle()
    answers = {one.params["ticket"]: one for one in Action.objects.filter(kind="ticket.reply")}
    lead = User.objects.get(username="lead-tickets")
    stop.engage("all", by=lead, reason="test")
    manager = person("Support Manager")
    for number in (merged, kept):
        item = ReviewItem.objects.exclude(state="resolved").get(action=answers[number])
        review.approve(item.pk, by=manager, **given(item))
    world.settle(0.2)
    assert Action.objects.get(pk=answers[merged].pk).state == "parked"

    pilot.play("merge", merged, into=kept)
    pilot.play("delete_ticket", deleted)
    pilot.play("set_status", solved, status="solved", agent_id=99)
    world.settle(0.2)
    items = {
        one.action.params["ticket"]: one
        for one in ReviewItem.objects.exclude(state="resolved").select_related("action")
    }
    assert f"was merged into ticket {kept}" in items[merged].reason
    assert "was deleted in the support desk" in items[deleted].reason
    assert {one.why for one in (items[merged], items[deleted])} == {"ticket_gone"}
    assert Action.objects.get(pk=answers[solved].pk).state == "superseded"
    assert solved not in items

    # Even who agrees once more sends nothing.
    stop.request_resume("all", by=manager, reason="over")
    stop.confirm_resume("all", by=lead)
    review.approve(items[merged].pk, by=manager, **given(items[merged]))
    world.settle(0.3)
    assert Action.objects.get(pk=answers[merged].pk).state == "in_review"
    assert [one["action"] for one in world.effects("zendesk")] == [str(answers[kept].pk)]
    assert Ticket.objects.get(number=merged).into == kept


def test_a_handoff_note_is_internal_once_for_each_item_and_keeps_its_evidence(pilot: Desk) -> None:
    world = pilot.world
    suggesting()
    number = pilot.writes_in()
    world.settle()
    item = ReviewItem.objects.get(kind="ticket.reply")
    resolver = person("Billing Resolver")
    kept = handoff.send(item.pk, by=resolver, version=item.state_version)
    world.settle(0.2)
    [_, note] = pilot.comments(number)
    assert note["public"] is False
    assert f"Correlation {item.correlation_id}" in note["body"]
    assert "Contract -: unknown" in note["body"] or "Contract" in note["body"]
    assert "Initech" not in note["body"]
    assert (kept.ticket, kept.by, kept.first_signal["type"]) == (number, resolver, "zen:event-type:ticket.created")
    assert Action.objects.get(pk=kept.action_id).state == "applied"
    assert handoff_refused(item, resolver) == (409, "written")
    assert handoff_refused(item, person("Auditor")) == (403, "permission")
    event = Event.objects.filter(source="zendesk").order_by("-id").first()
    assert event.verdict.startswith("ignored: our own write")


def handoff_refused(item: ReviewItem, by: User) -> tuple[int, str]:
    with pytest.raises(stop.Refused) as refused:
        handoff.send(item.pk, by=by, version=item.state_version)
    return refused.value.status, refused.value.code
