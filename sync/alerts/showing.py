"""The alerts that are on, for pages: one statement, nothing measured."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from gates.models import AlertEpisode

MOST = 50


@dataclass(frozen=True, slots=True)
class OnNow:
    """One alert that is on. `owner` is a group; `acknowledged_by` is empty until somebody looks after it.

    `url` is its page; `acknowledge_url` takes a POST with `version`, where one more than was shown is refused.
    """

    id: int
    name: str
    sentence: str
    severity: str
    since: datetime
    owner: str
    runbook_url: str
    url: str
    acknowledge_url: str
    version: int
    acknowledged_by: str
    acknowledged_at: datetime | None


def on_now(limit: int = MOST) -> list[OnNow]:
    """What is on, what nobody has acknowledged first, then the worst, then the oldest. One statement."""
    rows = AlertEpisode.objects.select_related("acknowledged_by").filter(state=AlertEpisode.State.RAISED)
    ranks = {"critical": 0, "error": 1, "warning": 2}
    found = sorted(rows, key=lambda one: (one.acknowledged_at is not None, ranks.get(one.severity, 3), one.pk))
    return [_shown(one) for one in found[:limit]]


def _shown(one: AlertEpisode) -> OnNow:
    return OnNow(
        id=one.pk, name=one.name, sentence=one.summary, severity=one.severity, since=one.raised_at,
        owner=one.owner_group, runbook_url=reverse("admin:runbook", args=[one.runbook]) if one.runbook else "",
        url=reverse("admin:alert", args=[one.pk]), acknowledge_url=reverse("admin:alert_acknowledge", args=[one.pk]),
        version=one.state_version, acknowledged_at=one.acknowledged_at,
        acknowledged_by=one.acknowledged_by.get_username() if one.acknowledged_by else "",
    )  # fmt: skip
