"""Which runbook an item gets, who ticks its steps, and how it is changed and tested."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gates import presets_routing, runbooks
from gates.models import ReviewItem, Runbook, RunbookTick
from gates.runbooks import RunbookFields
from gates.stop import Refused
from ledger import clock
from ledger.models import LedgerRow
from meshline import checks
from sync import actions
from tests.factories import ReviewItemFactory
from tests.people.cast import item_in, person, refusals

pytestmark = pytest.mark.django_db
TEN = (
    "payment-failed-then-paid", "customer-suspended-wrongly", "duplicate-customer", "erp-job-rejected",
    "unknown-outcome", "webhook-source-silent", "key-rotation", "stop-and-resume", "assistant-claimed-action",
    "reconciliation-failed",
)  # fmt: skip
GOOD = RunbookFields(
    "Card was stolen", "A customer says that the card was stolen.", "Product Ops",
    {"kinds": ["alert"], "whys": [], "errors": [], "alerts": []},
    [{"text": "Ask the bank.", "verb": ""}, {"text": "Undo.", "verb": "rollback"}], reason="happened twice",
)  # fmt: skip


def refused(call, *args, **kwargs):
    with pytest.raises(Refused) as no:
        call(*args, **kwargs)
    return no.value.status, no.value.code


@pytest.mark.parametrize("slug", TEN)
def test_the_ten_runbooks_are_there_with_numbered_steps(slug):
    one = Runbook.objects.get(slug=slug)

    assert one.title
    assert len(one.when) > 40
    assert len(one.steps) >= 5
    assert all(len(step["text"]) > 10 and "<" not in step["text"] for step in one.steps)
    assert any(one.applies_to.values()), "it is found from somewhere"
    assert one.history.count() == 1


def test_steps_that_undo_or_ask_carry_their_verb():
    verbs = {one.slug: {step["verb"] for step in one.steps} - {""} for one in Runbook.objects.all()}

    assert verbs["customer-suspended-wrongly"] == {"rollback"}
    assert verbs["unknown-outcome"] == {"check"}
    assert verbs["erp-job-rejected"] == {"retry"}
    assert runbooks.compensates(Runbook.objects.get(slug="reconciliation-failed"))


def test_every_kind_that_names_a_runbook_finds_it():
    named = {kind.runbook for kind in map(actions.get, actions.ACTIONS) if kind.runbook}

    assert named <= set(Runbook.objects.values_list("slug", flat=True))
    assert all(checks.runbook(name).is_file() for name in named)


def test_the_marks_of_a_page_become_text():
    made = presets_routing.runbook_of(
        "x",
        '<h2>A <em>title</em></h2><p data-owner="Support" data-whys="a b">When &amp; why</p><p>no</p><h3>First</h3>'
        '<ol><li data-verb="check">Do <code>this</code> &lt;b&gt;</li></ol><h3>Then</h3><ol><li>That</li></ol>',
    )

    assert (made.title, made.when, made.owner_group) == ("A title", "When & why", "Support")
    assert made.applies_to["whys"] == ["a", "b"]
    assert made.steps == [{"text": "First: Do `this` <b>", "verb": "check"}, {"text": "Then: That", "verb": ""}]


@pytest.mark.parametrize(
    ("about", "slug"),
    [
        ({"kind": "contract.suspend", "why": "nothing"}, "customer-suspended-wrongly"),
        ({"kind": "contract.suspend", "why": "permanent"}, "erp-job-rejected"),
        ({"kind": "event", "why": "schema_drift"}, "schema-drift"),
        ({"kind": "x", "why": "outcome_unknown"}, "unknown-outcome"),
        ({"kind": "x", "why": "auth"}, "key-rotation"),
        ({"kind": "x", "why": "x"}, None),
    ],
)
def test_the_closest_runbook_is_shown(about, slug):
    found = runbooks.for_item(ReviewItem(**about))

    assert (found.slug if found else None) == slug


def test_what_names_the_error_wins():
    Runbook.objects.create(slug="tax", title="Tax id", when="x", applies_to={"errors": ["tax_id"]}, steps=[])

    assert runbooks.for_item(ReviewItem(kind="x", why="permanent", error_code="tax_id")).slug == "tax"


def test_a_step_is_ticked_once_and_told_in_the_ledger():
    item, by, runbook = item_in(), person("Support"), Runbook.objects.get(slug="unknown-outcome")

    first = runbooks.tick(item.pk, runbook.pk, 2, by=by)
    second = runbooks.tick(item.pk, runbook.pk, 2, by=person("Support"))

    assert (first, second.by) == (second, by)
    row = LedgerRow.objects.get(decision="tick")
    assert (row.subject_id, row.action_id, row.outcome) == (str(item.pk), item.action_id, "done")
    assert row.reasons[0]["reason"] == f"step 2 of {runbook.title}, version 1"
    assert runbooks.done(item.pk, runbook)[2].by == by.username


def test_only_ones_own_tick_is_taken_back():
    item, by, runbook = item_in(), person("Support"), Runbook.objects.get(slug="unknown-outcome")
    runbooks.tick(item.pk, runbook.pk, 1, by=by)

    assert refused(runbooks.untick, item.pk, runbook.pk, 1, by=person()) == (403, "not_yours")
    runbooks.untick(item.pk, runbook.pk, 1, by=by)
    runbooks.untick(item.pk, runbook.pk, 1, by=by)

    assert not RunbookTick.objects.exists()
    assert list(LedgerRow.objects.order_by("id").values_list("decision", flat=True)) == ["tick", "untick"]


def test_a_tick_needs_the_right_to_work_and_a_step_that_is_there():
    item, runbook = item_in(), Runbook.objects.get(slug="unknown-outcome")

    assert refused(runbooks.tick, item.pk, runbook.pk, 1, by=person("Auditor")) == (403, "permission")
    assert refusals()[0][:2] == ("tick", "permission")
    for step in (0, -1, 99):
        assert refused(runbooks.tick, item.pk, runbook.pk, step, by=person()) == (404, "step")
    assert refused(runbooks.tick, 4711, runbook.pk, 1, by=person()) == (404, "unknown")
    assert refused(runbooks.tick, item.pk, 4711, 1, by=person()) == (404, "unknown")
    assert not RunbookTick.objects.exists()


def test_a_change_is_a_new_version_that_has_to_be_tested():
    by, runbook, item = person("Product Ops"), Runbook.objects.get(slug="unknown-outcome"), ReviewItemFactory()
    runbooks.tick(item.pk, runbook.pk, 1, by=by)
    runbooks.record_test(runbook.pk, by=by, version=1)

    saved = runbooks.save_runbook(runbook.pk, GOOD, by=by, version=1)

    assert (saved.version, saved.slug, saved.tested_at) == (2, "unknown-outcome", None)
    assert runbooks.done(item.pk, saved) == {}, "steps of the old version are not steps of the new one"
    assert RunbookTick.objects.get().version == 1
    decisions = LedgerRow.objects.filter(subject_kind="runbook").order_by("id").values_list("decision", flat=True)
    assert list(decisions) == ["test_runbook", "edit_runbook"]
    assert refused(runbooks.save_runbook, runbook.pk, GOOD, by=by, version=1) == (409, "stale")
    assert refused(runbooks.record_test, runbook.pk, by=by, version=1) == (409, "stale")


def test_a_runbook_is_stale_after_ninety_days_or_untested():
    now = clock.now()
    assert runbooks.is_stale(Runbook(tested_at=None), now)
    assert not runbooks.is_stale(Runbook(tested_at=now - timedelta(days=89)), now)
    assert runbooks.is_stale(Runbook(tested_at=now - timedelta(days=91)), now)


def test_a_new_runbook_is_found_by_what_it_applies_to():
    made = runbooks.save_runbook(None, GOOD, by=person("Product Ops"))

    assert (made.slug, made.version) == ("card-was-stolen", 1)
    assert runbooks.for_item(ReviewItem(kind="alert", why="x")) == made
    assert refused(runbooks.save_runbook, None, GOOD, by=person("Product Ops")) == (409, "title")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": ""}, "title"), ({"title": "x" * 121}, "title"), ({"when": " "}, "when"), ({"when": "a\x00"}, "when"),
        ({"owner_group": "Nobody"}, "owner_group"), ({"steps": []}, "steps"),
        ({"steps": [{"text": "x", "verb": "delete"}]}, "steps"), ({"steps": [{"text": "", "verb": "check"}]}, "steps"),
        ({"steps": [{"text": "x", "verb": "propose:nothing"}]}, "steps"), ({"steps": [{"text": "x"}] * 41}, "steps"),
        ({"steps": [{"text": "x" * 601}]}, "steps"), ({"applies_to": {"kinds": ["<script>"]}}, "kinds"),
        ({"applies_to": {"whys": ["a" * 61]}}, "whys"), ({"reason": ""}, "reason"),
    ],
)  # fmt: skip
def test_a_runbook_that_makes_no_sense_is_refused_by_field(wrong, field):
    count = Runbook.objects.count()

    assert refused(runbooks.save_runbook, None, replace(GOOD, **wrong), by=person("Product Ops")) == (422, field)
    assert Runbook.objects.count() == count


@pytest.mark.parametrize("group", ["Support", "Billing Resolver", "Automation Engineer", "Revenue Ops Lead", "Auditor"])
def test_only_product_ops_and_managers_change_runbooks(group):
    by, runbook = person(group), Runbook.objects.get(slug="unknown-outcome")

    assert refused(runbooks.save_runbook, runbook.pk, GOOD, by=by, version=1) == (403, "permission")
    assert refused(runbooks.record_test, runbook.pk, by=by, version=1) == (403, "permission")

    assert [one[:2] for one in refusals()] == [("edit_runbook", "permission"), ("test_runbook", "permission")]
