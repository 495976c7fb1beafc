"""The ledger for people: found by any id, walked from both ends, exported without formulas, checked, printed."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger import book, clock, journal
from ledger.models import LedgerRow
from meshline.console import ledger_list
from tests import factories as f
from tests.console.conftest import signed_in

LIST, EXPORT, VERIFY, EXTRACT = (
    "/admin/ledger/ledgerrow/", "/admin/ledger/export/", "/admin/ledger/verify/", "/admin/ledger/extract/"
)  # fmt: skip


@pytest.fixture
def auditor(shipped):
    """May read everything and export."""
    return signed_in("Auditor")


def shown(client, query=""):
    answer = client.get(f"{LIST}?{query}")
    assert answer.status_code == 200
    return [row.pk for row in answer.context["cl"].result_list]


def rows_of(count, **more):
    return [f.LedgerRowFactory(**more).pk for _ in range(count)]


# Finding


def test_every_kind_of_id_leads_to_the_rows_of_its_case(auditor):
    customer = f.CustomerFactory(email="ap@initech.example")
    contract = f.ContractFactory(customer=customer)
    f.ExternalIdFactory(customer=customer, value="cus_9")
    f.ExternalIdFactory(customer=customer, contract=contract, kind="subscription", value="sub_9")
    event = f.EventFactory(provider_event_id="evt_9", object_id="in_9")
    action = f.ActionFactory(state="held", customer=customer, contract=contract, correlation_id=event.correlation_id)
    item = f.ReviewItemFactory(action=action)
    row = f.LedgerRowFactory(
        action_id=action.pk, subject_id=str(action.pk), customer_id=customer.pk, event_id=event.pk,
        correlation_id=event.correlation_id, confirmation_id="re_9",
    )  # fmt: skip
    f.LedgerRowFactory(correlation_id=uuid.uuid4(), action_id=uuid.uuid4(), customer_id=customer.pk + 1)

    for typed in (
        str(event.correlation_id), str(action.pk), "evt_9", "in_9", "cus_9", "sub_9", "re_9", "ap@initech.example",
        customer.external_id, contract.external_id, f"RV-{item.pk}", f"rv-{item.pk}", f"#{row.pk}", str(row.pk),
    ):  # fmt: skip
        assert shown(auditor, f"q={typed.replace('#', '%23')}") == [row.pk], typed
    for query in (f"customer={customer.pk}", f"contract={contract.pk}", f"event={event.pk}", f"action={action.pk}"):
        assert shown(auditor, query) == [row.pk], query


@pytest.mark.parametrize("typed", ["in_unknown", "' or 1=1", "%23999999999999999999999", "RV-9", "@", "é" * 300])
def test_an_id_that_nobody_knows_finds_nothing(auditor, typed):
    f.LedgerRowFactory()

    assert shown(auditor, f"q={typed}") == []


def test_a_search_never_scans_the_rows(auditor):
    rows_of(3)

    with CaptureQueriesContext(connection) as seen:
        shown(auditor, "q=in_unknown")

    looked = [one["sql"] for one in seen if 'FROM "ledger_ledgerrow"' in one["sql"]]
    assert looked
    assert all('"confirmation_id" = ' in sql for sql in looked)


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ("decision=ask", {"decision": "ask", "prior_state": "held", "post_state": "in_review"}),
        ("actor=people", {"actor": "user:7"}),
        ("who=user:7", {"actor": "user:7"}),
        ("actor=automations", {"actor": "automation:dunning"}),
        ("outcome=failed", {"outcome": "failed"}),
        ("mode=shadow", {"mode": "shadow"}),
        ("amount=to500", {"amount_minor": 10_000, "currency": "usd"}),
        ("amount=to500", {"amount_minor": 499, "currency": "jpy"}),
        ("amount=to500", {"amount_minor": 499_999, "currency": "kwd"}),
        ("amount=over", {"amount_minor": 500_000, "currency": "eur"}),
        ("when=hour", {"recorded_at": clock.now() + timedelta(days=400)}),
    ],
)
def test_each_filter_finds_its_rows_only(auditor, query, more):
    long_ago = clock.now() - timedelta(days=500)
    f.LedgerRowFactory(recorded_at=long_ago, amount_minor=99, currency="usd")
    wanted = f.LedgerRowFactory(**({"recorded_at": long_ago} | more))

    assert shown(auditor, query) == [wanted.pk]


def test_filters_by_system_and_automation_go_by_the_action(auditor):
    action = f.ActionFactory(provider="zendesk", automation="dunning")
    f.AutomationFactory(name="dunning")
    wanted = f.LedgerRowFactory(action_id=action.pk)
    f.LedgerRowFactory(action_id=f.ActionFactory(provider="stripe").pk)

    assert shown(auditor, "system=zendesk") == [wanted.pk]
    assert shown(auditor, "automation=dunning") == [wanted.pk]
    assert shown(auditor, "system=nonsense") == []


def test_days_are_whole_days_of_the_reader(auditor):
    days = [datetime(2026, 3, day, hour, tzinfo=UTC) for day, hour in ((1, 23), (2, 0), (3, 23), (4, 0))]
    rows = [f.LedgerRowFactory(recorded_at=at).pk for at in days]

    assert shown(auditor, "from=2026-03-02&to=2026-03-03") == rows[1:3][::-1]
    assert shown(auditor, "from=2026-03-99") == []


@pytest.mark.parametrize(
    "query",
    [
        "actor__password__startswith=p", "reasons__contains=x", "customer_id__gt=1", "recorded_at__gte=2026-01-01",
        "inputs__policy=1", "subject_id__startswith=a",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["list", "extract", "export"])
def test_no_address_reaches_another_field(auditor, query, where):
    f.LedgerRowFactory()
    name, _, value = query.partition("=")

    answer = {
        "list": lambda: auditor.get(f"{LIST}?{query}"),
        "extract": lambda: auditor.get(f"{EXTRACT}?{query}"),
        "export": lambda: auditor.post(EXPORT, {name: value}),
    }[where]()

    assert answer.status_code == 400
    assert not LedgerRow.objects.filter(subject_kind="export").exists()


@pytest.mark.parametrize("query", ["customer=zzz", "event=%00", "contract=1e9", "who=user:x", "amount=zzz", "action=1"])
def test_bad_values_find_nothing(auditor, query):
    f.LedgerRowFactory()

    assert shown(auditor, query) == []


# Pages of rows


def test_both_ends_and_the_way_between(auditor):
    keys = rows_of(120)[::-1]
    listed = [auditor.get(LIST).context["cl"]]
    while listed[-1].older:
        listed.append(auditor.get(LIST + listed[-1].older).context["cl"])
    end = auditor.get(LIST + listed[0].last).context["cl"]

    assert [row.pk for page in listed for row in page.result_list] == keys
    assert [row.pk for row in end.result_list] == keys[-50:]
    assert (end.older, listed[0].newer, listed[0].first) == (None, None, None)
    assert [row.pk for row in auditor.get(LIST + end.first).context["cl"].result_list] == keys[:50]
    middle = auditor.get(LIST + end.newer).context["cl"]
    assert [row.pk for row in middle.result_list] == keys[-100:-50]


def test_a_rare_decision_is_looked_for_a_stretch_at_a_time(auditor, monkeypatch):
    monkeypatch.setattr(ledger_list, "SPAN", 40)
    old = f.LedgerRowFactory(decision="ask", prior_state="held", post_state="in_review").pk
    newer = rows_of(100)

    first = auditor.get(f"{LIST}?decision=ask").context["cl"]
    assert (first.result_list, first.looked) == ([], (newer[-1] - 39, newer[-1]))
    page, turns = first, 0
    while page.further:
        page, turns = auditor.get(LIST + page.further).context["cl"], turns + 1

    assert ([row.pk for row in page.result_list], turns, page.looked) == ([old], 2, None)
    assert "Look further back" in auditor.get(f"{LIST}?decision=ask").content.decode()


def test_rows_far_apart_are_walked_up_again(auditor, monkeypatch):
    monkeypatch.setattr(ledger_list, "SPAN", 60)
    monkeypatch.setattr(ledger_list.LedgerRowAdmin, "list_per_page", 10)
    wanted = [
        f.LedgerRowFactory(**({"mode": "shadow"} if number % 3 == 0 else {})) for number in range(150)
    ]  # fmt: skip
    keys = [row.pk for row in wanted if row.mode == "shadow"]

    page = auditor.get(f"{LIST}?mode=shadow&after={keys[0] - 1}").context["cl"]
    assert [row.pk for row in page.result_list] == keys[:10][::-1]
    page = auditor.get(LIST + page.newer).context["cl"]
    assert [row.pk for row in page.result_list] == keys[10:20][::-1]
    page = auditor.get(LIST + page.older).context["cl"]
    assert [row.pk for row in page.result_list] == keys[:10][::-1]


def test_a_time_is_found_by_halving_the_ids(db, monkeypatch):
    monkeypatch.setattr(journal, "FEW", 0)
    monkeypatch.setattr(journal, "SLACK", timedelta(0))
    begun = clock.now() - timedelta(hours=99)
    rows = [f.LedgerRowFactory(recorded_at=begun + timedelta(hours=hour)).pk for hour in range(30)]

    for hour in (-1, 0, 7, 29):
        assert journal.first_since(begun + timedelta(hours=hour)) == rows[max(hour, 0)]
    assert journal.first_since(clock.now()) == rows[-1] + 1
    found = LedgerRow.objects.filter(journal.within(begun + timedelta(hours=3), begun + timedelta(hours=5)))
    assert sorted(found.values_list("pk", flat=True)) == rows[3:5]


def test_a_ledger_without_rows_has_no_time(db):
    assert journal.first_since(clock.now()) == 0


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        ("row_confirmed", LedgerRow.objects.filter(confirmation_id="re_1").order_by()),
        ("row_people", LedgerRow.objects.filter(actor__startswith="user:").order_by("-id")),
    ],
)
def test_the_partial_indexes_serve_what_they_are_for(db, index, rows):
    for number in range(200):
        f.LedgerRowFactory(actor="user:1" if number == 50 else "system")
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")

        assert index in rows.explain()


# Verify


def test_a_range_is_checked_and_found_intact(auditor):
    for _ in range(3):
        key = uuid.uuid4()
        book.write_rows([step(key, "hold", "proposed", "held", 1), step(key, "ask", "held", "in_review", 2)])
    first, last = (LedgerRow.objects.order_by(way).first().pk for way in ("id", "-id"))

    answer = auditor.post(VERIFY, {"first": first, "last": last})

    assert answer.status_code == 200
    assert answer.context["result"]["report"].rows == 6
    assert "Intact, 6 rows" in answer.content.decode()


def step(key, decision, prior, post, version):
    return {
        "subject_kind": "action", "subject_id": str(key), "action_id": key, "decision": decision,
        "prior_state": prior, "post_state": post, "state_version": version, "outcome": post,
    }  # fmt: skip


def test_the_first_broken_row_is_named_with_a_door_to_it(auditor):
    key = uuid.uuid4()
    book.write_rows([step(key, "hold", "proposed", "held", 1), step(key, "ask", "held", "in_review", 3)])
    broken = LedgerRow.objects.latest("id")

    page = auditor.post(VERIFY, {"first": 1, "last": broken.pk}).content.decode()

    assert "Not intact" in page
    assert f"/admin/ledger/ledgerrow/{broken.pk}/change/" in page
    assert "rows are missing or were added" in page


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("x", "5", "whole numbers"), ("", "", "whole numbers"), ("0", "5", "1 or more"), ("9", "5", "not above"),
        ("1", "200001", "200,000 rows at once"), ("1", "9" * 30, "whole numbers"), ("١", "5", "whole numbers"),
    ],
)  # fmt: skip
def test_a_range_that_cannot_be_checked_is_refused(auditor, first, last, said):
    answer = auditor.post(VERIFY, {"first": first, "last": last})

    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_looking_at_the_verify_page_checks_nothing(auditor):
    f.LedgerRowFactory()

    answer = auditor.get(f"{VERIFY}?first=1&last=5")

    assert answer.status_code == 200
    assert "result" not in answer.context


@pytest.mark.parametrize("address", [VERIFY, EXTRACT, "/admin/ledger/chain/0f0f0f0f-0000-4000-8000-000000000000/"])
def test_proof_is_for_who_may_read_the_ledger(nobody, address):
    assert nobody.get(address).status_code == 403
    assert nobody.post(address).status_code == 403


# Story and extract


def test_the_story_of_a_case_has_everything_in_order(auditor):
    thread, begun = uuid.uuid4(), clock.now() - timedelta(hours=2)
    customer = f.CustomerFactory(name="Initech Labs")
    event = f.EventFactory(correlation_id=thread, received_at=begun, provider_event_id="evt_7", customer=customer)
    action = f.ActionFactory(state="applied", correlation_id=thread, customer=customer)
    f.LedgerRowFactory(
        correlation_id=thread, action_id=action.pk, recorded_at=begun + timedelta(seconds=1), rule_version="a1:77",
        reasons=[{"rule": "open-dispute", "verdict": "block", "reason": "a dispute is open"}],
        inputs={"open_disputes": 1, "policy": {"stage": "full"}}, event_id=event.pk,
    )  # fmt: skip
    f.ApprovalFactory(action=action, reason="the dispute was withdrawn")
    f.AttemptFactory(action=action, began_at=begun + timedelta(seconds=5), method="PATCH", path="/v1/it", is_write=True)
    f.LedgerRowFactory(
        correlation_id=thread, action_id=action.pk, recorded_at=begun + timedelta(seconds=9), decision="confirm",
        prior_state="sending", post_state="applied", confirmation_id="re_7", outcome="applied",
    )  # fmt: skip

    page = auditor.get(f"/admin/ledger/chain/{thread}/").content.decode()

    wanted = ["evt_7", "a dispute is open", "/v1/it", "re_7"]
    story = page[page.index('class="story"') :]
    assert sorted(wanted, key=story.index) == wanted
    for said in (
        "Initech Labs",
        "a1:77",
        "the dispute was withdrawn",
        "Open disputes",
        "1 event, 2 ledger rows, 1 request.",
    ):
        assert said in page, said
    assert "policy" not in page.lower()


def test_the_story_shows_only_what_the_person_may_see(shipped):
    thread = uuid.uuid4()
    f.LedgerRowFactory(correlation_id=thread)
    f.EventFactory(correlation_id=thread, provider_event_id="evt_8")
    client = signed_in("Support")
    group = client.user.groups.get()
    group.permissions.remove(group.permissions.get(codename="view_event"))

    assert "evt_8" not in client.get(f"/admin/ledger/chain/{thread}/").content.decode()


def test_a_story_that_nobody_knows_is_missing(auditor):
    assert auditor.get(f"/admin/ledger/chain/{uuid.uuid4()}/").status_code == 404
    assert auditor.get("/admin/ledger/chain/nonsense/").status_code == 404


def test_the_extract_has_ids_in_full_and_says_its_filters(auditor):
    row = f.LedgerRowFactory(correlation_id=uuid.uuid4(), customer_id=7)
    other = f.LedgerRowFactory()

    page = auditor.get(f"{EXTRACT}?customer=7").content.decode()

    assert str(row.correlation_id) in page
    assert f"#{other.pk}<" not in page
    assert "<dt>Customer</dt><dd>7</dd>" in page
    assert "UTC" in page


def test_a_list_and_its_story_stay_few_queries(auditor):
    thread = uuid.uuid4()
    for number in range(30):
        f.LedgerRowFactory(correlation_id=thread, actor=f"user:{auditor.user.pk}", customer_id=number)

    for address, most in ((LIST, 9), (f"/admin/ledger/chain/{thread}/", 12), (EXTRACT, 11)):
        auditor.get(address)
        with CaptureQueriesContext(connection) as seen:
            assert auditor.get(address).status_code == 200
        own = [one for one in seen if not one["sql"].startswith(('UPDATE "django_session"', "SAVEPOINT", "RELEASE"))]
        assert len(own) <= most, address
