"""Runbooks in the console: lists, changes, tests, steps beside an item."""

import re
from datetime import timedelta

import pytest

from gates import ownership, runbooks
from gates.models import BusinessHours, OwnershipRule, Runbook, RunbookTick, SlaPolicy
from ledger import clock
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_routing import book_form, rule_form, text

ROUTING, RUNBOOKS = "/admin/routing/", "/admin/runbooks/"
BOOK = f"{RUNBOOKS}unknown-outcome/"
EDITING = ("routing/rules/add/", "routing/sla/add/", "routing/hours/add/", "runbooks/new/")


def test_runbooks_are_searched_and_filtered(support):
    Runbook.objects.filter(slug="key-rotation").update(tested_at=clock.now())

    def shown(query):
        page = support.get(f"{RUNBOOKS}?{query}").content.decode()
        return re.findall(r'<td><a href="/admin/runbooks/([a-z-]+)/"', page)

    assert len(shown("")) >= 12
    assert shown("q=bank+confirm+nothing") == []
    assert "key-rotation" in shown("q=signing+SECRET")
    assert shown("stale=no") == ["key-rotation"]
    assert "key-rotation" not in shown("stale=yes")
    assert "customer-suspended-wrongly" in shown("undo=yes")
    assert "key-rotation" not in shown("undo=yes")
    assert shown("about=restore-asks") == ["payment-failed-then-paid"]
    assert set(shown("owner=Automation+Engineer")) == {
        "contradicting-events", "ingest-slow", "key-rotation", "on-call-not-paged", "provider-down",
        "rule-not-measured", "schema-drift", "webhook-source-silent", "workers-silent",
    }  # fmt: skip
    assert "Clear filters" in text(support.get(f"{RUNBOOKS}?q=%00zzz"))


def test_use_is_counted_by_items(support, django_assert_max_num_queries):
    book = Runbook.objects.get(slug="unknown-outcome")
    for state in ("open", "resolved"):
        item = f.ReviewItemFactory(state=state)
        runbooks.tick(item.pk, book.pk, 1, by=support.user)
        runbooks.tick(item.pk, book.pk, 2, by=support.user)
    old = f.ReviewItemFactory()
    f.User.objects.get(pk=support.user.pk)
    RunbookTick.objects.create(
        item=old, runbook=book, version=1, step=1, by=support.user, at=clock.now() - timedelta(days=31)
    )

    with django_assert_max_num_queries(14):
        page = text(support.get(RUNBOOKS))

    assert "Billing Resolver 2 50 % never" in page
    one = text(support.get(BOOK))
    assert "2 items, 1 settled" in one
    assert str(old) in one


def test_a_runbook_is_changed_as_a_new_version_and_tested(manager):
    form = manager.get(f"{BOOK}?edit=1").content.decode()
    assert "[check] Press “Check now”" in form

    saved = manager.post(f"{BOOK}edit/", book_form(kinds="contract.cancel\ncontract.cancel"), follow=True)
    book = Runbook.objects.get(slug="unknown-outcome")
    assert (book.version, book.title, book.applies_to["kinds"]) == (2, "Card was stolen", ["contract.cancel"])
    assert book.steps[1] == {"text": "Look again.", "verb": "check"}
    assert "Stale" in text(saved)
    manager.post(f"{BOOK}test/", {"version": 2})
    book.refresh_from_db()
    assert book.tested_by == manager.user

    assert manager.post(f"{BOOK}edit/", book_form(version=1)).status_code == 409
    assert manager.post(f"{BOOK}test/", {"version": 1}).status_code == 409


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"title": ""}, "title: 1 to 120"), ({"when": ""}, "when: 1 to 300"), ({"steps": ""}, "steps: 1 to 40"),
        ({"steps": "[delete] all"}, "step 1 has the verb"), ({"steps": "x" * 700}, "step 1 has 700 characters"),
        ({"owner_group": "x"}, "owner group"), ({"errors": "a b"}, "errors: names"), ({"reason": " "}, "reason"),
        ({"version": "x"}, "version"),
    ],
)  # fmt: skip
def test_a_wrong_runbook_is_told_field_and_rule(manager, wrong, words):
    answer = manager.post(f"{BOOK}edit/", book_form() | wrong)

    assert answer.status_code == 422
    assert words.lower() in text(answer).lower()
    assert Runbook.objects.get(slug="unknown-outcome").version == 1


def test_a_runbook_is_written_from_an_item_that_has_none(manager):
    item = f.ReviewItemFactory(action__kind="alert", kind="alert", why="odd", error_code="tax_id")

    page = manager.get(f"/admin/gates/reviewitem/{item.pk}/change/").content.decode()
    assert f'href="{RUNBOOKS}new/?item={item.pk}"' in page
    form = manager.get(f"{RUNBOOKS}new/?item={item.pk}").content.decode()
    assert "tax_id" in form
    assert manager.post(f"{RUNBOOKS}new/", book_form(errors="tax_id")).status_code == 302

    assert "Runbook: Card was stolen" in text(manager.get(f"/admin/gates/reviewitem/{item.pk}/change/"))
    for odd in ("x", "9" * 40, "-1", "%00"):
        assert manager.get(f"{RUNBOOKS}new/?item={odd}").status_code == 200


def test_steps_are_ticked_beside_the_item(support):
    item = f.ReviewItemFactory(why="outcome_unknown", action__state="unknown")
    book, page = Runbook.objects.get(slug="unknown-outcome"), f"/admin/gates/reviewitem/{item.pk}/change/"
    at = f"/admin/review/{item.pk}/runbook/{book.pk}/"
    assert support.get(f"{at}1/tick/").status_code == 302
    assert not RunbookTick.objects.exists()

    answer = support.post(f"{at}1/tick/", follow=True)

    assert answer.redirect_chain[0][0] == f"{page}#runbook"
    assert f"✓ {support.user.username}" in text(answer)
    assert "Check now" in text(answer)
    support.post(f"{at}1/untick/")
    assert not RunbookTick.objects.exists()
    assert support.post(f"{at}99/tick/").status_code == 404
    assert support.post(f"{at}1/burn/").status_code == 404
    assert support.post(f"/admin/review/99999/runbook/{book.pk}/1/tick/").status_code == 404


def test_who_may_not_work_ticks_nothing(shipped):
    auditor = signed_in("Auditor")
    item, book = f.ReviewItemFactory(why="outcome_unknown"), Runbook.objects.get(slug="unknown-outcome")

    page = auditor.get(f"/admin/gates/reviewitem/{item.pk}/change/").content.decode()
    assert "Runbook: " in page
    assert "runbook_tick" not in page
    assert "/tick/" not in page
    assert auditor.post(f"/admin/review/{item.pk}/runbook/{book.pk}/1/tick/").status_code == 403
    assert not RunbookTick.objects.exists()


def test_empty_pages_say_what_to_do(manager):
    RunbookTick.objects.all().delete()
    Runbook.objects.all().delete()
    SlaPolicy.objects.all().delete()
    BusinessHours.objects.all().delete()
    OwnershipRule.objects.all().delete()
    ownership.forget()

    assert "There is no runbook yet" in text(manager.get(RUNBOOKS))
    page = text(manager.get(ROUTING))
    for words in ("There are no rules", "No policy is stored", "No calendar", "Nobody is away"):
        assert words in page


def test_hostile_words_are_text(manager):
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    manager.post(f"{ROUTING}rules/add/", rule_form(title=evil))
    manager.post(f"{BOOK}edit/", book_form(title=evil, when=evil, steps=f"`{evil}` {evil}"))

    for path in (ROUTING, RUNBOOKS, BOOK, f"{BOOK}?edit=1"):
        page = manager.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "&lt;script&gt;" in page, path
