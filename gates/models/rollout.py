"""What an automation's way up rests on: segments, versions, sign-offs and reviewed previews."""

from django.conf import settings
from django.db import models

from gates.models.automation import Automation, Staged
from ledger import clock
from ledger.models import Action


class Segment(Staged):
    """A part of an automation's customers or tickets that may be trusted less than the rest, never more.

    `key` is `tier:<name>` or `kind:<ticket kind>`. Of all that fit a case, and the automation's own, the lowest stage
    counts.
    """

    automation = models.ForeignKey(Automation, on_delete=models.PROTECT, related_name="segments")
    key = models.CharField(max_length=80)

    class Meta:
        ordering = ["automation", "key"]
        constraints = [models.UniqueConstraint(fields=["automation", "key"], name="segment_once")]

    def __str__(self) -> str:
        return f"{self.automation}, {self.key}"


class AutomationVersion(models.Model):
    """What was registered of an automation at one version; never changed. `content` holds no personal data."""

    automation = models.ForeignKey(Automation, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    content = models.JSONField(default=dict)
    why = models.CharField(max_length=300)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    written_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["automation", "version"], name="automation_version_once")]

    def __str__(self) -> str:
        return f"{self.automation} v{self.version}"


class SignOff(models.Model):
    """The owner answers for one version. Voided when the automation loses its stage by itself; never edited."""

    automation = models.ForeignKey(Automation, on_delete=models.PROTECT, related_name="sign_offs")
    version = models.PositiveIntegerField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300)
    given_at = models.DateTimeField(default=clock.now)
    voided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["automation", "version"], name="sign_off_once", condition=models.Q(voided_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"sign-off {self.automation_id} v{self.version}"


class PreviewReview(models.Model):
    """One person's word on one exact preview of an automation: right as it is, or to be corrected because."""

    class Verdict(models.TextChoices):
        AGREE = "agree", "Agrees"
        CORRECT = "correct", "To be corrected"

    automation = models.ForeignKey(Automation, on_delete=models.PROTECT, related_name="reviews")
    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="preview_reviews")
    preview_hash = models.CharField(max_length=64)
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    reason = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["action", "preview_hash"], name="preview_review_once")]
        indexes = [models.Index(fields=["automation", "-id"], name="preview_review_newest")]

    def __str__(self) -> str:
        return f"{self.verdict} on {self.action_id}"


class Triage(models.Model):
    """The list of a week that an owner goes through: how many suggestions wait, were turned down, and since when."""

    automation = models.ForeignKey(Automation, on_delete=models.PROTECT, related_name="triages")
    week = models.DateField(help_text="The Monday it begins with")
    figures = models.JSONField(default=dict)
    item_id = models.BigIntegerField(null=True)
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-week"]
        constraints = [models.UniqueConstraint(fields=["automation", "week"], name="triage_once")]

    def __str__(self) -> str:
        return f"{self.automation}, week of {self.week}"
