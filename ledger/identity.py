"""Ids: time-ordered action ids, and the canonical external id that is minted once and never changes."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = [0, 0]  # millisecond and counter of the newest id of this process


def new_action_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): ordered by creation within a process, unique across databases.

    Unique across databases matters because idempotency keys are made of it: a number that starts at 1 again in a
    fresh database would meet the keys a provider still remembers.
    """
    with _lock:
        millis, counter = time.time_ns() // 1_000_000, 0
        if millis <= _last[0]:
            millis, counter = _last[0], _last[1] + 1
            if counter > 0xFFF:
                millis, counter = millis + 1, 0
        _last[:] = millis, counter
    tail = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return uuid.UUID(int=(millis << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | tail)


def mint_external_id(prefix: str) -> str:
    """A fresh canonical id such as `mesh-cus-5f0c...`: letters, digits and dashes, which every system takes."""
    return f"mesh-{prefix}-{uuid.uuid4()}"


def lane_of(key: str) -> str:
    """The ordering key of a queue: four hex digits of a hash first, so that a random start point is a fair one."""
    digest = uuid.uuid5(uuid.NAMESPACE_OID, key).hex[:4]
    return f"{digest}:{key}"[:200]
