"""Cancellations and roles of accounts in the console: what is shown, refused, explained; and how it looks."""

import html

import pytest

from gates import accounts_edit, blocklist, items, ownership
from gates.accounts_edit import HolderFields
from gates.models import AccountHolder, CancellationBlock, OwnerSensitive, ReviewItem
from ledger.models import LedgerRow
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text as raw

HERE, ROUTING = "/admin/cancellations/", "/admin/routing/"
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


def text(answer):
    return html.unescape(raw(answer))


@pytest.fixture(autouse=True)
def fresh():
    ownership.forget()
    blocklist.forget()


def item_about(customer):
    contract = f.ContractFactory(customer=customer, state="active")
    action = f.ActionFactory(
        state="in_review", kind="subscription.cancel", customer=customer, contract=contract,
        params={"when": "now", "reason": "unpaid"},
    )  # fmt: skip
    ownership.forget()
    said = {"action_id": action.pk, "kind": action.kind, "sentence": "x", "why": "asked_by_person"}
    items.open_items([said])
    return ReviewItem.objects.get(action=action)


def test_the_list_is_shown_changed_and_kept(manager, support, django_assert_max_num_queries):
    assert "Nothing is being cancelled. Ask for it on a contract's page" in text(manager.get(HERE))
    assert "The list is empty" in text(manager.get(HERE))
    for said, words in (
        ({"what": "tier", "value": "gold", "why": "x"}, "A tier is one of enterprise, growth, starter"),
        ({"what": "tier", "value": "growth", "why": ""}, "1 to 300 characters"),
        ({"what": "contract", "value": EVIL, "why": "x"}, "there is no contract"),
    ):
        wrong = manager.post(HERE, said)
        assert (wrong.status_code, words.lower() in text(wrong).lower()) == (422, True)
        assert "<script>alert" not in wrong.content.decode()
    said = {"what": "tier", "value": "growth", "why": EVIL}
    assert support.post(HERE, said).status_code == 403
    page = manager.post(HERE, said, follow=True)
    assert "On the list: tier growth." in text(page)
    assert "<script>alert" not in page.content.decode()
    entry = CancellationBlock.objects.get()
    assert support.post(f"{HERE}{entry.pk}/end/", {"why": "x"}).status_code == 403
    assert manager.get(f"{HERE}{entry.pk}/end/").status_code == 302
    assert manager.post(f"{HERE}{entry.pk}/none/").status_code == 404
    for n in range(20):
        item_about(f.CustomerFactory(name=f"Company {n}"))
    with django_assert_max_num_queries(12):
        assert text(manager.get(HERE)).count("at once") == 20
    assert "Put it on the list" not in text(support.get(HERE))
    assert "Off the list: tier growth" in text(manager.post(f"{HERE}{entry.pk}/end/", {"why": "over"}, follow=True))
    assert manager.post(f"{HERE}{entry.pk}/end/", {"why": "over"}).status_code == 404
    assert signed_in().get(HERE).status_code == 403
    assert LedgerRow.objects.filter(subject_id=f"block:{entry.pk}", outcome="changed").count() == 2


def test_roles_are_given_on_the_page_and_explained_on_the_item(manager):
    customer = f.CustomerFactory(tier="enterprise", mrr_minor=500_000, currency="usd", name="Initech")
    am = f.UserFactory(groups=["Billing Resolver"], username="anna")
    assert "Nobody is named yet" in text(manager.get(ROUTING))
    said = {"role": "Enterprise AM", "person": am.pk, "customer": "nobody", "reason": "knows them", "version": 0}
    assert "there is no customer" in text(manager.post(f"{ROUTING}holders/add/", said))
    page = text(manager.post(f"{ROUTING}holders/add/", {**said, "customer": customer.external_id}, follow=True))
    assert "Saved: anna is Enterprise AM." in page
    assert "the account's Enterprise AM" in page
    item = item_about(customer)
    shown = text(manager.get(f"/admin/gates/reviewitem/{item.pk}/change/"))
    assert "Who gets this, and why" in shown
    assert "Enterprise customers: Enterprise AM" in shown
    assert "5,000.00 USD a month" in shown
    assert "because of rule 1, Enterprise customers; Enterprise AM of this account is named for the customer" in shown
    tried = text(manager.get(f"{ROUTING}?test=1&kind=payment.refund&customer={customer.external_id}"))
    assert "Support Manager, anna because of rule 1" in tried
    assert "There is no customer with this id" in text(manager.get(f"{ROUTING}?test=1&customer=x"))
    one = AccountHolder.objects.get()
    assert manager.get(f"{ROUTING}holders/{one.pk}/").status_code == 200
    ended = manager.post(f"{ROUTING}holders/{one.pk}/end/", {"reason": "left"}, follow=True)
    assert "anna is no Enterprise AM of these accounts" in text(ended)
    assert manager.get(f"{ROUTING}holders/{one.pk}/").status_code == 404


def test_it_is_asked_for_on_the_contracts_page(manager):
    contract = f.ContractFactory(state="active")
    shown = text(manager.get(f"/admin/contracts/{contract.pk}/ask/?kind=subscription.cancel"))
    assert "When it ends" in shown
    assert "Safety window before an end at once" in shown
    said = {"kind": "subscription.cancel", "params.when": "now", "params.reason": "unpaid", "preview": "1"}
    no = manager.post(f"/admin/contracts/{contract.pk}/ask/", said)
    assert (no.status_code, "the contract is not linked to a subscription" in text(no)) == (409, True)


def test_what_is_an_owners_say_is_the_leads_to_change(manager):
    lead = signed_in("Revenue Ops Lead")
    one = OwnerSensitive.objects.get(kind="contract.cancel")
    assert manager.get(f"{ROUTING}sensitive/{one.pk}/").status_code == 403
    said = {"kind": "contract.cancel", "on": "no", "reason": "trusted", "version": 0}
    assert manager.post(f"{ROUTING}sensitive/{one.pk}/", said).status_code == 403
    assert lead.get(f"{ROUTING}sensitive/add/").status_code == 200
    assert "Cancel contract is no owner's say" in text(lead.post(f"{ROUTING}sensitive/{one.pk}/", said, follow=True))
    assert lead.post(f"{ROUTING}sensitive/add/", {**said, "kind": "x"}).status_code == 422
    assert not OwnerSensitive.objects.get(pk=one.pk).is_on


@pytest.mark.django_db(transaction=True)
def test_the_pages_are_accessible_and_fit(console):  # noqa: F811  a fixture
    page = console()
    boss = f.User.objects.get(username="miguel")
    customer = f.CustomerFactory(tier="enterprise", mrr_minor=500_000, currency="usd", name="A rather long name, Co KG")
    blocklist.add("customer", customer.external_id, "A court decides about this account until spring", by=boss)
    said = HolderFields("Enterprise AM", boss.pk, customer.external_id, reason="knows them")
    accounts_edit.save_holder(None, said, by=boss)
    said = HolderFields("Billing Resolver", boss.pk, tiers=["growth"], regions=["emea"], reason="there")
    accounts_edit.save_holder(None, said, by=boss)
    item = item_about(customer)

    seen = {
        name: look_at(page, name, address)
        for name, address in {
            "cancellations": HERE, "routing": ROUTING, "holder": f"{ROUTING}holders/add/",
            "cancel_item": f"/admin/gates/reviewitem/{item.pk}/change/",
        }.items()
    }  # fmt: skip

    assert faults(seen) == {}
