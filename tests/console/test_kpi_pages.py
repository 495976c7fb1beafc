"""The pages of key figures: numbers with their rows, what a new installation shows, who sees revenue, and the file."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger import clock
from ledger.models import LedgerRow
from meshline import baseline
from meshline.console import charts
from meshline.kpis import computing, desk
from meshline.kpis.catalogue import KPIS
from meshline.kpis.models import KpiDay, KpiNote, KpiTarget
from tests import factories as f
from tests.api.client import Caller
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.console.test_routing import text
from tests.people.cast import person

HERE = "/admin/kpis/"
MOST_QUERIES = 12


def history(days=100):
    """Figures of many days, some of which were not computed, as the job would have left them."""
    this, rows = computing.today(), []
    for name, kpi in KPIS.items():
        scopes = ("", "currency:eur", "currency:usd") if kpi.is_revenue else ("", *(f"{by}:Support" for by in kpi.by))
        for n in range(days):
            for scope in scopes:
                value = None if n % 11 == 3 or (kpi.is_revenue and not scope) else 0.5 + n % 5 / 10
                if kpi.unit != "share" and value is not None:
                    value = float(round(value * 1000))
                whole = round((value or 0) * (100 if kpi.unit == "share" else 1))
                rows.append(KpiDay(
                    kpi=name, day=this - timedelta(days=n), scope=scope, value=value, numerator=whole,
                    denominator=100 if kpi.unit == "share" and value is not None else 1, is_final=n > 0,
                    computed_at=clock.now() - timedelta(days=n),
                ))  # fmt: skip
    KpiDay.objects.bulk_create(rows)


def test_charts_draw_gaps_as_gaps_and_say_what_is_missing():
    points = [(f"2026-11-{n:02}", None if n == 4 else float("nan") if n == 7 else n / 10) for n in range(1, 11)]
    drawn = charts.line(points, title="A<b", unit="share", target=0.95, second=points[:3])
    assert drawn.count("<svg") == 1
    assert drawn.count("<path") == 2
    assert drawn.count("M") >= 4  # three parts of the line, and the period before
    assert "nan" not in drawn
    assert "A&lt;b" in drawn
    assert "2 days without a number" in drawn
    assert drawn.count("<tr>") == 11
    assert "<td>–</td>" in drawn
    assert charts.spark([], title="x", unit="count") == '<p class="empty">Needs 7 days of data; 0 so far.</p>'
    assert "3 so far" in charts.spark(points[:3], title="x", unit="count")
    flat = charts.spark([(str(n), 0.0) for n in range(7)], title="x", unit="seconds", target=float("inf"))
    assert ("<path" in flat, "inf" in flat) == (True, False)
    assert "100.0%" in charts.bars([("a", 2), ("b", None), ("c", 0)], title="x", unit="count")
    worded = [charts.worded(*one) for one in ((0.5, "share"), (1200, "count"), (1234, "money:jpy"), (None, "count"))]
    assert worded == ["50.0 %", "1,200", "1,234 JPY", "–"]


def test_every_figure_has_its_number_rows_target_and_owner(shipped):
    lead, support = signed_in("Revenue Ops Lead"), signed_in("Support")
    assert "Nothing is computed yet" in text(lead.get(HERE))
    history()
    baseline.take(by=lead.user)
    computing._baseline(computing.today())
    desk.write_note("sla_met", "<b>two</b> people were away", by=lead.user)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        answer = lead.get(f"{HERE}?days=90")
    assert len(asked) <= MOST_QUERIES, "\n".join(one["sql"][:160] for one in asked)
    page, said = answer.content.decode(), text(answer)
    assert "<b>two</b>" not in page
    for kpi in KPIS.values():
        assert kpi.title in said
        assert f'href="{HERE}{kpi.name}/?days=90#rows"' in page
    assert page.count('<svg role="img"') == len(KPIS) + 4  # a line for each currency
    assert "target at least 95.0 %" in said
    assert "Revenue by month" in said
    assert "Baseline against now" in said
    others = text(support.get(HERE))
    assert "SLA met" in others
    assert "Refunds" not in others
    assert "Revenue by month" not in others
    part = text(lead.get(f"{HERE}?days=7&of=team:Support"))
    assert "SLA met" in part
    assert "Refunds" not in part
    for wrong in ("days=8", "of=planet:x", "days=7&of=team:", "of=team:%00"):
        assert lead.get(f"{HERE}?{wrong}").status_code == 422
    assert signed_in().get(HERE).status_code == 403


def test_one_figure_its_rows_its_note_and_its_target(shipped):
    lead, support = signed_in("Revenue Ops Lead"), signed_in("Support")
    f.EventFactory()
    items = [f.ReviewItemFactory(owner_group="Support") for _ in range(53)]
    computing.run()
    at = f"{HERE}human_queue_backlog/"
    first = lead.get(at)
    assert f"RV-{items[-1].pk}" in text(first)
    older = first.content.decode().split('href="?days=28&amp;before=')[1].split("#")[0].replace("&amp;", "&")
    assert text(lead.get(f"{at}?days=28&before={older}")).count("RV-") == 3
    assert text(lead.get(f"{at}?before=nonsense")).count("RV-") == 50
    assert "Team Support" in text(first)
    assert "Needs 7 days of data; 1 so far." in text(first)
    assert "Nothing was counted" in text(lead.get(f"{HERE}sla_met/?of=automation:none"))
    for name in KPIS:
        assert lead.get(f"{HERE}{name}/").status_code == 200, name
    assert support.get(f"{HERE}refunds/").status_code == 404
    assert lead.get(f"{HERE}unknown/").status_code == 404
    wrong = lead.post(f"{at}note/", {"note": "x" * 501})
    assert (wrong.status_code, "at most 500 characters, this has 501" in text(wrong)) == (422, True)
    assert lead.post(f"{at}note/", {"note": "busy"}).status_code == 302
    assert lead.post(f"{HERE}sla_met/target/", {"target": "90,5"}).status_code == 302
    assert KpiTarget.objects.get().value == pytest.approx(0.905)
    assert "a number, not “soon”" in text(lead.post(f"{at}target/", {"target": "soon"}))
    assert support.post(f"{at}note/", {"note": "busy"}).status_code == 403
    assert lead.post(f"{at}wrong/").status_code == 404
    assert lead.get(f"{at}note/").status_code == 302
    assert KpiNote.objects.get().text == "busy"


def test_the_file_is_inert_and_on_record(shipped):
    history(8)
    KpiDay.objects.filter(scope="team:Support").update(scope="team:=HYPERLINK(1)", error="=1+1")
    lead = signed_in("Revenue Ops Lead")
    answer = lead.post(f"{HERE}csv/", {"days": "7"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0].endswith("day_utc,figure,title,scope,value,unit,numerator,denominator,computed_at,final,error")
    assert len(lines) == 1 + KpiDay.objects.filter(day__gt=computing.today() - timedelta(days=7)).count()
    assert ",'=1+1" in "".join(lines)
    assert "minor units eur" in "".join(lines)
    row = LedgerRow.objects.filter(subject_kind="export").get()
    assert row.inputs == {"what": "kpis", "days": 7, "revenue": True, "rows": len(lines) - 1}
    assert lead.get(f"{HERE}csv/").status_code == 405
    assert "nothing was exported" in text(lead.post(f"{HERE}csv/", {"days": "70"}, follow=True))
    assert signed_in("Support").post(f"{HERE}csv/", {"days": "7"}).status_code == 403


def test_the_pages_are_accessible_and_fit(console):  # noqa: F811
    history()
    page = console()
    seen = {
        name: look_at(page, name, address)
        for name, address in {
            "figures": f"{HERE}?days=90", "one": f"{HERE}sla_met/", "money": f"{HERE}revenue_at_risk/",
            "part": f"{HERE}?days=7&of=team:Support",
        }.items()
    }  # fmt: skip
    assert faults(seen) == {}


def test_the_same_by_program(shipped):
    history(30)
    lead, support = Caller(person("Revenue Ops Lead")), Caller(person("Support"))
    every = lead.get("kpis/").json()
    assert every["period"] == 28
    assert {one["name"] for one in every["results"]} == set(KPIS)
    assert {one["currency"] for one in every["results"] if one["name"] == "refunds"} == {"eur", "usd"}
    (one,) = lead.get("kpis/", days="7", name="sla_met", scope="team:Support").json()["results"]
    assert (one["unit"], one["target"], len(one["days"]), one["days"][3]["value"]) == ("share", 0.95, 7, None)
    assert not {one["name"] for one in support.get("kpis/").json()["results"]} & {"refunds", "revenue_at_risk"}
    assert support.get("kpis/", name="refunds").status_code == 403
    assert Caller(person("")).get("kpis/").status_code == 403
    for field, wrong in (("days", "8"), ("name", "planet"), ("scope", "planet:x"), ("colour", "red")):
        refusal = lead.get("kpis/", **{field: wrong})
        assert (refusal.status_code, refusal.json()["error"]["field"]) == (422, field)
