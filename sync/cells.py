"""How exchanges and connections look in a list or on a page."""

from django.utils.safestring import SafeString

from ledger import cells
from ledger.words import from_identifier
from sync.models import Attempt, ProviderState


def answer_tag(one: Attempt) -> SafeString:
    """An answer in words: what happened, with the number."""
    if one.status is None:
        return cells.tag("unknown" if one.is_write else "failed", f"No answer ({from_identifier(one.error or 'lost')})")
    if one.status < 300:
        return (
            cells.tag("applied", f"{one.status} accepted")
            if not one.error
            else cells.tag("unknown", f"{one.status}, not believed")
        )
    return cells.tag("failed", f"{one.status} {'refused' if one.status < 500 else 'broken'}")


def condition_tag(one: ProviderState) -> SafeString:
    """The breaker in words."""
    if one.breaker == ProviderState.Breaker.OPEN:
        return cells.tag("failed", "Paused after failures")
    return cells.tag("running", "Working") if one.last_success_at else cells.tag("", "Not used yet")
