"""Runbook: what people do about a kind of trouble, step by step, and who did which step for which item."""

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from gates.models.review_item import ReviewItem
from ledger import clock


class Runbook(models.Model):
    """Steps with check boxes; a step may carry a verb, which runs behind the same door as its button does.

    `applies_to` is `{"kinds": [], "whys": [], "errors": [], "alerts": []}`. A step is `{"text", "verb"}`, where verb is
    empty, `rollback`, `check`, `retry` or `propose:<kind>`. The presets come from files; what people change since
    is left alone.
    """

    slug = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    when = models.CharField(max_length=300, help_text="When it applies, in a sentence")
    applies_to = models.JSONField(default=dict)
    steps = models.JSONField(default=list)
    owner_group = models.CharField(max_length=80)
    version = models.PositiveIntegerField(default=1)
    tested_at = models.DateTimeField(null=True, blank=True)
    tested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    updated_at = models.DateTimeField(default=clock.now)
    history = HistoricalRecords()
    _change_reason: str

    class Meta:
        ordering = ["title"]
        permissions = [("edit_runbook", "Can edit runbooks and record their tests")]

    def __str__(self) -> str:
        return self.title


class RunbookTick(models.Model):
    """Somebody did a step of a runbook for an item."""

    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="ticks")
    runbook = models.ForeignKey(Runbook, on_delete=models.PROTECT, related_name="ticks")
    version = models.PositiveIntegerField()
    step = models.PositiveSmallIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["item", "runbook", "version", "step"], name="tick_once")]

    def __str__(self) -> str:
        return f"step {self.step} of {self.runbook_id} for RV-{self.item_id}"
