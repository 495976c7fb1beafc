"""Settings of tickets: when something that changes one back and forth is an exception."""

from typing import Any

from meshline.env import env_int


def read() -> dict[str, Any]:
    """Names without their prefix: how many changes between the same two values, within how many minutes."""
    return {
        "FLIPS": env_int("MESHLINE_TICKET_FLIPS", 3, low=2, high=50),
        "FLIP_MINUTES": env_int("MESHLINE_TICKET_FLIP_MINUTES", 10, low=1, high=1440),
    }
