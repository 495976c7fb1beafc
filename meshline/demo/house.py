"""The processes of a demo: simulators, web, two worker clusters, and one that tidies up after a kill."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import psutil
from django.conf import settings

from meshline import supervise
from meshline.demo import desk
from meshline.demo.preflight import FORCED, HOST
from meshline.supervise import ROOT, Spec, Supervisor
from sync.sandbox import keys
from sync.sandbox.mail import smtp

KEPT = ("MESHLINE_LOCAL_DIR", "MESHLINE_PID_DIR", "MESHLINE_LOG_LEVEL")
# Accounts that the ERP's simulator has; the week is all that is recorded.
BOOKS = {
    "MESHLINE_ACCOUNTING": "1",
    "MESHLINE_ACCOUNTING_SINCE": "2020-01-01",
    "MESHLINE_ACCOUNTING_CLEARING_ACCOUNT": "218",
    "MESHLINE_ACCOUNTING_FEE_ACCOUNT": "219",
    "MESHLINE_ACCOUNTING_DISPUTE_ACCOUNT": "220",
}
SANDBOX = "sandbox"
READY_SECONDS = 60.0
LOOK_SECONDS = 0.1
READY_LOOK_SECONDS = 0.3
MOST_RESTARTS = 2


class Interrupted(Exception):
    """Somebody pressed Ctrl-C, or the system asked us to end."""


class Broken(Exception):
    """A part of the demo ended or did not come up; the sentence names its log."""


class House:
    """All processes of one demo. Start, wait and stop from the main thread."""

    def __init__(self, *, port: int, sandbox_port: int, seed: int, day_seconds: float) -> None:
        self.url = f"http://{HOST}:{port}"
        self.sandbox_url = f"http://{HOST}:{sandbox_port}"
        self.logs = settings.MESHLINE_LOCAL_DIR / "logs"
        self.asked = Event()
        self.launcher = launcher()
        shared = environment(self.sandbox_url, day_seconds, self.url)
        sandbox = [sys.executable, "-m", "sync.sandbox", "--port", str(sandbox_port), "--seed", str(seed)]
        web = supervise.web(HOST, port, workers=1, threads=4)
        parts = [web, supervise.worker("drain", stop_seconds=5), supervise.worker("default", stop_seconds=5)]
        parts.append(supervise.watch())
        parts.append(Spec(SANDBOX, sandbox, grace_seconds=5, cwd=ROOT))
        specs = [self._logged(part, shared) for part in parts]
        self.supervisor = Supervisor(specs, pid_dir=settings.MESHLINE_PID_DIR)

    def _logged(self, part: Spec, shared: dict[str, str]) -> Spec:
        env = {**shared, **part.env}
        return Spec(part.name, part.command, env, part.grace_seconds, part.cwd, self.logs / f"{part.name}.log")

    @contextmanager
    def open(self) -> Iterator[None]:
        """From the first process to the last; signals end the waiting in between with Interrupted."""
        with self.supervisor.signals() as self.asked:
            tidier = subprocess.Popen(
                [sys.executable, "-m", "meshline.demo.tidier"], cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True
            )
            try:
                yield
            finally:
                self.supervisor.stop()
                tidier.kill()
                tidier.communicate()

    def start(self) -> None:
        """Start everything, with logs that begin now."""
        for name in self.supervisor.children:
            (self.logs / f"{name}.log").unlink(missing_ok=True)
        self.supervisor.start()

    def wait(self, seconds: float) -> None:
        """Let time pass, and look after the children meanwhile. Raises Interrupted and Broken."""
        ends = time.monotonic() + seconds
        while True:
            if self.asked.is_set() or (self.launcher and os.getppid() != self.launcher):
                raise Interrupted
            self.supervisor.poll()
            self._check()
            left = ends - time.monotonic()
            if left <= 0:
                return
            self.asked.wait(min(left, LOOK_SECONDS))

    def wait_until_ready(self) -> None:
        """Until the web says that work which comes in would be done."""
        ends, found = time.monotonic() + READY_SECONDS, "the web does not answer"
        while time.monotonic() < ends:
            self.wait(READY_LOOK_SECONDS)
            found = unready(self.url)
            if not found:
                return
        raise Broken(f"Not ready after {READY_SECONDS:.0f} s: {found}. The logs are in {self.logs}")

    def _check(self) -> None:
        for name, child in self.supervisor.children.items():
            lost_books = name == SANDBOX and child.restart_at is not None
            if lost_books or child.restarts > MOST_RESTARTS:
                raise Broken(f"{name} ended by itself. The end of {self.logs / name}.log:\n{self._tail(name)}")

    def _tail(self, name: str) -> str:
        path: Path = self.logs / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-8:]) if path.exists() else "(empty)"


def launcher() -> int:
    """`uv run` waits for us in between; where it is killed, nobody else would tell us to end. 0: started otherwise."""
    parent = psutil.Process().parent()
    return parent.pid if parent is not None and parent.name() == "uv" else 0


def environment(sandbox_url: str, day_seconds: float, console_url: str = "") -> dict[str, str]:
    """What the children are told: the simulators only, whatever is configured, and windows of seconds."""
    unset = {name: "" for name in os.environ if name.startswith("MESHLINE_") and name not in KEPT}
    known = keys.environment(sandbox_url)
    return {
        **unset,
        **{f"{name}_FILE": "" for name in known},
        **known,
        **FORCED,
        "DEBUG": "0",
        "MESHLINE_SANDBOX_URL": sandbox_url,
        "MESHLINE_SLACK_CHANNELS": keys.SLACK_CHANNELS,
        "MESHLINE_SLACK_CONSOLE_URL": console_url,
        "MESHLINE_PUBLIC_URL": console_url,
        "MESHLINE_MAIL_HOST": HOST,
        "MESHLINE_MAIL_PORT": str((urlsplit(sandbox_url).port or 0) + smtp.BESIDE),
        "MESHLINE_MAIL_FROM": "onboarding@meshline.example",
        **desk.environment(),
        **BOOKS,
        "MESHLINE_SAFETY_WINDOW_SECONDS": str(max(1, round(3 * day_seconds))),
        "MESHLINE_ATTEMPT_MARGIN_SECONDS": "1",
        "MESHLINE_RETRY_FIRST_WAIT_MS": "200",
        "MESHLINE_UNDO_SECONDS": "2",
        "MESHLINE_DRAIN_WORKERS": "2",
        "MESHLINE_DEFAULT_WORKERS": "1",
        "MESHLINE_STOP_GRACE_SECONDS": "5",
    }


def unready(url: str) -> str:
    """What `/readyz` still misses; empty when nothing."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = answer.read()
        if answer.status == http.client.OK:
            return ""
        checks = json.loads(said)["checks"].values()
        return "; ".join(check["detail"] for check in checks if not check["ok"])
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        return f"the web does not answer ({type(error).__name__})"
    finally:
        connection.close()
