"""PortalLink: a stable address of a customer. PortalRun: links made for all, or a check of the path, and its report."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField

from ledger import clock
from ledger.models import Customer
from ledger.states import Stateful, edge


class PortalLink(Stateful):
    """An address for one id of one customer at the billing provider. Moved by `sync.portal.links` alone.

    Of the token only its hash is stored, and the random seed it can be made from again with the secret key
    (`sync.portal.tokens`). `made_by` and `ended_by` are actors as in the ledger. Visits are counted beside the state:
    they change nothing of the link and leave no row.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        REVOKED = "revoked", "Revoked"
        EXPIRED = "expired", "Expired"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="portal_links", db_index=False)
    provider = models.CharField(max_length=32)
    account = models.CharField(max_length=64, blank=True, help_text="Empty where only one account is connected")
    billing_customer = models.CharField(max_length=255, help_text="Whose portal it opens, by the provider's id")
    state = FSMField(default=State.ACTIVE, choices=State.choices, protected=True)
    generation = models.PositiveIntegerField()
    token_hash = models.CharField(max_length=64, unique=True)
    seed = models.CharField(max_length=64)
    expires_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField(default=clock.now)
    made_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)
    end_reason = models.CharField(max_length=500, blank=True)
    last_used_at = models.DateTimeField(null=True)
    visits = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["customer"], name="portal_link_once", condition=Q(state="active")),
            models.UniqueConstraint(fields=["customer", "generation"], name="portal_generation_once"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="portal_link_ends", condition=Q(state="active")),
        ]
        permissions = [("manage_portal_links", "Can make, renew and revoke portal links")]

    def __str__(self) -> str:
        return f"portal link {self.pk}"

    @edge(State.ACTIVE, State.REVOKED)
    def revoke(self) -> None:
        """Ended by a person, by a newer link, or because the customer has another id at the provider now."""

    @edge(State.ACTIVE, State.EXPIRED)
    def expire(self) -> None:
        """Its time is over."""


class PortalRun(models.Model):
    """One making of links for all customers without one, or one check of the path; `report` says how it went.

    A backfill works in slices: `cursor` is the last customer that was looked at. No personal data.
    """

    class Kind(models.TextChoices):
        BACKFILL = "backfill", "Links for existing customers"
        CHECK = "check", "Check of the path"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    asked_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    began_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)
    cursor = models.BigIntegerField(default=0)
    report = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], name="portal_backfill_once", condition=Q(kind="backfill", finished_at=None)
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
