"""One back-test, drill and review, and a back-test that makes a draft fit to be submitted."""

from datetime import timedelta
from uuid import uuid4

from gates import backtests
from gates.models import AlertEpisode, Audit, AuditRow, BackTest, GameDay, GateVersion
from ledger import clock


def back_tested(one):
    """A finished back-test of exactly this draft."""
    now = clock.now()
    made = BackTest(gate=one, digest=backtests.digest(one), since=now - timedelta(days=30), state_version=1)
    made.save()
    backtests.write(made, "backtest", "system:test", "planned")
    for verb in ("begin", "finish"):
        backtests.step(made, verb, "system:test")
    return made


def make(by):
    """One record of each that pages show."""
    now = clock.now()
    BackTest.objects.create(automation="dunning", digest="x", since=now, asked_by=by, counts={})
    AlertEpisode.objects.create(
        name="duplicates", rule="duplicates", episode=1, severity="error", summary="two", correlation_id=uuid4(),
        owner_group="Revenue Ops Lead", runbook="duplicate-customer", state_version=1,
    )  # fmt: skip
    GameDay.objects.create(scope="all", reason="drill", started_by=by, state="passed", ended_at=now)
    one = Audit.objects.create(
        kind="weekly_errors", planned_at=now, since=now - timedelta(days=7), due_at=now, owner_group="Support Manager"
    )
    AuditRow.objects.create(audit=one, place=1, group="acted", subject_kind="action", subject_id="x", about={})


def keys():
    """Their keys, by the names of the matrix."""
    return {
        "backtest": lambda: BackTest.objects.latest("pk").pk, "gameday": lambda: GameDay.objects.latest("pk").pk,
        "audit": lambda: Audit.objects.latest("pk").pk, "automation": "dunning",
        "alert": lambda: AlertEpisode.objects.latest("pk").pk,
    }  # fmt: skip


def submitted(name):
    """The open draft of a gate, tested, so that it can be submitted."""
    return back_tested(GateVersion.objects.filter(name=name, state="draft").latest("version"))
