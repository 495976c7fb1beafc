"""The fingerprint of what a person is shown: approvals are bound to it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def fingerprint(
    kind: str,
    target: str,
    params: Mapping[str, Any],
    shown: Sequence[Mapping[str, Any]],
    rule_version: str,
    amount: tuple[int | None, str] = (None, ""),
) -> str:
    """SHA-256 over everything an approval agrees to: what, to whom, how much, what changes, by which rules."""
    parts = [kind, target, dict(params), [dict(row) for row in shown], rule_version, list(amount)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
