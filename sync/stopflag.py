"""One flag that a worker cluster and all its children see: claim nothing more, we are going down."""

import mmap

# A plain byte of shared memory, made before the fork. An Event has a lock, and a child killed while it holds
# that lock would block everybody else for ever.
_shared = mmap.mmap(-1, 1)


def is_set() -> bool:
    """Whether the cluster is being stopped."""
    return _shared[0] != 0


def demand() -> None:
    """Ask every resident to end soon."""
    _shared[0] = 1


def clear() -> None:
    """Back to normal; for tests."""
    _shared[0] = 0
