"""Lists: which records, in which order, a page at a time; unknown parameters are refused."""

import base64
import binascii
from collections.abc import Iterable
from urllib.parse import parse_qsl

from sync.sandbox.pipedrive.errors import Refused
from sync.sandbox.wire import Json, Reply, Request, json_reply

MOST = 500
SETUP = ("limit", "cursor", "include_fields")
RECORDS = (
    *SETUP, "filter_id", "ids", "owner_id", "person_id", "org_id", "deal_id", "pipeline_id", "stage_id", "status",
    "updated_since", "updated_until", "sort_by", "sort_direction", "custom_fields", "include_option_labels",
)  # fmt: skip
NOTES = ("deal_id", "person_id", "org_id", "user_id", "start", "limit", "sort", "updated_since")
EQUAL = ("owner_id", "person_id", "org_id", "pipeline_id", "stage_id")


def pairs(text: str) -> list[tuple[str, str]]:
    """A form."""
    return parse_qsl(text, keep_blank_values=True)


def check_query(request: Request, known: Iterable[str]) -> None:
    """Version 2 is strict."""
    for name in request.query_map():
        if name not in known:
            raise Refused(400, f"Validation failed: {name}: is not allowed")


def chosen(rows: Iterable[Json], wanted: dict[str, str], *, is_archive: bool) -> list[Json]:
    """The records that the parameters ask for. Archived deals are in a list of their own, deleted ones in a status."""
    statuses = set(filter(None, wanted.get("status", "").split(",")))
    ids = set(filter(None, wanted.get("ids", "").split(",")))
    since, until = wanted.get("updated_since", ""), wanted.get("updated_until", "9")
    found = []
    for row in rows:
        status = "deleted" if row["is_deleted"] else row.get("status", "")
        if status == "deleted" and "deleted" not in statuses:
            continue
        if bool(row.get("is_archived")) != is_archive and status != "deleted":
            continue
        if (statuses and status not in statuses) or (ids and str(row["id"]) not in ids):
            continue
        if not since <= row["update_time"] < until:
            continue
        if all(wanted.get(name, str(row.get(name))) == str(row.get(name)) for name in EQUAL):
            found.append(row)
    return found


def page(request: Request, rows: list[Json], known: Iterable[str]) -> Reply:
    """One page of version 2, by position in the order: what changes while somebody pages may be seen twice."""
    check_query(request, known)
    wanted = request.query_map()
    limit = wanted.get("limit", "100")
    if not limit.isdigit() or not 1 <= int(limit) <= MOST:
        raise Refused(400, f"Validation failed: limit: must be 1 to {MOST}")
    key = wanted.get("sort_by", "id")
    if rows and "id" in rows[0]:
        is_down = wanted.get("sort_direction", "asc") == "desc"
        rows = sorted(rows, key=lambda row: (row.get(key) or "", row["id"]), reverse=is_down)
        after = _place(wanted.get("cursor", ""))
        rows = [
            row for row in rows if not after or _beyond([str(row.get(key)), row["id"]], after, key, is_down=is_down)
        ]
        shown = rows[: int(limit)]
        last = [str(shown[-1].get(key)), shown[-1]["id"]] if shown else after
    else:
        start = int(_place(wanted.get("cursor", ""))[1] if wanted.get("cursor") else 0)
        shown, rows = rows[start : start + int(limit)], rows[start:]
        last = ["", start + len(shown)]
    more = len(rows) > int(limit)
    cursor = base64.b64encode(f"{last[0]}|{last[1]}".encode()).decode() if more else None
    return json_reply(200, {"success": True, "data": shown, "additional_data": {"next_cursor": cursor}})


def notes_page(request: Request, notes: list[Json]) -> Reply:
    """One page of version 1."""
    wanted = request.query_map()
    names = ("deal_id", "person_id", "org_id", "user_id")
    found = [
        note
        for note in notes
        if note["active_flag"] and all(wanted.get(name, str(note[name])) == str(note[name]) for name in names)
    ]
    if wanted.get("sort", "").upper().endswith("DESC"):
        found.reverse()
    start, limit = int(wanted.get("start", "0")), min(MOST, int(wanted.get("limit", "100")))
    more = start + limit < len(found)
    place = {"start": start, "limit": limit, "more_items_in_collection": more}
    pagination = {**place, **({"next_start": start + limit} if more else {})}
    shown = found[start : start + limit]
    return json_reply(200, {"success": True, "data": shown, "additional_data": {"pagination": pagination}})


def _place(cursor: str) -> list[str]:
    if not cursor:
        return []
    try:
        value, _, number = base64.b64decode(cursor, validate=True).decode().rpartition("|")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Refused(400, "Validation failed: cursor: is not valid") from error
    return [value, number]


def _beyond(place: list[str], after: list[str], key: str, *, is_down: bool) -> bool:
    here: tuple[object, ...] = (int(place[1]),) if key == "id" else (place[0], int(place[1]))
    there: tuple[object, ...] = (int(after[1]),) if key == "id" else (after[0], int(after[1]))
    return here < there if is_down else here > there
