"""Children that are kept running and leave with their parent: web, workers, simulators."""

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

import structlog

from sync import lifeline

log = structlog.get_logger(__name__)

FIRST_RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 5.0  # work has to go on within a minute however often a worker dies
STEADY_SECONDS = 30.0
POLL_SECONDS = 0.2


class PortTaken(Exception):
    """Somebody else listens there."""


class AlreadyRunning(Exception):
    """Another process of the same kind works in this folder; `pid` says which."""

    def __init__(self, name: str, pid: str) -> None:
        super().__init__(f"{name} already runs here, as process {pid}")
        self.pid = pid


@dataclass(frozen=True, slots=True)
class Spec:
    """One child: what to run, and how long it may take to end."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    grace_seconds: float = 45.0
    cwd: Path | None = None
    log_path: Path | None = None


@dataclass(slots=True)
class Child:
    """A spec and what became of it."""

    spec: Spec
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    wait_seconds: float = FIRST_RESTART_SECONDS
    restart_at: float | None = None
    restarts: int = 0

    def is_running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Starts children, restarts those that crash, stops them one by one.

    Each child has a session of its own, so that Ctrl-C reaches only us: a signal to a whole group would kill workers
    in mid-task. Start and poll from the main thread, see `lifeline`.
    """

    def __init__(self, specs: Sequence[Spec], *, pid_dir: Path | None = None) -> None:
        self.children = {spec.name: Child(spec) for spec in specs}
        self.pid_dir = pid_dir
        self._asked = threading.Event()

    def start(self) -> None:
        """Start every child, in order."""
        for child in self.children.values():
            self._spawn(child)

    def poll(self) -> None:
        """Look after the children once: whoever ended by itself is started again, after a growing wait."""
        now = time.monotonic()
        for child in self.children.values():
            if child.process is None or child.is_running():
                continue
            if child.restart_at is None:
                steady = now - child.started_at > STEADY_SECONDS
                child.wait_seconds = FIRST_RESTART_SECONDS if steady else child.wait_seconds
                child.restart_at = now + child.wait_seconds
                child.wait_seconds = min(child.wait_seconds * 2, LONGEST_RESTART_SECONDS)
                log.warning("child_ended", child=child.spec.name, code=child.process.returncode)
                kill_session(child.process.pid)
            elif now >= child.restart_at:
                child.restarts += 1
                self._spawn(child)

    def run(self) -> None:
        """Keep the children running until SIGTERM or SIGINT, then stop them."""
        with self.signals():
            try:
                self.start()
                while not self._asked.wait(POLL_SECONDS):
                    self.poll()
            finally:
                self.stop()

    @contextlib.contextmanager
    def signals(self) -> Iterator[threading.Event]:
        """Have SIGTERM and SIGINT ask for the end instead of breaking off; the old handlers come back after."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._ask) for number in numbers}
        try:
            yield self._asked
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Ask one child after the other to end, in the order they were started; kill what does not listen."""
        for child in self.children.values():
            process, child.process = child.process, None
            if process is None:
                continue
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(child.spec.grace_seconds)
                except subprocess.TimeoutExpired:
                    log.error("child_did_not_end", child=child.spec.name, grace_seconds=child.spec.grace_seconds)
            kill_session(process.pid)
            process.wait()
            self._forget_pid(child)

    def pids(self) -> dict[str, int]:
        """The process ids of the children that run."""
        return {name: child.process.pid for name, child in self.children.items() if child.process is not None}

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.set()

    def _spawn(self, child: Child) -> None:
        spec = child.spec
        command = [sys.executable, lifeline.__file__, str(os.getpid()), *spec.command]
        output: IO[bytes] | None = None
        if spec.log_path is not None:
            spec.log_path.parent.mkdir(parents=True, exist_ok=True)
            output = open(spec.log_path, "ab")  # noqa: SIM115 - handed to the child, closed below
        child.process = subprocess.Popen(
            command,
            cwd=spec.cwd,
            env={**os.environ, **spec.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )
        if output is not None:
            output.close()
        child.started_at, child.restart_at = time.monotonic(), None
        if self.pid_dir is not None:
            self.pid_dir.mkdir(parents=True, exist_ok=True)
            (self.pid_dir / f"{spec.name}.pid").write_text(f"{child.process.pid}\n")

    def _forget_pid(self, child: Child) -> None:
        if self.pid_dir is not None:
            (self.pid_dir / f"{child.spec.name}.pid").unlink(missing_ok=True)


def kill_session(pid: int) -> None:
    """Kill whatever is left of a child's session; usually nothing."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def require_free_port(host: str, port: int) -> None:
    """Raise PortTaken when nobody else could listen there; asked before anything is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise PortTaken(f"Port {port} on {host} is not free ({os.strerror(error.errno)})") from None
            raise


@contextlib.contextmanager
def only_one(pid_dir: Path, name: str) -> Iterator[None]:
    """Hold a name in a folder; the lock goes with the process, so a crash leaves nothing to clean up."""
    pid_dir.mkdir(parents=True, exist_ok=True)
    with open(pid_dir / f"{name}.pid", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(name, file.read().strip()) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)


def web(host: str, port: int, *, workers: int = 2, threads: int = 8) -> Spec:
    """The web server: the receiver in front, Django's pages in `threads` threads; two processes suit two cores."""
    listen = ["--interface", "rsgi", "--host", host, "--port", str(port), "--http", "1", "--no-ws"]
    care = ["--respawn-failed-workers", "--workers-kill-timeout", "5", "--log-level", "error"]
    command = [sys.executable, "-m", "granian", *listen, "--workers", str(workers), *care, "meshline.front:application"]
    env = {lifeline.TIED: "1", "MESHLINE_PAGE_THREADS": str(threads)}
    return Spec("web", command, env=env, grace_seconds=30, cwd=ROOT)


def worker(cluster: str, *, stop_seconds: float) -> Spec:
    """One worker cluster."""
    command = [sys.executable, str(ROOT / "manage.py"), "runjobs", "--cluster", cluster]
    return Spec(f"worker-{cluster}", command, grace_seconds=stop_seconds + 10, cwd=ROOT)


def watch() -> Spec:
    """The look at the rules of the alerts; beside the web too, so that the silence of every worker is seen."""
    return Spec("watch", [sys.executable, str(ROOT / "manage.py"), "watch"], grace_seconds=10, cwd=ROOT)


ROOT = Path(__file__).resolve().parent.parent
