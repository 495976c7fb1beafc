"""What the paging service holds: alerts by their dedup key, incidents, and whom it paged for what."""

from dataclasses import dataclass, field
from typing import Any

from sync.sandbox.wire import Json
from sync.sandbox.world import Clock, Ids

SERVICES = {"PWIXJZS": "Billing", "PAPI000": "Public API"}
MOST_SUMMARY, MOST_KEY = 1024, 255
ACTIONS, SEVERITIES = ("trigger", "acknowledge", "resolve"), ("critical", "error", "warning", "info")


@dataclass
class Records:
    """Incidents by id; an open alert names its incident. `pages` has one entry for each time somebody was woken."""

    ids: Ids
    clock: Clock
    incidents: dict[str, Json] = field(default_factory=dict)
    open_alerts: dict[str, str] = field(default_factory=dict)
    pages: list[Json] = field(default_factory=list)

    def open(self, title: str, *, service: str, key: str | None, urgency: str = "high") -> Json:
        """A new incident, which pages."""
        number = self.ids.number("incident", 1234)
        one: Json = {
            "id": f"P{self.ids.text('incident', 6).upper()}", "number": number, "status": "triggered", "title": title,
            "incident_key": key, "created_at": self.clock.iso(), "reopened_at": None, "urgency": urgency,
            "service": service, "resolve_reason": None, "priority": None,
        }  # fmt: skip
        self.incidents[one["id"]] = one
        self.page(one)
        return one

    def page(self, one: Json) -> None:
        """Somebody's telephone rings."""
        self.pages.append({"at": self.clock.now(), "incident": one["id"], "key": one["incident_key"]})


def faults(given: Any) -> list[str]:
    """What is wrong with an event, in the service's own words; empty when nothing is."""
    if not isinstance(given, dict):
        return ["Event object is invalid"]
    found = []
    routing, key = given.get("routing_key"), given.get("dedup_key")
    if not isinstance(routing, str) or len(routing) != 32:
        found.append("'routing_key' is missing or invalid")
    if given.get("event_action") not in ACTIONS:
        found.append("'event_action' is missing or invalid")
    if key is not None and (not isinstance(key, str) or len(key) > MOST_KEY):
        found.append("'dedup_key' is invalid (must be a string of at most 255 characters)")
    if given.get("event_action") != "trigger":
        return found + ([] if key else ["'dedup_key' is missing or blank"])
    payload = given.get("payload")
    if not isinstance(payload, dict):
        return [*found, "'payload' is missing or invalid"]
    summary = payload.get("summary")
    if not isinstance(summary, str) or not 1 <= len(summary) <= MOST_SUMMARY:
        found.append("'payload.summary' is missing or invalid")
    if not payload.get("source"):
        found.append("'payload.source' is missing or blank")
    if payload.get("severity") not in SEVERITIES:
        found.append("'payload.severity' is invalid (must be one of critical, error, warning, info)")
    return found


def shown(one: Json) -> Json:
    """An incident as a webhook carries it."""
    url = f"https://sandbox.pagerduty.com/incidents/{one['id']}"
    service = {"id": one["service"], "type": "service_reference", "summary": SERVICES.get(one["service"], "Other")}
    return {
        **one, "type": "incident", "self": f"https://api.pagerduty.com/incidents/{one['id']}", "html_url": url,
        "service": service, "incident_type": {"name": "incident_default"}, "assignees": [], "teams": [],
        "escalation_policy": {"id": "PT20YPA", "type": "escalation_policy_reference", "summary": "Default"},
        "conference_bridge": None,
    }  # fmt: skip
