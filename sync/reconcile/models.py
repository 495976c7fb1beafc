"""A run of a check, the rows it has read so far, and the differences that runs and events have found."""

import uuid

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django_fsm import FSMField

from gates.models import ReviewItem
from ledger import clock
from ledger.models import Customer
from ledger.states import Stateful, edge


class ReconcileRun(models.Model):
    """One comparison, done in slices: `cursor` says how far both sides were read, so that a killed run goes on.

    Nothing is opened or closed before both sides were read to their end. One run of a check goes on at a time.
    """

    class Outcome(models.TextChoices):
        RUNNING = "", "Running"
        AGREE = "agree", "Agree"
        DIFFER = "differ", "Differ"
        PARTIAL = "partial", "Partial"
        FAILED = "failed", "Failed"

    check_name = models.CharField(max_length=40)
    started_by = models.CharField(max_length=120, help_text="user:<id>, system:schedule or system:shell")
    started_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.RUNNING, blank=True)
    error = models.CharField(max_length=300, blank=True)
    cursor = models.JSONField(default=dict, help_text="The list that is being read, its cursor, and those read already")
    left_rows = models.IntegerField(default=0, help_text="Records of the first system that take part")
    right_rows = models.IntegerField(default=0)
    compared = models.IntegerField(default=0, help_text="Natural keys met on either side")
    differing = models.IntegerField(default=0, help_text="Keys with a difference that nobody accepted")
    counts = models.JSONField(default=dict, help_text="Differences found, by class")
    gaps = models.JSONField(
        default=list, db_default=models.Value([], models.JSONField()),
        help_text="What was not compared, and why: pairs of a list and a sentence",
    )  # fmt: skip
    totals = models.JSONField(
        default=list, db_default=models.Value([], models.JSONField()),
        help_text="What was added up: word, currency, then records and minor units of the first and second system",
    )  # fmt: skip
    covers_from = models.DateTimeField(null=True)
    covers_to = models.DateTimeField(null=True)
    opened = models.IntegerField(default=0)
    closed = models.IntegerField(default=0)
    mismatch_permille = models.IntegerField(default=0)
    new_customers = models.IntegerField(default=0, help_text="Customers first met in the seven days before")
    flagged = models.BooleanField(default=False)
    tries = models.SmallIntegerField(default=0, help_text="Failed reads since the last one that went well")
    available_at = models.DateTimeField(default=clock.now)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["check_name"], name="reconcile_one_at_a_time", condition=models.Q(finished_at__isnull=True)
            )
        ]
        indexes = [models.Index(fields=["check_name", "-id"], name="reconcile_check")]
        permissions = [("run_reconcile", "Can start a reconciliation")]

    def __str__(self) -> str:
        return f"run {self.pk} of {self.check_name}"


class ReconcileRow(models.Model):
    """One record as a side showed it, for the time of its run only; personal data, gone when the run ends."""

    run = models.ForeignKey(ReconcileRun, on_delete=models.CASCADE, related_name="rows", db_index=False)
    kind = models.CharField(max_length=20)
    record = models.CharField(max_length=40)
    key = models.CharField(max_length=255, blank=True)
    parent = models.CharField(max_length=40, blank=True, help_text="The record it hangs on")
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "kind", "record"], name="reconcile_row_once")]
        indexes = [models.Index(fields=["run", "key"], name="reconcile_row_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.record}"


class Delta(Stateful):
    """One difference, for as long as it lasts: found again it is the same row. Its two values are erasable.

    What is compared from run to run are fingerprints, so that values may be erased at any time.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        ASSIGNED = "assigned", "Assigned"
        RESOLVED = "resolved", "Resolved"
        ACCEPTED = "accepted", "Accepted"

    class Kind(models.TextChoices):
        MISSING_LEFT = "missing_left", "Missing left"
        MISSING_RIGHT = "missing_right", "Missing right"
        FIELD_DIFFERS = "field_differs", "Field differs"
        DUPLICATE = "duplicate", "Duplicate"
        IDENTITY = "identity", "Identity"
        ECHO = "echo", "Echo"
        UNKNOWN = "unknown_outcome", "Unknown outcome"

    check_name = models.CharField(max_length=40)
    kind = models.CharField(max_length=20, choices=Kind.choices, help_text="The class of the difference")
    key = models.CharField(max_length=255, help_text="What both sides know the record by")
    field = models.CharField(max_length=100, blank=True, help_text="The field, or the side that has it twice")
    state = FSMField(default=State.OPEN, choices=State.choices, protected=True)
    left_value = models.CharField(max_length=300, blank=True)
    right_value = models.CharField(max_length=300, blank=True)
    left_print = models.CharField(max_length=32, blank=True)
    right_print = models.CharField(max_length=32, blank=True)
    refs = models.JSONField(default=list, help_text="[system, kind, id] of every record it is about")
    ids = models.JSONField(default=list, help_text="Everything it can be searched by")
    owner_system = models.CharField(max_length=32, blank=True, help_text="Whose word counts for the field")
    owner_group = models.CharField(max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="deltas")
    item = models.ForeignKey(ReviewItem, on_delete=models.SET_NULL, null=True, related_name="deltas")
    reason = models.CharField(max_length=500, blank=True, help_text="Why a person accepted or resolved it")
    accepted_until = models.DateTimeField(null=True, help_text="Accepted until then; it opens again by itself")
    action_id = models.UUIDField(null=True, help_text="The fix that was asked for last, through the gates")
    correlation_id = models.UUIDField(default=uuid.uuid4)
    first_run = models.ForeignKey(ReconcileRun, on_delete=models.PROTECT, null=True, related_name="+")
    last_run = models.ForeignKey(ReconcileRun, on_delete=models.PROTECT, null=True, related_name="+")
    closed_run = models.ForeignKey(ReconcileRun, on_delete=models.PROTECT, null=True, related_name="+")
    first_seen_at = models.DateTimeField(default=clock.now)
    last_seen_at = models.DateTimeField(default=clock.now)
    resolved_at = models.DateTimeField(null=True)
    times_seen = models.IntegerField(default=1)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["check_name", "kind", "key", "field"], name="delta_once"),
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="delta_state"),
            models.Index(fields=["owner_group", "-id"], name="delta_group"),
            models.Index(fields=["customer", "-id"], name="delta_customer"),
            GinIndex(fields=["ids"], name="delta_ids"),
            models.Index(
                fields=["accepted_until"], name="delta_accepted_until",
                condition=models.Q(accepted_until__isnull=False, state="accepted"),
            ),
        ]  # fmt: skip
        permissions = [
            ("work_delta", "Can acknowledge, assign and resolve differences"),
            ("accept_delta", "Can accept differences"),
        ]

    def __str__(self) -> str:
        return f"D-{self.pk}"

    @edge(State.OPEN, State.ACKNOWLEDGED)
    def acknowledge(self) -> None:
        """Somebody has seen it."""

    @edge([State.OPEN, State.ACKNOWLEDGED, State.ASSIGNED], State.ASSIGNED)
    def assign(self) -> None:
        """Somebody, or another group, sees to it."""

    @edge([State.OPEN, State.ACKNOWLEDGED, State.ASSIGNED], State.ACCEPTED)
    def accept(self) -> None:
        """It may stay as it is, for a reason; it comes back when the values change."""

    @edge([State.OPEN, State.ACKNOWLEDGED, State.ASSIGNED, State.ACCEPTED], State.RESOLVED)
    def resolve(self) -> None:
        """A person says that it is gone, or a run did not find it any more."""

    @edge([State.RESOLVED, State.ACCEPTED], State.OPEN)
    def reopen(self) -> None:
        """It is back, or what was accepted has changed."""
