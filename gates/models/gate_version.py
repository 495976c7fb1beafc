"""GateVersion: typed rows of one gate, valid from a time, never edited in place."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from gates.rules import typed
from ledger import clock


class GateVersion(models.Model):
    """All `rows` must hold for the gate to fire; then `result` and `message` are its answer.

    A row is `{"field", "op", "value"}`; fields and operators come from the catalogue in `gates.rules.typed`, which
    refuses unknown ones. A change is a new version; the ledger stores which version judged.
    """

    class Result(models.TextChoices):
        HOLD = "hold", "Hold"
        REVIEW = "review", "Review by one person"
        REVIEW_TWO = "review_two", "Review by two people"
        BLOCK = "block", "Block"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "Waits for a second person"
        LIVE = "live", "In force"
        WITHDRAWN = "withdrawn", "Withdrawn"

    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    applies_to = models.JSONField(default=list, help_text="Action kinds; empty for all")
    rows = models.JSONField(default=list)
    result = models.CharField(max_length=12, choices=Result.choices)
    message = models.CharField(max_length=300)
    valid_from = models.DateTimeField(default=clock.now)
    retired_at = models.DateTimeField(null=True, blank=True)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.LIVE, db_default="live")
    state_version = models.PositiveIntegerField(default=0, db_default=0)
    why = models.CharField(max_length=300, blank=True, db_default="", help_text="Why it was changed")
    written_at = models.DateTimeField(default=clock.now, db_default=Now())
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["name", "-version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="gate_version_once")]
        permissions = [
            ("edit_gate", "Can draft and submit gates"),
            ("approve_gate", "Can put a submitted gate in force"),
        ]

    def __str__(self) -> str:
        return f"{self.title} v{self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises BadRow for a row that could not be judged: it would break every decision after it."""
        for row in self.rows:
            typed.check_row(row)
        super().save(*args, **kwargs)
