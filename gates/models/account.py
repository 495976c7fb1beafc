"""Who looks after which accounts, and what is never decided for an owner unless the owner's people allowed it."""

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from ledger import clock
from ledger.models import Customer

USER = settings.AUTH_USER_MODEL


class AccountHolder(models.Model):
    """A person holds a role for accounts: for one customer by name, or for all that some conditions fit.

    One named for a customer comes before any of the others; of those the first that fits, by `position`, counts. An
    empty list fits everything. A role says who is turned to first; what they may do, their groups say.
    """

    position = models.PositiveIntegerField(default=0)
    role = models.CharField(max_length=40)
    person = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, blank=True, related_name="holders")
    tiers = models.JSONField(default=list, blank=True)
    regions = models.JSONField(default=list, blank=True)
    contract_states = models.JSONField(default=list, blank=True)
    payment_states = models.JSONField(default=list, blank=True)
    mrr_from_minor = models.BigIntegerField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()
    _change_reason: str

    class Meta:
        ordering = ["role", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["role", "customer"], name="account_holder_once",
                condition=models.Q(customer__isnull=False, retired_at__isnull=True),
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["customer"], name="account_holder_live", condition=models.Q(retired_at__isnull=True))
        ]

    def __str__(self) -> str:
        return self.role


class OwnerSensitive(models.Model):
    """A kind of action that no automation carries out by itself in any stage, unless that automation is allowed to."""

    kind = models.CharField(max_length=60, unique=True)
    is_on = models.BooleanField(default=True)
    changed_by = models.ForeignKey(USER, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["kind"]

    def __str__(self) -> str:
        return self.kind
