"""Processes that do not outlive the one that started them.

Run as a script it ties itself to its parent and becomes the command given: `lifeline.py PARENT_PID COMMAND ...`.
It therefore imports nothing but the standard library.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
TIED = "MESHLINE_TIED"  # set for programs that fork by themselves and load our code only afterwards
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_forking_pid = 0


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent goes, however it goes.

    The kernel watches the thread that started us, so a parent starts its children from its main thread.
    """
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it went before we asked
        os._exit(0)


def tie_children() -> None:
    """From now on every process forked by this one, and by those, dies with the one that forked it."""
    os.register_at_fork(before=_remember_parent, after_in_child=_tie_to_parent)


def _remember_parent() -> None:
    global _forking_pid  # noqa: PLW0603 - the only way to hand a value over a fork
    _forking_pid = os.getpid()


def _tie_to_parent() -> None:
    die_with_parent(_forking_pid)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command comes from our own supervisor
