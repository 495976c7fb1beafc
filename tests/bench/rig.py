"""What a benchmark stands on: a PostgreSQL of its own, servers on free ports, and CPU time of process trees."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from meshline import postgres
from tests.bench import load

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 30


class Rig:
    """A fresh database on a server that nothing else uses."""

    def __init__(self, name: str, *, keep: bool = False) -> None:
        self.server = postgres.Server(postgres.local_dir() / "bench")
        app_url, owner_url = self.server.urls()
        self.name = name
        self._admin_url = owner_url
        self.app_url, self.owner_url = (url.rpartition("/")[0] + f"/{name}" for url in (app_url, owner_url))
        if not keep:
            self._recreate()

    def _recreate(self) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as session:
            session.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(self.name)))
            session.execute(sql.SQL("create database {}").format(sql.Identifier(self.name)))

    def close(self) -> None:
        """Stop the server; its folder stays for the next run."""
        self.server.stop()

    def owner(self) -> psycopg.Connection:
        """A session of the owner."""
        return psycopg.connect(self.owner_url, autocommit=True)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process of the product on this database."""
        return os.environ | {
            "DATABASE_URL": self.app_url, "MESHLINE_OWNER_DATABASE_URL": self.owner_url, "MESHLINE_DEV": "1",
            "MESHLINE_ALLOW_LOOPBACK": "1", "DEBUG": "0", "MESHLINE_LOG_LEVEL": "WARNING", **more,
        }  # fmt: skip

    def manage(self, *words: str) -> None:
        """Run a command of the product to its end."""
        command = [sys.executable, str(ROOT / "manage.py"), *words]
        done = subprocess.run(command, env=self.environment(), cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{words} failed: {done.stdout}{done.stderr}")

    def cpu(self) -> float:
        """CPU seconds of PostgreSQL so far, sessions that ended included."""
        pid = self.server.pid()
        assert pid is not None
        return tree_cpu(pid)


@contextmanager
def serving(options: list[str], environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A granian that answers; gives its port and process id."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--port", str(port), "--workers", "2", "--http", "1", "--no-ws"]
    command += ["--log-level", "error", *options]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until somebody listens, and a moment more for the other worker."""
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError("the server did not start")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            time.sleep(1.0)
            return


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process and its children, also of those that ended."""
    main = psutil.Process(pid)
    total = 0.0
    for process in (main, *main.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # it ended just now: its parent has its time by then
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def send(plan: load.Plan) -> load.Result:
    """Run the load generator in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.load"]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(asdict(plan)), stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(done.stdout)
    return load.Result(
        found["seconds"], {int(key): value for key, value in found["answers"].items()}, found["milliseconds"]
    )
