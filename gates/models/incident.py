"""Incidents: what broke, whom it touches, the updates about it, and one message for each customer and update."""

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.models import Customer
from ledger.states import Stateful, edge


class ServiceScope(models.Model):
    """Whom a service of the alerting system serves: the rules that its incidents begin with."""

    source = models.CharField(max_length=32)
    service = models.CharField(max_length=64)
    title = models.CharField(max_length=120, blank=True)
    scope = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=1)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["source", "service"]
        constraints = [models.UniqueConstraint(fields=["source", "service"], name="service_scope_once")]
        permissions = [("edit_service_scope", "Can say which customers a service serves")]

    def __str__(self) -> str:
        return self.title or self.service


class OutreachTemplate(models.Model):
    """One version of a message. The newest version of a name is in force; versions are never changed."""

    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    subject = models.CharField(max_length=150)
    body = models.TextField()
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["name", "-version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="outreach_template_version_once")]
        permissions = [("edit_outreach_template", "Can write new versions of messages about incidents")]

    def __str__(self) -> str:
        return f"{self.title}, version {self.version}"


class Incident(Stateful):
    """One incident. `title` is somebody's words, shown and sent as plain text and in no ledger row.

    `scope` is a list of `{"field", "op", "values"}` that must all hold of a customer; an empty one matches nobody.
    `affected` and `mrr` (`{currency: minor units}`) are those of the scope when it was set or planned last.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        MITIGATED = "mitigated", "Mitigated"
        CLOSED = "closed", "Closed"

    class Severity(models.TextChoices):
        CRITICAL = "critical", "Critical"
        MAJOR = "major", "Major"
        MINOR = "minor", "Minor"

    source = models.CharField(max_length=32)
    external_id = models.CharField(max_length=255, blank=True)
    url = models.URLField(max_length=500, blank=True)
    service = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=255)
    severity = models.CharField(max_length=16, choices=Severity.choices, default=Severity.MAJOR)
    state = FSMField(default=State.OPEN, choices=State.choices, protected=True)
    scope = models.JSONField(default=list)
    affected = models.PositiveIntegerField(default=0)
    mrr = models.JSONField(default=dict)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField(default=clock.now)
    mitigated_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True, help_text="The source's own time of the last event that was believed")
    summary = models.TextField(blank=True, help_text="What it was, written when it is closed")
    event_id = models.BigIntegerField(null=True, help_text="What reported it")
    correlation_id = models.UUIDField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"], name="incident_once", condition=~models.Q(external_id="")
            )
        ]
        indexes = [models.Index(fields=["-id"], name="incident_live", condition=~models.Q(state="closed"))]
        permissions = [
            ("work_incident", "Can declare, scope, mitigate and close incidents and plan updates"),
            ("approve_outreach", "Can approve messages about incidents to customers"),
        ]

    def __str__(self) -> str:
        return f"IN-{self.pk}"

    @edge(State.OPEN, State.MITIGATED)
    def mitigate(self) -> None:
        """It works again, as far as anybody can tell."""

    @edge(State.MITIGATED, State.OPEN)
    def reopen(self) -> None:
        """It is back."""

    @edge([State.OPEN, State.MITIGATED], State.CLOSED)
    def close(self) -> None:
        """Over, with a summary."""

    def touch(self) -> None:
        """Something of it changed that is not its state."""
        self.state_version += 1


class IncidentUpdate(Stateful):
    """One round of messages. `digest` names the set that was asked for; an approval is bound to it."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        ASKED = "asked", "Waiting for approval"
        APPROVED = "approved", "Approved"
        DROPPED = "dropped", "Dropped"

    class Channel(models.TextChoices):
        TICKET = "ticket", "Ticket"
        MAIL = "mail", "Mail"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="updates")
    number = models.PositiveSmallIntegerField()
    state = FSMField(default=State.PLANNED, choices=State.choices, protected=True)
    template = models.ForeignKey(OutreachTemplate, on_delete=models.PROTECT, related_name="updates")
    channel = models.CharField(max_length=16, choices=Channel.choices, default=Channel.TICKET)
    text = models.TextField(blank=True, help_text="What is said of the state of things, in words for customers")
    digest = models.CharField(max_length=64, blank=True)
    asked_count = models.PositiveIntegerField(default=0)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    first_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["incident", "number"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "number"], name="incident_update_once"),
            models.UniqueConstraint(
                fields=["incident"],
                name="incident_update_open_once",
                condition=models.Q(state__in=("planned", "asked")),
            ),
        ]

    def __str__(self) -> str:
        return f"update {self.number} of IN-{self.incident_id}"

    @edge(State.PLANNED, State.ASKED)
    def ask(self) -> None:
        """The set is fixed and waits for approval."""

    @edge(State.ASKED, State.PLANNED)
    def take_back(self) -> None:
        """Something is to be changed first."""

    @edge(State.ASKED, State.APPROVED)
    def approve(self) -> None:
        """Enough people agreed; its messages are actions now."""

    @edge([State.PLANNED, State.ASKED], State.DROPPED)
    def drop(self) -> None:
        """Nobody is written to."""

    def touch(self) -> None:
        """Something of it changed that is not its state."""
        self.state_version += 1


class Outreach(Stateful):
    """One message to one customer about one update; once for ever. `place` is its place in the queue, from 1."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        IN_REVIEW = "in_review", "Waiting for approval"
        SENT = "sent", "Sent"
        SKIPPED = "skipped", "Skipped"
        FAILED = "failed", "Failed"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="outreach", db_index=False)
    update = models.ForeignKey(IncidentUpdate, on_delete=models.PROTECT, related_name="outreach", db_index=False)
    number = models.PositiveSmallIntegerField(help_text="The update's number")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="outreach")
    state = FSMField(default=State.PLANNED, choices=State.choices, protected=True)
    place = models.PositiveIntegerField()
    tier = models.CharField(max_length=16, blank=True)
    mrr_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    zone = models.CharField(max_length=64, blank=True, help_text="Time zone of its country; empty: the account's")
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was skipped or failed")
    action_id = models.UUIDField(null=True)
    sent_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["update", "place"]
        constraints = [models.UniqueConstraint(fields=["incident", "customer", "number"], name="outreach_once")]
        indexes = [
            models.Index(fields=["update", "place"], name="outreach_queue"),
            models.Index(
                fields=["action_id"], name="outreach_action", condition=models.Q(action_id__isnull=False)
            ),
            models.Index(
                fields=["id"], name="outreach_waiting",
                condition=models.Q(state="in_review", action_id__isnull=False),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"message {self.pk} of IN-{self.incident_id}"

    @edge(State.PLANNED, State.IN_REVIEW)
    def ask(self) -> None:
        """It waits for approval, and then for the drain."""

    @edge(State.IN_REVIEW, State.PLANNED)
    def take_back(self) -> None:
        """Its update was taken back."""

    @edge([State.IN_REVIEW, State.FAILED], State.SENT)
    def confirm(self) -> None:
        """The system that carries it has confirmed it."""

    @edge([State.PLANNED, State.IN_REVIEW], State.SKIPPED)
    def skip(self) -> None:
        """This customer is not written to."""

    @edge(State.SKIPPED, State.PLANNED)
    def include(self) -> None:
        """After all."""

    @edge(State.IN_REVIEW, State.FAILED)
    def fail(self) -> None:
        """Refused for good; its action says why."""


class AlertEpisode(Stateful):
    """One time that an alert of our own was on. The key of its page carries `episode`, so none is paged twice."""

    class State(models.TextChoices):
        RAISED = "raised", "Raised"
        RESOLVED = "resolved", "Resolved"

    name = models.CharField(max_length=80)
    episode = models.PositiveIntegerField()
    state = FSMField(default=State.RAISED, choices=State.choices, protected=True)
    severity = models.CharField(max_length=16)
    summary = models.CharField(max_length=300, help_text="Our own sentence; nothing of a customer in it")
    correlation_id = models.UUIDField()
    raised_at = models.DateTimeField(default=clock.now)
    resolved_at = models.DateTimeField(null=True)
    rule = models.CharField(max_length=60, blank=True, db_default="")
    owner_group = models.CharField(max_length=80, blank=True, db_default="")
    runbook = models.CharField(max_length=80, blank=True, db_default="", help_text="The slug of its page")
    value = models.FloatField(null=True, help_text="As measured last")
    worst = models.FloatField(null=True, help_text="The highest value of the episode")
    threshold = models.FloatField(null=True)
    last_seen_at = models.DateTimeField(null=True, help_text="When it was found to be on the last time")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )  # fmt: skip

    class Meta:
        ordering = ["-id"]
        permissions = [("acknowledge_alert", "Can acknowledge alerts")]
        indexes = [models.Index(fields=["rule", "-id"], name="alert_rule")]
        constraints = [
            models.UniqueConstraint(fields=["name", "episode"], name="alert_episode_once"),
            models.UniqueConstraint(fields=["name"], name="alert_raised_once", condition=models.Q(state="raised")),
        ]

    def __str__(self) -> str:
        return f"{self.name}, episode {self.episode}"

    @edge(State.RAISED, State.RAISED)
    def acknowledge(self) -> None:
        """Somebody looks after it."""

    @edge(State.RAISED, State.RESOLVED)
    def resolve(self) -> None:
        """What it was about is over."""
