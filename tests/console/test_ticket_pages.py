"""Ticket kinds and notes on tickets in the console."""

import pytest

from gates.models import Handoff, Ticket, TicketKind
from gates.presets_tickets import KINDS
from gates.tickets import kinds
from ledger import clock
from ledger.models import Action
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text

HERE = "/admin/tickets/"
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
SAY = {
    "title": "Copies", "tags": "copy\nthe_copy", "forms": "", "owner_group": "Support", "stage": "suggest",
    "reply": "Hello {company}.", "solves": "yes", "reason": "asked for", "version": 0, "name": "copies",
}  # fmt: skip


@pytest.fixture
def ops(shipped):
    kinds.forget()
    TicketKind.objects.get_or_create(name=KINDS[0]["name"], version=1, defaults=KINDS[0])
    return signed_in("Product Ops")


def met(number, **more):
    return Ticket.objects.create(
        number=number, stamp=clock.now(), seen_at=clock.now(), correlation_id="0" * 32,
        **{"state": "open", "state_version": 1, **more},
    )  # fmt: skip


def asking(**more):
    """An item about a ticket of a kind."""
    customer = f.CustomerFactory(name=EVIL)
    one = TicketKind.objects.order_by("pk").last()
    evidence = {"ticket": "35436", "ticket_kind": one.name, "version": one.version}
    f.ExternalIdFactory(system="zendesk", kind="customer_ticket", value="35436", customer=customer)
    met("35436", customer=customer, kind=one.name)
    return f.ReviewItemFactory(
        action=None, customer=customer, kind="ticket", why="ticket_kind", evidence=evidence, event=f.EventFactory(),
        sentence="Ticket 35436 is of a kind.", **more,
    )  # fmt: skip


def test_a_kind_is_written_as_a_version_and_counted(ops, django_assert_max_num_queries):
    page = text(ops.get(HERE))
    assert "Copy of an invoice" in page
    assert "None yet. A ticket is known once we opened it" in page
    wrong = ops.post(f"{HERE}kinds/new/", {**SAY, "reply": "Hello {compny}."})
    assert (wrong.status_code, "did you mean {company}" in text(wrong)) == (422, True)
    assert "the_copy" in wrong.content.decode()
    made = ops.post(f"{HERE}kinds/new/", {**SAY, "title": EVIL}, follow=True)
    assert "<script>alert" not in made.content.decode()
    assert "Saved as version 1" in text(made)
    assert ops.post(f"{HERE}kinds/copies/", SAY).status_code == 409
    assert "Saved as version 2" in text(ops.post(f"{HERE}kinds/copies/", {**SAY, "version": 1}, follow=True))
    assert ops.get(f"{HERE}kinds/none/").status_code == 404
    support = signed_in("Support")
    assert "<textarea" not in support.get(f"{HERE}kinds/copies/").content.decode()
    assert support.post(f"{HERE}kinds/copies/", SAY).status_code == 403
    assert signed_in().get(HERE).status_code == 403

    customer = f.CustomerFactory()
    for n in range(53):
        met(str(n), customer=customer, kind="copies", resolved_how="automation" if n < 40 else "", reopened=int(n < 4))
    with django_assert_max_num_queries(14):
        page = ops.get(HERE)
    assert "40 (75%)" in text(page)
    assert "4 (10%)" in text(page)
    assert "before=" in page.content.decode()
    older = page.content.decode().partition('rel="next"')[0].rpartition('href="')[2].partition("#")[0]
    assert "Older" not in text(ops.get(HERE + older))
    assert "Solved by itself 40 (75%)" in text(ops.get(f"{HERE}kinds/copies/"))


def test_an_item_shows_the_suggested_answer_and_writes_its_note_once(ops):
    item = asking()
    at = f"/admin/gates/reviewitem/{item.pk}/change/"
    support = signed_in("Support")
    page = support.get(at)
    assert "Suggested answer" in text(page)
    assert "Not written on the ticket yet" in text(page)
    assert "<script>alert" not in page.content.decode()
    write = f"/admin/review/{item.pk}/ticket-note/write/"
    assert support.get(write).status_code == 302
    assert support.post(write, {"version": 9}).status_code == 409
    assert signed_in("Auditor").post(write, {"version": 0}).status_code == 403
    done = support.post(write, {"version": item.state_version}, follow=True)
    assert "The note goes on ticket 35436: internal" in text(done)
    assert "Written on" in text(done)
    assert Handoff.objects.get().by == support.user
    action = Action.objects.get(kind="ticket.handoff")
    assert (action.state, action.params["ticket"]) == ("approved", "35436")
    assert EVIL[:10] not in action.params["text"]
    again = support.post(write, {"version": item.state_version})
    assert (again.status_code, "is on ticket 35436 already" in text(again)) == (409, True)


@pytest.mark.django_db(transaction=True)
def test_ticket_pages_are_accessible_and_fit(console, shipped):  # noqa: F811  a fixture
    page = console()
    TicketKind.objects.get_or_create(name=KINDS[0]["name"], version=1, defaults=KINDS[0])
    item = asking()
    met("35437", state="merged", into="35436", kind="invoice-copy", resolved_how="person", reopened=1)
    seen = {
        name: look_at(page, name, address)
        for name, address in {
            "tickets": HERE, "kind": f"{HERE}kinds/invoice-copy/",
            "item": f"/admin/gates/reviewitem/{item.pk}/change/",
        }.items()
    }  # fmt: skip
    assert faults(seen) == {}
