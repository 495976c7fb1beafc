"""How far an automation is trusted, by a stable share of the customers and by segment. Pure."""

import hashlib
from collections.abc import Mapping

SHARE = {"canary": 1, "ten": 10, "half": 50, "full": 100}
RANK = {"paused": 0, "shadow": 1, "suggest": 2, "canary": 3, "ten": 4, "half": 5, "full": 6}
TIER, KIND = "tier", "kind"  # what a segment may be cut by: the customer's tier, the ticket's kind


def bucket(external_id: str) -> int:
    """A number from 0 to 99 that never changes for a customer, so that a growing share only adds customers."""
    return int.from_bytes(hashlib.sha256(external_id.encode()).digest()[:8], "big") % 100


def acts_for(external_id: str, stage: str) -> bool:
    """Whether an automation in this stage acts by itself for this customer."""
    share = SHARE.get(stage, 0)
    return share == 100 or (share > 0 and bucket(external_id) < share)


def stage_for(stage: str, segments: Mapping[str, str], tier: str, kind: str) -> str:
    """The lowest of an automation's own stage and those of its segments that a case falls into.

    `segments` is `tier:<name>` or `kind:<ticket kind>` -> stage. A stage that is none of an automation's (what a
    person asked for) stays as it is.
    """
    if not segments or stage not in RANK:
        return stage
    fitting = (segments.get(f"{TIER}:{tier}", stage), segments.get(f"{KIND}:{kind}", stage))
    return min((stage, *fitting), key=lambda one: RANK.get(one, 0))
