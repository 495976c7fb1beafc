"""Each page is there for who may see it, absent for others, and edits nothing for anybody."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.urls import reverse

from ledger.models import Action, Customer, LedgerRow
from ledger.readonly import ReadOnlyAdmin
from sync.slack.models import SlackAccount, SlackMessage
from tests import factories as f
from tests.console import seed

RECORDS = {
    "gates_reviewitem": f.ReviewItemFactory,
    "ledger_customer": f.CustomerFactory,
    "ledger_contract": f.ContractFactory,
    "ledger_event": f.EventFactory,
    "ledger_action": f.ActionFactory,
    "ledger_ledgerrow": f.LedgerRowFactory,
    "sync_attempt": f.AttemptFactory,
    "sync_refusal": f.RefusalFactory,
    "sync_providerstate": f.ProviderStateFactory,
    "sync_jobrun": f.JobRunFactory,
    "sync_contextcheck": f.ContextCheckFactory,
    "sync_erasure": f.ErasureFactory,
    "gates_automation": f.AutomationFactory,
    "gates_gateversion": f.GateVersionFactory,
    "sync_reconcilerun": f.ReconcileRunFactory,
    "sync_delta": f.DeltaFactory,
    "sync_slackaccount": lambda: SlackAccount.objects.create(team="T0", slack_user="U0", user=f.UserFactory()),
    "sync_slackmessage": lambda: SlackMessage.objects.create(item=f.ReviewItemFactory(), channel="C0"),
}
OURS = ("index", "stop", "find", "keys")
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)[^>]*>|<style\b|\son[a-z]+\s*=\s*[\"']|\sstyle\s*=|javascript:", re.IGNORECASE
)


def test_every_list_and_page_is_registered():
    registered = {
        f"{model._meta.app_label}_{model._meta.model_name}"
        for model, page in admin.site._registry.items()
        if isinstance(page, ReadOnlyAdmin)
    }

    assert registered == set(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_list_and_page_open_for_who_may_see_them(superuser, name):
    record = RECORDS[name]()

    listed = superuser.get(reverse(f"admin:{name}_changelist"))
    page = superuser.get(reverse(f"admin:{name}_change", args=[record.pk]))

    assert (listed.status_code, page.status_code) == (200, 200)
    assert reverse(f"admin:{name}_change", args=[record.pk]) in listed.content.decode()


@pytest.mark.parametrize("name", RECORDS)
def test_list_and_page_are_forbidden_without_permission(nobody, name):
    record = RECORDS[name]()

    assert nobody.get(reverse(f"admin:{name}_changelist")).status_code == 403
    assert nobody.get(reverse(f"admin:{name}_change", args=[record.pk])).status_code == 403
    assert reverse(f"admin:{name}_changelist") not in nobody.get(reverse("admin:index")).content.decode()


@pytest.mark.parametrize("name", OURS)
def test_own_pages_need_a_session(client, db, name):
    answer = client.get(reverse(f"admin:{name}"))

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("name", RECORDS)
def test_nobody_adds_changes_or_deletes_a_record(superuser, name):
    record = RECORDS[name]()
    before = type(record).objects.values().get(pk=record.pk)

    answers = [
        superuser.get(reverse(f"admin:{name}_add")),
        superuser.post(reverse(f"admin:{name}_add"), {"name": "x", "state": "applied"}),
        superuser.post(reverse(f"admin:{name}_change", args=[record.pk]), {"name": "x", "state": "applied"}),
        superuser.get(reverse(f"admin:{name}_delete", args=[record.pk])),
        superuser.post(reverse(f"admin:{name}_delete", args=[record.pk]), {"post": "yes"}),
    ]
    superuser.post(
        reverse(f"admin:{name}_changelist"),
        {"action": "delete_selected", "_selected_action": [record.pk], "post": "yes"},
    )

    assert [answer.status_code for answer in answers] == [403] * 5
    assert type(record).objects.values().get(pk=record.pk) == before


def test_delete_selected_is_off_everywhere(superuser):
    request = superuser.get(reverse("admin:index")).wsgi_request

    assert all("delete_selected" not in page.get_actions(request) for page in admin.site._registry.values())


def test_pages_of_the_queue_library_are_absent(superuser):
    assert not [model for model in admin.site._registry if model._meta.app_label in ("django_q", "simple_history")]
    assert superuser.get("/admin/django_q/schedule/").status_code == 404


def test_people_and_groups_stay_usable(superuser):
    for name in ("auth_user", "auth_group"):
        assert superuser.get(reverse(f"admin:{name}_changelist")).status_code == 200
        assert superuser.get(reverse(f"admin:{name}_add")).status_code == 200
    saved = superuser.post(reverse("admin:auth_group_add"), {"name": "Night shift"})
    assert saved.status_code == 302


def test_navigation_is_ordered_by_work(resolver):
    nav = resolver.get(reverse("admin:index")).context["nav"]

    assert [one.label for one in nav] == ["Work", "Evidence", "Control", "Systems", "Insight"]
    assert [one.label for one in nav[0].entries] == [
        "Home",
        "Review queue",
        "Onboarding",
        "Alerts",
        "Incidents",
        "Ticket kinds",
        "Disputes",
        "Customers",
        "Contracts",
    ]


def test_unknown_records_look_like_any_other_missing_page(superuser):
    for path in (
        "ledger/event/999/change/",
        "ledger/action/not-a-uuid/change/",
        "ledger/event/9999999999999999999999/change/",
    ):
        assert superuser.get(f"/admin/{path}").status_code == 404


def every_page(client):
    """(address, answer) of every page with realistic rows."""
    seed.fill()
    names = [reverse(f"admin:{name}") for name in (*OURS, "workers", "password_change")]
    for name in (*RECORDS, "auth_user", "auth_group"):
        names.append(reverse(f"admin:{name}_changelist"))
    for model in admin.site._registry:
        for record in model._default_manager.order_by("pk")[:3]:
            names.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[record.pk]))
    names += [
        reverse("admin:auth_user_add"),
        reverse("admin:find") + "?q=nothing-like-it",
        reverse("admin:gates_reviewitem_changelist") + "?state=every",
    ]
    return [(name, client.get(name)) for name in names]


def test_every_page_has_the_policy_and_nothing_inline(superuser):
    wrong = []
    for address, answer in every_page(superuser):
        assert answer.status_code in (200, 404), address
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        wrong += [(address, found.group()) for found in INLINE.finditer(answer.content.decode())]

    assert wrong == []


def test_no_template_has_anything_inline():
    files = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))

    assert len(files) > 15
    assert [(path.name, found.group()) for path in files for found in INLINE.finditer(path.read_text())] == []


def test_style_and_script_stay_small():
    folder = Path(settings.BASE_DIR, "meshline/console/static/console")

    assert (folder / "console.css").stat().st_size < 52_000
    assert (folder / "console.js").stat().st_size < 8_300


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("ledger_customer", "owner__password__startswith=p"),
        ("gates_reviewitem", "owner__password__startswith=p"),
        ("gates_reviewitem", "customer__email=a"),
        ("ledger_event", "body_sha=a"),
        ("ledger_action", "requested_by__email__contains=a"),
        ("ledger_ledgerrow", "txid=1"),
        ("ledger_customer", "name__contains=a"),
        ("ledger_event", "before=abc"),
        ("ledger_action", "after=%00"),
        ("ledger_ledgerrow", "o=-1.2"),
        ("gates_reviewitem", "state=nonsense"),
        ("gates_reviewitem", "p=-5"),
        ("gates_reviewitem", "p=zzz"),
        ("gates_reviewitem", "p=99999999999999999999"),
        ("ledger_event", "customer=99999999999999999999"),
        ("ledger_event", "customer=%00"),
        ("ledger_event", "object=%00"),
        ("ledger_ledgerrow", "action=zzz"),
        ("ledger_ledgerrow", "before=99999999999999999999999"),
        ("ledger_customer", "q=%00"),
        ("ledger_customer", "q=%F0%9F%98%80"),
        ("ledger_event", "e=1"),
        ("ledger_event", "all="),
        ("ledger_customer", "_to_field=password"),
        ("ledger_ledgerrow", "q=99999999999999999999999"),
        ("ledger_event", "q=" + "x" * 4000),
    ],
)
def test_addresses_cannot_reach_other_fields_nor_break_a_list(superuser, name, query):
    answer = superuser.get(f"{reverse(f'admin:{name}_changelist')}?{query}")

    assert answer.status_code in (200, 302, 400)
    if "__" in query or "=a" in query:
        assert answer.status_code == 400


def test_bad_query_of_a_list_never_shows_a_database_error(superuser):
    answer = superuser.get(reverse("admin:ledger_event_changelist") + "?e=1")

    assert "database" not in answer.content.decode().lower()


def test_nothing_is_written_by_looking(superuser):
    seed.fill()
    before = (LedgerRow.objects.count(), Action.objects.count(), Customer.objects.count())

    every_page_of_lists = [reverse(f"admin:{name}_changelist") for name in RECORDS]
    for address in every_page_of_lists:
        superuser.get(address)

    assert (LedgerRow.objects.count(), Action.objects.count(), Customer.objects.count()) == before
