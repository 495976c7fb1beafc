"""`watch`: looks at the rules of the alerts every few seconds, and tells of them itself where no worker lives."""

import os
import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sync.alerts import watching
from sync.alerts.sentry import watch


class Command(BaseCommand):
    """`serve` runs one; any number may run, only one of them measures at a time."""

    help = "Look at the rules of the alerts until SIGTERM; --once looks once at all that is due and says what it found."

    def add_arguments(self, parser: CommandParser) -> None:
        """Once, or for ever."""
        parser.add_argument("--once", action="store_true", help="one look, then the end")

    def handle(self, *args: Any, **options: Any) -> None:
        """Until asked to stop."""
        if options["once"]:
            self.stdout.write(watching.run())
            return
        asked = threading.Event()

        def ask(_number: int, _frame: FrameType | None) -> None:
            asked.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask)
        watch(asked)
        self.stdout.flush()
        os._exit(0)  # a call in the air must not keep us; its lease brings it back
