"""What a comparison of a system's own list with our inbox came to: kept for the page, whoever ran it."""

from datetime import datetime

from ledger import clock
from sync.connections.models import ConnectionCheck


def note_poll(provider: str, *, since: datetime, changed: int, missing: int, is_whole: bool) -> None:
    """Remember a comparison; `missing` are changes that no event told of."""
    found = {"since": since.isoformat(), "changed": changed, "missing": missing, "whole": is_whole}
    ConnectionCheck.objects.update_or_create(
        provider=provider, defaults={"polled": found, "polled_at": clock.now(), "updated_at": clock.now()}
    )
