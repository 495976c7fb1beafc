"""The state graphs as the database knows them: written after each migrate from the models' own transitions."""

from django.db import connection

from ledger import book
from ledger.models import Event
from ledger.states import Stateful, edges_of


def publish(subject: str, model: type[Stateful]) -> None:
    """Make the edges of one subject the only steps its ledger rows may take; called as owner."""
    pairs = sorted({(prior, post) for prior, _, post in edges_of(model)})
    with connection.cursor() as cursor:
        cursor.execute("delete from ledger_edge where subject_kind = %s", [subject])
        cursor.executemany("insert into ledger_edge values (%s, %s, %s)", [(subject, a, b) for a, b in pairs])


def publish_records() -> None:
    """Publish the graphs of the records of this app, and have the coming months' partitions made."""
    records: dict[str, type[Stateful]] = {**book.TABLES, "event": Event}
    for subject, model in records.items():
        publish(subject, model)
    with connection.cursor() as cursor:
        cursor.execute("select meshline_make_partitions(3)")
