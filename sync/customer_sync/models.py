"""What the customer sync keeps: profiles and their versions, runs, what became of each row, links, and errors."""

import uuid

from django.conf import settings
from django.db import models
from django_fsm import FSMField
from simple_history.models import HistoricalRecords

from ledger import clock
from ledger.models import Customer, Event
from ledger.states import Stateful, edge


class SyncProfile(models.Model):
    """Which customers are synced and what of them, under one name; its content stands in its versions.

    A profile is never edited in place: `version` names the one in force, and a run keeps the one it went by.
    """

    class Schedule(models.TextChoices):
        OFF = "off", "Only when somebody starts it"
        DELTA = "delta", "Changed customers every 15 minutes"
        MASS = "mass", "Changed customers every 15 minutes, all of them each night"

    name = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    version = models.PositiveIntegerField(default=1)
    schedule = models.CharField(max_length=8, choices=Schedule.choices, default=Schedule.OFF)
    stop_after = models.PositiveSmallIntegerField(
        default=10, help_text="Configuration errors after which a run pauses; 0: never"
    )
    mark = models.CharField(
        max_length=19, blank=True, help_text="The newest change that was seen, as the ERP prints moments"
    )
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["name"]
        permissions = [("run_sync", "Can sync customers to billing"), ("edit_sync", "Can change sync profiles")]

    def __str__(self) -> str:
        return self.title


class SyncProfileVersion(models.Model):
    """The criteria and, apart from them, the column set of a profile, as they were at one time.

    `criteria` are rows {field, op, value} that all hold; `columns` the fields that are sent; `sources` which field of
    the ERP fills a column; `shared_payer_field` a box on the customer that allows a shared billing customer.
    """

    profile = models.ForeignKey(SyncProfile, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    criteria = models.JSONField(default=list)
    columns = models.JSONField(default=list)
    sources = models.JSONField(default=dict)
    shared_payer_field = models.CharField(max_length=100, blank=True)
    note = models.CharField(max_length=300, blank=True)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    written_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["profile", "-version"]
        constraints = [models.UniqueConstraint(fields=["profile", "version"], name="sync_profile_version_once")]

    def __str__(self) -> str:
        return f"version {self.version}"


class SyncRun(Stateful):
    """One walk over customers. `cursor` is the last internal id whose row is booked; reading goes on after it."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        CANCELLED = "cancelled", "Cancelled"
        FINISHED = "finished", "Finished"
        FAILED = "failed", "Failed"

    class Mode(models.TextChoices):
        SINGLE = "single", "Single"
        MASS = "mass", "All customers"
        DELTA = "delta", "Changed customers"
        DRY = "dry", "Dry run"

    version = models.ForeignKey(SyncProfileVersion, on_delete=models.PROTECT, related_name="runs")
    mode = models.CharField(max_length=8, choices=Mode.choices)
    state = FSMField(default=State.PLANNED, choices=State.choices, protected=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False)
    account = models.CharField(max_length=64, help_text="The account of the ERP")
    ids = models.JSONField(default=list, help_text="The internal ids it is about; empty: all that fit")
    since = models.CharField(max_length=19, blank=True)
    seen_until = models.CharField(max_length=19, blank=True)
    cursor = models.BigIntegerField(default=0)
    total = models.IntegerField(null=True, help_text="How many rows there are, where that is known")
    rows = models.IntegerField(default=0)
    counts = models.JSONField(default=dict)
    config_errors = models.IntegerField(default=0)
    read_at = models.DateTimeField(null=True, help_text="When the last page was booked")
    why = models.CharField(max_length=300, blank=True, help_text="Why it paused or failed")
    lease_token = models.BigIntegerField(null=True)
    lease_until = models.DateTimeField(null=True)
    lease_place = models.CharField(max_length=160, blank=True, db_default="", help_text="The process that has it")
    created_at = models.DateTimeField(default=clock.now)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], name="sync_run_open", condition=models.Q(state__in=("planned", "running"))),
            models.Index(fields=["version", "-id"], name="sync_run_version"),
        ]

    def __str__(self) -> str:
        return f"sync {self.pk}"

    @edge(State.PLANNED, State.RUNNING)
    def begin(self) -> None:
        """A worker took it."""

    @edge(State.RUNNING, State.PAUSED)
    def pause(self) -> None:
        """Nothing more is read or planned until somebody resumes it."""

    @edge(State.PAUSED, State.RUNNING)
    def resume(self) -> None:
        """Goes on where it stopped."""

    @edge([State.PLANNED, State.RUNNING, State.PAUSED], State.CANCELLED)
    def cancel(self) -> None:
        """What was not sent is withdrawn; what was begun at the billing system is written back."""

    @edge(State.RUNNING, State.FINISHED)
    def finish(self) -> None:
        """Every row has its outcome."""

    @edge([State.PLANNED, State.RUNNING], State.FAILED)
    def fail(self) -> None:
        """It cannot go on: the profile or the ERP's answer is wrong."""


class SyncOutcome(models.Model):
    """What became of one customer in one run; written anew where a run goes over a row a second time.

    `pending` waits for actions of the same correlation id; `planned` is what it becomes when they are confirmed.
    """

    class Outcome(models.TextChoices):
        PENDING = "pending", "Under way"
        CREATED = "created", "Created"
        UPDATED = "updated", "Updated"
        LINKED = "linked", "Linked"
        UNCHANGED = "unchanged", "Unchanged"
        SKIPPED = "skipped", "Skipped"
        REVIEW = "review", "For a person"
        ERROR = "error", "Error"

    run = models.ForeignKey(SyncRun, on_delete=models.PROTECT, related_name="outcomes", db_index=False)
    internal_id = models.BigIntegerField()
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    planned = models.CharField(max_length=12, blank=True)
    code = models.CharField(max_length=60, blank=True, help_text="Why, as a word")
    error_class = models.CharField(max_length=16, blank=True)
    billing_id = models.CharField(max_length=64, blank=True)
    candidates = models.JSONField(default=list)
    changed = models.JSONField(default=list, help_text="Names of the fields that differ")
    notes = models.JSONField(default=list)
    correlation_id = models.UUIDField(default=uuid.uuid4)
    trace_key = models.CharField(max_length=160)
    source_version = models.CharField(max_length=19, blank=True)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["run", "internal_id"]
        constraints = [models.UniqueConstraint(fields=["run", "internal_id"], name="sync_outcome_once")]
        indexes = [
            models.Index(fields=["run", "id"], name="sync_outcome_open", condition=models.Q(outcome="pending")),
            models.Index(fields=["run", "outcome", "internal_id"], name="sync_outcome_by"),
            models.Index(fields=["customer", "-id"], name="sync_outcome_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.internal_id} {self.outcome}"


class SyncLink(models.Model):
    """What our books hold of one customer of one account of the ERP at the billing system.

    The id itself is a link row of the customer as well; here stand account, mode and generation beside it, and what was
    confirmed last: `content` over all mapped fields, `row` over what a query shows, `modified` the ERP's own stamp.
    """

    account = models.CharField(max_length=64)
    internal_id = models.BigIntegerField()
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="sync_links")
    billing_account = models.CharField(max_length=64, blank=True)
    is_live = models.BooleanField(null=True)
    billing_id = models.CharField(max_length=64, blank=True)
    written_back_at = models.DateTimeField(null=True)
    generation = models.PositiveIntegerField(default=1)
    attempt = models.PositiveIntegerField(default=1, help_text="Rises when a creation was refused for certain")
    content = models.CharField(max_length=64, blank=True)
    row = models.CharField(max_length=64, blank=True)
    modified = models.CharField(max_length=19, blank=True)
    email_key = models.CharField(max_length=64, blank=True, help_text="Keyed hash of the address in small letters")
    page = models.BigIntegerField(null=True, help_text="The portal link whose address the ERP was seen with")
    page_tried = models.BigIntegerField(null=True, help_text="The one that a run was started for by itself")
    updated_at = models.DateTimeField(default=clock.now)
    history = HistoricalRecords(
        excluded_fields=["email_key", "content", "row", "modified", "page", "page_tried", "updated_at"]
    )

    class Meta:
        ordering = ["account", "internal_id"]
        constraints = [models.UniqueConstraint(fields=["account", "internal_id"], name="sync_link_once")]
        indexes = [
            models.Index(fields=["billing_id"], name="sync_link_billing", condition=~models.Q(billing_id="")),
            models.Index(fields=["email_key"], name="sync_link_email", condition=~models.Q(email_key="")),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.internal_id}"


class SyncError(Stateful):
    """One thing that went wrong with one customer at one step. A later run of the same trace key settles it."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        RETRYING = "retrying", "Being retried"
        RESOLVED = "resolved", "Resolved"
        IGNORED = "ignored", "Ignored"

    class Step(models.TextChoices):
        LOOKUP = "lookup", "Look-up"
        CREATE = "create", "Create"
        UPDATE = "update", "Update"
        WRITE_BACK = "write_back", "Write back"

    trace_key = models.CharField(max_length=160)
    step = models.CharField(max_length=12, choices=Step.choices)
    state = FSMField(default=State.OPEN, choices=State.choices, protected=True)
    error_class = models.CharField(max_length=16)
    code = models.CharField(max_length=60)
    sentence = models.CharField(max_length=300)
    run = models.ForeignKey(SyncRun, on_delete=models.PROTECT, related_name="errors")
    outcome = models.ForeignKey(SyncOutcome, on_delete=models.PROTECT, null=True, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="+")
    internal_id = models.BigIntegerField(null=True)
    candidates = models.JSONField(default=list)
    source_version = models.CharField(max_length=19, blank=True)
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    resolution = models.CharField(max_length=8, blank=True, help_text="user or auto")
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    resolved_at = models.DateTimeField(null=True)
    retried_in = models.ForeignKey(SyncRun, on_delete=models.PROTECT, null=True, related_name="+")
    exchange = models.JSONField(null=True, help_text="Which exchange went wrong, where no action shows it")
    archived_at = models.DateTimeField(null=True, help_text="Kept as evidence, no longer listed")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["trace_key", "step"], name="sync_error_once_while_open",
                condition=models.Q(state__in=("open", "retrying")),
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["-id"], name="sync_error_open", condition=models.Q(state__in=("open", "retrying"))),
            models.Index(fields=["run", "error_class", "-id"], name="sync_error_run"),
            models.Index(fields=["state", "-id"], name="sync_error_state", condition=models.Q(archived_at=None)),
            models.Index(fields=["internal_id", "-id"], name="sync_error_of"),
        ]

    def __str__(self) -> str:
        return f"{self.trace_key} {self.code}"

    @edge(State.OPEN, State.RETRYING)
    def retry(self) -> None:
        """It is read again from the source."""

    @edge(State.RETRYING, State.OPEN)
    def reopen(self) -> None:
        """The try came to nothing."""

    @edge([State.OPEN, State.RETRYING], State.RESOLVED)
    def resolve(self) -> None:
        """Settled, by a person or by a later run."""

    @edge(State.OPEN, State.IGNORED)
    def ignore(self) -> None:
        """A person says that nothing is to be done."""
