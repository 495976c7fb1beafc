"""The words in force: those shipped, and an installation's own from a file."""

import json
from functools import cache
from pathlib import Path

from django.conf import settings

from gates.claims import wording
from gates.claims.wording import BadWording, Wording

MOST_BYTES = 200_000


@cache
def current() -> Wording:
    """Read once a process; a check at start says what is wrong with the file. Raises BadWording."""
    return of_file(str(settings.MESHLINE_CLAIM_WORDING_FILE or ""))


def of_file(path: str) -> Wording:
    """The shipped words with those of a file. Raises BadWording saying what is wrong with it."""
    if not path:
        return wording.shipped()
    try:
        raw = Path(path).read_bytes()
        if len(raw) > MOST_BYTES:
            raise BadWording(f"the file has more than {MOST_BYTES:,} bytes")
        return wording.extended(json.loads(raw))
    except OSError as error:
        raise BadWording(f"the file cannot be read: {error.strerror}") from None
    except ValueError as error:
        if isinstance(error, BadWording):
            raise
        raise BadWording(f"the file is no JSON: {error}") from None
