"""What a drill stands on: a PostgreSQL of its own, simulators, and the product's web and worker processes."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg

from meshline import postgres, supervise
from sync.sandbox import keys
from tests.bench.rig import free_port
from tests.chaos import stage
from tests.simulators import Sandbox

RESIDENTS = "select host from sync_drainslot where slot > 0 and token is not null"
POLL_SECONDS = 0.1


class Stage(stage.Stage):
    """Like the chaos stage, on another database, with a CRM and an account of NetSuite that takes few calls at once."""

    def __init__(self, name: str, *, seed: int, concurrency: int, workers: int) -> None:
        self.name, self.concurrency, self.workers = name, concurrency, workers
        self.rng = random.Random(seed)
        self.server = postgres.Server(postgres.local_dir() / name)
        app_url, owner_url = self.server.urls()
        self.app_url, self.owner_url = (url.rpartition("/")[0] + f"/{name}" for url in (app_url, owner_url))
        with psycopg.connect(owner_url, autocommit=True) as session:
            session.execute(f"drop database if exists {name} with (force)")
            session.execute(f"create database {name}")
        self.sandbox = Sandbox.start(seed=seed)
        self.port = free_port()
        os.environ.update(self.environment(window=10))
        self.manage("migrate", "--verbosity", "0")
        with psycopg.connect(self.owner_url, autocommit=True) as session:
            session.execute("update gates_automation set state = 'full'")
        self.supervisor = supervise.Supervisor(
            [
                supervise.web("127.0.0.1", self.port, workers=2, threads=4),
                supervise.worker("drain", stop_seconds=30),
                supervise.worker("default", stop_seconds=30),
            ]
        )

    def environment(self, window: int) -> dict[str, str]:
        """As the chaos stage, with waits as they are in production: nothing is faster here than it is there."""
        plain = super().environment(window)
        del plain["MESHLINE_RETRY_FIRST_WAIT_MS"]
        return plain | {
            "MESHLINE_PID_DIR": str(Path(postgres.local_dir()) / self.name / "pids"),
            "MESHLINE_NETSUITE_CONCURRENCY": str(max(1, self.concurrency // self.workers)),
            "MESHLINE_DRAIN_WORKERS": str(self.workers),
        }

    def open_doors(self) -> None:
        """Start the product, wait until it listens and a worker shows itself, then aim the webhooks at it."""
        self.supervisor.start()
        self.until(lambda: bool(self.residents()), 120.0)
        base = f"http://127.0.0.1:{self.port}/webhooks"
        crm = {"url": f"{base}/pipedrive/", "secrets": [keys.PIPEDRIVE_WEBHOOK_SECRET]}
        self.sandbox.post("/_webhooks", {"pipedrive": crm, "netsuite": {"url": f"{base}/netsuite/"}})

    def residents(self) -> list[int]:
        """The processes that hold a drain's place now."""
        with self.session() as session:
            return [int(host.rpartition(".")[2]) for (host,) in session.execute(RESIDENTS)]

    def kill_residents(self) -> int:
        """kill -9 every process that drains; how many there were."""
        killed = 0
        for pid in self.residents():
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
        return killed

    def kill_cluster(self) -> int:
        """kill -9 the whole worker cluster: its parent and all its processes at once."""
        pid = self.supervisor.pids().get("worker-drain")
        if pid is None:
            return 0
        try:
            main = psutil.Process(pid)
            everybody = [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0
        for one in everybody:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        return len(everybody)

    def until(self, is_true: Callable[[], bool], seconds: float) -> bool:
        """Look after the children until something is true; False when it never was."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.supervisor.poll()
            try:
                if is_true():
                    return True
            except psycopg.Error:
                pass  # restarting
            time.sleep(POLL_SECONDS)
        return False

    def books(self, provider: str, only: str, since: int = 0) -> Any:
        """A part of a provider's books."""
        return self.sandbox.get(f"/_books/{provider}?only={only}&since={since}")[only]
