"""Action: one intended change at a provider, from the proposal to the confirmation; also the outbox row."""

import uuid

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.identity import new_action_id
from ledger.models.contract import Contract
from ledger.models.customer import Customer
from ledger.models.event import Event
from ledger.states import Stateful, edge


class Action(Stateful):
    """The one mutable unit of work. Moved by `ledger.book` alone, which writes a ledger row for each transition.

    `answers` holds every rule's answer, `facts` what was judged on (ids, amounts, states, times), `request` the frozen
    request, `confirmation` the provider's own word. `in_lane` marks rows that take part in their customer's order:
    approved, sending, unknown, and held ones whose time has come.

    Customers, contracts and events are never removed, and the booking transaction holds their rows: a foreign key
    checked by the database for each inserted action would cost a tenth of an event's time and find nothing. Each move
    writes every index anew, so there are only those that a page or a queue walks.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        OBSERVED = "observed", "Observed"
        HELD = "held", "Held until"
        IN_REVIEW = "in_review", "In review"
        APPROVED = "approved", "Approved"
        PARKED = "parked", "Held by stop"
        SENDING = "sending", "Sending"
        UNKNOWN = "unknown", "Unknown"
        APPLIED = "applied", "Confirmed"
        FAILED = "failed", "Failed"
        REJECTED = "rejected", "Rejected"
        SUPERSEDED = "superseded", "Superseded"
        COMPENSATED = "compensated", "Compensated"

    class Mode(models.TextChoices):
        LIVE = "live", "Live"
        SHADOW = "shadow", "Shadow"
        DRILL = "drill", "Drill"

    id = models.UUIDField(primary_key=True, default=new_action_id, editable=False)
    state = FSMField(default=State.PROPOSED, choices=State.choices, protected=True)
    kind = models.CharField(max_length=60)
    provider = models.CharField(max_length=32, blank=True)
    automation = models.CharField(max_length=60, blank=True)
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.LIVE)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="actions", db_constraint=False, db_index=False
    )
    contract = models.ForeignKey(
        Contract, on_delete=models.PROTECT, null=True, related_name="actions", db_constraint=False, db_index=False
    )
    event = models.ForeignKey(
        Event, on_delete=models.PROTECT, null=True, related_name="actions", db_constraint=False, db_index=False
    )
    target = models.CharField(max_length=255)
    business_key = models.CharField(max_length=255)
    params = models.JSONField(default=dict)
    because = models.CharField(max_length=500, blank=True)
    preview = models.JSONField(default=list)
    preview_hash = models.CharField(max_length=64, blank=True)
    answers = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    rule_version = models.CharField(max_length=64, blank=True)
    judged_version = models.IntegerField(null=True, help_text="The contract's state_version it was judged on")
    irreversible = models.BooleanField(default=False)
    amount_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    reverses = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="reversals", db_index=False)
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    correlation_id = models.UUIDField(default=uuid.uuid4)
    key = models.CharField(max_length=80, blank=True)
    request = models.JSONField(null=True)
    job_ref = models.CharField(max_length=500, blank=True)
    confirmation = models.JSONField(null=True)
    tries = models.SmallIntegerField(default=0, help_text="Writes begun")
    looks = models.SmallIntegerField(default=0, help_text="Reads made to find out about a lost answer")
    lane = models.CharField(max_length=200, db_collation="C")
    in_lane = models.BooleanField(default=False)
    available_at = models.DateTimeField(default=clock.now, help_text="Not before")
    crashes = models.SmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.BigIntegerField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True)
    unknown_since = models.DateTimeField(null=True)
    waiting_since = models.DateTimeField(null=True, help_text="Since when the facts it needs cannot be read")
    applied_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "kind", "target"], name="action_once_per_event"),
            models.UniqueConstraint(
                fields=["customer", "kind", "business_key"],
                name="action_once_while_open",
                condition=models.Q(
                    state__in=("proposed", "held", "in_review", "approved", "parked", "sending", "unknown", "failed")
                ),
            ),
            models.UniqueConstraint(
                fields=["reverses"],
                name="action_reversed_once",
                condition=models.Q(reverses__isnull=False) & ~models.Q(state__in=("rejected", "superseded")),
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "id"], name="action_lane", condition=models.Q(in_lane=True)),
            models.Index(
                fields=["available_at"], name="action_due", condition=models.Q(state="held") & models.Q(in_lane=False)
            ),
            models.Index(fields=["lease_until"], name="action_leased", condition=models.Q(lease_until__isnull=False)),
            models.Index(fields=["id"], name="action_parked", condition=models.Q(state="parked")),
            models.Index(fields=["unknown_since"], name="action_unknown", condition=models.Q(state="unknown")),
            models.Index(
                fields=["state", "-id"],
                name="action_open",
                condition=models.Q(
                    state__in=("held", "in_review", "approved", "parked", "sending", "unknown", "failed")
                ),
            ),
            models.Index(fields=["customer", "kind", "business_key"], name="action_business"),
            models.Index(fields=["contract", "-id"], name="action_contract"),
            models.Index(fields=["correlation_id"], name="action_correlation"),
            models.Index(
                fields=["customer", "currency"], name="action_money", condition=models.Q(amount_minor__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.short}"

    @property
    def short(self) -> str:
        """The last eight digits, for people."""
        return self.id.hex[-8:]

    @edge(State.PROPOSED, State.OBSERVED)
    def observe(self) -> None:
        """Shadow: written down, never sent."""

    @edge([State.PROPOSED, State.APPROVED, State.HELD], State.HELD)
    def hold(self) -> None:
        """Waits for time."""

    @edge(
        [State.PROPOSED, State.HELD, State.APPROVED, State.PARKED, State.UNKNOWN],
        State.IN_REVIEW,
    )
    def ask(self) -> None:
        """Waits for a person."""

    @edge([State.PROPOSED, State.HELD, State.IN_REVIEW, State.PARKED], State.APPROVED)
    def approve(self) -> None:
        """May be sent."""

    @edge([State.IN_REVIEW, State.FAILED], State.REJECTED)
    def reject(self) -> None:
        """A person said no."""

    @edge([State.PROPOSED, State.HELD, State.IN_REVIEW, State.APPROVED, State.PARKED, State.FAILED], State.SUPERSEDED)
    def supersede(self) -> None:
        """Overtaken by what happened since."""

    @edge(State.IN_REVIEW, State.IN_REVIEW)
    def edit(self) -> None:
        """A person changed it: a new preview, approvals void."""

    @edge(State.APPROVED, State.PARKED)
    def park(self) -> None:
        """The stop, or a breaker long open, keeps it."""

    @edge(State.APPROVED, State.SENDING)
    def send(self) -> None:
        """Key and frozen request are stored; the request may leave."""

    @edge([State.SENDING, State.UNKNOWN], State.APPLIED)
    def confirm(self) -> None:
        """The provider said that it is done."""

    @edge([State.SENDING, State.UNKNOWN], State.APPROVED)
    def back_off(self) -> None:
        """Not done, proved; tried again later with the same key and bytes."""

    @edge(State.SENDING, State.UNKNOWN)
    def doubt(self) -> None:
        """Perhaps done; nobody can tell yet."""

    @edge([State.SENDING, State.UNKNOWN], State.FAILED)
    def fail(self) -> None:
        """Refused for good; a person decides."""

    @edge([State.FAILED, State.IN_REVIEW], State.APPROVED)
    def retry(self) -> None:
        """A person sends the same bytes under the same key again; or has what was asked about read and judged anew."""

    @edge(State.APPLIED, State.COMPENSATED)
    def compensate(self) -> None:
        """Its inverse is applied."""
