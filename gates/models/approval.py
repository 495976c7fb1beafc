"""Approval: one person's yes to one exact preview."""

from django.conf import settings
from django.db import models

from gates.models.review_item import ReviewItem
from ledger import clock
from ledger.models import Action


class Approval(models.Model):
    """Bound to the hash of what was shown; voided when that changes, never edited."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="approvals")
    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, null=True, related_name="approvals")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    preview_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=500)
    rules = models.JSONField(default=list, help_text="The rules this person saw failing")
    given_at = models.DateTimeField(default=clock.now)
    voided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["action", "by"], name="approval_once", condition=models.Q(voided_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"approval of {self.action_id} by {self.by_id}"
