"""Event: one thing that happened, stored once for ever. EventBody: the bytes it came in."""

import uuid

from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.models.customer import Customer
from ledger.states import Stateful, edge


class Event(Stateful):
    """The inbox row and, while it is open, the job itself. Holds no personal data and is never removed.

    `lane` orders the work: rows of one lane are handled one after the other by `id`. `attempts` counts claims that
    were tried, `crashes` leases that ran out while the row was being handled.
    """

    class State(models.TextChoices):
        RECEIVED = "received", "Received"
        WAITING = "waiting", "Waiting"
        PROCESSING = "processing", "Processing"
        PROCESSED = "processed", "Processed"
        IGNORED = "ignored", "Ignored"
        PARKED = "parked", "Parked"

    source = models.CharField(max_length=32)
    account = models.CharField(max_length=64, blank=True)
    provider_event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=120)
    kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=255, blank=True)
    api_version = models.CharField(max_length=40, blank=True)
    livemode = models.BooleanField(null=True)
    origin_key = models.CharField(max_length=255, blank=True, help_text="Our own key, when our write caused it")
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=clock.now)
    enqueued_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    lane = models.CharField(max_length=200, db_collation="C")
    state = FSMField(default=State.RECEIVED, choices=State.choices, protected=True)
    verdict = models.CharField(max_length=300, blank=True)
    late = models.BooleanField(default=False)
    correlation_id = models.UUIDField(default=uuid.uuid4)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="events", db_constraint=False, db_index=False
    )
    available_at = models.DateTimeField(default=clock.now)
    attempts = models.SmallIntegerField(default=0)
    crashes = models.SmallIntegerField(default=0)
    deliveries = models.IntegerField(default=1)
    body_sha = models.BinaryField()
    lease_until = models.DateTimeField(null=True)
    lease_token = models.BigIntegerField(null=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["source", "account", "provider_event_id"], name="event_once"),
        ]
        indexes = [
            models.Index(
                fields=["lane", "id"],
                name="event_lane_open",
                condition=models.Q(state__in=("received", "waiting", "processing")),
            ),
            models.Index(fields=["lease_until"], name="event_leased", condition=models.Q(state="processing")),
            models.Index(
                fields=["available_at", "id"], name="event_ready", condition=models.Q(state__in=("received", "waiting"))
            ),
            models.Index(fields=["id"], name="event_parked", condition=models.Q(state="parked")),
            models.Index(fields=["customer", "-id"], name="event_customer"),
            models.Index(fields=["object_id", "-id"], name="event_object"),
            models.Index(fields=["correlation_id"], name="event_correlation"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.type} {self.provider_event_id}"

    @edge([State.RECEIVED, State.WAITING], State.PROCESSING)
    def claim(self) -> None:
        """A drain took it, with a lease."""

    @edge(State.PROCESSING, State.PROCESSED)
    def finish(self) -> None:
        """Its effects are committed."""

    @edge(State.PROCESSING, State.IGNORED)
    def ignore(self) -> None:
        """Nothing to do: unknown, informational, superseded or an echo."""

    @edge(State.PROCESSING, State.WAITING)
    def wait(self) -> None:
        """A read goes on or a provider is away; counts as no attempt."""

    @edge([State.RECEIVED, State.WAITING, State.PROCESSING], State.PARKED)
    def park(self) -> None:
        """Only a person can read it, or it broke too often."""

    @edge([State.WAITING, State.PROCESSING], State.RECEIVED)
    def release(self) -> None:
        """Back to the queue: untried, or its worker died."""

    @edge([State.PROCESSED, State.IGNORED, State.PARKED], State.RECEIVED)
    def replay(self) -> None:
        """A person runs it again; the same keys hold, so nothing happens twice."""


class EventBody(models.Model):
    """The exact bytes of one delivery; several where one event id came with different bodies.

    The table is partitioned by month of `received_at` (its key is id and time), so no foreign key points at it.
    """

    event_id = models.BigIntegerField()
    received_at = models.DateTimeField(default=clock.now)
    sha = models.BinaryField()
    headers = models.JSONField(default=dict)
    raw = models.BinaryField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["event_id"], name="event_body_event")]
        verbose_name_plural = "event bodies"

    def __str__(self) -> str:
        return f"body of event {self.event_id}"
