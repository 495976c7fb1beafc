"""Refund: one as the billing system has it, whoever made it. RefundRequest: what a ticket asked for, and what of it."""

from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.models import Action, Customer
from ledger.states import Stateful, edge


class Refund(Stateful):
    """One refund of a known customer's payment. Moved by `sync.refunds.recording` alone.

    `action` is the one of ours that made it; none: somebody made it in the provider's own console. It begins as
    pending, whatever it was when it was first heard of. `heard_at` is the provider's time of the state it is in.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        REQUIRES_ACTION = "requires_action", "Waits for the customer"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELED = "canceled", "Cancelled"

    provider_id = models.CharField(max_length=64, unique=True)
    charge = models.CharField(max_length=64)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="refunds")
    action = models.ForeignKey(Action, on_delete=models.PROTECT, null=True, related_name="refunds", db_index=False)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = FSMField(default=State.PENDING, choices=State.choices, protected=True)
    why = models.CharField(max_length=120, blank=True)
    heard_at = models.DateTimeField()
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["charge"], name="refund_charge")]

    def __str__(self) -> str:
        return f"refund {self.provider_id}"

    @edge(State.PENDING, State.REQUIRES_ACTION)
    def need(self) -> None:
        """The customer has to do something first."""

    @edge(State.REQUIRES_ACTION, State.PENDING)
    def go_on(self) -> None:
        """The customer did it."""

    @edge([State.PENDING, State.REQUIRES_ACTION], State.SUCCEEDED)
    def succeed(self) -> None:
        """The provider says that the money went back."""

    @edge([State.PENDING, State.REQUIRES_ACTION, State.SUCCEEDED], State.FAILED)
    def fail(self) -> None:
        """The bank sent it back; that may be days after it had succeeded."""

    @edge([State.PENDING, State.REQUIRES_ACTION, State.SUCCEEDED], State.CANCELED)
    def cancel(self) -> None:
        """Somebody took it back before it went out."""


class RefundRequest(models.Model):
    """What one ticket asks for now. `wish` is a digest of its words, so that the same is answered once.

    `outcome`: reading (whose it is was found, and the newest payment is looked for), proposed (as `action_id`), refused
    (with `said`), or withdrawn. Not a subject of the ledger: the event, the item and the action are.
    """

    ticket = models.CharField(max_length=20, unique=True)
    wish = models.CharField(max_length=64)
    outcome = models.CharField(max_length=12)
    said = models.CharField(max_length=500, blank=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    action_id = models.UUIDField(null=True)
    event_id = models.BigIntegerField()
    asked_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"ticket {self.ticket}: {self.outcome}"
