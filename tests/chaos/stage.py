"""What a chaos run stands on: a PostgreSQL of its own, faulty simulators, the product's processes, and a killer."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from meshline import postgres, supervise
from sync.sandbox import keys
from tests.bench.rig import free_port
from tests.simulators import ROOT, Sandbox

DATABASE = "chaos"
EVERYTHING_ACTS = """
from django.contrib.auth.models import User
from gates import automations
from gates.models import Automation
User.objects.create_superuser("lead", "lead@meshline.example", None)
for name in Automation.objects.values_list("name", flat=True):
    automations.place(name, "full", why="chaos")
"""
ONE_IN_A_HUNDRED = 0.01
# What a provider can get wrong about any call, and what only makes sense where something is written.
ANY_CALL: list[dict[str, Any]] = [
    {"kind": "error_before", "status": 500}, {"kind": "error_before", "status": 503, "retry_after": 1},
    {"kind": "rate_limit", "retry_after": 1}, {"kind": "drop_before"}, {"kind": "lost_answer"},
    {"kind": "lost_answer", "reset": True}, {"kind": "error_after", "status": 502}, {"kind": "html", "status": 200},
    {"kind": "cut_json"}, {"kind": "cut_json", "mode": "break"}, {"kind": "hang", "ms": 300, "effect": True},
    {"kind": "latency", "ms": 300}, {"kind": "slow_connect", "ms": 200},
]  # fmt: skip
WRITES = {"netsuite": ["PATCH"], "zendesk": ["POST", "PUT"]}


class Stage:
    """Everything outside the events themselves; `close` leaves no process."""

    def __init__(self, *, seed: int, window: int) -> None:
        self.rng = random.Random(seed)
        self.server = postgres.Server(postgres.local_dir() / "chaos")
        app_url, owner_url = self.server.urls()
        self.app_url, self.owner_url = (url.rpartition("/")[0] + f"/{DATABASE}" for url in (app_url, owner_url))
        with psycopg.connect(owner_url, autocommit=True) as session:
            session.execute(f"drop database if exists {DATABASE} with (force)")
            session.execute(f"create database {DATABASE}")
        self.sandbox = Sandbox.start(seed=seed)
        self.port = free_port()
        os.environ.update(self.environment(window))
        self.manage("migrate", "--verbosity", "0")
        self.manage("shell", "-v", "0", "-c", EVERYTHING_ACTS)
        self.supervisor = supervise.Supervisor(
            [
                supervise.web("127.0.0.1", self.port, workers=2, threads=4),
                supervise.worker("drain", stop_seconds=30),
                supervise.worker("default", stop_seconds=30),
            ]
        )

    def environment(self, window: int) -> dict[str, str]:
        """What the product's processes find in their environment."""
        folder = Path(postgres.local_dir()) / "chaos"
        return {
            "DATABASE_URL": self.app_url, "MESHLINE_OWNER_DATABASE_URL": self.owner_url, "MESHLINE_DEV": "1",
            "MESHLINE_ALLOW_LOOPBACK": "1", "DEBUG": "0", "MESHLINE_LOG_LEVEL": "ERROR",
            "MESHLINE_PID_DIR": str(folder / "pids"), "MESHLINE_SAFETY_WINDOW_SECONDS": str(window),
            "MESHLINE_ATTEMPT_MARGIN_SECONDS": "0", "MESHLINE_RETRY_FIRST_WAIT_MS": "200",
            "MESHLINE_NETSUITE_CONCURRENCY": "8", **keys.environment(self.sandbox.url),
        }  # fmt: skip

    def manage(self, *words: str) -> None:
        """Run a command of the product to its end."""
        subprocess.run([sys.executable, str(ROOT / "manage.py"), *words], cwd=ROOT, check=True)

    def differing(self) -> int:
        """How many records do not stand where replaying the ledger from its first row puts them."""
        command = [sys.executable, str(ROOT / "manage.py"), "rebuild_state", "--check", "--json"]
        said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout
        return int(json.loads(said)["differing"])

    def turn_faults_on(self) -> None:
        """One call in a hundred goes wrong in each of these ways."""
        rules = [
            {**rule, "provider": provider, "probability": ONE_IN_A_HUNDRED}
            for provider in ("stripe", "netsuite", "zendesk")
            for rule in ANY_CALL
        ]
        rules += [
            {"kind": "missing_id", "provider": provider, "method": method, "probability": ONE_IN_A_HUNDRED}
            for provider, methods in WRITES.items()
            for method in methods
        ]
        self.sandbox.faults({"provider": "*", "rules": rules})

    def session(self) -> psycopg.Connection:
        """A session of the app; raises psycopg.Error while the database is away."""
        return psycopg.connect(self.app_url, autocommit=True, connect_timeout=2)

    def members(self) -> list[psutil.Process]:
        """Every process of the product: servers, their workers, clusters, sentinels, residents."""
        found = []
        for pid in self.supervisor.pids().values():
            try:
                main = psutil.Process(pid)
                found += [main, *main.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
        return found

    def kill_one(self) -> str:
        """Kill a random process of the product; says which, or nothing when none lives."""
        members = self.members()
        if not members:
            return ""
        victim = self.rng.choice(members)
        try:
            words = " ".join(victim.cmdline())
            victim.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            return ""
        if "granian" in words:
            return "web"
        return "drain" if "drain" in words else "default"

    def break_database(self) -> None:
        """Stop PostgreSQL at once, as a crash does."""
        pid = self.server.pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        while self.server.pid() is not None:
            time.sleep(0.05)

    def mend_database(self) -> None:
        """Start it again; it recovers by itself."""
        self.server.start()

    def close(self) -> list[psutil.Process]:
        """Stop everything; returns the processes that were left behind, which must be none."""
        before = self.members()
        self.supervisor.stop()
        _, alive = psutil.wait_procs(before, timeout=5)
        self.sandbox.stop()
        self.server.stop()
        return alive


@dataclass
class Tally:
    """What happened in a run."""

    kills: dict[str, int] = field(default_factory=dict)
    outages: list[tuple[float, float]] = field(default_factory=list)

    def killed(self, what: str) -> None:
        """Count one."""
        if what:
            self.kills[what] = self.kills.get(what, 0) + 1
