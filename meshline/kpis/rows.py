"""The rows behind a figure: those very ones that its statement counts, a page at a time."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import DatabaseError

from meshline.kpis import computing
from meshline.kpis.catalogue import Kpi

PAGE = 50
ROWS = """
with counted as materialized ({rows})
select r.day, r.automation, r.team, r.currency, r.num, r.den, r.kind, r.id, r.at
  from counted r where ({scope}) and (r.at, r.id) < (%(at)s::timestamptz, %(id)s)
 order by r.at desc, r.id desc limit %(most)s"""
LAST = (datetime(9999, 1, 1, tzinfo=UTC), "~")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was counted."""

    day: date
    automation: str
    team: str
    currency: str
    num: int
    den: int
    kind: str
    id: str
    at: datetime


class TooSlow(Exception):
    """The rows did not come in time."""


def listed(
    kpi: Kpi, first: date, last: date, *, scope: str = "", before: tuple[datetime, str] | None = None
) -> tuple[list[Row], bool]:
    """A page of rows of these days, newest first, and whether there are more. A stock is that of the last day.

    `before` is (time, id) of the last row seen. Raises TooSlow.
    """
    field, _, value = scope.partition(":")
    narrow = f"r.{field} = %(value)s" if field in ("automation", "team", "currency") else "true"
    at, row_id = before or LAST
    params = computing.bounds(last if kpi.how == "stock" else first, last)
    params |= {"value": value, "at": at.isoformat(), "id": row_id, "most": PAGE + 1}
    try:
        found = [Row(*row) for row in computing.fetch(ROWS.format(rows=kpi.rows, scope=narrow), params)]
    except DatabaseError as error:
        raise TooSlow(type(error).__name__) from error
    return found[:PAGE], len(found) > PAGE
