"""The sentences the door says no with: who changed something, when, and what to do."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from gates.models import ReviewItem
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, LedgerRow
from ledger.words import DECISIONS

TODAY = timedelta(hours=20)
REASON_LENGTH = 500


def when(at: datetime) -> str:
    """A moment in UTC; with its date once it is not of today's work any more."""
    form = "%H:%M:%S UTC" if abs(clock.now() - at) < TODAY else "%Y-%m-%d %H:%M:%S UTC"
    return at.strftime(form)


def who(actor: str) -> str:
    """The actor of a ledger row in words: a user name, an automation, or Meshline itself."""
    kind, _, name = actor.partition(":")
    if kind == "user" and name.isdigit():
        found = User.objects.filter(pk=int(name)).values_list("username", flat=True).first()
        return found or "somebody"
    return f"the automation {name}" if kind == "automation" else "Meshline"


def changed_by(subject: Action | ReviewItem) -> str:
    """` (approved by priya at 14:02:11 UTC)`, from the newest ledger row that is no refusal; empty without one."""
    kind = "action" if isinstance(subject, Action) else "item"
    rows = LedgerRow.objects.filter(subject_kind=kind, subject_id=str(subject.pk)).exclude(outcome="refused")
    row = rows.order_by("-id").first()
    if row is None:
        return ""
    said = DECISIONS.get(row.decision, row.decision).lower()
    return f" ({said} by {who(row.actor)} at {when(row.recorded_at)})"


def settled(item: ReviewItem) -> str:
    """Who won, and when."""
    name = item.resolved_by.get_username() if item.resolved_by else "Meshline"
    at = f" at {when(item.resolved_at)}" if item.resolved_at else ""
    return f"{item} was settled already ({item.resolution or 'resolved'}) by {name}{at}; nothing was done"


def claimed(item: ReviewItem) -> str:
    """Who has it, and until when."""
    name = item.owner.get_username() if item.owner else "somebody else"
    until = f" until {when(item.claimed_until)}" if item.claimed_until else ""
    return f"{item} is claimed by {name}{until}; nothing was done"


def same_version(seen: int, present: int, subject: Action | ReviewItem) -> None:
    """Raises Refused unless the page showed what is there now: 409, with who changed it and when."""
    if type(seen) is not int or seen < 0:
        raise Refused(422, "version", "version: a whole number from 0, the state_version that the page showed")
    if seen > present:
        raise Refused(
            409, "stale", f"the page names version {seen}, but the newest is version {present}; nothing was done, "
            "load it again and decide on what it shows",
        )  # fmt: skip
    if seen < present:
        raise Refused(
            409, "stale", f"this was changed since the page was drawn{changed_by(subject)}; nothing was done, look at "
            "it again",
        )  # fmt: skip


def text(field: str, value: Any, longest: int, why: str = "") -> str:
    """A text a person typed, without the blanks around it. Raises Refused 422 that names field, rule and limit."""
    words = value.strip() if isinstance(value, str) else ""
    if not words or len(words) > longest or not _storable(words):
        more = f"; {why}" if why else ""
        found = f"this has {len(words):,}" if _storable(words) else "this has characters that are no text"
        raise Refused(422, field, f"{field}: 1 to {longest:,} characters, {found}{more}")
    return words


def reason(value: Any) -> str:
    """Why somebody decides. Raises Refused 422."""
    return text("reason", value, REASON_LENGTH, "it is kept with the decision")


def _storable(words: str) -> bool:
    return "\x00" not in words and not any("\ud800" <= one <= "\udfff" for one in words)
