"""Tickets of the support desk that we know of, the kinds they are told apart by, and what was handed over on them.

Nothing of what is written on a ticket is kept here: numbers, states, times, fingerprints and the names of tags.
"""

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from gates.models.review_item import ReviewItem
from ledger import clock
from ledger.models import Contract, Customer
from ledger.states import Stateful, edge

LIVE = ("new", "open", "pending", "hold")
GONE = ("deleted", "merged")


class Ticket(Stateful):
    """One ticket as the support desk's own stamps tell it; what is older than `stamp` never overwrites.

    `own` are fingerprints of what we wrote last, `recent` who set which status or tag when, for a few minutes back.
    """

    class State(models.TextChoices):
        NEW = "new", "New"
        OPEN = "open", "Open"
        PENDING = "pending", "Pending"
        HOLD = "hold", "On hold"
        SOLVED = "solved", "Solved"
        CLOSED = "closed", "Closed"
        DELETED = "deleted", "Deleted"
        MERGED = "merged", "Merged"

    number = models.CharField(max_length=32, unique=True, help_text="What the support desk calls it")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="tickets")
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, null=True, related_name="tickets")
    state = FSMField(default=State.NEW, choices=State.choices, protected=True)
    stamp = models.DateTimeField(help_text="The support desk's own time of its last change that was believed")
    seen_at = models.DateTimeField(help_text="Of two changes within one second of the stamp the later one")
    into = models.CharField(max_length=32, blank=True, help_text="The ticket that it was merged into")
    kind = models.SlugField(max_length=60, blank=True)
    kind_version = models.PositiveIntegerField(default=0)
    action_id = models.UUIDField(null=True, help_text="The reply that was proposed for it, once for ever")
    guard_item = models.BigIntegerField(null=True, help_text="While this item is open no automation writes on it")
    recent = models.JSONField(default=list)
    own = models.JSONField(default=list)
    resolved_at = models.DateTimeField(null=True, help_text="When a reply of ours solved it")
    resolved_how = models.CharField(max_length=12, blank=True, help_text="automation, or person where one agreed")
    reopened = models.PositiveSmallIntegerField(default=0)
    reopened_at = models.DateTimeField(null=True)
    correlation_id = models.UUIDField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["kind", "-id"], name="ticket_kind", condition=~models.Q(kind="")),
            models.Index(
                fields=["customer"], name="ticket_trouble",
                condition=models.Q(guard_item__isnull=False) | models.Q(state__in=("deleted", "merged")),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"ticket {self.number}"

    @edge([State.DELETED], State.NEW)
    def renew(self) -> None:
        """It came back from deletion and nobody had looked at it."""

    @edge([State.NEW, State.PENDING, State.HOLD, State.DELETED], State.OPEN)
    def begin(self) -> None:
        """Somebody works on it."""

    @edge([State.SOLVED], State.OPEN)
    def reopen(self) -> None:
        """It was not solved after all."""

    @edge([State.NEW, State.OPEN, State.HOLD, State.SOLVED, State.DELETED], State.PENDING)
    def wait(self) -> None:
        """The customer has to answer."""

    @edge([State.NEW, State.OPEN, State.PENDING, State.SOLVED, State.DELETED], State.HOLD)
    def put_on_hold(self) -> None:
        """Somebody else has to answer."""

    @edge([State.NEW, State.OPEN, State.PENDING, State.HOLD, State.DELETED], State.SOLVED)
    def solve(self) -> None:
        """Answered; it may come back."""

    @edge([State.NEW, State.OPEN, State.PENDING, State.HOLD, State.SOLVED, State.DELETED], State.CLOSED)
    def close(self) -> None:
        """Final: nothing can be written on it."""

    @edge([State.NEW, State.OPEN, State.PENDING, State.HOLD, State.SOLVED, State.CLOSED], State.DELETED)
    def remove(self) -> None:
        """It was deleted there, or taken for spam."""

    @edge([State.NEW, State.OPEN, State.PENDING, State.HOLD, State.SOLVED, State.CLOSED, State.DELETED], State.MERGED)
    def merge(self) -> None:
        """It went into another ticket."""

    def touch(self) -> None:
        """Something of it changed that is not its state."""
        self.state_version += 1


class TicketKind(models.Model):
    """One version of a kind of ticket. The newest version of a name is in force; versions are never changed.

    A ticket is of the first kind, by name, that has one of its tags or its form.
    """

    class Stage(models.TextChoices):
        OFF = "off", "Off: counted only"
        SUGGEST = "suggest", "Suggest: a person gets it with the reply"
        PILOT = "pilot", "Pilot: the reply is an action"

    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    tags = models.JSONField(default=list)
    forms = models.JSONField(default=list)
    owner_group = models.CharField(max_length=80)
    reply = models.TextField(blank=True)
    solves = models.BooleanField(default=False)
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.OFF)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["name", "-version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="ticket_kind_version_once")]
        permissions = [("edit_ticketkind", "Can write new versions of ticket kinds and their replies")]

    def __str__(self) -> str:
        return f"{self.title}, version {self.version}"


class Handoff(models.Model):
    """What a person was handed with an item, and that it was written on the ticket; once for each item."""

    item = models.OneToOneField(ReviewItem, on_delete=models.PROTECT, related_name="handoff")
    ticket = models.CharField(max_length=32)
    action_id = models.UUIDField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    first_signal = models.JSONField(null=True)
    trusted = models.JSONField(default=dict)
    override = models.JSONField(default=list, help_text="Who said yes although a rule asked: user numbers and rules")
    remains = models.JSONField(default=list)
    correlation_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"handoff of RV-{self.item_id}"
