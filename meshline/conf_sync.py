"""Settings of the customer sync."""

import re
from typing import Any

from meshline.env import env_int, env_str, refuse, split

ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read() -> dict[str, Any]:
    """Names without their prefix: how many reads at a time, the connected billing account, which subsidiary has which,
    and for how many days errors that are over stay listed.

    A subsidiary whose account is not the connected one is not synced: that is told once a run.
    """
    connected = env_str("MESHLINE_SYNC_ACCOUNT", "default")
    if not ACCOUNT.fullmatch(connected):
        raise refuse("MESHLINE_SYNC_ACCOUNT", f"must be the name of an account, not {connected!r}", "acct_1Abc")
    return {
        "THREADS": env_int("MESHLINE_SYNC_THREADS", 8, low=1, high=64),
        "ACCOUNT": connected,
        "ACCOUNTS": _accounts(env_str("MESHLINE_SYNC_ACCOUNTS", "")),
        "ERROR_DAYS": env_int("MESHLINE_SYNC_ERROR_DAYS", 90, low=7, high=3650),
    }


def _accounts(text: str) -> dict[str, str]:
    """`subsidiary=account` pairs; a star stands for every other subsidiary."""
    found: dict[str, str] = {}
    for pair in split(text):
        subsidiary, _, account = (part.strip() for part in pair.partition("="))
        if not (subsidiary == "*" or subsidiary.isdigit()) or not ACCOUNT.fullmatch(account) or subsidiary in found:
            raise refuse(
                "MESHLINE_SYNC_ACCOUNTS", f"must be subsidiary=account pairs, each subsidiary once; not {pair!r}",
                "3=acct_1Abc,*=default",
            )  # fmt: skip
        found[subsidiary] = account
    return found
