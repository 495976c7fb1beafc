"""How far an automation is trusted, by a stable share of the customers. Pure."""

import hashlib

SHARE = {"canary": 1, "ten": 10, "half": 50, "full": 100}


def bucket(external_id: str) -> int:
    """A number from 0 to 99 that never changes for a customer, so that a growing share only adds customers."""
    return int.from_bytes(hashlib.sha256(external_id.encode()).digest()[:8], "big") % 100


def acts_for(external_id: str, stage: str) -> bool:
    """Whether an automation in this stage acts by itself for this customer."""
    share = SHARE.get(stage, 0)
    return share == 100 or (share > 0 and bucket(external_id) < share)
