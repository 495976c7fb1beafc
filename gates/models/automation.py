"""Automation: a playbook switched on, and how far it is trusted."""

from django.conf import settings
from django.db import models
from django_fsm import FSMField
from simple_history.models import HistoricalRecords

from ledger.states import Stateful, edge

STEPS = ("shadow", "suggest", "canary", "ten", "half", "full")


class Automation(Stateful):
    """One row a playbook. Shadow observes, suggest asks a person, the steps after it act for a growing share.

    `owner_group` and `fallback_group` are never empty, so that every item it raises has an owner.
    """

    class State(models.TextChoices):
        SHADOW = "shadow", "Shadow"
        SUGGEST = "suggest", "Soft-Auto"
        CANARY = "canary", "Canary 1 %"
        TEN = "ten", "10 %"
        HALF = "half", "50 %"
        FULL = "full", "Full"
        PAUSED = "paused", "Paused"

    name = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    state = FSMField(default=State.SHADOW, choices=State.choices, protected=True)
    version = models.PositiveIntegerField(default=1)
    owner_group = models.CharField(max_length=80)
    fallback_group = models.CharField(max_length=80)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    source = models.CharField(max_length=32)
    destination = models.CharField(max_length=120)
    stage_before_pause = models.CharField(max_length=16, blank=True)
    enabled_until = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()
    _change_reason: str  # where simple-history looks for the reason of a save

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title

    @edge([*STEPS], State.PAUSED)
    def pause(self) -> None:
        """Acts no more until somebody resumes it."""

    @edge([State.PAUSED, *STEPS[1:]], State.SHADOW)
    def to_shadow(self) -> None:
        """Observes only."""

    @edge([State.PAUSED, *STEPS[:1], *STEPS[2:]], State.SUGGEST)
    def to_suggest(self) -> None:
        """Asks a person each time."""

    @edge([State.PAUSED, State.SUGGEST, State.TEN, State.HALF, State.FULL], State.CANARY)
    def to_canary(self) -> None:
        """Acts for one customer in a hundred."""

    @edge([State.PAUSED, State.CANARY, State.HALF, State.FULL], State.TEN)
    def to_ten(self) -> None:
        """Acts for ten in a hundred."""

    @edge([State.PAUSED, State.TEN, State.FULL], State.HALF)
    def to_half(self) -> None:
        """Acts for half of the customers."""

    @edge([State.PAUSED, State.HALF], State.FULL)
    def to_full(self) -> None:
        """Acts for everybody."""
