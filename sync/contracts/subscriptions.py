"""Whose doing the end of a Stripe subscription is: the call that ends one takes no metadata, but a comment."""

import re
from collections.abc import Mapping
from typing import Any

MARK = "meshline_action"
_COMMENT = re.compile(rf"{MARK}=([0-9a-f-]{{36}})")


def comment(action_id: str) -> str:
    """What stands in the comment of a cancellation of ours."""
    return f"{MARK}={action_id}"


def ended_by(subscription: Mapping[str, Any]) -> str:
    """The action of ours that ended a subscription; empty where none did."""
    details = subscription.get("cancellation_details")
    said = details.get("comment") if isinstance(details, Mapping) else None
    found = _COMMENT.search(said) if isinstance(said, str) else None
    return found[1] if found else ""
