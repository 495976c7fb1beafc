"""Automation: a playbook switched on, and how far it is trusted."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django_fsm import FSMField
from simple_history.models import HistoricalRecords

from ledger import clock
from ledger.states import Stateful, edge

STEPS = ("shadow", "suggest", "canary", "ten", "half", "full")


class Staged(Stateful):
    """What climbs the stages: shadow observes, suggest asks a person, the steps after it act for a growing share.

    `stage_since` is when it came to the stage it is in, `acting_since` when it last began to act; `fell_at` is set
    when it lost a stage by itself, until its owner signs again.
    """

    class State(models.TextChoices):
        SHADOW = "shadow", "Shadow"
        SUGGEST = "suggest", "Soft-Auto"
        CANARY = "canary", "Canary 1 %"
        TEN = "ten", "10 %"
        HALF = "half", "50 %"
        FULL = "full", "Full"
        PAUSED = "paused", "Paused"

    state = FSMField(default=State.SHADOW, choices=State.choices, protected=True)
    stage_before_pause = models.CharField(max_length=16, blank=True, db_default="")
    stage_since = models.DateTimeField(default=clock.now, db_default=Now())
    acting_since = models.DateTimeField(null=True, blank=True)
    fell_at = models.DateTimeField(null=True, blank=True)
    fell_why = models.CharField(max_length=300, blank=True, db_default="")

    class Meta:
        abstract = True

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


class Automation(Staged):
    """One row a playbook. `owner_group` and `fallback_group` are never empty, so every item it raises has an owner.

    What people registered (`gates.rollout.registration.CONTENT`) is versioned: each change is an `AutomationVersion`.
    `cooling_seconds` is the least time between two of its actions of one kind for one customer; 0 for none.
    `may_resolve` lets it end by itself what an owner would want to end.
    """

    name = models.CharField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    version = models.PositiveIntegerField(default=1)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    owner_group = models.CharField(max_length=80)
    fallback_group = models.CharField(max_length=80)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    source = models.CharField(max_length=32)
    destination = models.CharField(max_length=120)
    exception_route = models.CharField(max_length=120, blank=True, db_default="")
    quality_checkpoint = models.CharField(max_length=200, blank=True, db_default="")
    reporting_field = models.CharField(max_length=120, blank=True, db_default="")
    cooling_seconds = models.PositiveIntegerField(default=0, db_default=0)
    may_resolve = models.BooleanField(default=False, db_default=False)
    enabled_until = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()
    _change_reason: str  # where simple-history looks for the reason of a save

    class Meta:
        ordering = ["name"]
        permissions = [
            ("edit_automation", "Can change what is registered of an automation"),
            ("review_preview", "Can review previews of an automation one by one"),
        ]

    def __str__(self) -> str:
        return self.title
