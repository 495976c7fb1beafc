"""Customer: who somebody is across all systems."""

from django.db import models
from django_fsm import FSMField
from simple_history.models import HistoricalRecords

from ledger import clock
from ledger.states import Stateful, edge


class Customer(Stateful):
    """One customer under one immutable `external_id`; name and e-mail are personal and erasable.

    The database refuses a change of `external_id` (migration `0003_guards`) and what is personal of one that was
    erased (`0009_erasure`).
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        READY = "ready", "Ready"
        SYNCED = "synced", "Synced"
        CONFLICT = "conflict", "Conflict"
        ARCHIVED = "archived", "Archived"

    class Tier(models.TextChoices):
        ENTERPRISE = "enterprise", "Enterprise"
        GROWTH = "growth", "Growth"
        STARTER = "starter", "Starter"

    external_id = models.CharField(max_length=64, unique=True, editable=False)
    state = FSMField(default=State.PENDING, choices=State.choices, protected=True)
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=320, blank=True)
    tier = models.CharField(max_length=16, choices=Tier.choices, default=Tier.STARTER)
    mrr_minor = models.BigIntegerField(null=True, blank=True, help_text="Monthly recurring revenue, minor units")
    currency = models.CharField(max_length=3, blank=True)
    owner = models.CharField(max_length=150, blank=True, help_text="Account owner's user name")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)
    erased_at = models.DateTimeField(null=True, editable=False)
    history = HistoricalRecords(excluded_fields=["name", "email", "erased_at"])

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["email"]), models.Index(fields=["name"])]

    def __str__(self) -> str:
        return self.name or self.external_id

    @edge(State.PENDING, State.READY)
    def qualify(self) -> None:
        """The fields that billing needs are there and valid."""

    @edge([State.READY, State.PENDING], State.SYNCED)
    def link(self) -> None:
        """Known by id in the systems that need to know."""

    @edge([State.PENDING, State.READY, State.SYNCED], State.CONFLICT)
    def flag_conflict(self) -> None:
        """Two candidates, a merge or a rename: a person decides who this is."""

    @edge(State.CONFLICT, State.PENDING)
    def resolve(self) -> None:
        """A person settled the conflict; the fields are looked at anew."""

    @edge(State.CONFLICT, State.SYNCED)
    def resolve_synced(self) -> None:
        """A person settled the conflict and the links hold."""

    @edge([State.PENDING, State.READY, State.SYNCED, State.CONFLICT], State.ARCHIVED)
    def archive(self) -> None:
        """Gone for ever; later events about it are kept and start nothing."""
