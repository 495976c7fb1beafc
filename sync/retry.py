"""When to try again. Pure."""

from datetime import datetime, timedelta

MAX_RETRIES = 5
FIRST_WAIT_SECONDS = 1.0
MAX_PATIENT_SECONDS = 60.0  # times the first wait
MAX_LOOKS = 10
LOOK_FOR = timedelta(minutes=30)
EVENT_BASE_SECONDS = 2.0
EVENT_CAP_SECONDS = 900.0


def next_attempt(
    tries: int,
    now: datetime,
    jitter: float,
    *,
    retry_after: timedelta | None = None,
    first: float = FIRST_WAIT_SECONDS,
    patient: bool = False,
) -> datetime | None:
    """When a write that was tried `tries` times may go again: after 1, 2, 4, 8, 16 s; None when a person must look.

    `jitter` is 0 to 1 and adds up to a quarter. A Retry-After is waited for in full. What is patient goes on for ever,
    a minute apart in the end.
    """
    if tries > MAX_RETRIES and not patient:
        return None
    doubled = first * 2 ** min(max(0, tries - 1), MAX_RETRIES + 1)
    wait = timedelta(seconds=min(doubled, MAX_PATIENT_SECONDS * first) * (1 + jitter / 4))
    return now + max(wait, retry_after or timedelta())


def next_look(
    looks: int,
    since: datetime,
    now: datetime,
    jitter: float,
    *,
    first: float = FIRST_WAIT_SECONDS,
    patient: bool = False,
) -> datetime | None:
    """When to ask again what became of a lost answer; None after 10 looks or 30 minutes, unless it is patient."""
    if (looks >= MAX_LOOKS or now - since >= LOOK_FOR) and not patient:
        return None
    most = MAX_PATIENT_SECONDS * first if patient else 300.0
    return now + timedelta(seconds=min(most, first * 2 ** min(looks, MAX_LOOKS) * (1 + jitter / 4)))


def event_wait(attempts: int, jitter: float) -> float:
    """Seconds until an event that broke is tried again: 2 s doubling up to 15 minutes, at random from half of it on."""
    return min(EVENT_CAP_SECONDS, EVENT_BASE_SECONDS * 2**attempts) * (0.5 + jitter / 2)
