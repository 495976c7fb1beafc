"""BaselineFigure: how things stood on a day, so that what came later can be compared with it."""

from django.conf import settings
from django.db import models

from ledger import clock


class BaselineFigure(models.Model):
    """One figure of one snapshot; never changed. A snapshot is all rows of a day, taken over `window_days` before it.

    `value` of `of`: tickets of a kind of all tickets, seconds to correct over so many corrections, escalated of all
    items, unpaid minor units of all that fell due. `key` is the kind of ticket or the currency.
    """

    class Measure(models.TextChoices):
        TICKETS = "ticket_kind", "Tickets of a kind"
        CORRECT = "time_to_correct", "Mean time to correct"
        ESCALATED = "escalation_rate", "Escalated items"
        LEAKAGE = "revenue_leakage", "Revenue leakage"

    day = models.DateField()
    measure = models.CharField(max_length=24, choices=Measure.choices)
    key = models.CharField(max_length=80, blank=True)
    value = models.BigIntegerField()
    of = models.BigIntegerField()
    window_days = models.PositiveSmallIntegerField()
    taken_at = models.DateTimeField(default=clock.now)
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-day", "measure", "-value", "key"]
        constraints = [models.UniqueConstraint(fields=["day", "measure", "key"], name="baseline_once")]
        permissions = [("take_baseline", "Can take a baseline")]

    def __str__(self) -> str:
        return f"{self.get_measure_display()} {self.key} on {self.day}"
