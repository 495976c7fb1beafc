"""Whether this installation talks to real systems or to test ones; a mix of both is an error people must see."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from ledger import cells
from meshline.env import is_loopback


@dataclass(frozen=True, slots=True)
class Environment:
    """The tag in the header: its word, how loud it is, and each system's own state behind it."""

    label: str
    tone: str
    detail: str


def is_test(name: str, provider: Mapping[str, Any]) -> bool:
    """Whether a system is a simulator or the vendor's own test environment."""
    if is_loopback(str(provider.get("base_url", ""))):
        return True
    if name == "stripe":
        return "_test_" in str(provider.get("api_key", ""))
    if name == "netsuite":
        account = str(provider.get("account", "")).upper().replace("-", "_")
        return "_SB" in account or account.startswith(("TSTDRV", "TD"))
    return "sandbox" in (urlsplit(str(provider.get("base_url", ""))).hostname or "")


def current() -> Environment:
    """The tag for this installation."""
    tests = {name: is_test(name, provider) for name, provider in settings.MESHLINE_PROVIDERS.items()}
    detail = ", ".join(f"{cells.system(name)}: {'test' if test else 'live'}" for name, test in tests.items())
    if all(tests.values()):
        return Environment("TEST MODE", "amber", detail)
    if any(tests.values()):
        return Environment("LIVE AND TEST MIXED", "red", detail)
    return Environment("LIVE", "grey", detail)
