"""Somebody looks after an alert: one door for the page, Home and the API."""

from django.contrib.auth.models import User
from django.db import transaction

from gates.models import AlertEpisode
from gates.stop import Refused
from ledger import book, clock
from sync.incidents import paging

VIEW, TAKE = "gates.view_alertepisode", "gates.acknowledge_alert"


def acknowledge(key: int, *, by: User, version: int | None = None) -> AlertEpisode:
    """Say that this person looks after an alert that is on, once for each episode; the pager is told so.

    Raises Refused 403 without the permission, 404, 409 where it is over, somebody was first, or it changed since.
    """
    if not by.has_perm(TAKE):
        raise Refused(403, "forbidden", "your account may not acknowledge alerts")
    with transaction.atomic():
        one = AlertEpisode.objects.select_for_update(of=("self",)).select_related("acknowledged_by").filter(pk=key)
        found = one.first()
        if found is None:
            raise Refused(404, "unknown", "there is no such alert")
        if found.state != AlertEpisode.State.RAISED:
            raise Refused(409, "state", "this alert is over; there is nothing to look after")
        if found.acknowledged_at is not None:
            who = found.acknowledged_by.get_username() if found.acknowledged_by else "somebody"
            raise Refused(409, "state", f"{who} looks after it already")
        if version is not None and version != found.state_version:
            raise Refused(409, "stale", "the alert changed since it was shown; look again")
        found.acknowledge()
        found.acknowledged_by, found.acknowledged_at = by, clock.now()
        found.save()
        book.write_rows([paging.row_of(found, "acknowledge_alert", "raised", f"user:{by.pk}")])
        paging.tell_taken(found)
    return found
