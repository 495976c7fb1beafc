"""What may not be cancelled."""

from django.conf import settings
from django.db import models

from ledger import clock


class CancellationBlock(models.Model):
    """While an entry stands, no subscription it names is cancelled, whoever approves: it has to be taken off first.

    `value` is a customer's or a contract's external id, a tier, or a reason for cancelling.
    """

    class What(models.TextChoices):
        CUSTOMER = "customer", "Customer"
        TIER = "tier", "Tier"
        CONTRACT = "contract", "Contract"
        REASON = "reason", "Reason"

    what = models.CharField(max_length=12, choices=What.choices)
    value = models.CharField(max_length=64)
    why = models.CharField(max_length=300, help_text="Shown to whoever asks; no personal data")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=clock.now)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["what", "value"], name="cancellation_block_once", condition=models.Q(ended_at__isnull=True)
            )
        ]
        permissions = [("edit_cancellation_block", "Can say what may not be cancelled")]

    def __str__(self) -> str:
        return f"{self.what} {self.value}"
