"""StopSwitch: the emergency stop, one row a scope."""

from django.conf import settings
from django.db import models
from django_fsm import FSMField
from simple_history.models import HistoricalRecords

from ledger.states import Stateful, edge


class StopSwitch(Stateful):
    """Scope `all`, `provider:<name>` or `automation:<name>`. A missing row of scope `all` counts as stopped.

    Only `running` lets writes pass: while a resume waits for its second person everything stays halted.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        STOPPED = "stopped", "Stopped"
        RESUMING = "resuming", "Resume asked for"

    scope = models.CharField(max_length=80, unique=True)
    state = FSMField(default=State.RUNNING, choices=State.choices, protected=True)
    reason = models.CharField(max_length=500, blank=True)
    stopped_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    stopped_at = models.DateTimeField(null=True)
    resume_asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    resume_asked_at = models.DateTimeField(null=True)
    resume_reason = models.CharField(max_length=500, blank=True)
    resumed_at = models.DateTimeField(null=True)
    release_to = models.CharField(
        max_length=8, default="send", db_default="send", help_text="send: what is held leaves; queue: it asks"
    )
    release_a_minute = models.PositiveIntegerField(default=10, db_default=10)
    release_halted_at = models.DateTimeField(null=True, help_text="The release stopped itself at a group of failures")
    release_from = models.DateTimeField(null=True, help_text="Failures since then count as failures of the release")
    release_next_at = models.DateTimeField(null=True, help_text="When the next held action may leave")
    history = HistoricalRecords()
    _change_reason: str  # where simple-history looks for the reason of a save

    class Meta:
        permissions = [
            ("engage_stop", "Can stop all writes"),
            ("resume_stop", "Can ask for and confirm a resume"),
        ]

    def __str__(self) -> str:
        return f"stop {self.scope}: {self.state}"

    @edge([State.RUNNING, State.RESUMING], State.STOPPED)
    def engage(self) -> None:
        """Halt every write in the scope."""

    @edge(State.STOPPED, State.RESUMING)
    def request_resume(self) -> None:
        """The first person wants writes back on."""

    @edge(State.RESUMING, State.RUNNING)
    def confirm_resume(self) -> None:
        """The second person agrees."""
