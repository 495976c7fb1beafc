"""Dispute: a bank's question about a payment, its warning of fraud, or the money it took; and what came of it."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField

from ledger import clock
from ledger.models import Contract, Customer
from ledger.states import Stateful, edge


class Dispute(Stateful):
    """One dispute or early fraud warning as the provider last told of it. Moved by `sync.disputes.hearing` alone.

    Amounts in minor units of `currency`, times aware UTC. `status` is the provider's own word, `state` what it means
    here. `told_at` is the time of what is known: anything older moves nothing. `lines` are [words, minor units] of the
    suggested refund; they add up to `suggested_minor`. No personal data: ids, amounts, states and times.
    """

    class State(models.TextChoices):
        HEARD = "heard", "Heard of"
        WAITING = "waiting", "Needs an answer"
        REVIEWED = "reviewed", "With the bank"
        UNCLEAR = "unclear", "Not understood"
        WON = "won", "Won"
        LOST = "lost", "Lost"
        ENDED = "ended", "Over"

    class Kind(models.TextChoices):
        INQUIRY = "inquiry", "Inquiry"
        CHARGEBACK = "chargeback", "Chargeback"
        WARNING = "warning", "Fraud warning"

    OPEN = (State.HEARD, State.WAITING, State.REVIEWED, State.UNCLEAR)
    CLOSED = (State.WON, State.LOST, State.ENDED)

    provider = models.CharField(max_length=32)
    external_id = models.CharField(max_length=255)
    state = FSMField(default=State.HEARD, choices=State.choices, protected=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    status = models.CharField(max_length=60)
    charge = models.CharField(max_length=255)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="disputes")
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=60, blank=True)
    opened_at = models.DateTimeField(null=True)
    evidence_due_at = models.DateTimeField(null=True, help_text="Empty: the provider takes no answer")
    closed_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField()
    advice = models.CharField(max_length=400, blank=True)
    lines = models.JSONField(default=list, blank=True)
    rounded = models.CharField(max_length=120, blank=True)
    suggested_minor = models.BigIntegerField(null=True)
    confidence = models.PositiveSmallIntegerField(null=True, help_text="In a hundred")
    prior_disputes = models.PositiveIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0, help_text="Given back of the payment, by anybody")
    task = models.BigIntegerField(null=True, help_text="The open item in which a person is asked to answer")
    correlation_id = models.UUIDField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "external_id"], name="dispute_once"),
        ]
        indexes = [
            models.Index(
                fields=["evidence_due_at", "id"], name="dispute_due",
                condition=Q(state__in=("heard", "waiting", "reviewed", "unclear")),
            ),
            models.Index(fields=["charge"], name="dispute_charge"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"DS-{self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether the bank has not decided."""
        return self.state in self.OPEN

    @edge([State.HEARD, State.REVIEWED, State.UNCLEAR, State.WON, State.LOST, State.ENDED], State.WAITING)
    def await_answer(self) -> None:
        """The bank wants an answer; also again, where an end was not the end."""

    @edge([State.HEARD, State.WAITING, State.UNCLEAR, State.WON, State.LOST, State.ENDED], State.REVIEWED)
    def examine(self) -> None:
        """The bank looks at what it was sent."""

    @edge([State.HEARD, State.WAITING, State.REVIEWED, State.WON, State.LOST, State.ENDED], State.UNCLEAR)
    def puzzle(self) -> None:
        """The provider says something nobody here knows."""

    @edge([State.HEARD, State.WAITING, State.REVIEWED, State.UNCLEAR, State.LOST, State.ENDED], State.WON)
    def win(self) -> None:
        """The money came back."""

    @edge([State.HEARD, State.WAITING, State.REVIEWED, State.UNCLEAR, State.WON, State.ENDED], State.LOST)
    def lose(self) -> None:
        """The money stays with the customer."""

    @edge([State.HEARD, State.WAITING, State.REVIEWED, State.UNCLEAR, State.WON, State.LOST], State.ENDED)
    def end_dispute(self) -> None:
        """Over without a loss: an inquiry closed, a chargeback prevented, a warning that asks for nothing."""


VERBS = {
    "waiting": "await_answer", "reviewed": "examine", "unclear": "puzzle", "won": "win", "lost": "lose",
    "ended": "end_dispute",
}  # fmt: skip
