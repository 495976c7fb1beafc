"""`demo`: everything on a bare machine, and a billing week that passes through it."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from meshline.demo.preflight import PORT, SANDBOX_PORT
from meshline.demo.run import Demo, Options
from sync.sandbox.cast import LEAST

MOST = 200


class Command(BaseCommand):
    """Run the whole product against the simulators."""

    help = "Play a billing week through database, web, workers and simulators, then keep running until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ports, and how the week is played."""
        parser.add_argument("--once", action="store_true", help="end after the week: 0 if all is well, else 1")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, progress to standard error")
        parser.add_argument("--port", type=int, default=PORT, help="of the web")
        parser.add_argument("--sandbox-port", type=int, default=SANDBOX_PORT, help="of the simulators")
        parser.add_argument("--customers", type=int, default=48, help=f"{LEAST} to {MOST}")
        parser.add_argument("--day-seconds", type=float, default=5.0, help="how long a day takes, 1 to 3600")
        parser.add_argument("--seed", type=int, default=1, help="another number, another week")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check what can be wrong, then play."""
        if not LEAST <= options["customers"] <= MOST:
            raise CommandError(f"--customers must be from {LEAST} to {MOST}", returncode=2)
        if not 1 <= options["day_seconds"] <= 3600:
            raise CommandError("--day-seconds must be from 1 to 3600", returncode=2)
        chosen = Options(
            port=options["port"], sandbox_port=options["sandbox_port"], once=options["once"], as_json=options["json"],
            customers=options["customers"], seed=options["seed"], day_seconds=options["day_seconds"],
        )  # fmt: skip
        sys.exit(Demo(chosen).run())
