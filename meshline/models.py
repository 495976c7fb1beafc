"""What the project itself keeps: tries to sign in, counted over all processes."""

from django.db import models

from meshline.kpis.models import KpiDay, KpiNote, KpiReport, KpiTarget

__all__ = ["KpiDay", "KpiNote", "KpiReport", "KpiTarget", "SignInCount"]


class SignInCount(models.Model):
    """How often something was tried in a while. `key` is a keyed digest: no name and no address can be read from it."""

    key = models.CharField(max_length=64, primary_key=True)
    tries = models.PositiveIntegerField()
    began_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.tries} tries"
