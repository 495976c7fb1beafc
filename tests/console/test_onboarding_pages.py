"""Onboarding in the console and by the API: lists, board, refused deals, one checklist and its verbs, the template."""

from datetime import timedelta

import pytest

from gates import presets_checklists
from gates.checklists import running, timely
from gates.models import Checklist, ChecklistStep, ChecklistTemplate, ReviewItem
from ledger import clock
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_routing import text
from tests.people.onboardings import begun, step

HERE = "/admin/onboarding/"
API = "/api/v1/onboarding/checklists/"
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


@pytest.fixture
def csm(shipped):
    return signed_in("CSM")


def at(one):
    return f"{HERE}{one.pk}/"


def press(client, one, verb, key="welcome_call", **more):
    said = {"version": step(one, key).state_version, "reason": "because", **more}
    return client.post(f"{at(one)}{key}/{verb}/", said, follow=True)


def test_the_lists_show_filter_search_and_page(csm, django_assert_max_num_queries, monkeypatch):
    assert "A checklist starts when a deal is signed" in text(csm.get(HERE))
    acme = begun("901", customer=f.CustomerFactory(name="Acme"), package="GROW-9", csm="77")
    old = begun("902", ago=timedelta(days=40), customer=f.CustomerFactory(name="Northwind"))
    timely.tend()
    running.cancel([begun("903", customer=f.CustomerFactory(name="Gone Oy")).contract_id], "lost")

    def shown(query=""):
        page = text(csm.get(f"{HERE}?{query}"))
        return [name for name in ("Acme", "Northwind", "Gone Oy") if name in page]

    assert shown() == ["Acme", "Northwind"]
    assert shown("late=yes") == shown("blocked=yes") == shown("q=902") == shown("q=North") == ["Northwind"]
    assert shown("package=GROW-9") == shown("csm=77") == shown(f"q=CL-{acme.pk}") == ["Acme"]
    assert shown("owner=Revenue+Ops+Lead") == ["Acme", "Northwind"]
    assert shown("owner=CSM") == shown("q=%00zzz") == []
    assert shown("tab=ended") == ["Gone Oy"]
    assert shown("tab=board") == ["Acme", "Northwind"]
    assert "Clear filters" in text(csm.get(f"{HERE}?late=yes&q=zzz"))
    assert f"{old}" in text(csm.get(f"{HERE}?tab=board&late=yes"))
    for n in range(52):
        begun(f"x{n}")
    for tab in ("", "board"):
        with django_assert_max_num_queries(18):
            page = csm.get(f"{HERE}?tab={tab}").content.decode()
    page = csm.get(HERE).content.decode()
    older = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "Northwind" in text(csm.get(HERE + older))
    assert "Signed to customer none yet" in text(csm.get(HERE))


def test_refused_deals_have_their_tab_with_what_is_wrong(csm):
    refused = f.ActionFactory(
        kind="customer.create", state="in_review", params={"deal": "77"}, contract=f.ContractFactory()
    )
    item = f.ReviewItemFactory(action=refused, reason="billing owner is missing", kind="customer.create")
    one = begun()
    f.ActionFactory(kind="customer.create", state="in_review", contract=one.contract, customer=one.customer)

    page = text(csm.get(f"{HERE}?tab=refused"))

    assert "billing owner is missing" in page
    assert f"{item}" in page
    assert page.count("In review") == 1


def test_steps_are_worked_on_the_page(csm, django_assert_max_num_queries):
    one = begun(customer=f.CustomerFactory(name=EVIL), package=EVIL[:60])
    running.prove([running.Proof(one.contract_id, "customer.applied", "action", str(f.ActionFactory().pk))])
    with django_assert_max_num_queries(26):
        page = csm.get(at(one)).content.decode()
    assert "<script>alert" not in page
    assert "ticks itself once the deal says everything" in page
    assert "/admin/ledger/action/" in page

    form = text(csm.get(f"{at(one)}?step=welcome_call"))
    for words in ("Nudge its owner now", "Escalate to the Onboarding Squad", "Change the due date", "Skip it"):
        assert words in form
    assert "Its owner was nudged" in text(press(csm, one, "nudge"))
    assert press(csm, one, "nudge").status_code == 409
    assert "has it now" in text(press(csm, one, "escalate"))
    item = ReviewItem.objects.filter(why="step_late").get()
    shown = signed_in("Onboarding Squad").get(f"/admin/gates/reviewitem/{item.pk}/change/").content.decode()
    assert f"{at(one)}?step=welcome_call#form" in shown
    assert "Given to its new owner" in text(press(csm, one, "reassign", group="CSM", to=str(csm.user.pk)))
    assert press(csm, one, "reassign", group="", to="x").status_code == 422
    wrong = press(csm, one, "redate", due="soon")
    assert (wrong.status_code, "a date and time like" in text(wrong)) == (422, True)
    later = f"{clock.now() + timedelta(days=2):%Y-%m-%dT%H:%M}"
    assert "Due at another time" in text(press(csm, one, "redate", due=later))
    assert press(csm, one, "skip", reason="").status_code == 422
    assert press(csm, one, "tick", version=99).status_code == 409
    assert "Done: Welcome call held" in text(press(csm, one, "tick"))
    assert csm.get(f"{at(one)}welcome_call/tick/").status_code == 302
    assert csm.post(f"{at(one)}welcome_call/burn/").status_code == 404
    assert csm.post(f"{HERE}99999/welcome_call/tick/", {"version": 1}).status_code == 404
    assert "Skip it" not in text(signed_in("Auditor").get(f"{at(one)}?step=access"))
    one.refresh_from_db()
    ended = csm.post(f"{at(one)}end/", {"version": one.state_version, "reason": "gone"}, follow=True)
    assert "Nobody is nudged" in text(ended)
    assert Checklist.objects.get().state == "cancelled"


def test_mail_is_shown_first_and_says_what_to_set(csm):
    one = begun()

    assert "Show what would be sent" in text(csm.get(f"{at(one)}?mail=1"))
    answer = csm.post(f"{at(one)}mail/", {"preview": "1", "note": EVIL, "version": one.state_version})

    assert (answer.status_code, "set MESHLINE_MAIL_HOST and MESHLINE_MAIL_FROM" in text(answer)) == (409, True)
    assert "<script>alert" not in answer.content.decode()
    assert csm.get(f"{at(one)}mail/").status_code == 302


def test_the_template_is_edited_line_by_line(shipped):
    ops, csm = signed_in("Product Ops"), signed_in("CSM")
    page = ops.get(f"{HERE}template/").content.decode()
    assert "fields_valid | Deal fields valid | Revenue Ops Lead | 2 | 4 | office blocks fields.valid" in page
    read = csm.get(f"{HERE}template/")
    assert "<textarea" not in read.content.decode()
    assert "due after 2 h, escalated 4 h later" in text(read)
    lines = "call | Call | CSM | 4 | 2 | office\nfirst | First value | CSM | 9 | 9 | value"
    said = {"title": "Two steps", "steps": lines, "reason": "simpler", "version": 1}

    for wrong, words in (
        ({"steps": "a | b"}, "line 1 has 2 parts"), ({"steps": "a | b | CSM | x | 1"}, "step 1, hours"),
        ({"steps": "a | b | CSM | 1 | 1 | often"}, "has the mark"), ({"reason": ""}, "reason"),
        ({"version": "x"}, "version"), ({"version": 4}, "nothing was saved"),
    ):  # fmt: skip
        answer = ops.post(f"{HERE}template/", said | wrong)
        assert (answer.status_code in (409, 422), words.lower() in text(answer).lower()) == (True, True), words
    assert csm.post(f"{HERE}template/", said).status_code == 403
    assert ops.post(f"{HERE}template/", said).status_code == 302
    made = ChecklistTemplate.objects.order_by("-version").first()
    assert (made.version, [one["value"] for one in made.steps]) == (2, [False, True])
    assert len(presets_checklists.STEPS) == 7
    assert begun().steps.count() == 2


def test_the_api_lists_and_ticks(csm):
    one, other = begun("901", package="GROW-9"), begun("902", ago=timedelta(days=40))
    timely.tend()

    assert [row["deal"] for row in csm.get(API).json()["results"]] == ["902", "901"]
    assert [row["id"] for row in csm.get(f"{API}?late=yes").json()["results"]] == [other.pk]
    assert [row["id"] for row in csm.get(f"{API}?package=GROW-9&state=running").json()["results"]] == [one.pk]
    assert csm.get(f"{API}?state=odd").status_code == 422
    found = csm.get(API).json()["results"][1]["steps"]
    assert [(one["key"], one["state"]) for one in found][:1] == [("fields_valid", "waiting")]
    address = f"{API}{one.pk}/steps/welcome_call/tick/"

    def tick(version):
        return csm.post(address, {"state_version": version}, "application/json")

    assert (tick(7).status_code, tick("x").status_code) == (409, 422)
    done = tick(0)
    assert (done.status_code, step(one).ticked_by) == (200, csm.user)
    assert tick(1).json()["error"]["code"] == "state"
    assert ChecklistStep.objects.filter(state="done").count() == 1
