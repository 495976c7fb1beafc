"""Whether a configured system is a test one: a simulator, or the vendor's own test environment. Asked here alone."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sync.client import LOOPBACK_HOSTS

ERP_TESTS = ("TSTDRV", "TD")  # how accounts for trials begin


def is_test(name: str, provider: Mapping[str, Any]) -> bool:
    """By its address, its key or its account; what has none of these counts as live unless its address says sandbox."""
    host = urlsplit(str(provider.get("base_url") or "")).hostname or ""
    if host in LOOPBACK_HOSTS:
        return True
    if name == "stripe":
        return "_test_" in str(provider.get("api_key") or "")[:12]
    if name == "netsuite":
        account = str(provider.get("account") or "").upper().replace("-", "_")
        return "_SB" in account or account.startswith(ERP_TESTS)
    return "sandbox" in host
