"""Webhooks v2: bodies that differ from the API's, attempts that count themselves, and the ban after ten failures."""

import base64
import json
import re
import threading
from datetime import UTC, datetime

from sync.sandbox import keys
from sync.sandbox.pipedrive.fields import Fields
from sync.sandbox.wire import Json
from sync.sandbox.world import Clock

RETRY_WAITS_S = (3.0, 30.0, 150.0)
FAILURES = 10
BAN_S = 1800
GIVEN_UP_S = 3 * 86_400
WEBHOOK_ID = 4710827
ATTEMPT = re.compile(rb'"attempt":[0-9]+')
HIDDEN = ("is_deleted", "acv", "arr", "mrr", "source_lead_id")  # what the API shows and webhooks do not


def body(fields: Fields, meta: Json, entity: str, record: Json | None, previous: Json | None) -> bytes:
    """One event; `record` None for a delete, whose last state is then `previous`."""
    document = {
        "meta": {**meta, "entity": entity},
        "data": None if record is None else shaped(fields, entity, record, is_whole=True),
        "previous": None if previous is None else shaped(fields, entity, previous, is_whole=record is None),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def shaped(fields: Fields, entity: str, record: Json, *, is_whole: bool) -> Json:
    """A record as webhooks write it: typed custom values, a text for who may see it."""
    made = {name: value for name, value in record.items() if name not in HIDDEN and not name.startswith("_")}
    if "visible_to" in made:
        made["visible_to"] = str(made["visible_to"])
    if is_whole and entity == "deal":
        made |= {"creator_user_id": record["owner_id"], "first_won_time": record["won_time"], "archive_time": None}
    if "custom_fields" in made:
        typed = fields.typed(entity, record["custom_fields"])
        given = record["custom_fields"]
        made["custom_fields"] = typed if is_whole else {code: typed[code] for code in given if code in typed}
    return made


def meta_of(
    event_id: str, action: str, entity_id: int, now: float, actor: int, *, source: str = "app", is_bulk: bool = False
) -> Json:
    """What an event says of itself; ids are texts here."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return {
        "action": action, "entity_id": str(entity_id), "id": event_id, "correlation_id": f"c-{event_id}",
        "company_id": str(keys.PIPEDRIVE_COMPANY_ID), "user_id": str(actor), "webhook_id": str(WEBHOOK_ID),
        "webhook_owner_id": str(keys.PIPEDRIVE_USER_ID), "host": f"{keys.PIPEDRIVE_COMPANY}.pipedrive.com",
        "type": "general", "version": "2.0", "change_source": source, "is_bulk_edit": is_bulk, "attempt": 1,
        "timestamp": stamp, "permitted_user_ids": [str(actor)],
    }  # fmt: skip


def dress(raw: bytes, attempt: int) -> bytes:
    """The same event as a later attempt sends it."""
    return ATTEMPT.sub(b'"attempt":%d' % attempt, raw, count=1)


def basic(pair: str) -> str:
    """The header of `user:password`."""
    return "Basic " + base64.b64encode(pair.encode()).decode()


class Health:
    """How the receiver has answered: ten events whose first attempt failed bring a ban, three days the end."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.failures = 0
        self.banned_until = 0.0
        self.bans = 0
        self.lost: list[str] = []
        self.last_status: int | None = None
        self.last_success = clock.now()
        self.failing_since: float | None = None

    def told(self, attempt: int, status: int | None) -> None:
        """Note how an attempt was answered."""
        now = self.clock.now()
        with self.lock:
            self.last_status = status
            if status is not None and 200 <= status < 300:
                self.last_success, self.failing_since = now, None
                return
            self.failing_since = self.failing_since or now
            if attempt == 1:
                self.failures += 1
            if self.failures >= FAILURES:
                self.failures, self.banned_until = 0, now + BAN_S
                self.bans += 1

    def may_send(self, event_id: str) -> bool:
        """Whether an event goes out; what does not is lost for ever."""
        with self.lock:
            if self.clock.now() < self.banned_until or self.is_removed():
                self.lost.append(event_id)
                return False
            return True

    def is_removed(self) -> bool:
        """Whether nothing was taken for three days."""
        return self.failing_since is not None and self.clock.now() - self.last_success > GIVEN_UP_S

    def show(self) -> Json:
        """What `GET /_books` and the list of webhooks show."""
        is_banned = self.clock.now() < self.banned_until
        return {
            "failures": self.failures, "bans": self.bans, "is_banned": is_banned, "is_removed": self.is_removed(),
            "lost": list(self.lost), "last_http_status": self.last_status,
        }  # fmt: skip
