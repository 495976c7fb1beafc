"""Settings of the stop that trips itself, and of its drill."""

import re
from typing import Any

from meshline.env import env_int, env_str, refuse

NONE = "none"
SUM = re.compile(r"([a-z]{3})=([0-9]{1,15})")
DEFAULT_SUM = "usd=2000000,eur=2000000,gbp=2000000,jpy=300000000"


def read() -> dict[str, Any]:
    """The limits by name: counts an hour, minor units by currency, shares in percent; 0 or none switches one off.

    Raises ImproperlyConfigured with the variable and its rule.
    """
    return {
        "refund_count": env_int("MESHLINE_TRIP_REFUND_COUNT", 100, low=0, high=1_000_000),
        "refund_sum": _sums(env_str("MESHLINE_TRIP_REFUND_SUM", DEFAULT_SUM)),
        "contradiction_percent": env_int("MESHLINE_TRIP_CONTRADICTION_PERCENT", 60, low=0, high=100),
        "contradiction_least": env_int("MESHLINE_TRIP_CONTRADICTION_LEAST", 100, low=1, high=1_000_000),
        "unknown_percent": env_int("MESHLINE_TRIP_UNKNOWN_PERCENT", 20, low=0, high=100),
        "unknown_least": env_int("MESHLINE_TRIP_UNKNOWN_LEAST", 20, low=1, high=1_000_000),
    }


def drill_customer() -> str:
    """The external id of the internal customer that drills use; empty: none."""
    return env_str("MESHLINE_DRILL_CUSTOMER", "")


def _sums(text: str) -> dict[str, int]:
    if text == NONE:
        return {}
    found = [SUM.fullmatch(part.strip()) for part in text.split(",") if part.strip()]
    if not found or any(one is None for one in found):
        raise refuse("MESHLINE_TRIP_REFUND_SUM", f"must be currency=minor units, or none, not {text!r}", DEFAULT_SUM)
    return {one[1]: int(one[2]) for one in found if one is not None}
