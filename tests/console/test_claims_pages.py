"""The claims pages: what they list, and that they can be read by everybody, narrow and in the dark."""

import pytest

from sync.claims import checking
from sync.claims.models import ClaimCheck
from tests import claim_cases
from tests import factories as f
from tests.claim_texts import ACME, CASES
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text
from tests.people.cast import person

HERE = "/admin/claims/"
EVIL = '<script>alert(1)</script> Your refund of 80.00 USD was issued. <img src=x onerror="alert(1)">'


@pytest.mark.django_db
def test_the_list_is_filtered_paged_and_inert(shipped, django_assert_max_num_queries):
    claim_cases.prepare()
    by = person("Support")
    for words, _ in CASES[:55] + CASES[28:30]:
        checking.verify(words, by=by, customer=ACME)
    client = signed_in("Support")

    every = text(client.get(f"{HERE}?verdict=all"))
    assert "Older" in every
    with django_assert_max_num_queries(14):
        shown = text(client.get(f"{HERE}?verdict=verified&source=person"))
    assert "Verified" in shown
    assert "refund is done: confirmed by the provider" in shown
    assert "Nothing here." in text(client.get(f"{HERE}?verdict=verified&source=draft"))
    last = ClaimCheck.objects.earliest("pk")
    assert f"#{last.pk}" in text(client.get(f"{HERE}?verdict=all&before={last.pk + 1}"))
    found = client.post(f"{HERE}verify/", {"text": EVIL, "customer": ACME})
    assert b"<script>alert" not in found.content
    assert b"<img src=x" not in found.content
    assert "the ledger has it confirmed otherwise" in text(found)
    assert client.get(f"{HERE}99999999/").status_code == 404
    assert signed_in("").get(HERE).status_code in (302, 403)


@pytest.mark.django_db(transaction=True)
def test_pages_are_accessible_and_fit(console, shipped):  # noqa: F811  a fixture
    page = console()
    claim_cases.prepare()
    manager = f.User.objects.get(username="miguel")
    for words, _ in CASES:
        check = checking.verify(words, by=manager, customer=ACME).check
    one = ClaimCheck.objects.filter(verdict="contradicted").latest("pk")
    seen = {
        name: look_at(page, name, address)
        for name, address in {"list": HERE, "all": f"{HERE}?verdict=all", "one": f"{HERE}{one.pk}/",
                              "none": f"{HERE}{check.pk}/"}.items()
    }  # fmt: skip
    page.goto(HERE)
    page.fill("#f-text", f"{CASES[0][0]} {EVIL}")
    page.fill("#f-customer", ACME)
    page.click("text=Compare it with the ledger")
    seen["found"] = look_at(page, "found")

    assert faults(seen) == {}
