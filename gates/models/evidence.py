"""Evidence: back-tests, shadow compared with what was really done, and drills of the emergency stop."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.states import Stateful, edge


class BackTest(Stateful):
    """One run over stored decisions. `digest` names exactly what was tried: a gate's content, or an automation.

    `counts` are numbers by name, `steps` a list of [state then, state now, how many]; each decision that would change
    is a row of its own. `missing` are sentences about what could not be judged: they stand beside the result wherever
    it is shown. `cursor` is the last ledger row that was judged, so that any worker goes on from there.
    """

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    state = FSMField(default=State.PLANNED, choices=State.choices, protected=True)
    gate = models.ForeignKey("gates.GateVersion", on_delete=models.PROTECT, null=True, related_name="backtests")
    automation = models.CharField(max_length=60, blank=True)
    stage = models.CharField(max_length=16, blank=True, help_text="Judged as if in this stage; empty: as it was then")
    digest = models.CharField(max_length=64)
    days = models.PositiveSmallIntegerField(default=30)
    since = models.DateTimeField()
    first_row = models.BigIntegerField(default=0)
    last_row = models.BigIntegerField(default=0)
    cursor = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    steps = models.JSONField(default=list)
    missing = models.JSONField(default=list)
    error = models.CharField(max_length=300, blank=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["digest"], name="backtest_digest"),
            models.Index(fields=["id"], name="backtest_live", condition=models.Q(state__in=("planned", "running"))),
        ]
        permissions = [("run_backtest", "Can run and cancel back-tests")]

    def __str__(self) -> str:
        return f"BT-{self.pk}"

    @edge(State.PLANNED, State.RUNNING)
    def begin(self) -> None:
        """A worker has it."""

    @edge(State.RUNNING, State.DONE)
    def finish(self) -> None:
        """Every stored decision of its time was looked at."""

    @edge([State.PLANNED, State.RUNNING], State.CANCELLED)
    def cancel(self) -> None:
        """A person does not want to wait for it."""

    @edge([State.PLANNED, State.RUNNING], State.FAILED)
    def fail(self) -> None:
        """What it tries is not there any more."""


class BackTestChange(models.Model):
    """One stored decision that would come out differently; `is_corrected` says that a person put it right since."""

    backtest = models.ForeignKey(BackTest, on_delete=models.CASCADE, related_name="changes", db_index=False)
    row = models.BigIntegerField()
    action_id = models.UUIDField()
    kind = models.CharField(max_length=60)
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)
    is_corrected = models.BooleanField(default=False)

    class Meta:
        ordering = ["backtest", "row"]
        constraints = [models.UniqueConstraint(fields=["backtest", "row"], name="backtest_change_once")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.before} -> {self.after}"


class ShadowComparison(models.Model):
    """What an action would have done in shadow, and what people and systems then did. One row an action.

    `would` is the state it would have taken at the last stage; `segments` are `tier:...`, `kind:...` (of
    a ticket) and `rule:...`.
    `seen` says by a short code what was found, `settled_at` when nothing will change it any more: an undecided one
    that is settled can never be compared, and `seen` says why.
    """

    class Verdict(models.TextChoices):
        UNDECIDED = "undecided", "Not comparable yet"
        AGREED = "agreed", "Agreed"
        DISAGREED = "disagreed", "Disagreed"

    action_id = models.UUIDField(unique=True)
    automation = models.CharField(max_length=60)
    kind = models.CharField(max_length=60)
    customer_id = models.BigIntegerField(null=True)
    segments = ArrayField(models.CharField(max_length=80), default=list)
    would = models.CharField(max_length=16)
    because = models.CharField(max_length=60, blank=True, help_text="The strictest rule that did not pass")
    verdict = models.CharField(max_length=12, choices=Verdict.choices, default=Verdict.UNDECIDED)
    seen = models.CharField(max_length=60, blank=True)
    observed_at = models.DateTimeField()
    acts_at = models.DateTimeField(help_text="When it would have acted")
    due_at = models.DateTimeField(help_text="What people did until then counts")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["automation", "observed_at"], name="shadow_automation"),
            models.Index(fields=["due_at"], name="shadow_open", condition=models.Q(settled_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.verdict}"


class GameDay(Stateful):
    """One drill of the stop. Times to the halt in milliseconds after the stop was committed.

    `begun_before` are writes begun in the minute before the stop, `begun_after` those begun later than a second after
    it, which must be none. `projected` are the actions that would have to be undone had the stop been pressed in
    earnest: `{"action", "kind", "undo", "why_not"}`, the newest of `projected_total`.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    state = FSMField(default=State.RUNNING, choices=State.choices, protected=True)
    scope = models.CharField(max_length=80)
    is_simulated = models.BooleanField(default=False, help_text="Every system was a simulator or a test account")
    reason = models.CharField(max_length=300)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(default=clock.now)
    stopped_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    halt_ms = models.IntegerField(null=True, help_text="From the commit of the stop to the last write that began")
    begun_before = models.IntegerField(default=0)
    begun_after = models.IntegerField(null=True)
    in_flight = models.IntegerField(default=0)
    held = models.IntegerField(default=0)
    probes = models.IntegerField(default=0)
    projected = models.JSONField(default=list)
    projected_total = models.IntegerField(default=0)
    said = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("run_gameday", "Can run a drill of the emergency stop")]

    def __str__(self) -> str:
        return f"GD-{self.pk}"

    @edge(State.RUNNING, State.PASSED)
    def succeed(self) -> None:
        """Writes were under way, and none began after the halt."""

    @edge(State.RUNNING, State.FAILED)
    def fail(self) -> None:
        """A write began after the halt, or nothing was proved."""
