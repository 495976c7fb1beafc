"""Key figures: a day of each follows from rows that can be opened, and no number is shown as new that is none."""

import io
import itertools
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from gates.models import Audit, AuditRow
from ledger import clock
from ledger.models import LedgerRow
from meshline import baseline
from meshline.kpis import computing, desk, reading, rows
from meshline.kpis.catalogue import KPIS
from meshline.kpis.models import KpiDay, KpiNote, KpiTarget
from sync.models import Refund
from tests import factories as f
from tests.people.cast import person, refused

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NUMBERS = itertools.count(1)


@pytest.fixture
def noon(monkeypatch):
    """It is noon of a day in the middle of a month."""
    at = datetime(2026, 11, 18, 12, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: at)
    return at


def item(at, *, due=None, resolved=None, group="Support Manager", **more):
    return f.ReviewItemFactory(
        created_at=at, due_at=due or at + HOUR, owner_group=group, resolved_at=resolved, automation="dunning",
        **({"state": "resolved"} if resolved else {}), **more,
    )  # fmt: skip


def acted(at, state, **more):
    return f.ActionFactory(
        id=f_id(at), created_at=at, state=state, automation=more.pop("automation", "dunning"), event=None, **more
    )


def f_id(at):
    """An id of this time, each another one."""
    return uuid.UUID(int=(int(at.timestamp() * 1000) << 80) + next(NUMBERS))


def number(name, day, scope=""):
    return KpiDay.objects.get(kpi=name, day=day, scope=scope)


@pytest.fixture
def busy(noon):
    """Yesterday's work: items, actions and differences of every kind that counts, and some that do not."""
    at = noon - timedelta(days=1)
    f.EventFactory(received_at=noon - timedelta(days=1))
    # The queue: of three that were promised for yesterday one was in time, one rests, one was late and handed up.
    item(at, resolved=at + HOUR / 2, cause="wrong plan", resolution="done")
    item(at, resolved=at + 3 * HOUR, cause="late", resolution="done", bumps=1, group="Support")
    item(at, paused_at=at)
    item(at - timedelta(days=3), due=noon + HOUR)
    # Actions: one by itself, one that a person agreed to, one turned down, one undone, one overtaken.
    acted(at, "applied")
    asked = acted(at, "applied")
    item(at, resolved=at + HOUR / 2, action=asked)
    wrong = acted(at, "applied", automation="onboarding")
    acted(at, "compensated")
    acted(at, "superseded")
    f.ActionFactory(id=f_id(at), created_at=at, state="applied", automation="dunning", mode="drill", event=None)
    audit = audited(wrong)
    failed = acted(at, "failed")
    for one, state in ((failed, "failed"), (asked, "unknown"), (failed, "failed")):
        f.LedgerRowFactory(
            subject_kind="action", subject_id=str(one.pk), action_id=one.pk, prior_state="sending", post_state=state,
            decision="fail" if state == "failed" else "doubt", recorded_at=at,
        )  # fmt: skip
    acted(at, "applied", automation="refunds")
    # Agreement: two open, one of them since yesterday, one settled yesterday, one accepted, an echo.
    f.DeltaFactory(first_seen_at=at, kind="duplicate", check_name="customers", key="a", owner_group="Support")
    f.DeltaFactory(first_seen_at=at - timedelta(days=2), key="b")
    f.DeltaFactory(first_seen_at=at - timedelta(days=2), key="c", state="resolved", resolved_at=at)
    f.DeltaFactory(first_seen_at=at, key="d", state="accepted")
    f.DeltaFactory(first_seen_at=at, key="e", kind="echo")
    for outcome, compared, differing in (("differ", 100, 50), ("differ", 200, 2), ("partial", 10, 9), ("failed", 5, 5)):
        f.ReconcileRunFactory(
            check_name="customers", finished_at=at, outcome=outcome, compared=compared, differing=differing
        )
    return audit


def test_each_figure_of_a_day_is_made_of_its_rows(busy, noon):
    this = noon.date()
    yesterday = this - timedelta(days=1)
    assert computing.run() == f"{2 * len(KPIS)} figures computed, 0 failed"

    assert [number("human_queue_backlog", day).value for day in (yesterday, this)] == [2, 2]
    assert number("human_queue_backlog", this, "team:Support Manager").value == 2
    assert number("time_to_correct", yesterday).value == pytest.approx(1.75 * 3600)
    sla = number("sla_met", yesterday)
    assert (sla.numerator, sla.denominator) == (2, 3)
    assert number("escalation_rate", yesterday, "team:Support").value == 1
    auto = number("auto_resolved_share", yesterday)
    assert (auto.numerator, auto.denominator) == (3, 6)
    wrongs = number("false_positive_rate", yesterday)
    assert (wrongs.numerator, wrongs.denominator) == (2, 5)
    assert number("false_positive_rate", yesterday, "automation:refunds").value == 0
    assert number("false_positive_rate", yesterday, "automation:onboarding").value == 1
    assert number("false_positive_rate", this).value is None
    mended = number("actions_remediated", yesterday)
    assert (mended.numerator, mended.denominator) == (1, 2)
    assert [number("reconciliation_backlog", day).value for day in (yesterday, this)] == [2, 2]
    assert number("reconciliation_growth", yesterday).value == 0
    assert number("duplicate_customer_count", this).value == 1
    assert number("reconciliation_failure_rate", yesterday).value == 0.01
    assert {one.is_final for one in KpiDay.objects.filter(day=yesterday, kpi__in=KPIS)} == {True}
    assert {one.is_final for one in KpiDay.objects.filter(day=this, kpi__in=KPIS)} == {False}
    for name, kpi in KPIS.items():  # the rows behind a figure are as many as it says
        seen, more = rows.listed(kpi, yesterday, yesterday)
        one = number(name, yesterday)
        counted = one.denominator if kpi.how != "share" or name != "reconciliation_failure_rate" else 1
        assert (name, len(seen), more) == (name, counted, False)
    assert busy.verdict == "wrong"


def audited(action):
    one = Audit(
        kind="weekly_errors", planned_at=clock.now(), since=clock.now(), due_at=clock.now(), owner_group="Support"
    )
    one.save()
    return AuditRow.objects.create(
        audit=one, place=1, group="acted", subject_kind="action", subject_id=str(action.pk), verdict="wrong"
    )


@pytest.fixture
def paid(noon):
    """Contracts whose payments failed: one paid yesterday in euro, one in dollars still open, and a refund."""
    at, then = noon - timedelta(days=1), int((noon - timedelta(days=5)).timestamp())
    f.EventFactory(received_at=noon - timedelta(days=1))

    def owed(amount, currency, **more):
        return {"in_1": {"first_failed": then, "amount_due": amount, "currency": currency, **more}}

    f.ContractFactory(dunning=owed(12_000, "eur", paid_at=int(at.timestamp())))
    f.ContractFactory(dunning=owed(5_000, "usd"))
    kept = f.ContractFactory(dunning=owed(700, "usd", closed_at=then + 60), amount_minor=9_900, currency="jpy")
    Refund.objects.create(
        provider_id="re_1", charge="ch_1", customer=kept.customer, amount_minor=300, currency="eur", state="succeeded",
        heard_at=at,
    )  # fmt: skip
    f.LedgerRowFactory(
        subject_kind="contract", subject_id=str(kept.pk), prior_state="suspended", post_state="active",
        decision="restore", recorded_at=at, action_id=None,
    )  # fmt: skip
    computing.run()
    return kept


def test_revenue_is_told_by_currency_and_never_added_up(paid, noon):
    yesterday = noon.date() - timedelta(days=1)
    found = {
        (one.kpi, one.scope): one.numerator for one in KpiDay.objects.filter(day=yesterday).exclude(scope="")
        if KPIS.get(one.kpi) and KPIS[one.kpi].is_revenue
    }  # fmt: skip
    assert found == {
        ("revenue_recovered", "currency:eur"): 12_000, ("revenue_at_risk", "currency:usd"): 5_000,
        ("refunds", "currency:eur"): 300, ("avoided_churn", "currency:jpy"): 9_900,
    }  # fmt: skip
    assert number("revenue_at_risk", yesterday).value is None
    (risk,) = reading.told(["revenue_at_risk"], 7)
    assert (risk.unit, risk.value, risk.points[-1][1]) == ("money:usd", 5_000, 5_000)
    (back,) = reading.told(["revenue_recovered"], 7)
    assert (back.value, [value for _, value in back.points]) == (12_000, [12_000, 0])
    assert reading.months(reading.load(KPIS, "", 90)) == [
        ("2026-11", "revenue_recovered", "eur", 12_000), ("2026-11", "refunds", "eur", 300),
        ("2026-11", "avoided_churn", "jpy", 9_900),
    ]  # fmt: skip
    seen, _ = rows.listed(KPIS["avoided_churn"], yesterday, yesterday)
    assert [(one.kind, one.id, one.num, one.currency) for one in seen] == [("contract", str(paid.pk), 9_900, "jpy")]
    assert "revenue_at_risk" not in reading.visible(person("Support"))


def test_a_figure_that_cannot_be_computed_is_not_shown_as_new(noon, monkeypatch):
    f.EventFactory(received_at=noon - timedelta(days=40))
    computing.run()
    assert KpiDay.objects.filter(kpi="sla_met", scope="").count() == computing.BACK + 1
    at = noon + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: at)
    computing.run()
    with monkeypatch.context() as broken:
        broken.setattr(computing, "MOST_MS", 20)
        broken.setitem(computing.KPIS, "human_queue_backlog", slow(KPIS["human_queue_backlog"]))
        days = [at.date() - timedelta(days=n) for n in range(9)]
        assert list(computing.compute(days, ["human_queue_backlog"])) == ["human_queue_backlog"]
    (told,) = reading.told(["human_queue_backlog"], 7)
    said = number("human_queue_backlog", at.date()).error
    assert (told.value, told.stale) == (None, f"Not computed since {noon.date() - timedelta(days=8)}: {said}.")
    assert computing.job() == "fresh"  # an old installation's minute
    (whole,) = reading.told(["reconciliation_backlog"], 7)
    assert (whole.value, whole.stale, whole.so_far) == (0, "", True)
    at += timedelta(hours=2)
    computing.run()
    (told,) = reading.told(["human_queue_backlog"], 7)
    assert (told.value, told.stale) == (0, "")
    at += timedelta(days=3)
    (told,) = reading.told(["reconciliation_backlog"], 7)
    assert (told.value, told.stale) == (None, f"Not computed since {noon.date() + timedelta(days=1)}.")
    assert [value for day, value in told.points][-3:] == [None] * 3


def slow(kpi):
    """The same figure with a statement that takes too long."""
    columns = "current_date as day, ''::text as automation, ''::text as team, ''::text as currency"
    sql = f"select {columns}, 0::bigint as num, 0::bigint as den, 'item'::text as kind, '1'::text as id, now() as at"
    return replace(kpi, rows=f"{sql} from pg_sleep(1)")


def test_targets_notes_and_exports_are_for_who_may_and_on_record(noon):
    lead, support = person("Revenue Ops Lead"), person("Support")
    desk.set_target("sla_met", 0.9, by=lead)
    desk.set_target("sla_met", 0.8, by=lead)
    assert reading.told(["sla_met"], 7)[0].target == 0.8
    assert refused(desk.set_target, "sla_met", 1.2, by=lead) == (422, "target")
    assert refused(desk.set_target, "sla_met", float("nan"), by=lead) == (422, "target")
    assert refused(desk.set_target, "refunds", 1.0, by=lead) == (422, "target")
    assert refused(desk.set_target, "sla_met", 0.5, by=support) == (403, "permission")
    assert refused(desk.set_target, "refunds", 0.5, by=support) == (404, "unknown")
    assert refused(desk.write_note, "sla_met", "x", by=support) == (403, "permission")
    assert refused(desk.write_note, "sla_met", "x" * 501, by=lead) == (422, "note")
    assert refused(desk.write_note, "sla_met", " ", by=lead) == (422, "note")
    desk.write_note("sla_met", "two people were away", by=lead)
    desk.write_note("sla_met", "three people were away", by=lead)
    assert KpiNote.objects.values_list("text", "author", "week").get()[0] == "three people were away"
    assert KpiTarget.objects.count() == 1
    told = list(LedgerRow.objects.filter(subject_kind="kpi").order_by("id").values_list("decision", "outcome"))
    assert told == [
        ("set_kpi_target", "kept"), ("set_kpi_target", "kept"), ("set_kpi_target", "refused"),
        ("write_kpi_note", "refused"), ("write_kpi_note", "kept"), ("write_kpi_note", "kept"),
    ]  # fmt: skip
    assert "away" not in str(list(LedgerRow.objects.values_list("inputs", flat=True)))
    assert refused(desk.note_export, support, days=7, revenue=False, rows=0) == (403, "permission")


def test_the_command_says_what_there_is_and_what_is_wrong(paid, noon):
    def said(*args):
        out = io.StringIO()
        call_command("kpis", *args, stdout=out)
        return out.getvalue()

    assert "Revenue recovered: 120.00 EUR (no week before)" in said("--days", "7").replace("the 7 days", "the week")
    shown = json.loads(said("--json"))["figures"]
    assert {one["figure"] for one in shown} == set(KPIS)
    assert next(one for one in shown if one["figure"] == "refunds")["scope"] == "eur"
    assert said("--csv").splitlines()[0].startswith("figure,scope,value")
    assert "17 figures of 2026-11-01 computed" in said("compute", "--day", "2026-11-01")
    assert "Human queue backlog: " in said("report")
    for wrong in (["--days", "8"], ["compute", "--day", "soon"], ["compute", "--day", "2027-01-01"], ["--day", "x"]):
        with pytest.raises(CommandError) as no:
            said(*wrong)
        assert no.value.returncode == 2
    KpiDay.objects.filter(kpi="sla_met", day=noon.date()).update(error="gone")
    with pytest.raises(CommandError, match="not computed: sla_met") as no:
        said()
    assert no.value.returncode == 1
    assert baseline.first() == []
