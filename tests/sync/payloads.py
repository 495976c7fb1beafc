"""Stored provider bodies, for the tests of the wire."""

import json
from functools import cache
from pathlib import Path
from typing import Any

PAYLOADS = Path(__file__).parent.parent / "payloads"
GENERATIONS = ("acacia", "basil", "clover", "dahlia")


def payload(provider: str, name: str) -> dict[str, Any]:
    """A stored body or vector, parsed anew at each call."""
    return json.loads((PAYLOADS / provider / f"{name}.json").read_text())


def names(provider: str) -> list[str]:
    """The stored webhook bodies of a provider."""
    files = sorted(path.stem for path in (PAYLOADS / provider).glob("*.json"))
    return [name for name in files if not name.startswith("resources.") and not name.endswith(("vector", "vectors"))]


@cache
def _text(generation: str) -> str:
    return (PAYLOADS / "stripe" / f"resources.{generation}.json").read_text()


def resources(generation: str) -> dict[str, Any]:
    """Stripe's published example resources of one API generation, with their `api_version`."""
    return json.loads(_text(generation))
