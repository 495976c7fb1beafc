"""Places for resident drains: who holds one shows it by `seen_at`; a place not seen for 45 s is free."""

from ledger import claim, sets
from sync import residents

SOLO = 0


def take(token: int) -> int | None:
    """A free place, or None: then there are residents enough and this one is not needed."""
    rows = sets.run(
        """update sync_drainslot set token = %(token)b, host = %(host)b, seen_at = now()
           where slot = (select slot from sync_drainslot where slot > 0 and (token is null or host = %(host)b
                         or seen_at < now() - make_interval(secs => %(stale)b::float8))
                         order by host <> %(host)b, slot limit 1 for update skip locked) returning slot""",
        {"token": token, "host": residents.place(), "stale": residents.SLOT_STALE_SECONDS},
    )
    return int(rows[0][0]) if rows else None


def take_solo(token: int) -> bool:
    """The one place for running rows that were in flight in several crashes: one such run in the whole system."""
    rows = sets.run(
        """update sync_drainslot set token = %(token)b, host = %(host)b, seen_at = now()
           where slot = 0 and (token is null or seen_at < now() - make_interval(secs => %(stale)b::float8))
           returning slot""",
        {"token": token, "host": residents.place(), "stale": residents.SLOT_STALE_SECONDS},
    )
    return bool(rows)


def show(token: int) -> None:
    """Still here."""
    sets.run("update sync_drainslot set seen_at = now() where token = %(token)b", {"token": token})


def leave(token: int) -> None:
    """The place is free for the next one. The row keeps its last sign of life for the health page."""
    sets.run("update sync_drainslot set token = null where token = %(token)b", {"token": token})


def leave_solo(token: int) -> None:
    """The solo place is free."""
    sets.run("update sync_drainslot set token = null where token = %(token)b and slot = 0", {"token": token})


def forget_dead() -> int:
    """Free the places of processes of this machine that are gone, and what they had taken; returns how many."""
    rows = sets.run(
        "select token, host from sync_drainslot where token is not null and starts_with(host, %(here)b::text)",
        {"here": residents.places()},
    )
    dead = [token for token, place in rows if not residents.is_alive(place)]
    give_up(dead)
    return len(dead)


def give_up(tokens: list[int]) -> None:
    """End these residents' places and leases."""
    if tokens:
        claim.abandon(tokens)
        sets.run("update sync_drainslot set token = null where token = any(%(tokens)b::bigint[])", {"tokens": tokens})
