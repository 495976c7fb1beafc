"""The doorbell: it only says that there is work. A lost ring costs time, never work."""

from django.db import connection

CHANNEL = "meshline_work"


def ring() -> None:
    """Wake the drains when the present transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_notify(%s, '')", [CHANNEL])
