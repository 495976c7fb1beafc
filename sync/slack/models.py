"""Who is who in Slack, the message of each review item, and notes to single people."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from gates.models import ReviewItem
from ledger import clock
from ledger.models import Event


class SlackAccount(models.Model):
    """One identity in a workspace belongs to one account here, and one account has one identity there."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="slack_accounts")
    team = models.CharField(max_length=32)
    slack_user = models.CharField(max_length=32)
    linked_by = models.CharField(max_length=120)
    linked_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["team", "slack_user"]
        constraints = [
            models.UniqueConstraint(fields=["team", "slack_user"], name="slack_identity_once"),
            models.UniqueConstraint(fields=["team", "user"], name="slack_account_once"),
        ]

    def __str__(self) -> str:
        return f"{self.team}/{self.slack_user}"


class SlackMessage(models.Model):
    """The one message about an item: where it stands, what it shows, and what is still to be done about it.

    `shown` is the version the message was last written with; `dirty` means that there is a newer one; `closed` that
    nothing will change any more. `marker` is looked for in the channel before anything is posted a second time.
    """

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        SENDING = "sending", "Sending"
        POSTED = "posted", "Posted"
        UNKNOWN = "unknown", "Unknown"
        FAILED = "failed", "Failed"

    item = models.OneToOneField(ReviewItem, on_delete=models.CASCADE, related_name="slack_message")
    channel = models.CharField(max_length=32)
    ts = models.CharField(max_length=32, blank=True)
    marker = models.UUIDField(unique=True, default=uuid.uuid4)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNED)
    shown = models.CharField(max_length=60, blank=True)
    dirty = models.BooleanField(default=False)
    closed = models.BooleanField(default=False)
    tries = models.SmallIntegerField(default=0, help_text="Calls begun since the last one that went well")
    looks = models.SmallIntegerField(default=0, help_text="Searches for a message whose answer was lost")
    sent_at = models.DateTimeField(null=True, help_text="When it was first tried")
    available_at = models.DateTimeField(default=clock.now)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.BigIntegerField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["available_at", "id"], name="slack_message_open", condition=Q(closed=False))]

    def __str__(self) -> str:
        return f"message about item {self.item_id}"


class SlackNote(models.Model):
    """What one person is told about their own click. Sent once or not at all: nobody needs it twice, or late."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        SENDING = "sending", "Sending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    event = models.OneToOneField(Event, on_delete=models.CASCADE, related_name="slack_note", db_constraint=False)
    channel = models.CharField(max_length=32)
    slack_user = models.CharField(max_length=32)
    text = models.CharField(max_length=600)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNED)
    tries = models.SmallIntegerField(default=0)
    available_at = models.DateTimeField(default=clock.now)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.BigIntegerField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["available_at"], name="slack_note_open", condition=Q(state__in=("planned", "sending")))
        ]

    def __str__(self) -> str:
        return f"note about event {self.event_id}"
