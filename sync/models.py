"""What the wire leaves behind: attempts, refusals, provider health, drain slots and planned job runs."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from ledger import clock
from ledger.models import Action, Event
from sync.accounting.models import BalanceEntry
from sync.baselines import BaselineFigure
from sync.claims.models import ClaimCheck
from sync.connections.models import ConnectionCheck
from sync.customer_sync.models import SyncError, SyncLink, SyncOutcome, SyncProfile, SyncProfileVersion, SyncRun
from sync.disputes.models import Dispute
from sync.erasure.models import Erasure
from sync.imports.models import LinkImport, LinkImportRow
from sync.mappings.models import MappingVersion
from sync.portal.models import PortalLink, PortalRun
from sync.reconcile.models import Delta, ReconcileRow, ReconcileRun
from sync.refunds.models import Refund, RefundRequest
from sync.slack.models import SlackAccount, SlackMessage, SlackNote

__all__ = [
    "Attempt", "BalanceEntry", "BaselineFigure", "ClaimCheck", "ConnectionCheck", "ContextCheck", "Delta", "Dispute",
    "DrainSlot", "Erasure", "JobRun", "LinkImport", "LinkImportRow", "MappingVersion", "PortalLink", "PortalRun",
    "ProviderState", "ReconcileRow", "ReconcileRun", "Refund", "RefundRequest", "Refusal", "RefusalCount",
    "SlackAccount", "SlackMessage", "SlackNote", "SyncError", "SyncLink", "SyncOutcome", "SyncProfile",
    "SyncProfileVersion", "SyncRun",
]  # fmt: skip


class Attempt(models.Model):
    """One HTTP exchange with a provider, without credentials. Insert only; its bodies are erasable."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, null=True, related_name="exchanges", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, null=True, related_name="exchanges", db_index=False)
    provider = models.CharField(max_length=32)
    account = models.CharField(max_length=32, blank=True, db_default="", help_text="Empty: the provider's first one")
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=1000)
    is_write = models.BooleanField(default=False)
    began_at = models.DateTimeField()
    ms = models.IntegerField()
    status = models.SmallIntegerField(null=True)
    error = models.CharField(max_length=60, blank=True)
    request_id = models.CharField(max_length=120, blank=True)
    request_body = models.TextField(blank=True)
    response_body = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["action", "id"], name="attempt_action"),
            models.Index(fields=["provider", "-id"], name="attempt_provider"),
            models.Index(fields=["event"], name="attempt_event", condition=models.Q(event__isnull=False)),
            BrinIndex(fields=["began_at"], name="attempt_times"),  # rows come in order of time: costs next to nothing
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.method} {self.status or self.error}"


class Refusal(models.Model):
    """A bounded sample of refused deliveries: why, from where, safe headers and the first bytes."""

    source = models.CharField(max_length=32)
    reason = models.CharField(max_length=120)
    status = models.SmallIntegerField()
    address = models.GenericIPAddressField(null=True)
    headers = models.JSONField(default=dict)
    body_sha = models.CharField(max_length=64)
    body_head = models.BinaryField()
    body_bytes = models.IntegerField()
    refused_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["source", "-id"], name="refusal_source")]

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


class RefusalCount(models.Model):
    """How many deliveries of a source were refused in an hour, kept and not kept."""

    source = models.CharField(max_length=32)
    hour = models.DateTimeField()
    refused = models.BigIntegerField(default=0)
    kept = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "hour"], name="refusals_an_hour_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.hour:%Y-%m-%d %H}: {self.refused}"


class ProviderState(models.Model):
    """Breaker, not-before and last success of one provider account, shared by all processes."""

    class Breaker(models.TextChoices):
        CLOSED = "closed", "Closed"
        OPEN = "open", "Open"

    provider = models.CharField(max_length=32, unique=True)
    breaker = models.CharField(max_length=8, choices=Breaker.choices, default=Breaker.CLOSED)
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True, help_text="When one request may try again")
    not_before = models.DateTimeField(null=True, help_text="Retry-After, for every action of this provider")
    last_success_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    last_error_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["provider"]

    def __str__(self) -> str:
        return self.provider


class DrainSlot(models.Model):
    """A place for one resident drain; who holds it shows it by `seen_at`. Slot 0 is the solo slot."""

    slot = models.SmallIntegerField(unique=True)
    host = models.CharField(max_length=120, blank=True)
    token = models.BigIntegerField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["slot"]

    def __str__(self) -> str:
        return f"slot {self.slot}"


class JobRun(models.Model):
    """One planned run of a scheduled job; unique (job, planned_at), so that it runs once."""

    job = models.CharField(max_length=60)
    planned_at = models.DateTimeField()
    started_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-planned_at", "job"]
        constraints = [models.UniqueConstraint(fields=["job", "planned_at"], name="job_run_once")]

    def __str__(self) -> str:
        return f"{self.job} {self.planned_at:%Y-%m-%d %H:%M}"


class ContextCheck(models.Model):
    """One comparison of stored facts with a live read; `fields` is {block.field: [compared, equal]}. Insert only."""

    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(default=clock.now)
    started_by = models.CharField(max_length=150)
    sampled = models.IntegerField(default=0, help_text="Contracts that were looked at")
    unread = models.IntegerField(default=0, help_text="Blocks that could not be read")
    fields = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"context check {self.pk}"


class PollMark(models.Model):
    """How far a system's changes were asked for, beside being told of them; the next poll begins a little before."""

    provider = models.CharField(max_length=32, unique=True)
    seen_until = models.DateTimeField(help_text="The system's own time of the latest change that was seen")
    polled_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["provider"]

    def __str__(self) -> str:
        return f"{self.provider} until {self.seen_until:%Y-%m-%d %H:%M}"
