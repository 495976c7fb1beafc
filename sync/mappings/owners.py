"""Nothing is written to a field that another system owns: asked of each frozen request before its first byte."""

import json
import re
from collections.abc import Mapping
from typing import Any

from sync import mappings, providers
from sync.errors import PermanentError
from sync.mappings import Row, named
from sync.providers.pipedrive import Pipedrive
from sync.wiretypes import Exchange, FrozenRequest

CODE = "field_owned"
_ERP = re.compile(r"/services/rest/record/v1/(?P<record>[A-Za-z0-9_]+)(?:/(?P<key>[^/?]+))?(?:\?|$)")
_CRM = re.compile(r"/api/v[12]/(?P<records>deals|notes)(?:/[0-9]+)?(?:\?|$)")
_SINGULAR = {"deals": "deal", "notes": "note"}
CUSTOM = "custom_fields"
# What names a record rather than filling a field of it.
ERP_BARE = frozenset({"isPerson"})


def refuse(request: FrozenRequest, exchanges: list[Exchange] | None = None) -> None:
    """Raises PermanentError `field_owned` where a write is not on the allow-list of its destination, or not ours."""
    if request.provider == "netsuite":
        found = _ERP.match(request.path)
        record, is_new = (found["record"], _creates(request, found["key"] or "")) if found else ("", False)
        fields = [name for name in _body(request) if name not in ERP_BARE]
    elif request.provider == "pipedrive":
        met = _CRM.match(request.path)
        record, is_new = (_SINGULAR[met["records"]], request.method == "POST") if met else ("", False)
        fields = _words(_body(request), record, exchanges)
    else:
        return
    used = mappings.artifact()
    if used.fault:
        raise PermanentError(f"field mapping: {used.fault}", provider=request.provider, code=CODE, never_sent=True)
    rows = {named(one.system, one.field): one for one in used.of(request.provider, record)}
    for name in fields:
        fault = fault_of(rows.get(name), is_new=is_new)
        if fault:
            where = f"{request.provider} {record or 'record'}, field {name[:80]} (mapping {used.version})"
            raise PermanentError(f"{where}: {fault}", provider=request.provider, code=CODE, never_sent=True)


def fault_of(row: Row | None, *, is_new: bool) -> str:
    """Why a field may not be written; empty where it may."""
    if row is None or row.when == "never":
        return "is not on the list of what may be sent there"
    if row.when == "create" and not is_new:
        return f"is owned by {row.owner} once the record exists"
    return ""


def _creates(request: FrozenRequest, key: str) -> bool:
    """An upsert by our own external id is sent only where nothing was found under it."""
    return request.method == "POST" or (request.method == "PUT" and key.startswith("eid:"))


def _words(body: Mapping[str, Any], record: str, exchanges: list[Exchange] | None) -> list[str]:
    """The fields a write to the CRM touches, its custom ones by our words; a code nobody knows stays as it is."""
    names = [name for name in body if name != CUSTOM]
    codes = body.get(CUSTOM) or {}
    if codes and record == "deal":
        adapter = providers.get("pipedrive")
        assert isinstance(adapter, Pipedrive)
        words = {one.code: word for word, one in adapter.fields("deal", exchanges).items() if one}
        names += [words.get(code, code) for code in codes]
    return names


def _body(request: FrozenRequest) -> Mapping[str, Any]:
    found = json.loads(request.body) if request.body else {}
    return found if isinstance(found, dict) else {}
