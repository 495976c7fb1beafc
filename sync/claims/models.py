"""ClaimCheck: that a text was looked at, and what came of it; never the text."""

from django.conf import settings
from django.db import models

from ledger import clock
from ledger.models import Contract, Customer


class ClaimCheck(models.Model):
    """One look at one text. `digest` names it (SHA-256), `sentences` says by places in it what was found.

    `sentences` are those that claim something: {start, end, verdict, claims: [{topic, sense, start, end, verdict, why,
    rows}]}, `rows` numbers of ledger rows. No word of the text is kept. A check of a draft has the action whose text
    it is; it is made anew when its verdict changes.
    """

    class Source(models.TextChoices):
        ASSISTANT = "assistant", "Assistant"
        PERSON = "person", "Person"
        DRAFT = "draft", "Draft that leaves"

    class Verdict(models.TextChoices):
        NONE = "none", "Claims nothing"
        VERIFIED = "verified", "Verified"
        PREMATURE = "premature", "Premature"
        UNVERIFIED = "unverified", "Unverified"
        CONTRADICTED = "contradicted", "Contradicted"

    checked_at = models.DateTimeField(default=clock.now)
    source = models.CharField(max_length=16, choices=Source.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="claim_checks", db_constraint=False, db_index=False
    )
    contract = models.ForeignKey(
        Contract, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    ticket = models.CharField(max_length=64, blank=True)
    draft = models.CharField(max_length=80, blank=True, help_text="The caller's own id of the text")
    action_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=60, blank=True)
    param = models.CharField(max_length=60, blank=True, help_text="Which parameter of the action is the text")
    digest = models.CharField(max_length=64)
    length = models.PositiveIntegerField()
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    sentences = models.JSONField(default=list)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["action_id", "param", "digest", "verdict"], name="claim_draft_once",
                condition=models.Q(action_id__isnull=False),
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["verdict", "-id"], name="claim_verdict"),
            models.Index(fields=["customer", "-id"], name="claim_customer"),
        ]
        permissions = [
            ("verify_claim", "Can ask whether a text is true"),
            ("assist", "Is an assistant: proposes, never decides"),
        ]

    def __str__(self) -> str:
        return f"claim check {self.pk}"
