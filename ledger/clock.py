"""The only clock of the application; leases use the database's own `now()` instead."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware and in UTC. Tests move time here and nowhere else."""
    return datetime.now(UTC)
