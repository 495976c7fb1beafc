"""What was measured last of each rule of the alerts: the number, its limit, and since when it is over or fine."""

from django.db import models


class AlertReading(models.Model):
    """One rule, or one subject of it (a system, an automation): one row for ever, written by whoever measured last.

    `over_since` and `fine_since` say for how long the number has been on one side of its limit without a break. A
    measurement that failed writes `failed_since` and `error` and ends `fine_since`: what nobody knows clears nothing.
    """

    name = models.CharField(max_length=80, unique=True)
    rule = models.CharField(max_length=60)
    value = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    said = models.CharField(max_length=300, blank=True, help_text="The number in a sentence")
    over_since = models.DateTimeField(null=True)
    fine_since = models.DateTimeField(null=True)
    measured_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    failed_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)
    ms = models.PositiveIntegerField(default=0, help_text="How long it took")
    samples = models.JSONField(default=list, blank=True, help_text="Earlier numbers: seconds since 1970 and the value")

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["rule"], name="alert_reading_rule")]

    def __str__(self) -> str:
        return self.name
