"""Erasure: somebody asked that a customer be forgotten, and how far that came."""

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.models import Customer
from ledger.states import Stateful, edge


class Erasure(Stateful):
    """One customer to be forgotten. Moved by `sync.erasure.erasing` alone.

    `words` are what the person is also known by, as long as it is needed to find them; `events` those that told of the
    person without being anybody's; `counts` {table: rows changed}. None of it is personal once the state is `done`.
    """

    class State(models.TextChoices):
        ASKED = "asked", "Asked"
        DONE = "done", "Done"

    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, related_name="erasure")
    state = FSMField(default=State.ASKED, choices=State.choices, protected=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    words = models.JSONField(default=list)
    events = models.JSONField(default=list)
    counts = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        permissions = [("erase_person", "Can have a person erased")]

    def __str__(self) -> str:
        return f"erasure {self.pk}"

    @edge(State.ASKED, State.DONE)
    def finish(self) -> None:
        """Nothing of the person is left here."""
