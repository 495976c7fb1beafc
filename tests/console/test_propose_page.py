"""Asking for an action by hand: a form made from the kind, a preview that stores nothing, refusals naming the field."""

import pytest
from django.urls import reverse

from gates.models import ReviewItem
from ledger.models import Action, Event, LedgerRow
from meshline.console import proposal_form
from sync import actions
from tests import factories as f
from tests.console import items

DOWNGRADE = {"kind": "contract.downgrade", "params.plan": "free", "reason": "asked for by mail"}


def ask(contract):
    return reverse("admin:propose", args=[contract.pk])


def counts():
    return Action.objects.count(), Event.objects.count(), LedgerRow.objects.count(), ReviewItem.objects.count()


@pytest.mark.parametrize("kind", sorted(actions.ACTIONS))
def test_each_kind_has_its_form(support, kind):
    page = support.get(ask(items.customer()) + f"?kind={kind}")

    shown = page.content.decode()
    assert page.status_code == 200
    assert all(f'name="params.{name}"' in shown for name in actions.get(kind).asks_for)


def test_a_preview_stores_nothing(support):
    contract, before = items.customer(), counts()

    answer = support.post(ask(contract), {**DOWNGRADE, "preview": "1"})

    shown = answer.content.decode()
    assert answer.status_code == 200
    assert "Contract plan" in shown
    assert "has to agree" in shown
    assert 'value="free"' in shown
    assert "asked for by mail" in shown
    assert counts() == before


def test_asking_opens_an_item_that_another_person_decides(support, resolver):
    contract = items.customer()

    answer = support.post(ask(contract), {**DOWNGRADE, "ask": "1"}, follow=True)

    made = Action.objects.get()
    item = ReviewItem.objects.get(action=made)
    assert (made.kind, made.state, made.requested_by) == ("contract.downgrade", "in_review", support.user)
    assert answer.redirect_chain[-1][0] == items.page_of(item)
    assert "Nothing is sent yet; another person decides" in answer.content.decode()
    assert resolver.post(items.verb(item, "approve"), items.drawn(item)).status_code == 302
    assert Action.objects.get().state == "approved"


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({"kind": "contract.downgrade", "params.plan": "", "reason": "x"}, "params.plan"),
        ({"kind": "contract.downgrade", "params.plan": "p" * 65, "reason": "x"}, "params.plan"),
        ({"kind": "contract.downgrade", "params.plan": "free", "reason": ""}, "reason"),
        ({"kind": "contract.downgrade", "params.plan": "free", "reason": "r" * 401}, "reason"),
        ({"kind": "contract.restore", "params.undoes": "everything", "reason": "x"}, "params.undoes"),
        ({"kind": "payment.refund", "params.payment": "in_1", "params.amount_minor": "5", "params.currency": "usd",
          "params.reason": "duplicate", "reason": "x"}, "params.payment"),
        ({"kind": "payment.refund", "params.payment": "pi_1", "params.amount_minor": "12.345", "params.currency": "usd",
          "params.reason": "duplicate", "reason": "x"}, "params.amount_minor"),
        ({"kind": "payment.refund", "params.payment": "pi_1", "params.amount_minor": "-5", "params.currency": "usd",
          "params.reason": "duplicate", "reason": "x"}, "params.amount_minor"),
        ({"kind": "ticket.tag", "params.tags": "a\na", "reason": "x"}, "params.tags"),
        ({"kind": "ticket.tag", "params.tags": "Not Allowed!", "reason": "x"}, "params.tags"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_what_was_typed_is_kept(support, sent, names):
    contract, before = items.customer(), counts()

    answer = support.post(ask(contract), {**sent, "ask": "1"})

    assert answer.status_code == 422
    assert names in answer.content.decode()
    assert "Not done" in answer.content.decode()
    assert counts() == before


def test_who_may_not_ask_sees_no_form_and_posts_in_vain(client, shipped, nobody):
    contract = items.customer()
    client.force_login(f.UserFactory(groups=["Auditor"]))

    for one in (client, nobody):
        assert one.get(ask(contract)).status_code == 403
        assert one.post(ask(contract), {**DOWNGRADE, "ask": "1"}).status_code == 403
    assert not Action.objects.exists()


def test_unknown_contracts_and_kinds_are_missing_pages(support):
    contract = items.customer()

    assert support.get(reverse("admin:propose", args=[10**12])).status_code == 404
    assert support.get(ask(contract) + "?kind=customer.delete").status_code == 404
    assert support.post(ask(contract), {"kind": "customer.delete", "ask": "1"}).status_code == 404
    assert support.post(ask(contract), {"kind": "\x00"}).status_code == 404


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.34", "usd", 1234), ("12.3", "usd", 1230), ("12", "usd", 1200), ("1,204.50", "usd", 120450),
        ("980", "jpy", 980), ("1.234", "kwd", 1234), ("0.07", "eur", 7),
        ("980.5", "jpy", "980.5"), ("12.345", "usd", "12.345"), ("12.", "usd", "12."), (".5", "usd", ".5"),
        ("1e3", "usd", "1e3"), ("١٢", "usd", "١٢"), ("-5", "usd", "-5"), ("5", "xxx", "5"), ("", "usd", ""),
    ],
)  # fmt: skip
def test_amounts_are_typed_in_the_currencys_own_units(text, currency, minor):
    assert proposal_form.minor(text, currency) == minor


@pytest.mark.parametrize(("minor", "currency"), [(1234, "usd"), (7, "usd"), (980, "jpy"), (1234, "kwd"), (0, "eur")])
def test_an_amount_is_read_back_as_it_was_written(minor, currency):
    assert proposal_form.minor(proposal_form.major(minor, currency), currency) == minor


def test_an_edit_shows_its_preview_first_and_then_voids_approvals(manager, resolver):
    contract = items.customer()
    resolver.post(ask(contract), {**DOWNGRADE, "ask": "1"})
    item = ReviewItem.objects.get()
    f.ApprovalFactory(action=item.action, item=item)
    before = (item.action.preview_hash, LedgerRow.objects.count())
    sent = {"params.plan": "team", "reason": "a smaller step", "version": item.action.state_version}

    form = manager.post(items.verb(item, "edit"), {"form": "1"})
    preview = manager.post(items.verb(item, "edit"), {**sent, "preview": "1"})
    assert (Action.objects.get().preview_hash, LedgerRow.objects.count()) == before
    done = manager.post(items.verb(item, "edit"), sent)

    assert 'value="free"' in form.content.decode()
    assert "team" in preview.content.decode()
    assert done.status_code == 302
    changed = Action.objects.get()
    assert (changed.params["plan"], changed.edited_by) == ("team", manager.user)
    assert changed.preview_hash != before[0]
    assert not changed.approvals.filter(voided_at=None).exists()
    own = manager.post(items.verb(item, "approve"), items.drawn(ReviewItem.objects.get(pk=item.pk)))
    assert own.status_code == 403
