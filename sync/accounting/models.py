"""BalanceEntry: one line of billing's balance and what became of it here."""

import uuid

from django.db import models

from ledger import clock
from ledger.models import Customer


class BalanceEntry(models.Model):
    """One line of billing's balance, once for ever: that is what keeps it from being booked twice.

    An event that names it makes it `heard`; reading it decides. `planned`: its actions were proposed; `observed`: they
    were, in a stage that only observes, and it is judged anew when the stage changes; `waiting`: a person has to do
    something first (`code`, `why`), it is looked at again by itself; `skipped`: nothing is to be recorded (`why`).
    Not a subject of the ledger: the events, the items and the actions are. Amounts in minor units of `currency`.
    """

    class Outcome(models.TextChoices):
        HEARD = "heard", "Heard of"
        PLANNED = "planned", "Planned"
        OBSERVED = "observed", "Only observed"
        WAITING = "waiting", "Waits"
        SKIPPED = "skipped", "Not recorded"

    account = models.CharField(max_length=64, blank=True, help_text="Which billing account; empty: the first one")
    provider_id = models.CharField(max_length=64, unique=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.HEARD)
    category = models.CharField(max_length=60, blank=True)
    source = models.CharField(max_length=64, blank=True, help_text="The payment, refund or dispute it is of")
    amount_minor = models.BigIntegerField(default=0)
    fee_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)
    made_at = models.DateTimeField(null=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    code = models.CharField(max_length=40, blank=True)
    why = models.CharField(max_length=300, blank=True)
    stage = models.CharField(max_length=20, blank=True, help_text="The automation's stage when it was planned")
    event_id = models.BigIntegerField(null=True)
    item_id = models.BigIntegerField(null=True)
    correlation_id = models.UUIDField(default=uuid.uuid4)
    heard_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField(default=clock.now, help_text="When it is looked at next")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["source"], name="balance_source"),
            models.Index(
                fields=["due_at"], name="balance_due",
                condition=models.Q(outcome__in=("heard", "waiting", "observed")),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.provider_id}: {self.outcome}"
