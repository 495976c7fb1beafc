"""The blocks of Home below the cards: what is next, what fails together, automations, comparisons."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.urls import reverse

from gates.cells import ORDER
from gates.models import Automation, ReviewItem
from ledger import cells, clock
from ledger.words import from_identifier, why_words
from meshline.console import home_kpis, parts
from meshline.console.home_kpis import Figures
from meshline.console.home_numbers import rows
from sync.models import ReconcileRun
from sync.reconcile import admin as reconcile_admin
from sync.reconcile import checks

NEXT, GROUPS = 8, 6
COMPARED = 1_000  # the newest shadow decisions of an automation that agreement is told of
HEAVY = ("params", "preview", "answers", "facts", "request", "confirmation", "job_ref")
# Read from two indexes of what is open; the rows themselves are not looked at.
FAILED = """
select coalesce(nullif(i.error_code, ''), i.why), i.provider, i.automation, a.state, count(*), min(i.created_at)
  from gates_reviewitem i join ledger_action a on a.id = i.action_id and a.state in ('failed', 'unknown')
 where i.state <> 'resolved' group by 1, 2, 3, 4 order by 5 desc, 6 limit %s"""
AUTOMATIONS = f"""
select a.name, a.id, a.title, a.state, a.fell_why, a.fell_at is not null, c.agreed, c.compared
  from gates_automation a
  left join lateral (
    select count(*) filter (where verdict = 'agreed') agreed, count(*) compared from (
      select verdict from gates_shadowcomparison c where c.automation = a.name and c.observed_at >= a.stage_since
         and a.state = 'shadow' order by c.observed_at desc limit {COMPARED}) n
     where verdict in ('agreed', 'disagreed')) c on true
 order by a.title"""
RUNS = """
select n.name, r.id, r.started_at, r.finished_at, r.outcome, r.flagged, r.compared, r.differing, d.n
  from unnest(%s::text[]) with ordinality n(name, place)
  left join lateral (
    select * from sync_reconcilerun r where r.check_name = n.name and r.finished_at is not null
     order by r.id desc limit 1) r on true
  left join (
    select check_name, count(*) n from sync_delta
     where state in ('open', 'acknowledged', 'assigned') and kind <> 'echo' group by 1) d on d.check_name = n.name
 order by n.place"""


def next_items() -> list[ReviewItem]:
    """What is next to breach, in the order of work."""
    items = ReviewItem.objects.exclude(state="resolved").select_related("customer", "action", "owner")
    return list(items.defer(*(f"action__{name}" for name in HEAVY), "evidence").order_by(*ORDER)[:NEXT])


def failures() -> list[dict[str, Any]]:
    """What failed with the same error at the same system: how many items, since when, and whether it is settled."""
    return [_failure(*row) for row in rows(FAILED, [GROUPS])]


def _failure(code: str, system: str, automation: str, state: str, many: int, since: datetime) -> dict[str, Any]:
    queue = reverse("admin:gates_reviewitem_changelist")
    group = quote(f"{code}:{system}:{automation}")
    return {
        "name": f"{cells.system(system)}: {why_words(code)}" if system else why_words(code), "many": f"{many:,}",
        "since": cells.ago(since), "automation": from_identifier(automation) if automation else "",
        "url": f"{queue}?{f'tab=failed&group={group}' if state == 'failed' else f'state=unknown&error={quote(code)}'}",
        "tag": cells.tag(state, "Failed") if state == "failed" else cells.tag(state, "Unknown, checking"),
    }  # fmt: skip


def automations(figures: Figures) -> list[dict[str, Any]]:
    """Each automation with its stage, and how many of its decisions of seven days nobody put right.

    In shadow it is how often it agreed with what people did.
    """
    return [_automation(figures, *row) for row in rows(AUTOMATIONS)]


def _automation(
    figures: Figures, name: str, key: int, title: str, state: str, why: str, fallen: bool, agreed: int, compared: int
) -> dict[str, Any]:  # fmt: skip
    put_right = figures.over(home_kpis.PER_AUTOMATION, f"automation:{name}")
    judged = figures.judged(home_kpis.PER_AUTOMATION, scope=f"automation:{name}")
    if state == Automation.State.SHADOW:
        said = f"{_percent(agreed / compared)} of {compared:,} in shadow" if compared else "nothing compared yet"
    elif put_right is None or not judged:
        said = "nothing decided in 7 d"
    else:
        said = f"{_percent(1 - put_right)} of {judged:,} in 7 d"
    return {
        "title": title, "url": reverse("admin:gates_automation_change", args=[key]), "agreement": said,
        "tag": cells.tag(state, str(Automation.State(state).label)),
        "fell": cells.theirs(why, 120) if fallen else "",
    }  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def reconciliation() -> list[dict[str, Any]]:
    """The last run of each comparison that can be made here, and what is open of it."""
    return [_comparison(*row) for row in rows(RUNS, [checks.possible()])]


def _comparison(
    name: str, key: int | None, began: datetime | None, ended: datetime | None, outcome: str | None,
    flagged: bool | None, compared: int | None, differing: int | None, still: int | None,
) -> dict[str, Any]:  # fmt: skip
    run = ReconcileRun(
        check_name=name, started_at=began or clock.now(), finished_at=ended, outcome=outcome or "",
        flagged=bool(flagged),
    )  # fmt: skip
    share = f"{differing or 0:,} of {compared:,} differ" if compared else ""
    return {
        "title": checks.title(name), "many": f"{still or 0:,}" if key or still else "",
        "url": parts.list_of("sync_delta", check=name, state="live"),
        "run": reverse("admin:sync_reconcilerun_change", args=[key]) if key else "",
        "tag": reconcile_admin.run_tag(run) if key else cells.tag("", "Never run"),
        "said": share, "at": cells.ago(ended) if ended else "",
    }  # fmt: skip
