"""Checklists of onboarding: the versioned template, one list for each customer and deal, and its steps."""

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from gates.models.review_item import ReviewItem
from ledger import clock
from ledger.models import Contract, Customer
from ledger.states import Stateful, edge


class ChecklistTemplate(models.Model):
    """One version of what has to happen after a deal is signed. The newest version of a name is in force.

    `steps` is a list of `{"key", "title", "group", "hours", "business", "escalate_hours", "ticked_by", "evidence",
    "blocking"}`: due so many hours after signing, working hours where `business` is true, escalated so many hours
    after that; ticked by `person` or by `system` once `evidence` is there. Versions are never changed.
    """

    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    steps = models.JSONField(default=list)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["name", "-version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="template_version_once")]
        permissions = [("edit_checklist_template", "Can write new versions of checklist templates")]

    def __str__(self) -> str:
        return f"{self.title}, version {self.version}"


class Checklist(Stateful):
    """The onboarding of one customer for one deal. `csm` and `billing_owner` are the CRM's own ids of people."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        CANCELLED = "cancelled", "Cancelled"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="checklists")
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="checklists")
    deal = models.CharField(max_length=64)
    template = models.ForeignKey(ChecklistTemplate, on_delete=models.PROTECT, related_name="checklists")
    state = FSMField(default=State.RUNNING, choices=State.choices, protected=True)
    package = models.CharField(max_length=64, blank=True)
    csm = models.CharField(max_length=64, blank=True)
    billing_owner = models.CharField(max_length=64, blank=True)
    first_value_on = models.DateField(null=True, help_text="When it shall first be worth its money, by the deal")
    signed_at = models.DateTimeField()
    customer_at = models.DateTimeField(null=True, help_text="When the ERP confirmed the customer")
    invoiced_at = models.DateTimeField(null=True, help_text="When the ERP confirmed the first invoice")
    value_at = models.DateTimeField(null=True, help_text="When the step of the first value was done")
    ended_at = models.DateTimeField(null=True)
    stage = models.CharField(max_length=40, blank=True, help_text="Key of the first step that waits")
    event_id = models.BigIntegerField(null=True, help_text="What signed it")
    correlation_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "deal"], name="checklist_once"),
            models.UniqueConstraint(fields=["contract"], name="checklist_contract_once"),
        ]
        indexes = [
            models.Index(fields=["-id"], name="checklist_running", condition=models.Q(state="running")),
            models.Index(fields=["signed_at"], name="checklist_signed"),
        ]
        permissions = [("work_checklist", "Can tick, skip, nudge, escalate, reassign and re-date steps of checklists")]

    def __str__(self) -> str:
        return f"CL-{self.pk}"

    @edge(State.RUNNING, State.RUNNING)
    def start(self) -> None:
        """The deal was signed."""

    @edge(State.RUNNING, State.RUNNING)
    def write(self) -> None:
        """The customer's contact is told how far it is."""

    @edge(State.RUNNING, State.COMPLETED)
    def complete(self) -> None:
        """No step waits any more."""

    @edge(State.RUNNING, State.CANCELLED)
    def cancel(self) -> None:
        """The deal is no more, or a person ended it."""

    @edge(State.CANCELLED, State.RUNNING)
    def reopen(self) -> None:
        """The deal was signed again."""


class ChecklistStep(Stateful):
    """One step. A step that is late was due and is not done; nudges and escalations are review items."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"

    checklist = models.ForeignKey(Checklist, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=40)
    title = models.CharField(max_length=120)
    state = FSMField(default=State.WAITING, choices=State.choices, protected=True)
    owner_group = models.CharField(max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    evidence = models.CharField(max_length=40, blank=True, help_text="What ticks it by itself; empty: a person does")
    blocking = models.BooleanField(default=False)
    due_at = models.DateTimeField()
    escalate_at = models.DateTimeField(help_text="When nobody waits any longer")
    late = models.BooleanField(default=False)
    nudges = models.PositiveSmallIntegerField(default=0)
    nudged_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was skipped or re-dated")
    ticked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    done_at = models.DateTimeField(null=True)
    evidence_kind = models.CharField(max_length=20, blank=True)
    evidence_id = models.CharField(max_length=64, blank=True)
    nudge_item = models.ForeignKey(ReviewItem, on_delete=models.SET_NULL, null=True, related_name="nudged_steps")
    escalation_item = models.ForeignKey(
        ReviewItem, on_delete=models.SET_NULL, null=True, related_name="escalated_steps"
    )

    class Meta:
        ordering = ["checklist", "position"]
        constraints = [models.UniqueConstraint(fields=["checklist", "key"], name="step_once")]
        indexes = [
            models.Index(
                fields=["due_at"], name="step_due", condition=models.Q(state="waiting", late=False)
            ),
            models.Index(
                fields=["escalate_at"], name="step_escalate",
                condition=models.Q(state="waiting", escalated_at__isnull=True),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.title} of CL-{self.checklist_id}"

    @edge(State.WAITING, State.DONE)
    def tick(self) -> None:
        """It is done."""

    @edge(State.WAITING, State.SKIPPED)
    def skip(self) -> None:
        """It is not needed, and somebody said why."""

    @edge(State.WAITING, State.WAITING)
    def nudge(self) -> None:
        """Its owner was told that it is due."""

    @edge(State.WAITING, State.WAITING)
    def escalate(self) -> None:
        """The squad was told that it is late."""

    @edge(State.WAITING, State.WAITING)
    def reassign(self) -> None:
        """Somebody else does it."""

    @edge(State.WAITING, State.WAITING)
    def redate(self) -> None:
        """It is due at another time."""
