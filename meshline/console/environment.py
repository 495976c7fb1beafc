"""Whether this installation talks to real systems or to test ones; a mix of both is an error people must see."""

from dataclasses import dataclass

from django.conf import settings

from ledger import cells
from sync.modes import is_test


@dataclass(frozen=True, slots=True)
class Environment:
    """The tag in the header: its word, how loud it is, and each system's own state behind it."""

    label: str
    tone: str
    detail: str


def current() -> Environment:
    """The tag for this installation."""
    tests = {name: is_test(name, provider) for name, provider in settings.MESHLINE_PROVIDERS.items()}
    detail = ", ".join(f"{cells.system(name)}: {'test' if test else 'live'}" for name, test in tests.items())
    if all(tests.values()):
        return Environment("TEST MODE", "amber", detail)
    if any(tests.values()):
        return Environment("LIVE AND TEST MIXED", "red", detail)
    return Environment("LIVE", "grey", detail)
