"""Zendesk's tickets by number, a hundred in one call: what is asked for and does not come is not there any more."""

from collections.abc import Sequence
from typing import Any

from sync.contracts import members
from sync.contracts.members import DriftError
from sync.providers.base import Exchanges
from sync.providers.zendesk import Zendesk

MOST = 100


def show_many(desk: Zendesk, numbers: Sequence[str], exchanges: Exchanges | None = None) -> list[dict[str, Any]]:
    """Those of these tickets that are there. Raises ProviderError."""
    wanted = [one for one in numbers[:MOST] if one.isdigit()]
    if not wanted:
        return []
    document = desk.get(f"/api/v2/tickets/show_many?ids={','.join(wanted)}", exchanges) or {}
    try:
        members.present(document, "tickets")
        rows = members.mappings(document, "tickets")
        for row in rows:
            members.identifier(row, "id")
            members.text(row, "status")
            members.iso_time(row, "updated_at")
        return rows
    except DriftError as error:
        raise desk.drifted(error) from error
