import pytest
from tests.console.test_browser import browser, console
from tests.console.test_ticket_pages import HERE, KINDS, TicketKind, asking, met
@pytest.mark.django_db(transaction=True)
def test_shot(console, shipped):
    page = console()
    TicketKind.objects.get_or_create(name=KINDS[0]["name"], version=1, defaults=KINDS[0])
    item = asking()
    met("35437", state="merged", into="35436", kind="invoice-copy", resolved_how="person", reopened=1)
    for name, address in {"list": HERE, "kind": f"{HERE}kinds/invoice-copy/", "item": f"/admin/gates/reviewitem/{item.pk}/change/"}.items():
        for mode, width in (("light", 1280), ("dark", 390)):
            page.emulate_media(color_scheme=mode); page.set_viewport_size({"width": width, "height": 844})
            page.goto(address); page.screenshot(path=f"/tmp/tshot_{name}_{width}.png", full_page=True)
