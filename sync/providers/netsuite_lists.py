"""NetSuite's tables page by page, by rising internal id: pages by offset end at 100,000 rows and move while read."""

from collections.abc import Sequence
from typing import Any

from sync.contracts import netsuite as contract
from sync.contracts.members import DriftError
from sync.errors import PermanentError
from sync.providers.base import Exchanges
from sync.providers.netsuite import NetSuite
from sync.providers.stripe_lists import ORDER

PAGE = 1000


def page(
    erp: NetSuite, table: str, columns: Sequence[str], where: str, cursor: str, exchanges: Exchanges | None = None
) -> tuple[list[dict[str, Any]], str]:
    """One page of a table, `id` included, and the cursor to the next one: "" after the last.

    `table`, `columns` and `where` are constants of the caller. PermanentError `order` where ids do not rise.
    """
    query = f"SELECT {', '.join(['id', *columns])} FROM {table} WHERE id > ? AND ({where}) ORDER BY id"
    rows = erp.suiteql(query, [cursor or "0"], limit=PAGE, exchanges=exchanges)
    try:
        ids = [int(contract.record_id(row)) for row in rows]
    except (DriftError, ValueError) as error:
        found = error if isinstance(error, DriftError) else DriftError("id", "is no number")
        raise erp.drifted(found) from error
    if ids != sorted(set(ids)) or (ids and ids[0] <= int(cursor or 0)):
        raise PermanentError(ORDER, provider=erp.name, code="order")
    return rows, str(ids[-1]) if len(rows) == PAGE else ""
