"""Settings of the portal links that customers open."""

import re
from typing import Any

from meshline.env import env_bool, env_int, env_str, env_url, refuse

HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def read(*, dev: bool) -> dict[str, Any]:
    """The portal as the environment describes it; links stand below MESHLINE_PUBLIC_URL."""
    host = env_str("MESHLINE_PORTAL_HOST", "").lower()
    if host and not HOST.fullmatch(host):
        raise refuse("MESHLINE_PORTAL_HOST", f"must be a host name alone, not {host!r}", "billing.example.com")
    return {
        "host": host,
        "return_url": env_url("MESHLINE_PORTAL_RETURN_URL", "", loopback_http=dev),
        "configuration": _id("MESHLINE_PORTAL_CONFIGURATION", "bpc_"),
        "check_customer": _id("MESHLINE_PORTAL_CHECK_CUSTOMER", "cus_"),
        "link_days": env_int("MESHLINE_PORTAL_LINK_DAYS", 0, low=0, high=3650),
        "write_back": env_bool("MESHLINE_PORTAL_WRITE_BACK", default=True),
        "while_stopped": env_bool("MESHLINE_PORTAL_WHILE_STOPPED", default=True),
    }


def _id(name: str, prefix: str) -> str:
    value = env_str(name, "", max_length=255)
    if value and not re.fullmatch(rf"{prefix}[A-Za-z0-9_]+", value):
        raise refuse(name, f"must be an id that begins with {prefix}, not {value!r}", f"{prefix}1Abc")
    return value
