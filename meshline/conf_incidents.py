"""Settings of messages to customers about incidents."""

import re
from typing import Any
from zoneinfo import available_timezones

from meshline.env import env_int, env_str, refuse

NONE = "none"
HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


def read() -> dict[str, Any]:
    """Names without their prefix: quiet hours in minutes after midnight (none: any time), zone, limit for one person.

    Raises ImproperlyConfigured with the variable and its rule.
    """
    zone = env_str("MESHLINE_QUIET_ZONE", "UTC")
    if zone not in available_timezones():
        raise refuse("MESHLINE_QUIET_ZONE", f"must be the name of a time zone, not {zone!r}", "Europe/Berlin")
    return {
        "HOURS": _hours(env_str("MESHLINE_QUIET_HOURS", "20:00-08:00")),
        "ZONE": zone,
        "ONE_PERSON": env_int("MESHLINE_OUTREACH_ONE_PERSON", 50, low=0, high=100_000),
    }


def _hours(text: str) -> tuple[int, ...]:
    if text == NONE:
        return ()
    found = HOURS.fullmatch(text)
    if found is None:
        raise refuse("MESHLINE_QUIET_HOURS", f"must be from-to in local time, or none, not {text!r}", "20:00-08:00")
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if start == end:
        raise refuse("MESHLINE_QUIET_HOURS", "must not begin and end at the same minute", "20:00-08:00")
    return start, end
