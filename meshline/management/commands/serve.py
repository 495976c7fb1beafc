"""`serve`: web, workers and scheduler of a real installation in one process tree."""

from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from meshline import supervise

log = structlog.get_logger(__name__)

ROLES = ("all", "web", "worker")
CLUSTERS = ("drain", "default")


class Command(BaseCommand):
    """Run the product; `serve web` and `serve worker` run one role a process or host."""

    help = "Run web and workers until SIGTERM or Ctrl-C; crashed children are started again."

    def add_arguments(self, parser: CommandParser) -> None:
        """The role and, for the web, where to listen."""
        parser.add_argument("role", nargs="?", choices=ROLES, default="all")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0 for all)")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--web-workers", type=int, default=2, help="web processes")
        parser.add_argument("--web-threads", type=int, default=8, help="threads in each of them")

    def handle(self, *args: Any, **options: Any) -> None:
        """Refuse what cannot work, then supervise."""
        role, host, port = options["role"], options["host"], options["port"]
        specs = []
        if role in ("all", "web"):
            try:
                supervise.require_free_port(host, port)
            except supervise.PortTaken as taken:
                raise CommandError(f"{taken}. Choose another: serve --port {port + 1}", returncode=2) from None
            specs.append(supervise.web(host, port, workers=options["web_workers"], threads=options["web_threads"]))
        if role in ("all", "worker"):
            grace = settings.MESHLINE_STOP_GRACE_SECONDS
            specs += [supervise.worker(cluster, stop_seconds=grace) for cluster in CLUSTERS]
        specs.append(supervise.watch())
        log.info("serving", role=role, host=host, port=port)
        supervise.Supervisor(specs, pid_dir=settings.MESHLINE_PID_DIR).run()
        log.info("served", role=role)
