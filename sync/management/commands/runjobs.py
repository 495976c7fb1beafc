"""`runjobs`: one worker cluster, crash-only; `serve` runs one of each."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from sync import residents, runjobs

DEFAULT = "default"
NAME_VARIABLE = "Q_CLUSTER_NAME"


class Command(BaseCommand):
    """Run background work until SIGTERM; exit 70 means: broken, start me again."""

    help = "Run one worker cluster (Linux: crash-only). Exit 0 after SIGTERM, 70 when it broke."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which of the two clusters."""
        parser.add_argument("--cluster", choices=[residents.CLUSTER, DEFAULT], default=DEFAULT)

    def handle(self, *args: Any, **options: Any) -> None:
        """The name must be in the environment before django-q2 is imported, so set it and begin again."""
        name = settings.Q_CLUSTER["name"] if options["cluster"] == DEFAULT else options["cluster"]
        if os.environ.get(NAME_VARIABLE, settings.Q_CLUSTER["name"]) != name:
            sys.stdout.flush()
            os.environ[NAME_VARIABLE] = name
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves again
        runjobs.run(workers=settings.MESHLINE_DRAIN_WORKERS, grace_seconds=settings.MESHLINE_STOP_GRACE_SECONDS)
