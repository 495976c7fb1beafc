"""Who gets an item, by when it must be decided, and who is away."""

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from ledger import clock

USER = settings.AUTH_USER_MODEL


class OwnershipRule(models.Model):
    """The first rule, by position, whose conditions all fit gets the item. An empty list fits everything.

    The last rule has no conditions and can be neither changed into one with conditions nor retired, so that an item
    without an owner cannot exist. `mrr_from_minor` is compared in the customer's own currency. With a `role` it goes
    to whoever holds that role for the account (`AccountHolder`), and to the group where nobody does.
    """

    position = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    kinds = models.JSONField(default=list, blank=True, help_text="Kinds of action or item")
    whys = models.JSONField(default=list, blank=True, help_text="Gates or error classes that asked")
    tiers = models.JSONField(default=list, blank=True)
    automations = models.JSONField(default=list, blank=True)
    contract_states = models.JSONField(default=list, blank=True)
    regions = models.JSONField(default=list, blank=True, db_default=models.Value([], models.JSONField()))
    payment_states = models.JSONField(default=list, blank=True, db_default=models.Value([], models.JSONField()))
    mrr_from_minor = models.BigIntegerField(null=True, blank=True)
    group = models.CharField(max_length=80)
    role = models.CharField(max_length=40, blank=True, db_default="")
    person = models.ForeignKey(USER, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    fallback_group = models.CharField(max_length=80)
    retired_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()
    _change_reason: str

    class Meta:
        ordering = ["position", "id"]
        permissions = [("edit_routing", "Can edit ownership, absences of others and SLA")]

    def __str__(self) -> str:
        return self.title


class Absence(models.Model):
    """A person is away: nothing is routed to them, and what they own counts as unowned when it is bumped."""

    user = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="absences")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    entered_by = models.ForeignKey(USER, on_delete=models.SET_NULL, null=True, related_name="+")
    entered_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="absence_ends_later")
        ]

    def __str__(self) -> str:
        return f"absence of {self.user_id}"


class BusinessHours(models.Model):
    """A calendar of working hours in one zone.

    `week` has one entry for each day, Monday first: a list of [from, to] in minutes after local midnight. `holidays`
    are local ISO dates.
    """

    name = models.CharField(max_length=60, unique=True)
    zone = models.CharField(max_length=64, default="UTC")
    week = models.JSONField(default=list)
    holidays = models.JSONField(default=list, blank=True)
    history = HistoricalRecords()
    _change_reason: str

    class Meta:
        verbose_name_plural = "business hours"

    def __str__(self) -> str:
        return self.name


class SlaPolicy(models.Model):
    """How long an item of a kind and tier may wait. The policy that names kind and tier wins over one that names less.

    Without `hours` the clock never rests. `steps` are bumps: `{"at_percent": 50, "group": "Support Manager"}`; an
    empty group tells the owner only. The policy for everything (no kind, no tier) always exists.
    """

    kind = models.CharField(max_length=60, blank=True)
    tier = models.CharField(max_length=16, blank=True)
    touch_minutes = models.PositiveIntegerField(help_text="Until somebody has it")
    decide_minutes = models.PositiveIntegerField(help_text="Until it is decided")
    hours = models.ForeignKey(BusinessHours, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    steps = models.JSONField(default=list)
    history = HistoricalRecords()
    _change_reason: str

    class Meta:
        ordering = ["kind", "tier"]
        verbose_name = "SLA policy"
        verbose_name_plural = "SLA policies"
        constraints = [models.UniqueConstraint(fields=["kind", "tier"], name="sla_once")]

    def __str__(self) -> str:
        return f"SLA of {self.kind or 'everything'}{' ' + self.tier if self.tier else ''}"
