"""The CRM's records: deals, persons, organizations, stages, users, notes; and the rules of changing them."""

from typing import Any

from sync.sandbox import keys
from sync.sandbox.pipedrive.errors import Refused, invalid, not_found
from sync.sandbox.pipedrive.fields import Fields
from sync.sandbox.wire import Json
from sync.sandbox.world import Clock, Ids

REP_ID, CSM_ID, BILLING_ID = 12415231, 12415240, 12415241
STAGES = ((425, "Qualified"), (426, "Demo"), (427, "Proposal"), (keys.PIPEDRIVE_SIGNED_STAGE_ID, "Contract Signed"))
USERS = ((keys.PIPEDRIVE_USER_ID, "Meshline"), (REP_ID, "Riku"), (CSM_ID, "Cara"), (BILLING_ID, "Bo"))
TYPES: dict[str, type | tuple[type, ...]] = {
    "title": str, "name": str, "owner_id": int, "person_id": int, "org_id": int, "pipeline_id": int, "stage_id": int,
    "value": (int, float), "currency": str, "status": str, "is_deleted": bool, "is_archived": bool,
    "expected_close_date": str, "visible_to": int, "label_ids": list, "custom_fields": dict, "emails": list,
    "phones": list, "address": dict, "archive_time": str, "probability": int, "lost_reason": str,
}  # fmt: skip
WRITABLE = {
    "deal": ("title", "owner_id", "person_id", "org_id", "pipeline_id", "stage_id", "value", "currency", "is_deleted",
             "is_archived", "archive_time", "status", "probability", "lost_reason", "visible_to",
             "expected_close_date", "label_ids", "custom_fields"),
    "person": ("name", "owner_id", "org_id", "emails", "phones", "visible_to", "label_ids", "custom_fields"),
    "organization": ("name", "owner_id", "visible_to", "label_ids", "address", "custom_fields"),
}  # fmt: skip
NULLABLE = frozenset({"person_id", "org_id", "value", "expected_close_date", "probability", "lost_reason", "address"})


class Records:
    """All records of the company. Custom values are kept plain, by code, in `custom_fields`."""

    def __init__(self, fields: Fields, ids: Ids, clock: Clock) -> None:
        self.fields, self.ids, self.clock = fields, ids, clock
        self.kept: dict[str, dict[int, Json]] = {"deal": {}, "person": {}, "organization": {}}
        self.notes: dict[int, Json] = {}
        self.pipelines = [self._setup(number, name) for number, name in ((keys.PIPEDRIVE_PIPELINE_ID, "Sales"),)]
        self.stages = [self._stage(number, name, place) for place, (number, name) in enumerate(STAGES, 1)]
        self.users = {number: _user(number, name) for number, name in USERS}

    def get(self, entity: str, number: Any) -> Json:
        """A record that must be there; soft-deleted ones still are."""
        found = self.kept[entity].get(int(number)) if str(number).isdigit() else None
        if found is None:
            raise not_found(entity.capitalize())
        return found

    def create(self, entity: str, given: Json, actor: int) -> Json:
        """A new record."""
        self.check(entity, given)
        for name in ("title",) if entity == "deal" else ("name",):
            if not given.get(name):
                raise invalid(name, "is required")
        number = self.ids.number(entity, {"deal": 4711, "person": 179, "organization": 130}[entity])
        now = self.clock.iso()
        record: Json = {"id": number, "owner_id": actor, "add_time": now, "update_time": now, "is_deleted": False,
                        "visible_to": 3, "label_ids": [], "custom_fields": {}}  # fmt: skip
        record |= getattr(self, f"_new_{entity}")(given, now)
        record |= {name: value for name, value in given.items() if name != "custom_fields"}
        record["custom_fields"] = dict(given.get("custom_fields") or {})
        if entity == "person":
            first, _, last = str(record["name"]).partition(" ")
            record |= {"first_name": first, "last_name": last or None}
        self.kept[entity][number] = record
        return record

    def change(self, entity: str, record: Json, given: Json) -> Json:
        """Apply a PATCH; returns the former values of what changed, {} if nothing did."""
        self.check(entity, given)
        if entity == "deal" and record["is_archived"] and given.get("is_archived") is not False:
            raise Refused(403, "Archived deals cannot be changed", code="archived_deal")
        before: Json = {}
        custom = given.get("custom_fields") or {}
        changed = {code: record["custom_fields"].get(code) for code, value in custom.items()
                   if record["custom_fields"].get(code) != value}  # fmt: skip
        for name, value in given.items():
            if name != "custom_fields" and record.get(name) != value:
                before[name] = record.get(name)
                record[name] = value
        if changed:
            before["custom_fields"] = changed
            record["custom_fields"] = {**record["custom_fields"], **custom}
        if before:
            self._touch(entity, record, before)
        return before

    def check(self, entity: str, given: Json) -> None:
        """The strict types of API v2."""
        for name, value in given.items():
            _check_type(entity, name, value)
        if "custom_fields" in given:
            self.fields.check(entity, given["custom_fields"])
        if not set(given.get("label_ids", ())) <= self.fields.labels(entity):
            raise invalid("label_ids", "no such label")
        if "stage_id" in given and given["stage_id"] not in [one["id"] for one in self.stages]:
            raise invalid("stage_id", "no such stage")
        if given.get("status", "open") not in ("open", "won", "lost"):
            raise invalid("status", "must be open, won or lost")
        for name in ("person", "organization"):
            number = given.get("org_id" if name == "organization" else "person_id")
            if number is not None and number not in self.kept[name]:
                raise invalid(f"{name}_id", "no such record")

    def shown(self, entity: str, record: Json, codes: list[str] | None = None) -> Json:
        """A record as the API shows it; lists show custom values only of the codes asked for."""
        plain = self.fields.plain(entity, record["custom_fields"])
        chosen = plain if codes is None else {code: plain[code] for code in codes if code in plain}
        return {**{name: value for name, value in record.items() if not name.startswith("_")}, "custom_fields": chosen}

    def add_note(self, given: Json, actor: int) -> Json:
        """A note (v1): its text is required, and it must hang on something."""
        if not isinstance(given.get("content"), str) or not given["content"]:
            raise Refused(400, "Content is required")
        on = {name: given.get(name) for name in ("deal_id", "person_id", "org_id", "lead_id", "project_id")}
        if not any(on.values()):
            raise Refused(400, "A note needs a deal, person, organization, lead or project")
        if on["deal_id"] is not None:
            self.get("deal", on["deal_id"])
        now = self.clock.iso().replace("T", " ").rstrip("Z")
        number = self.ids.number("note", 91)
        user = self.users[actor]
        self.notes[number] = {
            "id": number, **on, "content": given["content"], "active_flag": True, "add_time": now, "update_time": now,
            "user_id": actor, "last_update_user_id": None,
            "pinned_to_deal_flag": bool(given.get("pinned_to_deal_flag")),
            "user": {"email": user["email"], "name": user["name"], "is_you": user["is_you"], "icon_url": None},
        }  # fmt: skip
        return self.notes[number]

    def _touch(self, entity: str, record: Json, before: Json) -> None:
        now = self.clock.iso()
        record["update_time"] = now
        if entity != "deal":
            return
        if "stage_id" in before:
            record["stage_change_time"] = now
        if "status" in before:
            record["won_time"] = now if record["status"] == "won" else None
            record["lost_time"] = now if record["status"] == "lost" else None
            record["close_time"] = now if record["status"] != "open" else None

    def _new_deal(self, given: Json, now: str) -> Json:
        times = dict.fromkeys(("won_time", "lost_time", "close_time", "expected_close_date", "lost_reason"))
        return {
            "title": "", "person_id": None, "org_id": None, "pipeline_id": keys.PIPEDRIVE_PIPELINE_ID,
            "stage_id": STAGES[0][0], "value": 0, "currency": "EUR", "stage_change_time": now, "status": "open",
            "is_archived": False, "probability": None, **times, "origin": "ManuallyCreated", "origin_id": None,
            "channel": None, "channel_id": None, "source_lead_id": None, "acv": None, "arr": None, "mrr": None,
        }  # fmt: skip

    def _new_person(self, given: Json, now: str) -> Json:
        return {"name": "", "org_id": None, "emails": [], "phones": []}

    def _new_organization(self, given: Json, now: str) -> Json:
        return {"name": "", "address": None}

    def _setup(self, number: int, name: str) -> Json:
        now = self.clock.iso()
        return {"id": number, "name": name, "order_nr": 1, "is_deleted": False, "is_deal_probability_enabled": False,
                "add_time": now, "update_time": now}  # fmt: skip

    def _stage(self, number: int, name: str, place: int) -> Json:
        now = self.clock.iso()
        return {"id": number, "name": name, "order_nr": place, "is_deleted": False, "deal_probability": 100,
                "pipeline_id": keys.PIPEDRIVE_PIPELINE_ID, "is_deal_rot_enabled": False, "days_to_rotten": None,
                "add_time": now, "update_time": now}  # fmt: skip


def _check_type(entity: str, name: str, value: Any) -> None:
    if name not in WRITABLE[entity]:
        raise invalid(name, "is not allowed")
    if value is None and name in NULLABLE:
        return
    wanted = TYPES[name]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise invalid(name, "is of the wrong type")


def _user(number: int, name: str) -> Json:
    return {
        "id": number, "name": name, "email": f"{name.lower()}@sandbox.test", "active_flag": True, "activated": True,
        "is_you": number == keys.PIPEDRIVE_USER_ID, "timezone_name": "Europe/Helsinki", "default_currency": "EUR",
        "role_id": 1,
    }  # fmt: skip
