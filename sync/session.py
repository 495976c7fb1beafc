"""How a worker's database session differs from a page's: prepared statements, commits that do not wait for the disk.

What a drain commits without waiting can be lost only with the database itself, and then it is simply done again: a
claim, a decision, a confirmation that is looked up once more. WAL keeps the order, so a later commit that did wait
covers all before it. One commit must wait: key and frozen request, before the first byte leaves (`durable`).
"""

from django.conf import settings
from django.db import connection

from ledger import sets

PREPARE_AFTER = 5  # executions; planning a claim costs more than running it


def tune() -> None:
    """Make this session a worker's. Behind a transaction pooler sessions are shared, and it stays as it is."""
    if _pooled():
        return
    connection.ensure_connection()
    connection.connection.prepare_threshold = PREPARE_AFTER
    sets.run("set synchronous_commit to off")


def durable() -> None:
    """Have the present transaction wait for the disk when it commits."""
    sets.run("set local synchronous_commit to on")


def _pooled() -> bool:
    usual, direct = settings.DATABASES["default"], settings.MESHLINE_DIRECT_DATABASE
    return bool((usual["HOST"], usual["PORT"]) != (direct["HOST"], direct["PORT"]))
