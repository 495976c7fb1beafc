"""ConnectionCheck: what came of the last look at a system, of the last test delivery, and of the last poll."""

from django.conf import settings
from django.db import models

from ledger import clock


class ConnectionCheck(models.Model):
    """One row a system; each look replaces the last one. Holds no secret and nothing personal.

    `found`: `{"account", "skew_s", "limits": [[name, value]], "scopes_missing": [], "api_version"}`, as far as the
    answer said. `ping`: `{"ok", "said", "event", "deliveries", "ms"}`. `polled`: `{"since", "changed", "missing",
    "whole"}` of the last time the system's own list was compared with what we were told.
    """

    provider = models.CharField(max_length=32, unique=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    pending_since = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    ok = models.BooleanField(null=True)
    ms = models.IntegerField(null=True)
    code = models.CharField(max_length=80, blank=True)
    said = models.CharField(max_length=300, blank=True)
    found = models.JSONField(default=dict)
    ping_pending_since = models.DateTimeField(null=True)
    pinged_at = models.DateTimeField(null=True)
    ping = models.JSONField(default=dict)
    polled_at = models.DateTimeField(null=True)
    polled = models.JSONField(default=dict)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["provider"]
        permissions = [("check_connection", "Can check connections and send test deliveries")]

    def __str__(self) -> str:
        return f"check of {self.provider}"
