"""Stripe's lists page by page, newest first, for who reads them to their end: by the id of the last one seen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sync.contracts import members
from sync.contracts.members import DriftError
from sync.errors import PermanentError
from sync.providers.base import Exchanges
from sync.providers.stripe import Stripe

PAGE = 100
ORDER = "a page came in another order than it was asked for; what lies between may be missing"


def page(
    stripe: Stripe, path: str, cursor: str, exchanges: Exchanges | None = None, *, until: datetime,
    since: datetime | None = None, more: Mapping[str, str] | None = None, is_ordered: bool = False,
) -> tuple[list[dict[str, Any]], str]:  # fmt: skip
    """One page of what was made up to `until`, and the cursor to the next one: "" after the last.

    The cursor is `<created>:<id>` of the last object. PermanentError `order` where an `is_ordered` list does not fall
    by time: what such pages leave out nobody can tell. Raises ProviderError.
    """
    made, _, last = cursor.partition(":")
    query = {"limit": str(PAGE), "created[lte]": str(int(until.timestamp())), **(more or {})}
    query |= {"created[gte]": str(int(since.timestamp()))} if since else {}
    query |= {"starting_after": last} if last else {}
    document = stripe.get(f"/v1/{path}?{urlencode(query)}", exchanges)
    if document is None:
        raise PermanentError(f"/v1/{path} is not there", provider=stripe.name, status=404, code="resource_missing")
    try:
        members.present(document, "data")
        rows = members.mappings(document, "data")
        times = [members.integer(row, "created", low=0) for row in rows]
        ids = [members.text(row, "id") for row in rows]
        has_more = members.flag(document, "has_more")
    except DriftError as error:
        raise stripe.drifted(error) from error
    before = [int(made), *times] if made else times
    if last in ids or len(set(ids)) != len(ids) or (is_ordered and sorted(before, reverse=True) != before):
        raise PermanentError(ORDER, provider=stripe.name, code="order")
    return rows, f"{times[-1]}:{ids[-1]}" if rows and has_more else ""
