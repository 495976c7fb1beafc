"""From the signed deal to a checklist whose steps tick, are late, are nudged for and escalated; and its mail."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from gates import stop
from gates.checklists import figures, timely, verbs
from gates.models import Checklist, ReviewItem
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, Event, LedgerRow
from sync import release
from sync.onboarding import progress
from tests.flows.deals import DONE, agree, sign, states
from tests.flows.world import World
from tests.people.cast import refused

KIND = "mail.progress"


@pytest.fixture
def post(crm: World, settings: Any) -> World:
    """The same world with a mail server in it."""
    port = crm.sandbox.books("mail")["objects"]["smtp_port"]
    mail = {
        "base_url": f"smtp://127.0.0.1:{port}", "webhook_secrets": "", "host": "127.0.0.1", "port": port, "user": "",
        "backend": "django.core.mail.backends.smtp.EmailBackend", "password": "", "tls": "none", "timeout": 10,
        "from": "onboarding@meshline.example",
    }  # fmt: skip
    settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "mail": mail}
    return crm


def steps(one: Checklist) -> dict[str, str]:
    return dict(one.steps.order_by("position").values_list("key", "state"))


def messages(world: World) -> list[Any]:
    return list(world.sandbox.books("mail")["objects"]["messages"].values())


def ask(one: Checklist, by: User, **more: Any) -> Action:
    one.refresh_from_db()
    seen = progress.preview(one.pk, by=by, note=more.get("note", ""))
    return progress.send(one.pk, by=by, version=one.state_version, recipient=seen["recipient"], **more)


def test_signed_deal_told_twice_is_one_checklist_that_ticks_is_late_and_escalates(
    crm: World, biller: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.fault({"provider": "pipedrive", "kind": "hook_duplicate", "times": 3})
    sign(crm, org={"name": "Northwind Robotics Oy"})
    crm.settle(0.3)

    assert states() == DONE
    one = Checklist.objects.get()
    by_key = {step.key: step for step in one.steps.all()}
    made = {action.kind: str(action.pk) for action in Action.objects.all()}
    assert list(steps(one).values()) == ["done"] * 3 + ["waiting"] * 4
    assert (one.stage, one.csm != "", one.billing_owner != "", one.package != "") == ("welcome_call", True, True, True)
    proof = by_key["erp_customer"]
    assert (proof.evidence_kind, proof.evidence_id) == ("action", made["customer.create"])
    assert by_key["first_invoice"].evidence_id == made["invoice.create"]
    assert by_key["fields_valid"].evidence_kind == "event"
    assert one.customer_at is not None
    assert one.invoiced_at is not None
    assert one.signed_at <= one.customer_at <= one.invoiced_at
    assert by_key["first_value"].due_at.date() == one.first_value_on
    assert not ReviewItem.objects.exists()

    # time goes by: nobody held the welcome call
    monkeypatch.setattr(clock, "now", lambda at=by_key["welcome_call"].due_at: at + timedelta(minutes=1))
    assert [timely.tend(), timely.tend()] == [1, 0]
    step = by_key["welcome_call"]
    step.refresh_from_db()
    assert (step.late, step.nudges, step.nudge_item.owner_group) == (True, 1, "CSM")
    assert step.nudge_item.sentence.startswith(f"Onboarding {one}: Welcome call held is due")
    monkeypatch.setattr(clock, "now", lambda at=step.escalate_at: at + timedelta(minutes=1))
    told = timely.escalate_due()
    step.refresh_from_db()
    assert (told, timely.escalate_due(), step.escalation_item.owner_group) == (1, 0, "Onboarding Squad")

    # it is done after all: what was open about it settles itself
    verbs.tick(one.pk, "welcome_call", by=biller, version=step.state_version)
    assert set(ReviewItem.objects.values_list("state", "resolution")) == {("resolved", "done")}
    for key in ("access", "training", "first_value"):
        verbs.tick(one.pk, key, by=biller, version=one.steps.get(key=key).state_version)
    one.refresh_from_db()
    assert (one.state, one.stage, one.value_at is not None) == ("completed", "", True)
    said = figures.read()
    assert (said.lists, said.completed, said.completion_percent, said.nudges) == (1, 1, 100, 1)
    call_command("verify_ledger")


def test_handoff_decides_when_a_list_starts_and_a_lost_deal_ends_it(crm: World, biller: User) -> None:
    no_owner = sign(crm, org={"name": "No Owner Oy"}, fields={"Billing owner": None})
    no_tax = sign(crm, org={"name": "No Tax Oy", "tax_id": None})
    crm.settle()

    started = Checklist.objects.get()
    assert started.deal == str(no_tax["deal"])
    assert set(steps(started).values()) == {"waiting"}

    # corrected and agreed to: the refused deal gets its list, with what is shown by then ticked
    crm.play("pipedrive", "edit_deal", deal=no_owner["deal"], fields={"Billing owner": 12094821})
    action = Action.objects.get(kind="customer.create", params__deal=str(no_owner["deal"]))
    agree(ReviewItem.objects.get(action=action), action, biller)
    crm.settle()
    late = Checklist.objects.exclude(pk=started.pk).get()
    assert list(steps(late).values())[:3] == ["done"] * 3, steps(late)

    # a second event about the same deal changes nothing; the lost one is cancelled, and signed again it goes on
    crm.play("pipedrive", "edit_deal", deal=no_tax["deal"], status="lost")
    crm.settle()
    started.refresh_from_db()
    assert (started.state, started.ended_at is not None) == ("cancelled", True)
    started.steps.update(due_at=started.signed_at - timedelta(days=9), escalate_at=started.signed_at)
    assert timely.tend() == 0
    started.steps.update(due_at=clock.now() + timedelta(days=1), escalate_at=clock.now() + timedelta(days=2))
    crm.play("pipedrive", "edit_deal", deal=no_tax["deal"], status="open")
    crm.play("pipedrive", "edit_org", org=no_tax["organization"], tax_id="FI87654321")
    crm.play("pipedrive", "move_stage", deal=no_tax["deal"], stage="Proposal")
    crm.play("pipedrive", "move_stage", deal=no_tax["deal"])
    crm.settle()
    started.refresh_from_db()
    assert started.state == "running"
    assert list(steps(started).values())[:3] == ["done"] * 3
    assert Checklist.objects.count() == 2
    call_command("verify_ledger")


def test_progress_mail_leaves_once_and_is_inert(post: World, biller: User, client: Client) -> None:
    evil = "Acme\u202egnp.exe http://evil.example Oy"
    sign(post, org={"name": evil}, person={"emails": ["ap@acme.example"]})
    post.settle()
    assert states() == DONE, list(Event.objects.values_list("kind", "verdict", "last_error"))
    one = Checklist.objects.get()
    note = "Hello\r\nBcc: boss@evil.example\r\n\r\n.\r\nthere"
    seen = progress.preview(one.pk, by=biller, note=note)
    assert {row["field"]: row["after"] for row in seen["preview"]}["to"] == "ap@acme.example"
    assert not Action.objects.filter(kind=KIND).exists()
    client.force_login(biller)
    shown = client.post(f"/admin/onboarding/{one.pk}/mail/", {"preview": "1", "note": note, "version": 0})
    assert progress.preview(one.pk, by=biller, note=note)["preview"][2]["after"] in shown.content.decode(), "all of it"
    version = one.state_version
    progress.send(one.pk, by=biller, version=version, recipient=seen["recipient"], note=note)
    assert refused(progress.send, one.pk, by=biller, version=version, recipient=seen["recipient"]) == (409, "stale")
    post.settle()

    (mail,) = messages(post)
    action = Action.objects.get(kind=KIND)
    assert (action.state, mail["recipients"]) == ("applied", ["ap@acme.example"])
    assert mail["message_id"] == f"<meshline.{action.pk}@meshline.example>"
    names = [name.lower() for name, _ in mail["headers"]]
    assert (names.count("subject"), "bcc" in names, "cc" in names) == (1, False, False)
    assert mail["subject"] == "Your onboarding: where Acme gnp.exe http: evil.example Oy stands"
    assert "Bcc: boss@evil.example" in mail["text"].splitlines()
    assert mail["text"].rstrip().endswith("look after you.")
    assert "- Customer in the ERP" in mail["text"]
    assert "\u202e" not in mail["text"]
    assert post.sandbox.get("/_books/mail/effects-by-action") == {str(action.pk): 1}
    row = LedgerRow.objects.get(subject_kind="checklist", decision="mail")
    assert (row.action_id, "acme" in str(row.inputs) + str(row.reasons)) == (action.pk, False)
    for told in LedgerRow.objects.filter(action_id=action.pk):
        assert "acme.example" not in str(told.inputs) + str(told.reasons)


def test_lost_answer_goes_to_a_person_and_refusals_have_their_meaning(post: World, biller: User) -> None:
    made = sign(post, person={"emails": ["ap@acme.example"]})
    post.settle()
    one = Checklist.objects.get()

    # the server took it and its word was lost: a person, never a second message by itself
    post.fault({"provider": "mail", "kind": "lost_answer", "count": 1})
    lost = ask(one, biller, note="second")
    post.settle(0.4)
    lost.refresh_from_db()
    assert (lost.state, len(messages(post))) == ("in_review", 1)
    item = ReviewItem.objects.get(action=lost)
    assert (item.why, item.state) == ("outcome_unknown", "open")
    other = User.objects.create_superuser("other", "other@meshline.example", "x")
    agree(item, lost, other)  # who looked and did not find it sends the very same message
    post.settle()
    lost.refresh_from_db()
    both = messages(post)
    assert (lost.state, len({one["message_id"] for one in both}), both[0]["text"]) == ("applied", 1, both[1]["text"])

    # refused for good, refused for now, nobody there
    post.fault({"provider": "mail", "kind": "error_before", "status": 550, "count": 1})
    no = ask(one, biller, note="third")
    post.settle()
    post.fault({"provider": "mail", "kind": "rate_limit", "count": 1})
    later = ask(one, biller, note="fourth")
    post.settle(0.2)
    no.refresh_from_db()
    later.refresh_from_db()
    assert (no.state, no.error_code, later.state) == ("failed", "smtp_550", "applied")

    # another address by now: nothing goes to whom nobody saw
    one.refresh_from_db()
    shown = progress.preview(one.pk, by=biller, note="fifth")
    assert refused(progress.send, one.pk, by=biller, version=one.state_version, recipient="0" * 16, note="fifth") == (
        422,
        "params",
    )
    post.fault({"provider": "mail", "kind": "latency", "ms": 50})
    changed = progress.send(one.pk, by=biller, version=one.state_version, recipient=shown["recipient"], note="fifth")
    post.play("pipedrive", "edit_person", person=made["person"], emails=["new@acme.example"])
    post.settle()
    changed.refresh_from_db()
    assert (changed.state, changed.error_code) == ("in_review", ""), changed.last_error
    assert "another address by now" in ReviewItem.objects.get(action=changed).reason
    assert len(messages(post)) == 3


def test_nothing_leaves_while_stopped_and_nothing_is_asked_where_no_server_is(
    post: World, biller: User, settings: Any
) -> None:
    sign(post)
    post.settle()
    one = Checklist.objects.get()
    stop.engage("provider:mail", by=biller, reason="test")
    action = ask(one, biller)
    post.settle()
    action.refresh_from_db()
    assert (action.state, messages(post)) == ("parked", [])

    other = User.objects.create_superuser("second", "second@meshline.example", "x")
    stop.request_resume("provider:mail", by=biller, reason="done")
    stop.confirm_resume("provider:mail", by=other)
    release.release()
    post.until(KIND, "applied")
    assert len(messages(post)) == 1

    settings.MESHLINE_PROVIDERS = {k: v for k, v in settings.MESHLINE_PROVIDERS.items() if k != "mail"}
    with pytest.raises(Refused, match="set MESHLINE_MAIL_HOST and MESHLINE_MAIL_FROM"):
        progress.preview(one.pk, by=biller)
