"""Runbooks, ownership and SLA in the console: who may read, who may change, and what a wrong form is told."""

import re
from datetime import timedelta

import pytest

from gates import ownership, routing_edit
from gates.models import Absence, BusinessHours, OwnershipRule, ReviewItem, Runbook, SlaPolicy
from ledger import clock
from ledger.models import LedgerRow
from tests import factories as f

ROUTING, RUNBOOKS = "/admin/routing/", "/admin/runbooks/"
BOOK = f"{RUNBOOKS}unknown-outcome/"
EDITING = ("routing/rules/add/", "routing/sla/add/", "routing/hours/add/", "runbooks/new/")


def text(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def rule_form(rule=None, **changes):
    said = {
        "title": "Refunds", "kinds": ["contract.cancel"], "group": "Billing Resolver", "person": "",
        "fallback_group": "Support Manager", "mrr_from_minor": "", "reason": "agreed",
        "version": routing_edit.version_of(rule) if rule else 0,
    }  # fmt: skip
    return said | changes


def policy_form(policy=None, **changes):
    said = {
        "kind": "ticket.tag", "tier": "", "touch_minutes": "30", "decide_minutes": "60", "hours": "",
        "steps": "50\n100 % Support Manager", "reason": "agreed",
        "version": routing_edit.version_of(policy) if policy else 0,
    }  # fmt: skip
    return said | changes


def hours_form(calendar=None, **changes):
    said = {
        "name": "Office hours", "zone": "Europe/Berlin", **{f"day{n}": "09:00-12:00, 13:00-17:00" for n in range(5)},
        "day5": "", "day6": "", "holidays": "2026-12-25\n2026-12-26", "reason": "agreed",
        "version": routing_edit.version_of(calendar) if calendar else 0,
    }  # fmt: skip
    return said | changes


def book_form(**changes):
    said = {
        "title": "Card was stolen", "when": "A customer says so.", "owner_group": "Product Ops",
        "steps": "Ask the bank.\n[check] Look again.", "kinds": "", "whys": "", "errors": "", "alerts": "",
        "reason": "happened twice", "version": 1,
    }  # fmt: skip
    return said | changes


@pytest.mark.parametrize("path", [ROUTING, RUNBOOKS, BOOK, f"{ROUTING}?test=1", *(f"/admin/{one}" for one in EDITING)])
def test_nobody_reads_without_a_group(nobody, path):
    assert nobody.get(path).status_code == 403
    assert "Ownership and SLA" not in nobody.get("/admin/").content.decode()


def test_everybody_in_a_group_reads_and_finds_the_way(support):
    home = support.get("/admin/").content.decode()
    assert f'href="{ROUTING}"' in home
    assert f'href="{RUNBOOKS}"' in home

    for path in (ROUTING, RUNBOOKS, BOOK):
        page = support.get(path)
        assert page.status_code == 200
        assert "Add a rule" not in page.content.decode()
        assert "Write a runbook" not in page.content.decode()


@pytest.mark.parametrize("path", EDITING)
def test_forms_are_for_those_who_may_change(support, manager, path):
    assert support.get(f"/admin/{path}").status_code == 403
    assert manager.get(f"/admin/{path}").status_code == 200


def test_a_hand_made_post_without_the_permission_is_refused_and_written_down(support):
    rule, policy, hours = OwnershipRule.objects.first(), SlaPolicy.objects.first(), BusinessHours.objects.get()
    other = f.UserFactory()
    posts = {
        f"{ROUTING}rules/{rule.pk}/": rule_form(rule), f"{ROUTING}rules/add/": rule_form(),
        f"{ROUTING}rules/{rule.pk}/down/": {}, f"{ROUTING}rules/{rule.pk}/end/": {"reason": "x"},
        f"{ROUTING}sla/{policy.pk}/": policy_form(policy), f"{ROUTING}sla/{policy.pk}/end/": {"reason": "x"},
        f"{ROUTING}hours/{hours.pk}/": hours_form(hours), f"{BOOK}edit/": book_form(), f"{BOOK}test/": {"version": 1},
        f"{RUNBOOKS}new/": book_form(),
        f"{ROUTING}absences/add/": {"person": other.pk, "starts": "2090-01-01", "ends": "2090-01-02"},
    }  # fmt: skip
    before = list(OwnershipRule.objects.values()), list(SlaPolicy.objects.values()), list(Runbook.objects.values())

    for path, said in posts.items():
        assert support.post(path, said).status_code == 403, path

    assert (
        list(OwnershipRule.objects.values()), list(SlaPolicy.objects.values()), list(Runbook.objects.values()),
    ) == before  # fmt: skip
    assert not Absence.objects.exists()
    assert LedgerRow.objects.filter(outcome="refused", error_code="permission").count() == len(posts)


@pytest.mark.parametrize(
    "path", ["rules/1/up/", "rules/1/down/", "rules/1/end/", "sla/1/end/", "absences/1/end/", "absences/add/"]
)
def test_a_link_changes_nothing(manager, path):
    before = list(OwnershipRule.objects.values_list("pk", "position"))

    assert manager.get(f"{ROUTING}{path}").status_code == 302
    assert list(OwnershipRule.objects.values_list("pk", "position")) == before


@pytest.mark.parametrize(
    "path", ["rules/1/delete/", "nothing/add/", "nothing/1/", "rules/999/", "rules/999/up/", "sla/999/"]
)
def test_what_is_not_there_is_not_found(manager, path):
    assert manager.post(f"{ROUTING}{path}", {"version": 1}).status_code == 404


def test_the_rules_are_shown_in_their_order_with_words(manager):
    page = text(manager.get(ROUTING))

    assert page.index("Enterprise customers") < page.index("Changes of contracts") < page.index("Everything else")
    assert "the tier is Enterprise" in page
    assert "it is about Suspend contract or Downgrade contract" in page
    assert "always: whatever no other rule fits" in page


def test_a_rule_is_added_moved_changed_and_retired(manager):
    assert manager.post(f"{ROUTING}rules/add/", rule_form()).status_code == 302
    rule = OwnershipRule.objects.get(title="Refunds")
    assert (rule.position, rule.kinds, rule.person) == (9, ["contract.cancel"], None)

    manager.post(f"{ROUTING}rules/{rule.pk}/up/")
    rule.refresh_from_db()
    assert rule.position == 8
    manager.post(f"{ROUTING}rules/{rule.pk}/", rule_form(rule, title="Ends", mrr_from_minor="50000"))
    assert "at least 50,000 minor units" in text(manager.get(ROUTING))
    manager.post(f"{ROUTING}rules/{rule.pk}/end/", {"reason": "no longer"})

    rule.refresh_from_db()
    assert rule.retired_at
    assert "Retired: Ends." in text(manager.get(ROUTING))
    assert "Ends" not in text(manager.get(ROUTING))
    rows = LedgerRow.objects.filter(subject_kind="routing").order_by("id").values_list("decision", flat=True)
    assert list(rows) == ["add_rule", "move_rule", "edit_rule", "retire_rule"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title": ""}, "title"), ({"group": "Nobody"}, "group"), ({"fallback_group": "Billing Resolver"}, "fallback"),
        ({"kinds": ["nothing"]}, "kinds"), ({"kinds": []}, "conditions"), ({"mrr_from_minor": "1.5"}, "revenue"),
        ({"mrr_from_minor": "-3"}, "monthly revenue"), ({"person": "x"}, "person"), ({"reason": ""}, "reason"),
        ({"reason": "x" * 1_000_000}, "reason"), ({"version": "-1"}, "version"), ({"version": ""}, "version"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_told_field_and_rule_and_what_was_typed_stays(manager, wrong, field):
    answer = manager.post(f"{ROUTING}rules/add/", rule_form(title="My words") | wrong)

    page = text(answer)
    assert answer.status_code == 422
    assert field in page[page.index("Not done") :][:200].lower()
    if "title" not in wrong:
        assert "My words" in answer.content.decode()
    assert OwnershipRule.objects.count() == 9


def test_a_stale_form_saves_nothing_and_says_so(manager):
    rule = OwnershipRule.objects.get(title="Money")
    seen = rule_form(rule, title="First")
    manager.post(f"{ROUTING}rules/{rule.pk}/", seen)

    answer = manager.post(f"{ROUTING}rules/{rule.pk}/", seen | {"title": "Second"})

    assert answer.status_code == 409
    assert "changed since the page was drawn" in text(answer)
    assert OwnershipRule.objects.get(pk=rule.pk).title == "First"


def test_the_last_rule_offers_neither_conditions_nor_an_end(manager):
    last = OwnershipRule.objects.latest("position")

    page = manager.get(f"{ROUTING}rules/{last.pk}/").content.decode()
    assert 'name="kinds"' not in page
    assert "Retire this rule" not in page
    assert manager.post(f"{ROUTING}rules/{last.pk}/end/", {"reason": "x"}).status_code == 409
    said = rule_form(last, kinds=["contract.cancel"])
    assert manager.post(f"{ROUTING}rules/{last.pk}/", said).status_code == 422


def test_the_test_box_says_who_gets_it_why_and_by_when(support):
    f.UserFactory(groups=["Billing Resolver"])
    ownership.forget()

    page = text(support.get(f"{ROUTING}?test=1&kind=payment.refund&tier=growth&mrr_minor=5"))
    assert "Billing Resolver because of rule 2, Money; nobody is Billing Resolver of this account" in page
    assert "policy for payment.refund" in page
    for odd in (
        "kind=%00",
        "kind=<script>",
        "mrr_minor=abc",
        "mrr_minor=" + "9" * 400,
        "tier[]=1",
        "why=" + "x" * 5000,
    ):
        answer = support.get(f"{ROUTING}?test=1&{odd}")
        assert answer.status_code == 200
        assert "<script>alert" not in answer.content.decode()


def test_a_policy_moves_open_items_and_says_how_many(manager):
    now = clock.now()
    for _ in range(3):
        f.ReviewItemFactory(action__kind="ticket.tag", kind="ticket.tag", due_at=now + timedelta(hours=24))

    answer = manager.post(f"{ROUTING}sla/add/", policy_form(), follow=True)

    assert "3 open items got another due time." in text(answer)
    policy = SlaPolicy.objects.get(kind="ticket.tag")
    assert policy.steps == [{"at_percent": 50, "group": ""}, {"at_percent": 100, "group": "Support Manager"}]
    assert ReviewItem.objects.filter(target_seconds=3600, bump_at__isnull=False).count() == 3
    again = manager.post(f"{ROUTING}sla/{policy.pk}/", policy_form(policy), follow=True)
    assert "No open item got another due time." in text(again)
    gone = manager.post(f"{ROUTING}sla/{policy.pk}/end/", {"reason": "no"}, follow=True)
    assert "Removed. 3 open items" in text(gone)


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        ({"touch_minutes": "x"}, 422, "touch within: a whole number"), ({"decide_minutes": "0"}, 422, "decide within"),
        ({"touch_minutes": "61"}, 422, "not more than the time to decide"), ({"steps": "soon"}, 422, "percentage"),
        ({"steps": "50 Nobody"}, 422, "bumps: choose one of the groups"), ({"steps": "9" * 50}, 422, "percentage"),
        ({"kind": "nothing"}, 422, "kind:"), ({"hours": "999"}, 422, "hours:"), ({"kind": "event"}, 409, "already"),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_told_field_and_rule(manager, wrong, status, words):
    before = SlaPolicy.objects.count()
    answer = manager.post(f"{ROUTING}sla/add/", policy_form() | wrong)

    assert answer.status_code == status
    assert words.lower() in text(answer).lower()
    assert SlaPolicy.objects.count() == before


def test_the_policy_for_everything_stays(manager):
    wide = SlaPolicy.objects.get(kind="", tier="")

    assert "Remove this policy" not in manager.get(f"{ROUTING}sla/{wide.pk}/").content.decode()
    assert manager.post(f"{ROUTING}sla/{wide.pk}/end/", {"reason": "x"}).status_code == 409
    assert manager.post(f"{ROUTING}sla/{wide.pk}/", policy_form(wide, kind="event")).status_code == 422
    assert SlaPolicy.objects.filter(kind="", tier="").exists()


def test_business_hours_are_written_as_people_write_them(manager):
    office = BusinessHours.objects.get()

    answer = manager.post(f"{ROUTING}hours/{office.pk}/", hours_form(office), follow=True)

    office.refresh_from_db()
    assert (office.zone, office.week[0], office.week[5]) == ("Europe/Berlin", [[540, 720], [780, 1020]], [])
    assert "Mon to Fri 09:00-12:00, 13:00-17:00; Sat to Sun closed" in text(answer)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"day2": "9 to 5"}, "Wednesday: write hours like"), ({"day0": "09:00-25:00"}, "Monday: hours lie between"),
        ({"day1": "13:00-17:00, 09:00-12:00"}, "Tuesday: hours come in order"), ({"zone": "Mars"}, "no time zone"),
        ({"holidays": "Christmas"}, "is no date"), ({f"day{n}": "" for n in range(7)}, "at least five hours"),
        ({"name": ""}, "name: 1 to 60"), ({"day3": "09:99-10:00"}, "Thursday: write hours like"),
    ],
)  # fmt: skip
def test_wrong_hours_are_told_which_day(manager, wrong, words):
    answer = manager.post(f"{ROUTING}hours/add/", hours_form(name="Second") | wrong)

    assert answer.status_code == 422
    assert words.lower() in text(answer).lower()
    assert BusinessHours.objects.count() == 1


def test_everybody_enters_and_ends_their_own_absence(support):
    today = clock.now().date()
    said = {"starts": today.isoformat(), "ends": (today + timedelta(days=2)).isoformat()}

    answer = support.post(f"{ROUTING}absences/add/", said, follow=True)

    made = Absence.objects.get()
    assert (made.user, made.ends_at - made.starts_at) == (support.user, timedelta(days=3))
    assert "away now" in text(answer)
    assert support.post(f"{ROUTING}absences/{made.pk}/end/").status_code == 302
    assert Absence.objects.get().ends_at <= clock.now()


@pytest.mark.parametrize(
    "wrong",
    [{"starts": "soon"}, {"ends": "2020-02-31"}, {"ends": "1999-01-01"}, {"ends": "9999-99-99"}, {"person": "x"}],
)
def test_a_wrong_absence_is_told_why(manager, wrong):
    today = clock.now().date().isoformat()

    answer = manager.post(
        f"{ROUTING}absences/add/", {"person": manager.user.pk, "starts": today, "ends": today} | wrong
    )

    assert answer.status_code == 422
    assert "Not done" in text(answer)
    assert not Absence.objects.exists()
