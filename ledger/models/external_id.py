"""ExternalId: where else a customer or contract is known."""

from django.db import models
from simple_history.models import HistoricalRecords

from ledger import clock
from ledger.models.contract import Contract
from ledger.models.customer import Customer


class ExternalId(models.Model):
    """A link row: (system, kind, value) belongs to one customer, and to one of its contracts where it is finer."""

    system = models.CharField(max_length=32)
    kind = models.CharField(
        max_length=32, help_text="What the id names there: customer, subscription, contract, ticket"
    )
    value = models.CharField(max_length=255)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="links")
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, null=True, blank=True, related_name="links")
    url = models.URLField(max_length=500, blank=True)
    linked_at = models.DateTimeField(default=clock.now, editable=False)
    linked_by = models.CharField(max_length=150)
    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "kind", "value"], name="external_id_once")]
        indexes = [models.Index(fields=["value"])]

    def __str__(self) -> str:
        return f"{self.system} {self.kind} {self.value}"
