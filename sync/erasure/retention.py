"""What was kept long enough: bodies of deliveries and exchanges are emptied, the rows that say that they were stay."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from ledger import clock

AT_ONCE = 5_000
MOST_ROUNDS = 200  # a million rows a night; the next night goes on
# Emptied, a group at a time, so that no statement holds its rows for long. {name: statement}
EMPTIED: dict[str, str] = {
    "bodies of deliveries": """update ledger_eventbody set raw = '', headers = '{}', erased_at = %(now)s
        where (id, received_at) in (select id, received_at from ledger_eventbody
              where received_at < %(before)s and erased_at is null limit %(most)s)""",
    "bodies of exchanges": """update sync_attempt set request_body = '', response_body = ''
        where id in (select id from sync_attempt where began_at < %(before)s
                        and (request_body <> '' or response_body <> '') limit %(most)s)""",
    "refused deliveries": """delete from sync_refusal where id in (
        select id from sync_refusal where refused_at < %(before)s limit %(most)s)""",
    "addresses in imports": """update sync_linkimportrow set email = '' where id in (
        select r.id from sync_linkimportrow r join sync_linkimport i on i.id = r.batch_id
         where i.asked_at < %(before)s and r.email <> '' limit %(most)s)""",
    "answers in the error desk": """update sync_syncerror set exchange = '{}' where id in (
        select id from sync_syncerror where created_at < %(before)s and exchange <> '{}' limit %(most)s)""",
    "notes to people": """update sync_slacknote set text = '' where id in (
        select id from sync_slacknote where created_at < %(before)s and text <> '' limit %(most)s)""",
}
PAST_TERM = "select count(*) from ledger_ledgerrow where recorded_at < %(before)s"


def run() -> str:
    """Each night. Says what was emptied, and how many ledger rows are past their term (those only an owner moves)."""
    removed = empty()
    said = [f"{count:,} {name}" for name, count in removed.items() if count] or ["nothing was past its term"]
    old = past_term()
    if old:
        said.append(
            f"{old:,} ledger rows are past {settings.MESHLINE_KEEP_LEDGER_DAYS} days: archive them as the owner"
        )
    return ", ".join(said)


def empty() -> Mapping[str, int]:
    """Empty what is older than MESHLINE_KEEP_BODIES_DAYS; rows by what they were, 0 where there was nothing."""
    before = clock.now() - timedelta(days=settings.MESHLINE_KEEP_BODIES_DAYS)
    return {name: _in_groups(statement, {"before": before, "now": clock.now()}) for name, statement in EMPTIED.items()}


def past_term() -> int:
    """Ledger rows older than MESHLINE_KEEP_LEDGER_DAYS."""
    with connection.cursor() as cursor:
        cursor.execute(PAST_TERM, {"before": clock.now() - timedelta(days=settings.MESHLINE_KEEP_LEDGER_DAYS)})
        return int(cursor.fetchone()[0])


def _in_groups(statement: str, values: Mapping[str, datetime]) -> int:
    done = 0
    for _ in range(MOST_ROUNDS):
        with connection.cursor() as cursor:
            cursor.execute(statement, {**values, "most": AT_ONCE})
            done += cursor.rowcount
            if cursor.rowcount < AT_ONCE:
                break
    return done
