"""Home: every number is the list behind it, each person sees their blocks in their order, and nothing is made up."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates import assistants, presets, stop
from gates.models import AlertEpisode, Audit, Automation, GameDay
from ledger import clock
from ledger.identity import new_action_id
from ledger.models import LedgerCheck
from meshline.console import home, home_burn, home_numbers
from meshline.console.queue.address import Asked
from meshline.kpis.models import KpiDay
from sync.models import DrainSlot, MappingVersion
from tests import factories as f
from tests.console import seed
from tests.console.conftest import signed_in
from tests.console.test_lists import queries
from tests.console.test_routing import text

HOME, LIVE, AWAY = "/admin/", "/admin/home/live/", "/admin/home/setup/away/"
HOUR = timedelta(hours=1)


def item(state="in_review", *, due=HOUR, agreed=False, **more):
    """An open item about an action in this state."""
    now = clock.now()
    action = f.ActionFactory(state=state, **({"unknown_since": now - HOUR} if state == "unknown" else {}))
    one = f.ReviewItemFactory(action=action, due_at=now + due, touched_at=now if agreed else None, **more)
    if agreed:
        f.ApprovalFactory(action=action, item=one)
    return one


def figure(kpi, num, den=0, *, scope="", ago=0, **more):
    day = clock.now().astimezone(UTC).date() - timedelta(days=ago)
    return KpiDay.objects.create(
        kpi=kpi, scope=scope, day=day, value=num / den if den else num, numerator=num, denominator=den, **more
    )


def cards(client):
    return {one.title: one for one in client.get(HOME).context["cards"]}


def alert(name="ingest", **more):
    given = {"severity": "critical", "summary": f"{name} is slow", "owner_group": "Support", "runbook": "key-rotation"}
    return AlertEpisode.objects.create(name=name, episode=1, correlation_id=new_action_id(), **given | more)


def test_each_number_is_what_the_list_behind_it_holds(manager):
    f.EventFactory()
    for due in (-2 * HOUR, -HOUR, HOUR / 2, 5 * HOUR):
        item(due=due)
    item(due=-HOUR, paused_at=clock.now())  # its clock rests: neither late nor due
    item(agreed=True)
    item("failed", error_code="tax_id")
    item("unknown", error_code="timeout")
    f.ReviewItemFactory(state="resolved", due_at=clock.now() - HOUR)

    shown = cards(manager)

    assert {title: str(one.number) for title, one in shown.items() if one.key in "1234"} == {
        "Waiting": "8", "Breached": "2", "Second approval": "1", "Failed, unknown": "2",
    }  # fmt: skip
    for title in ("Waiting", "Breached", "Second approval"):
        asked = Asked.parse(shown[title].url.partition("?")[2], manager.user)
        assert str(asked.items().count()) == shown[title].number
    listed = manager.get(shown["Failed, unknown"].url).context["cl"].result_list
    assert {one.state for one in listed} == {"failed", "unknown"}
    soon = Asked.parse(shown["Breached"].about_url.partition("?")[2], manager.user).items().count()
    assert shown["Breached"].about == f"{soon} with those due in 1 h"
    page = manager.get(HOME).content.decode()
    for number, one in enumerate(shown.values(), 1):
        assert one.formula in page.replace("&#x27;", "'")
        assert f'aria-describedby="how-{number}"' in page


def test_a_count_stops_where_nobody_reads_on(manager, monkeypatch):
    f.EventFactory()
    for _ in range(4):
        item("failed")
    monkeypatch.setattr(home_numbers, "MOST", 2)

    shown = cards(manager)

    assert (shown["Waiting"].number, shown["Failed, unknown"].number) == ("2+", "2+")


def test_failures_are_told_together_and_lead_to_their_group(manager):
    f.EventFactory()
    for _ in range(3):
        item("failed", error_code="missing_tax_id", provider="netsuite", automation="dunning")
    item("unknown", error_code="timeout", provider="stripe", automation="dunning")
    item("failed", error_code="", why="failed", provider="zendesk")
    item(error_code="missing_tax_id", provider="netsuite", automation="dunning")  # asked again since: it fails no more

    groups = manager.get(HOME).context["failures"]

    assert [one["many"] for one in groups] == ["3", "1", "1"]
    assert "NetSuite: missing tax id" in groups[0]["name"]
    for one in groups:
        asked = Asked.parse(one["url"].partition("?")[2].partition("&group=")[0], manager.user)
        assert asked.items().count() >= int(one["many"])
    assert 'aria-expanded="true"' in manager.get(groups[0]["url"]).content.decode()


def test_alerts_stand_above_the_cards_with_who_looks_after_them(manager, support):
    f.EventFactory()
    assert "Alerts" not in text(manager.get(HOME)).partition("Waiting")[0].rpartition("Home")[2]
    alert()
    mine = alert("backlog", severity="warning", acknowledged_at=clock.now(), acknowledged_by=support.user)
    alert("over", state="resolved")

    page = manager.get(HOME)
    shown = page.content.decode()

    assert [one.name for one in page.context["alerts"]] == ["ingest", "backlog"]
    assert shown.index("ingest is slow") < shown.index('class="cards"')
    assert f"{mine.acknowledged_by.username} looks after it" in text(page)
    assert "/admin/runbooks/key-rotation/" in shown
    done = manager.post(page.context["alerts"][0].acknowledge_url, {"version": page.context["alerts"][0].version})
    assert done.status_code == 302
    assert f"{manager.user.username} looks after it" in text(manager.get(HOME))


@pytest.mark.parametrize(
    ("team", "first"),
    [
        ("Support", "next"), ("Billing Resolver", "next"), ("Support Manager", "burn"),
        ("Automation Engineer", "automations"), ("Revenue Ops Lead", "automations"), ("Product Ops", "failures"),
        ("Auditor", "reconcile"), ("CSM", "next"),
    ],
)  # fmt: skip
def test_each_team_has_its_order_and_the_same_blocks(shipped, team, first):
    f.EventFactory()
    person = signed_in(team)

    blocks = [one.removeprefix("console/home_").removesuffix(".html") for one in person.get(HOME).context["blocks"]]

    assert blocks[0] == first
    allowed = {name for name, needed in home.NEEDS.items() if person.user.has_perm(needed)}
    assert set(blocks) == allowed
    assert {"next", "burn", "failures", "automations", "reconcile"} <= allowed


def test_who_may_see_nothing_sees_the_stop_alone(nobody):
    assert nobody.get(HOME).context["setup"] is None
    seed.fill(items=4)
    alert()

    page = nobody.get(HOME)

    assert page.context["blocks"] == page.context["cards"] == page.context["works"] == page.context["alerts"] == []
    assert "systems" not in page.context
    shown = text(page)
    assert "Writes are on." in shown
    assert "Never drilled" not in shown
    stop.engage("all", by=signed_in(is_superuser=True).user, reason="double refunds")
    assert "Writes are stopped." in text(nobody.get(HOME))


def test_key_figures_are_those_that_were_computed(shipped):
    lead, support = signed_in("Revenue Ops Lead"), signed_in("Support")
    f.EventFactory()
    Automation.objects.filter(name="dunning").update(state="canary")
    assert cards(lead)["Revenue at risk"].about == "not computed yet"
    for ago in range(7):
        figure("false_positive_rate", 6, 100, ago=ago)
        figure("false_positive_rate", 1, 50, ago=ago, scope="automation:dunning")
    figure("false_positive_rate", 90, 100, ago=7)  # too long ago
    figure("revenue_at_risk", 0)
    figure("revenue_at_risk", 1_240_050, scope="currency:usd")
    figure("revenue_at_risk", 9_000, scope="currency:jpy")
    figure("sla_met", 90, 100)
    figure("reconciliation_backlog", 7, ago=3)

    page, shown = lead.get(HOME), cards(lead)

    assert (shown["Revenue at risk"].number, shown["Revenue at risk"].about) == (
        "12,400", "USD, and 9,000 JPY, today so far",
    )  # fmt: skip
    assert (shown["Corrections, 7\u00a0d"].number, shown["Corrections, 7\u00a0d"].tone) == ("6.0 %", "red")
    lines = {one["title"]: one for one in page.context["kpis"]}
    assert lines["SLA met"]["missed"]
    assert (lines["Reconciliation backlog"]["value"], lines["Reconciliation backlog"]["said"][:18]) == (
        "–", "not computed since",
    )  # fmt: skip
    agreed = {one["title"]: one["agreement"] for one in page.context["automations"]}
    assert agreed.pop("Failed payments") == "98.0 % of 350 in 7 d"
    assert set(agreed.values()) == {"nothing compared yet"}
    assert "Revenue at risk" not in cards(support)
    KpiDay.objects.filter(kpi="revenue_at_risk").update(error="DataError")
    assert cards(lead)["Revenue at risk"].number == "–"


def test_systems_and_workers_say_what_is_wrong_with_them(manager):
    f.EventFactory(source="stripe", received_at=clock.now() - timedelta(minutes=5))
    for provider, ms, status in (("stripe", 184, 200), ("netsuite", 2900, 200), ("zendesk", 90, 503)):
        for _ in range(4):
            f.AttemptFactory(provider=provider, ms=ms, status=status, began_at=clock.now())
    probe = clock.now() + timedelta(seconds=40)
    f.ProviderStateFactory(provider="pipedrive", breaker="open", probe_at=probe)
    f.ProviderStateFactory(provider="stripe:eu", breaker="open", probe_at=probe)
    f.JobRunFactory(job="seal_ledger", outcome="failed: OSError", started_at=clock.now())
    LedgerCheck.objects.create(actor="system:schedule", ended_at=clock.now(), rows=9, bad_row=4, problem="row changed")

    page = manager.get(HOME)
    found = {one["name"]: f"{one['tag']} {one['said']}" for one in page.context["systems"]}
    itself = {one["name"]: f"{one['tag']} {one['said']}" for one in page.context["works"]}

    assert "Working" in found["Stripe"]
    assert "180 ms · told us 5 min ago" in found["Stripe"]
    assert "Slow" in found["NetSuite"]
    assert "2.9 s" in found["NetSuite"]
    assert "Failing" in found["Zendesk"]
    assert "Paused" in found["Pipedrive"]
    assert "next try in 39 s" in found["Pipedrive"] or "next try in 40 s" in found["Pipedrive"]
    assert "Silent" in itself["Workers"]
    assert "1 failed" in itself["Schedule"]
    assert "1, oldest 5 min" in itself["Inbox"]
    assert "Broken" in itself["Ledger check"]
    assert [name for name in found if name.startswith("Stripe")] == ["Stripe", next(n for n in found if ":" in n)]


def test_the_stop_block_and_late_reviews_tell_of_drills(manager):
    f.EventFactory(received_at=clock.now() - timedelta(days=40))
    assert "Drill: never drilled in 40 d." in text(manager.get(HOME))
    GameDay.objects.create(
        state="passed", scope="all", started_by=manager.user, started_at=clock.now() - timedelta(days=12), halt_ms=600
    )
    due = clock.now() - timedelta(days=3)
    Audit.objects.create(kind="weekly_errors", planned_at=due, since=due, due_at=due, owner_group="Support Manager")

    shown = text(manager.get(HOME))

    assert "Last drill 12 d ago, halted in 0.6 s" in shown
    assert "Drill: " not in shown
    assert cards(manager)["Reviews overdue"].about == f"since {due:%Y-%m-%d}"


def left_of(client):
    return [one.text for one in client.get(HOME).context["setup"].steps if not one.done]


def test_a_new_installation_has_a_checklist_in_place_of_zeros(shipped):
    lead, support = signed_in("Revenue Ops Lead"), signed_in("Support")
    page = support.get(HOME)
    first = page.context["setup"]
    assert (page.context["cards"], len(first.steps), first.is_new) == ([], 7, True)
    assert f"{first.done} of 7" in text(page)
    assert first.next.text == "Connect the providers"
    assert [one.text for one in first.steps if not one.url] == ["Start the workers"]  # no right to that page

    Automation.objects.update(owner=lead.user)
    DrainSlot.objects.update(seen_at=clock.now())
    MappingVersion.objects.filter(state="active").update(activated_by=lead.user)
    for name in settings.MESHLINE_PROVIDERS:
        f.ProviderStateFactory(provider=name, last_success_at=clock.now())
    assert left_of(lead) == ["Start in Shadow", "Run the first drill of the stop"]

    f.ActionFactory(event=f.EventFactory())
    assert support.get(HOME).context["setup"] is None  # nothing of it is theirs to do
    late = lead.get(HOME)
    assert not late.context["is_new"]
    assert late.context["cards"]
    assert "Put away" in text(late)
    lead.get(AWAY)
    assert lead.get(HOME).context["setup"] is not None  # a link puts nothing away
    assert "My settings brings it back" in text(lead.post(AWAY, follow=True))
    assert lead.get(HOME).context["setup"] is None
    lead.post(AWAY, {"again": "1"})
    assert lead.get(HOME).context["setup"] is not None

    assert left_of(lead) == ["Run the first drill of the stop"]
    GameDay.objects.create(state="passed", scope="all", started_by=lead.user, halt_ms=100)
    assert lead.get(HOME).context["setup"] is None  # everything is done


def hours(zone, *day):
    begin = datetime(*day, tzinfo=ZoneInfo(zone))
    return home_burn._hours(begin, (begin.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=begin.tzinfo))


def test_the_burn_down_counts_each_hour():
    day = hours("UTC", 2026, 11, 21)
    rows = [
        (0, None, 12, 5),  # open since before today, due between 11:00 and 12:00
        (0, 3, 3, 2),  # resolved between 2:00 and 3:00, before it was late
        (4, None, None, 1),  # came between 3:00 and 4:00; its clock rests
        (0, None, 0, 3),  # late since before today
    ]
    burn = home_burn.burn(day, rows, day[5] + timedelta(minutes=30))

    assert len(day) == 25
    assert burn.open[:7] == (10, 10, 10, 8, 9, 9, None)
    assert (burn.target[0], burn.target[4], burn.target[12], burn.target[24]) == (7, 6, 1, 1)
    assert (burn.now, round(burn.gone, 3)) == (9, 0.229)
    assert "9 now" in home_burn.sentence(burn)
    assert str(home_burn.drawn(burn)).count("<tr>") == 26


def test_days_on_which_the_clock_changes_have_their_hours():
    assert len(hours("Europe/Lisbon", 2026, 3, 29)) == 24
    assert len(hours("Europe/Lisbon", 2026, 10, 25)) == 26


def test_the_burn_down_is_of_what_is_open_and_was_resolved_today(manager):
    f.EventFactory()
    assert "Nothing was open today." in text(manager.get(HOME))
    now = clock.now()
    for due in (-HOUR, 100 * HOUR):
        item(due=due, created_at=now - timedelta(days=2))
    f.ReviewItemFactory(
        state="resolved", resolved_at=now, created_at=now - timedelta(days=2), due_at=now + timedelta(days=2)
    )

    item(due=-HOUR, created_at=now - timedelta(days=2), paused_at=now)  # its clock rests

    burn = home_burn.today()

    assert (burn.open[0], burn.now) == (4, 3)
    assert burn.target[-1] == 2


def test_home_keeps_its_budget_with_everything_on_it(shipped):
    everybody = signed_in(*(name for name in presets.GROUPS if name != assistants.GROUP))
    seed.fill(items=8)
    for number in range(5):
        alert(f"rule-{number}")
        figure("false_positive_rate", 6, 100, ago=number)
        f.AutomationFactory()
        f.ReconcileRunFactory()

    assert queries(everybody, HOME) <= 15


def test_an_open_home_is_told_what_changed_and_nothing_twice(manager, nobody):
    seed.fill(items=4)
    first = manager.get(LIVE)
    assert 'data-part="systems"' in first.content.decode()
    again = manager.get(LIVE, headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    with CaptureQueriesContext(connection) as asked:
        manager.get(LIVE)
    assert len(asked) <= 4  # session and person, then two

    f.ProviderStateFactory(provider="slack", breaker="open", probe_at=clock.now() + HOUR)
    fresh = manager.get(LIVE, headers={"if-none-match": first["ETag"]})
    assert fresh.status_code == 200
    assert "next try in" in text(fresh)
    bare = nobody.get(LIVE).content.decode()
    assert "systems" not in bare
    assert "nav-queue" not in bare
