"""Gates as people see and write them: a form without scripts, four eyes, and a test on what was decided."""

import pytest
from django.urls import reverse

from gates import authoring
from gates.models import GateVersion
from ledger.models import LedgerRow
from ledger.words import KINDS
from meshline.console.gate_form import FormRow, GateForm
from tests import factories as f
from tests.console.conftest import signed_in
from tests.people.governance import back_tested
from tests.sync.test_backtest import stored

LIST, NEW = "/admin/gates/gateversion/", "/admin/gates/new/"


@pytest.fixture
def engineer(shipped):
    """Writes gates."""
    return signed_in("Automation Engineer")


@pytest.fixture
def lead(shipped):
    """Puts them in force."""
    return signed_in("Revenue Ops Lead")


def page(one):
    return reverse("admin:gates_gateversion_change", args=[one.pk])


def verb(client, one, name, **more):
    return client.post(f"/admin/gates/{one.pk}/{name}/", {"version": one.state_version, **more})


def typed(**more):
    return {
        "name": "long-tenure", "title": "", "field-1": "tenure_months", "op-1": "at_least", "value-1": "24",
        "result": "review", "message": "a long customer", "kind": ["contract.suspend"], "why": "asked for",
        "do": "save", **more,
    }  # fmt: skip


def drafted(client, **more):
    answer = client.post(NEW, typed(**more))
    assert answer.status_code == 302, answer.context and answer.context.get("refusal")
    return GateVersion.objects.latest("id")


def text(answer):
    return answer.content.decode()


# The form


def test_a_gate_is_written_submitted_and_put_in_force_by_two_people(engineer, lead):
    one = drafted(engineer)
    assert (one.state, one.rows, one.applies_to, one.written_by) == (
        "draft", [{"field": "tenure_months", "op": "at_least", "value": 24}], ["contract.suspend"], engineer.user,
    )  # fmt: skip

    assert verb(engineer, one, "submit").status_code == 409
    back_tested(one)
    assert verb(engineer, one, "submit").status_code == 302
    one.refresh_from_db()
    assert verb(engineer, one, "approve").status_code == 403
    answer = verb(lead, one, "approve")

    assert answer.status_code == 302
    one.refresh_from_db()
    assert (one.state, one.approved_by) == ("live", lead.user)


def test_rows_come_and_go_without_anything_being_stored(engineer):
    first = engineer.post(NEW, {"do": "add", "add-field": "fraud_flag"})
    form = first.context["form"]
    assert [(row.field, row.op, row.is_yes_no) for row in form.rows] == [("fraud_flag", "is", True)]

    both = engineer.post(NEW, typed(**{"do": "add", "add-field": "amount"}))
    assert [row.field for row in both.context["form"].rows] == ["tenure_months", "amount"]
    assert [name for name, _ in both.context["form"].rows[1].ops] == ["over"]

    gone = engineer.post(NEW, typed(**{"do": "remove-1", "field-2": "tier", "op-2": "is", "value-2": "growth"}))
    assert [(row.number, row.field) for row in gone.context["form"].rows] == [(1, "tier")]
    assert 'name="field-1"' in text(gone)
    assert not GateVersion.objects.filter(written_by=engineer.user).exists()


def test_a_row_whose_field_was_changed_gets_a_comparison_that_fits(engineer):
    form = engineer.post(NEW, typed(**{"do": "refresh", "field-1": "amount_30d"})).context["form"]

    assert (form.rows[0].op, form.rows[0].value) == ("over", "")


@pytest.mark.parametrize(
    ("field", "op", "value", "stored"),
    [
        ("tenure_months", "at_least", "24", 24),
        ("fraud_flag", "is", "yes", True),
        ("tier", "is", "enterprise", "enterprise"),
        ("tier", "one_of", "growth, enterprise", ["growth", "enterprise"]),
        ("amount", "over", "usd 500, EUR 499.99; jpy 75000\nkwd 1.5",
         {"usd": 50000, "eur": 49999, "jpy": 75000, "kwd": 1500}),
        ("amount", "over", "500.00 USD", {"usd": 50000}),
    ],
)  # fmt: skip
def test_what_is_typed_is_stored_typed_and_shown_as_typed(field, op, value, stored):
    assert FormRow(1, field, op, value).typed() == {"field": field, "op": op, "value": stored}
    one = GateVersion(rows=[{"field": field, "op": op, "value": stored}], name="x", result="hold")

    assert GateForm.of(one).rows[0].typed()["value"] == stored


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"value-1": "many"}, "row 1, value: tenure_months needs a whole number, not"),
        ({"value-1": ""}, "row 1, value: tenure_months needs a whole number"),
        ({"value-1": "1" * 30}, "row 1, value: tenure_months needs a whole number"),
        ({"field-1": "shoe"}, "row 1, field: choose what to look at"),
        ({"op-1": "one_of"}, "row 1, op: "),
        ({"field-1": "amount", "op-1": "over", "value-1": "500"}, "row 1, value: amount: "),
        ({"field-1": "amount", "op-1": "over", "value-1": "usd 5.001"}, "row 1, value: amount: "),
        ({"field-1": "amount", "op-1": "over", "value-1": "jpy 5.5"}, "row 1, value: amount: "),
        ({"field-1": "amount", "op-1": "over", "value-1": "xxx 5"}, "row 1, value: amount: "),
        ({"field-1": "amount", "op-1": "over", "value-1": "usd -5"}, "row 1, value: amount: "),
        ({"field-1": "amount", "op-1": "over", "value-1": "usd 5, usd 6"}, "row 1, value: amount: "),
        ({"field-1": "amount", "op-1": "over", "value-1": ""}, "row 1, value: amount needs a limit"),
        ({"field-2": "fraud_flag", "op-2": "is", "value-2": "perhaps"}, "row 2, value: fraud_flag needs"),
        ({"result": "pass"}, "result: must be one of"),
        ({"kind": "world.end"}, "applies_to: there is no action kind"),
        ({"message": ""}, "message: must not be empty"),
        ({"message": "x" * 1_000_000}, "message: at most 300 characters"),
        ({"why": " "}, "why: must not be empty"),
        ({"name": "Not A Name"}, "name: lower-case letters"),
        ({"starts": "tomorrow"}, "valid_from: needs a day and a time"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_what_was_typed_is_kept(engineer, more, said):
    answer = engineer.post(NEW, typed(**more))

    assert answer.status_code == 422
    assert answer.context["refusal"].message.startswith(said)
    assert "asked for" in text(answer) or "why" in more
    assert not GateVersion.objects.filter(written_by=engineer.user).exists()


def test_a_draft_is_written_on_and_an_old_page_is_told_so(engineer):
    one = drafted(engineer)
    address = f"/admin/gates/{one.pk}/edit/"
    assert 'value="24"' in text(engineer.get(address))

    assert engineer.post(address, typed(**{"value-1": "36", "version": one.state_version})).status_code == 302
    stale = engineer.post(address, typed(**{"value-1": "12", "version": one.state_version}))

    assert (stale.status_code, stale.context["refusal"].code) == (409, "stale")
    one.refresh_from_db()
    assert one.rows[0]["value"] == 36


def test_a_change_of_a_live_gate_is_the_next_version_and_its_name_cannot_be_bent(engineer):
    live = GateVersion.objects.get(name="open-dispute")
    address = f"/admin/gates/{live.pk}/edit/"
    assert "Open dispute: next version" in text(engineer.get(address))

    engineer.post(address, typed(name="another", **{"field-1": "open_disputes", "op-1": "over", "value-1": "1"}))

    made = GateVersion.objects.get(written_by=engineer.user)
    live.refresh_from_db()
    assert (made.name, made.version, made.state, live.rows[0]["value"]) == ("open-dispute", 2, "draft", 0)
    again = engineer.get(address)
    assert again["Location"] == page(made)


# Who may


@pytest.mark.parametrize("group", ["Support", "Revenue Ops Lead", "Auditor", "Support Manager"])
def test_only_writers_get_the_form(shipped, group):
    client = signed_in(group)
    one = GateVersion.objects.get(name="open-dispute")

    for address in (NEW, f"/admin/gates/{one.pk}/edit/"):
        assert client.get(address).status_code == 403
        assert client.post(address, typed()).status_code == 403
    assert NEW not in text(client.get(LIST))
    assert not GateVersion.objects.filter(name="long-tenure").exists()


def test_a_superuser_cannot_approve_what_they_wrote(superuser):
    one = drafted(superuser)
    back_tested(one)
    verb(superuser, one, "submit")
    one.refresh_from_db()

    shown = text(superuser.get(page(one)))
    answer = verb(superuser, one, "approve")

    assert "Another person has to approve it" in shown
    assert (answer.status_code, answer.context["refusal"].code) == (403, "four_eyes")
    one.refresh_from_db()
    assert one.state == "submitted"
    assert LedgerRow.objects.filter(subject_kind="gate", outcome="refused", error_code="four_eyes").count() == 1


@pytest.mark.parametrize("name", ["submit", "approve", "withdraw", "ask_retire", "retire", "keep", "take_back"])
def test_without_the_right_nothing_changes_however_it_is_sent(shipped, name):
    client = signed_in("Support")
    one = f.GateVersionFactory(state="submitted" if name in ("approve", "take_back") else "draft")
    if name in ("ask_retire", "retire", "keep"):
        one = f.GateVersionFactory()

    answer = verb(client, one, name, reason="so")

    assert answer.status_code == 403
    before = one.state
    one.refresh_from_db()
    assert (one.state, one.state_version) == (before, 0)


def test_pages_need_the_right_to_see_gates(nobody):
    one = GateVersion.objects.get(name="open-dispute")

    for name in ("test", "submit"):
        assert verb(nobody, one, name).status_code == 403
    assert nobody.get(NEW).status_code == 403


def test_a_link_to_a_verb_does_nothing(engineer):
    one = drafted(engineer)

    for name in ("submit", "withdraw", "test"):
        assert engineer.get(f"/admin/gates/{one.pk}/{name}/")["Location"] == page(one)
    one.refresh_from_db()
    assert one.state == "draft"


@pytest.mark.parametrize("path", ["999999/submit/", "999999/edit/", "1/explode/"])
def test_unknown_ones_are_missing(superuser, path):
    assert superuser.post(f"/admin/gates/{path}", {}).status_code == 404


def test_retiring_at_the_page_takes_two(engineer, lead):
    one = GateVersion.objects.get(name="owner-missing")

    assert verb(engineer, one, "ask_retire").status_code == 422
    assert verb(engineer, one, "ask_retire", reason="never fires").status_code == 302
    assert "never fires" in text(lead.get(page(one)))
    assert verb(engineer, one, "retire").status_code == 403
    assert verb(lead, one, "retire").status_code == 302

    one.refresh_from_db()
    assert (one.state, one.retired_at is None) == ("withdrawn", False)
    assert "Retired" in text(lead.get(page(one)))


def test_a_page_of_an_older_version_cannot_retire_the_newer_one(engineer, lead):
    old = GateVersion.objects.get(name="open-dispute")
    made = authoring.draft("open-dispute", [], "hold", "words", ["contract.suspend"], by=engineer.user, why="so")
    back_tested(made)
    made = authoring.submit(made.pk, by=engineer.user, version=made.state_version)
    authoring.approve(made.pk, by=lead.user, version=made.state_version)

    answer = verb(engineer, old, "ask_retire", reason="so")

    assert (answer.status_code, answer.context["refusal"].code) == (409, "stale")
    assert "ask_retire" not in text(engineer.get(page(old)))


# What is shown


def test_a_gate_is_shown_as_a_sentence_with_its_versions_and_what_changed(engineer, lead):
    old = GateVersion.objects.get(name="open-dispute")
    rows = [
        {"field": "open_disputes", "op": "over", "value": 2},
        {"field": "amount", "op": "over", "value": {"jpy": 9}},
    ]
    made = authoring.draft("open-dispute", rows, "review", old.message, old.applies_to, by=engineer.user, why="softer")

    shown = text(engineer.get(page(made)))

    assert (
        "waits for one person, when open disputes of the customer over 2 and amount of the action over 9 JPY" in shown
    )
    changes = shown[shown.index('class="diff"') :]
    disputes = "open disputes of the customer over"
    for gone, come in ((f"{disputes} 0", f"{disputes} 2"), ("answer: Block", "answer: Review by one person")):
        assert f"without</span> {gone}" in changes
        assert f"now</span> {come}" in changes
    assert "softer" in shown
    assert "Drafted" in shown or "drafted" in shown


def test_the_list_shows_what_judges_and_what_is_being_written(engineer):
    f.GateVersionFactory(name="gone", state="withdrawn", title="Gone for good")
    drafted(engineer, title="Being written")

    shown, every = text(engineer.get(LIST)), text(engineer.get(f"{LIST}?now=every"))

    assert "Being written" in shown
    assert "Open dispute" in shown
    assert "Gone for good" not in shown
    assert "Gone for good" in every
    assert NEW in shown


def test_the_list_counts_what_was_held_and_what_people_let_pass(engineer):
    for number in range(3):
        action = f.ActionFactory(state="approved")
        reasons = [{"rule": "open-dispute", "verdict": "block", "reason": "so"}, {"rule": "x", "verdict": "pass"}]
        about = {"action_id": action.pk, "subject_id": str(action.pk), "reasons": reasons}
        for _ in range(2):  # judged twice, counted once
            f.LedgerRowFactory(decision="ask", prior_state="held", post_state="in_review", **about)
        if number:
            f.LedgerRowFactory(
                decision="approve", prior_state="in_review", post_state="approved", actor="user:1", action_id=action.pk
            )

    listed = engineer.get(LIST).context["cl"].result_list

    assert {one.name: (one.use.held, one.use.unchanged) for one in listed if one.use.held} == {"open-dispute": (3, 2)}
    assert "2 (66 %)" in text(engineer.get(LIST))


def test_an_installation_without_gates_says_what_judges_then(engineer):
    GateVersion.objects.all().delete()

    assert "No gate: only the built-in rules judge." in text(engineer.get(LIST))


def test_every_field_operator_and_kind_can_be_chosen(engineer):
    for name, _ in GateForm().fields:
        shown = text(engineer.post(NEW, {"do": "add", "add-field": name}))
        assert f'<option value="{name}" selected>' in shown
    assert all(f'value="{kind}"' in shown for kind in KINDS)


def test_text_of_people_is_inert(engineer):
    one = drafted(engineer, message='<script>alert("x")</script>', title="<b>bold</b>")

    for shown in (
        text(engineer.get(page(one))),
        text(engineer.get(f"/admin/gates/{one.pk}/edit/")),
        text(engineer.get(LIST)),
    ):
        assert "<script>alert" not in shown
        assert "<b>bold</b>" not in shown


def test_the_test_is_shown_on_the_page_and_in_the_form_and_stores_nothing(engineer):
    row = stored()
    one = drafted(engineer, kind=["contract.restore"])
    before = LedgerRow.objects.count()

    on_page = text(verb(engineer, one, "test"))
    in_form = text(engineer.post(NEW, typed(do="test", kind=["contract.restore"], why="", message="")))

    for shown in (on_page, in_form):
        assert "It fires in <b>1</b> of 1." in shown
        assert f"/admin/ledger/ledgerrow/{row.pk}/change/" in shown
    assert LedgerRow.objects.count() == before
    assert GateVersion.objects.filter(written_by=engineer.user).count() == 1


def test_with_nothing_decided_the_test_says_so(engineer):
    one = GateVersion.objects.get(name="fraud-flag")

    assert "nothing to test on yet" in text(verb(engineer, one, "test"))
