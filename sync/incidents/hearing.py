"""What an alerting system's events mean for an incident here: it begins, it changes, it is over. Never a message."""

from datetime import datetime
from typing import Any

from gates import items
from gates.incidents import BACK, ITEM_KIND, NO_SCOPE, OWNER, desk, rows, services, templates
from gates.models import Incident
from ledger import book, clock
from sync.contracts.pagerduty import IncidentSeen
from sync.understand import Heard

ACTOR = "system:incidents"
TITLE = 255
CRITICAL, MINOR = ("p1", "sev1", "critical"), ("p4", "p5", "sev4", "minor", "low")


def hear(one: Heard) -> str:
    """Book one event about an incident, in the caller's transaction; returns its verdict."""
    seen: IncidentSeen = one.seen
    held = Incident.objects.select_for_update(of=("self",)).filter(source=one.source, external_id=seen.id).first()
    if held is None:
        return _met(one, seen)
    if held.heard_at is not None and one.occurred_at is not None and one.occurred_at < held.heard_at:
        return "superseded: older than what is known"
    if held.state == Incident.State.CLOSED:
        return _after_the_end(one, held, seen)
    return _changed(one, held, seen)


def severity(seen: IncidentSeen) -> str:
    """By the priority's own word where it says something, else by the urgency."""
    word = seen.priority.casefold().replace(" ", "").replace("-", "")
    if word.startswith(CRITICAL):
        return str(Incident.Severity.CRITICAL)
    if word.startswith(MINOR) or (not word and seen.urgency == "low"):
        return str(Incident.Severity.MINOR)
    return str(Incident.Severity.MAJOR)


def _met(one: Heard, seen: IncidentSeen) -> str:
    if seen.status == "resolved" and not seen.is_opening:
        return "ignored: it was over before it was known here"
    made = Incident(
        source=one.source, external_id=seen.id, url=_url(seen.url), service=seen.service[:64], title=_title(seen),
        severity=severity(seen), scope=services.of(one.source, seen.service),
        started_at=_began(seen, one.occurred_at), heard_at=one.occurred_at, event_id=one.id,
        correlation_id=one.correlation_id, state_version=1,
    )  # fmt: skip
    desk.count(made)
    made.save()
    inputs = {"affected": made.affected, "mrr": made.mrr, "rules": len(made.scope), "severity": made.severity}
    book.write_rows([rows.of_incident(made, "report", "open", ACTOR, inputs=inputs)])
    if made.affected:
        return f"done: {made} begins; {made.affected} customers are in its scope"
    service = templates.plain(seen.service_name or seen.service, 60) or "without a name"
    why = "matches no customer" if made.scope else "has no scope"
    reason = f"nobody is written to before somebody says whom it touches; the service is {service}"
    _tell(one.id, made, NO_SCOPE, f"{made} from the service {service} {why}.", reason)
    return f"done: {made} begins; it {why}, so a person was asked"


def _changed(one: Heard, held: Incident, seen: IncidentSeen) -> str:
    prior, decision = str(held.state), "change_incident"
    held.heard_at = one.occurred_at or held.heard_at
    held.title, held.severity = _title(seen), severity(seen) if seen.priority else held.severity
    if seen.status == "resolved" and held.state == Incident.State.OPEN:
        decision, held.mitigated_at = "mitigate", clock.now()
        held.mitigate()
    elif seen.status != "resolved" and held.state == Incident.State.MITIGATED:
        decision, held.mitigated_at = "reopen_incident", None
        held.reopen()
    else:
        held.touch()
    held.save()
    book.write_rows([{**rows.of_incident(held, decision, prior, ACTOR), "event_id": one.id}])
    return f"done: {held} is {held.get_state_display().lower()}"


def _after_the_end(one: Heard, held: Incident, seen: IncidentSeen) -> str:
    if not seen.is_opening:
        return "superseded: it is closed here"
    held.heard_at = one.occurred_at or held.heard_at
    held.touch()
    held.save()
    book.write_rows([{**rows.of_incident(held, "heard_again", "closed", ACTOR), "event_id": one.id}])
    _tell(one.id, held, BACK, f"{held} is closed here and was opened again there.", "declare a new one if it is back")
    return f"done: {held} is closed here; a person was told"


def _tell(event_id: int, one: Incident, why: str, sentence: str, reason: str) -> None:
    told: dict[str, Any] = {"reason": reason, "correlation_id": one.correlation_id, "owner_group": OWNER}
    items.open_items([items.for_event(event_id, ITEM_KIND, sentence, why, **told)])


def _title(seen: IncidentSeen) -> str:
    return templates.plain(seen.title, TITLE) or f"Incident {seen.number or seen.id}"


def _began(seen: IncidentSeen, at: datetime | None) -> datetime:
    now: datetime = clock.now()
    return min(seen.created_at or at or now, now)


def _url(url: str) -> str:
    return url if url.startswith("https://") and len(url) <= 500 and url.isprintable() else ""
