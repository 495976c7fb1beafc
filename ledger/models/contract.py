"""Contract: what a customer bought and whether it is in good standing."""

from django.db import models
from django_fsm import FSMField
from simple_history.models import HistoricalRecords

from ledger import clock
from ledger.models.customer import Customer
from ledger.states import Stateful, edge


class Contract(Stateful):
    """One agreement. `dunning` folds the payment events of its invoices (`gates.dunning_memo`), by provider time."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SIGNED = "signed", "Signed"
        READY = "ready", "Ready"
        ACTIVE = "active", "Active"
        PAST_DUE = "past_due", "Past due"
        SUSPENDED = "suspended", "Suspended"
        CANCELLED = "cancelled", "Cancelled"

    external_id = models.CharField(max_length=64, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="contracts")
    state = FSMField(default=State.DRAFT, choices=State.choices, protected=True)
    plan = models.CharField(max_length=64, blank=True)
    plan_before = models.CharField(max_length=64, blank=True, help_text="Plan to go back to after a downgrade")
    amount_minor = models.BigIntegerField(null=True, blank=True, help_text="Price of a period, minor units")
    currency = models.CharField(max_length=3, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    dunning = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)
    history = HistoricalRecords(excluded_fields=["dunning"])

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.external_id

    @edge(State.DRAFT, State.SIGNED)
    def sign(self) -> None:
        """The deal is signed."""

    @edge(State.SIGNED, State.READY)
    def qualify(self) -> None:
        """Everything billing needs is known."""

    @edge([State.DRAFT, State.READY], State.ACTIVE)
    def activate(self) -> None:
        """Service and billing run; also how a running subscription found at the provider is adopted."""

    @edge(State.ACTIVE, State.PAST_DUE)
    def fall_behind(self) -> None:
        """A payment failed and is not made good yet."""

    @edge(State.PAST_DUE, State.ACTIVE)
    def recover(self) -> None:
        """Everything owed was paid."""

    @edge(State.PAST_DUE, State.SUSPENDED)
    def suspend(self) -> None:
        """Access ends. Only a confirmed provider write leads here."""

    @edge(State.SUSPENDED, State.ACTIVE)
    def restore(self) -> None:
        """Access is back. Only a confirmed provider write leads here."""

    @edge([State.DRAFT, State.SIGNED, State.READY, State.ACTIVE, State.PAST_DUE, State.SUSPENDED], State.CANCELLED)
    def cancel(self) -> None:
        """Over, for good."""
