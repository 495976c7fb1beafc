"""What the way up of automations rests on and only this layer knows; and the look that takes a stage away."""

from datetime import datetime

from gates.rollout import falls
from gates.rollout.evidence import FALLEN, Undoing
from sync import actions
from sync.incidents import paging
from sync.models import ReconcileRun
from sync.reconcile import checks

DRIFT, DRIFT_WORDS = "schema-drift", "schema drift"


def reconciled() -> tuple[tuple[str, datetime | None, str], ...]:
    """The last run of every check that ended: its name, when, and what is wrong with it, in words."""
    ended = ReconcileRun.objects.filter(finished_at__isnull=False).order_by("check_name", "-id")
    newest = {one.check_name: one for one in ended.distinct("check_name")}
    return tuple(_said(name, newest.get(name)) for name in checks.possible())


def _said(name: str, run: ReconcileRun | None) -> tuple[str, datetime | None, str]:
    if run is None:
        return name, None, ""
    if run.outcome == ReconcileRun.Outcome.FAILED:
        return name, run.finished_at, "the last run failed"
    if run.outcome == ReconcileRun.Outcome.PARTIAL:
        return name, run.finished_at, "the last run was partial"
    wrong = f"{run.differing} of {run.compared} records differ, too many" if run.flagged else ""
    return name, run.finished_at, wrong


def undoing() -> dict[str, Undoing]:
    """How each kind of action is undone."""
    return {name: Undoing(kind.inverse, kind.runbook) for name in actions.ACTIONS for kind in [actions.get(name)]}


def watch() -> str:
    """Take the stage of what errs; page about what fell until its owner signs again. Scheduled."""
    fallen = falls.sweep()
    open_now = falls.waiting()
    raised = paging.raised()
    drifts = any(one.rule == DRIFT for one in raised)
    for name, why in open_now.items():
        if drifts and DRIFT_WORDS in why:
            continue  # the alert of the changed format is on: the same cause is not told twice
        paging.raise_alert(f"{FALLEN}{name}", f"The automation {name} lost its stage: {why}", severity="warning")
    for one in raised:
        if one.name.startswith(FALLEN) and one.name.removeprefix(FALLEN) not in open_now:
            paging.resolve_alert(one.name)
    return f"{len(fallen)} fell" + (f": {', '.join(fallen)}" if fallen else "")
