"""Settings of disputes: what is given back when a bank only asks, and how long before the deadline people decide."""

from typing import Any

from ledger import money
from meshline.env import env_int, env_str, refuse

BASES = ("unused", "whole")
MOST_FEE = 10_000_000


def read() -> dict[str, Any]:
    """Names without their prefix: `basis` (unused, whole), `fees` in minor units by currency, `margin` in seconds.

    Raises ImproperlyConfigured with the variable and its rule.
    """
    basis = env_str("MESHLINE_DISPUTE_BASIS", "unused")
    if basis not in BASES:
        raise refuse("MESHLINE_DISPUTE_BASIS", f"must be one of {', '.join(BASES)}, not {basis!r}", "unused")
    hours = env_int("MESHLINE_DISPUTE_MARGIN_HOURS", 48, low=0, high=240)
    return {"basis": basis, "fees": _fees(env_str("MESHLINE_DISPUTE_FEES", "")), "margin": hours * 3600}


def _fees(text: str) -> dict[str, int]:
    found = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        currency, _, minor = part.partition(":")
        if money.exponent(currency) is None or currency != currency.lower() or not minor.isdigit():
            raise refuse("MESHLINE_DISPUTE_FEES", f"must be currency:minor units, not {part!r}", "usd:1500,jpy:2000")
        if int(minor) > MOST_FEE:
            raise refuse("MESHLINE_DISPUTE_FEES", f"at most {MOST_FEE} minor units, not {part!r}", "usd:1500")
        found[currency] = int(minor)
    return found
