"""Audits: planned reviews of what the automations, the rules and the accounts do, with their samples and results."""

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.states import Stateful, edge


class Audit(Stateful):
    """One planned review; unique (kind, planned_at), so that it is made once. `found` are counts by verdict."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"

    kind = models.CharField(max_length=40)
    state = FSMField(default=State.OPEN, choices=State.choices, protected=True)
    planned_at = models.DateTimeField()
    since = models.DateTimeField()
    due_at = models.DateTimeField()
    owner_group = models.CharField(max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    figures = models.JSONField(default=dict, help_text="Numbers of the period, by name")
    missing = models.CharField(max_length=300, blank=True, help_text="What there was nothing to sample of")
    found = models.JSONField(default=dict)
    result = models.TextField(blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["kind", "planned_at"], name="audit_once")]
        indexes = [models.Index(fields=["due_at"], name="audit_open", condition=models.Q(state="open"))]
        permissions = [("work_audit", "Can judge the samples of audits and close them")]

    def __str__(self) -> str:
        return f"AU-{self.pk}"

    @edge(State.OPEN, State.DONE)
    def close(self) -> None:
        """Every sampled row was judged, and somebody wrote down what follows."""

    def touch(self) -> None:
        """Something of it changed that is not its state."""
        self.state_version += 1


class AuditRow(models.Model):
    """One sampled row: which record, why it was drawn, and what a person says of it. Holds ids and states only."""

    class Verdict(models.TextChoices):
        NONE = "", "Not looked at"
        RIGHT = "right", "Right"
        WRONG = "wrong", "Wrong"
        UNCLEAR = "unclear", "Cannot be told"

    audit = models.ForeignKey(Audit, on_delete=models.CASCADE, related_name="rows", db_index=False)
    place = models.PositiveSmallIntegerField()
    group = models.CharField(max_length=40, help_text="Which part of the sample")
    subject_kind = models.CharField(max_length=32)
    subject_id = models.CharField(max_length=80)
    about = models.JSONField(default=dict)
    verdict = models.CharField(max_length=8, choices=Verdict.choices, default=Verdict.NONE, blank=True)
    note = models.CharField(max_length=300, blank=True)
    judged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    judged_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["audit", "place"]
        constraints = [models.UniqueConstraint(fields=["audit", "place"], name="audit_row_once")]

    def __str__(self) -> str:
        return f"row {self.place} of AU-{self.audit_id}"
