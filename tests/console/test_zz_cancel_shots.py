import pytest
from gates import accounts_edit, blocklist
from gates.accounts_edit import HolderFields
from tests import factories as f
from tests.console.test_browser import browser, console  # noqa: F401
from tests.console.test_cancellation_pages import HERE, ROUTING, fresh, item_about  # noqa: F401


@pytest.mark.django_db(transaction=True)
def test_shots(console):  # noqa: F811
    page = console()
    boss = f.User.objects.get(username="miguel")
    customer = f.CustomerFactory(tier="enterprise", mrr_minor=500_000, currency="usd", name="A rather long name, Co KG")
    blocklist.add("customer", customer.external_id, "A court decides about this account until spring", by=boss)
    blocklist.add("reason", "unpaid", "Dunning decides about these", by=boss)
    accounts_edit.save_holder(None, HolderFields("Enterprise AM", boss.pk, customer.external_id, reason="x"), by=boss)
    accounts_edit.save_holder(None, HolderFields("Billing Resolver", boss.pk, tiers=["growth"], regions=["emea"], reason="x"), by=boss)
    item = item_about(customer)
    contract = item.action.contract_id
    pages = {"cancel": HERE, "routing": ROUTING + f"?test=1&kind=payment.refund&customer={customer.external_id}", "holder": ROUTING + "holders/add/",
             "item": f"/admin/gates/reviewitem/{item.pk}/change/", "ask": f"/admin/contracts/{contract}/ask/?kind=subscription.cancel"}
    for name, address in pages.items():
        page.goto(address)
        for mode, width in (("light", 1280), ("dark", 390)):
            page.emulate_media(color_scheme=mode)
            page.set_viewport_size({"width": width, "height": 844})
            page.screenshot(path=f"/tmp/shot_cancel_{name}_{width}.png", full_page=True)
