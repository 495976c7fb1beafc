#!/usr/bin/env python
"""Meshline's command line."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from meshline.demo import preflight

# This runs on a bare machine, on loopback, so it chooses the development rules itself; so does `demo`, see preflight.
SELF_CONTAINED = {"sandbox"}
HINT = "Every setting is in .env.example. For development: MESHLINE_DEV=1 MESHLINE_ALLOW_LOOPBACK=1"


def main() -> None:
    """Run one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meshline.settings")
    if len(sys.argv) > 1 and sys.argv[1] in SELF_CONTAINED:
        os.environ.setdefault("MESHLINE_DEV", "1")
        os.environ.setdefault("MESHLINE_ALLOW_LOOPBACK", "1")
    try:
        with preflight.clear(sys.argv[1:]):
            execute_from_command_line(sys.argv)
    except preflight.Refused as refused:
        print(f"demo: {refused}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        sys.exit(2)
    except ImproperlyConfigured as error:
        print(f"Not configured: {error}\n{HINT}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        sys.exit(2)


if __name__ == "__main__":
    main()
