"""The PagerDuty simulator: events by routing key with their dedup states, books, and webhooks of version 3."""

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sync.sandbox import keys
from sync.sandbox.courier import Parcel, Target
from sync.sandbox.faults import Rule
from sync.sandbox.pagerduty.records import SERVICES, Records, faults, shown
from sync.sandbox.wire import Json, Reply, Request, json_reply
from sync.sandbox.world import PlayError, Serial, World, need

CALLS_A_MINUTE = 120
RETRY_SECONDS = 48 * 3600
DROPS_TO_DISABLE = 3
AGENT: Json = {"id": "PLH1HKV", "type": "user_reference", "summary": "Earl"}


class PagerDuty(Serial):
    """One account with a few services; the routing key of the sandbox belongs to the first of them."""

    name = "pagerduty"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.records = Records(self.ids, self.clock)
        self.calls: deque[float] = deque()
        self.drops = 0
        target = Target(secrets=[keys.PAGERDUTY_WEBHOOK_SECRET], max_attempts=50)
        world.courier.attach(self.name, self.sign, self.retry_wait, target, told=self.told)

    def route(self, request: Request) -> Reply:
        """The events API; there is nothing else that anybody here calls."""
        if (request.method, request.path.rstrip("/")) != ("POST", "/v2/enqueue"):
            return json_reply(404, {"error": {"message": "Not Found", "code": 2100}})
        if self._is_over_limit():
            return Reply(429, b"Request Limit Exceeded", {"Content-Type": "text/plain"})
        try:
            given = json.loads(request.body or b"null")
        except ValueError:
            given = None
        wrong = faults(given)
        if wrong:
            return _invalid(wrong)
        key = given.get("dedup_key") or self.ids.text("dedup", 32)
        if given["routing_key"] == keys.PAGERDUTY_ROUTING_KEY:
            self._event(request, given, key)
        return json_reply(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def _is_over_limit(self) -> bool:
        now = self.clock.now()
        while self.calls and self.calls[0] <= now - 60:
            self.calls.popleft()
        self.calls.append(now)
        return len(self.calls) > CALLS_A_MINUTE

    def _event(self, request: Request, given: Json, key: str) -> None:
        """An open alert takes one line more; a resolved one is over, and the same key opens a new one."""
        open_id, verb = self.records.open_alerts.get(key), given["event_action"]
        summary = "log entry" if open_id else "nothing open"
        if verb == "trigger" and open_id is None:
            one = self.records.open(given["payload"]["summary"], service=next(iter(SERVICES)), key=key)
            self.records.open_alerts[key] = one["id"]
            self.tell(one, "triggered", agent=None)
            summary = "paged"
        elif verb != "trigger" and open_id is not None:
            summary = f"{verb}d"
            status = "acknowledged" if verb == "acknowledge" else "resolved"
            if status == "resolved":
                del self.records.open_alerts[key]
            self.change(self.records.incidents[open_id], status, agent=None)
        details = given.get("payload", {}).get("custom_details") or {}
        action = str(details.get("meshline_action", "")) if isinstance(details, dict) else ""
        self.book.effect(request, key=key, action=action, target=f"alert/{key}", summary=summary)

    def change(self, one: Json, status: str, *, agent: Json | None = AGENT) -> str:
        """An incident takes another status; tells whoever listens and returns the event's id."""
        one["status"] = status
        return self.tell(one, status, agent=agent)

    def tell(self, one: Json, what: str, *, agent: Json | None = AGENT, data: Json | None = None) -> str:
        """Send the webhook of one event about an incident."""
        event_id, type_ = f"01{self.ids.text('event', 24).upper()}", f"incident.{what}"
        stamp = datetime.fromtimestamp(self.clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        event = {
            "id": event_id, "event_type": type_, "resource_type": "incident", "occurred_at": stamp, "agent": agent,
            "client": None, "data": data or shown(one),
        }  # fmt: skip
        body = json.dumps({"event": event}, ensure_ascii=False, separators=(",", ":")).encode()
        self.world.courier.send(Parcel(self.name, event_id, type_, body, {"webhook_id": f"wh-{event_id}"}))
        return event_id

    def told(self, attempt: int, status: int | None) -> None:
        """Three deliveries in a row that were dropped for good switch the subscription off."""
        is_dropped = status is not None and 400 <= status < 500 and status != 429
        if not is_dropped:
            self.drops = 0 if status is not None and status < 300 else self.drops
            return
        self.drops += 1
        if self.drops >= DROPS_TO_DISABLE:
            self.world.courier.targets[self.name].enabled = False

    def fault_reply(self, rule: Rule) -> Reply | None:
        """Refusals in the service's words."""
        if rule.kind == "rate_limit":
            return Reply(429, b"Request Limit Exceeded", {"Content-Type": "text/plain"})
        if rule.kind == "expire_auth":
            return _invalid(["'routing_key' is missing or invalid"])
        return Reply(int(rule.options.get("status", 500)), b"Internal Server Error", {"Content-Type": "text/plain"})

    def objects(self) -> Json:
        """Everything the account holds."""
        records = self.records
        return {"incidents": records.incidents, "open_alerts": records.open_alerts, "pages": records.pages}

    def sign(self, body: bytes, secrets: list[str], extra: Json) -> dict[str, str]:
        """One signature for each active secret; no time in it."""
        marks = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
        return {
            "X-PagerDuty-Signature": ",".join(f"v1={mark}" for mark in marks),
            "X-Webhook-Id": str(extra.get("webhook_id", "")), "User-Agent": "PagerDuty-Webhook/V3.0",
        }  # fmt: skip

    def retry_wait(self, attempt: int, status: int | None, retry_after: str) -> float | None:
        """Timeouts, 429 and 5xx for two days; any other refusal is dropped for good."""
        if status is None or status == 429 or status >= 500:
            wait = min(0.5 * 2 ** min(attempt, 12), 600.0)
            return wait if attempt * wait < RETRY_SECONDS else None
        return None

    def found(self, params: Json) -> Json:
        """The incident that a play is about."""
        one = self.records.incidents.get(str(need(params, "incident")))
        if one is None:
            raise PlayError("there is no such incident")
        return one


def _invalid(wrong: list[str]) -> Reply:
    return json_reply(400, {"status": "invalid event", "message": "Event object is invalid", "errors": wrong})


def trigger(one: PagerDuty, params: Json) -> Json:
    """Somebody's monitoring opens an incident: `title`, `service`, `key`, `urgency`."""
    service = str(params.get("service", next(iter(SERVICES))))
    made = one.records.open(
        str(params.get("title", "Checkout is down")), service=service, key=params.get("key"),
        urgency=str(params.get("urgency", "high")),
    )  # fmt: skip
    return {"incident": made["id"], "number": made["number"], "event": one.tell(made, "triggered")}


def _step(status: str, what: str = "") -> Callable[[PagerDuty, Json], Json]:
    def play(one: PagerDuty, params: Json) -> Json:
        incident = one.found(params)
        if what == "reopened":
            incident["reopened_at"] = one.clock.iso()
        incident["status"] = status
        return {"incident": incident["id"], "event": one.tell(incident, what or status)}

    return play


def annotate(one: PagerDuty, params: Json) -> Json:
    """A person writes a `note` on `incident`."""
    incident = one.found(params)
    reference = {"id": incident["id"], "type": "incident_reference", "summary": incident["title"]}
    note = {"id": one.ids.text("note", 14), "type": "incident_note", "content": str(params.get("note", "looking"))}
    event = one.tell(incident, "annotated", data={**note, "trimmed": False, "incident": reference})
    return {"incident": incident["id"], "event": event}


def retitle(one: PagerDuty, params: Json) -> Json:
    """A person changes the `title`; the next event carries it."""
    incident = one.found(params)
    incident["title"] = str(need(params, "title"))
    return {"incident": incident["id"], "event": one.tell(incident, "priority_updated")}


PLAYS: Mapping[str, Callable[[PagerDuty, Json], Json]] = {
    "trigger": trigger, "acknowledge": _step("acknowledged"), "resolve": _step("resolved"),
    "reopen": _step("triggered", "reopened"), "annotate": annotate, "retitle": retitle,
}  # fmt: skip
PagerDuty.verbs = PLAYS
