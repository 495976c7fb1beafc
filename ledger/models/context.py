"""ContextRecord: the last known facts about a customer, block by block, each with the time it was read."""

from django.db import models

from ledger import clock
from ledger.models.customer import Customer


class ContextRecord(models.Model):
    """Cached facts. Shape: `{block: {"synced_at": iso, ...}}`; blocks are billing, entitlement, support.

    Good for display and for decisions within the age limit of a block; never proof for an irreversible write.
    """

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, related_name="context")
    blocks = models.JSONField(default=dict)
    pending_since = models.DateTimeField(null=True, blank=True, help_text="A read took too long and goes on")
    updated_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return f"context of customer {self.customer_id}"
