"""KpiDay, KpiTarget, KpiNote, KpiReport: the figures of each day, what they should be, and what was said of them."""

from django.conf import settings
from django.db import models

from ledger import clock


class KpiDay(models.Model):
    """One figure of one day (UTC) and one scope; computing the day again overwrites it.

    `scope` is empty for the whole, else `automation:<name>`, `team:<group>` or `currency:<code>`. `value` is None where
    nothing happened that could be counted, or where it could not be computed; then `error` says why. `numerator` and
    `denominator` are what it is made of: amounts in minor units, seconds, rows. `is_final`: computed after its day.
    """

    kpi = models.CharField(max_length=40)
    day = models.DateField()
    scope = models.CharField(max_length=120, blank=True)
    value = models.FloatField(null=True)
    numerator = models.BigIntegerField(default=0)
    denominator = models.BigIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    is_final = models.BooleanField(default=False)
    computed_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-day", "kpi", "scope"]
        constraints = [models.UniqueConstraint(fields=["kpi", "scope", "day"], name="kpi_once_a_day")]
        indexes = [models.Index(fields=["day"], name="kpi_day")]
        permissions = [
            ("view_revenue", "Can see revenue figures"),
            ("export_kpis", "Can export key figures"),
        ]

    def __str__(self) -> str:
        return f"{self.kpi} of {self.day}"


class KpiTarget(models.Model):
    """What a figure should be; without a row it is what the catalogue says."""

    kpi = models.CharField(max_length=40, unique=True)
    value = models.FloatField()
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(default=clock.now)

    class Meta:
        permissions = [("set_kpi_target", "Can set targets of key figures")]

    def __str__(self) -> str:
        return f"target of {self.kpi}"


class KpiNote(models.Model):
    """What a person wrote about a figure in a week; `week` is its Monday. Never sent anywhere."""

    kpi = models.CharField(max_length=40)
    week = models.DateField()
    text = models.CharField(max_length=500)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-week", "kpi"]
        constraints = [models.UniqueConstraint(fields=["kpi", "week"], name="kpi_note_once_a_week")]
        permissions = [("write_kpi_note", "Can write weekly notes about key figures")]

    def __str__(self) -> str:
        return f"note about {self.kpi} in the week of {self.week}"


class KpiReport(models.Model):
    """The report of one week as it was sent; its row keeps it from being sent twice. `lines` hold no revenue."""

    week = models.DateField(unique=True, help_text="The Monday after the week it is about")
    lines = models.JSONField(default=list)
    revenue = models.JSONField(default=list, help_text="Lines for those who may see revenue")
    mails = models.PositiveSmallIntegerField(default=0)
    correlation_id = models.UUIDField()
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-week"]

    def __str__(self) -> str:
        return f"report of the week before {self.week}"
