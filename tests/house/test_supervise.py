"""The supervisor keeps its children running and leaves no process."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from meshline import supervise
from tests.simulators import ROOT

# A child with a child of its own, as web servers and clusters have.
NAP = "import time; time.sleep(60)"
NEST = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {NAP!r}]); {NAP}"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def spec(name, code, **options):
    return supervise.Spec(name, [sys.executable, "-c", code], **options)


def wait_until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.05)


@pytest.fixture
def supervised(tmp_path):
    """A supervisor of one nested child, started and stopped."""
    supervisor = supervise.Supervisor([spec("nest", NEST, grace_seconds=5)], pid_dir=tmp_path)
    supervisor.start()
    wait_until(lambda: psutil.Process(supervisor.pids()["nest"]).children())
    yield supervisor
    supervisor.stop()


def family(supervisor):
    parent = psutil.Process(supervisor.pids()["nest"])
    return [parent, *parent.children(recursive=True)]


def test_stop_leaves_no_process(supervised):
    processes = family(supervised)

    supervised.stop()

    assert psutil.wait_procs(processes, timeout=5)[1] == []


def test_crashed_child_is_started_again_without_its_leftovers(supervised):
    before = family(supervised)

    before[0].kill()
    wait_until(lambda: supervised.poll() or supervised.pids()["nest"] != before[0].pid)

    assert psutil.wait_procs(before, timeout=5)[1] == []
    assert supervised.children["nest"].restarts == 1


def test_each_child_has_a_session_of_its_own(supervised):
    pid = supervised.pids()["nest"]

    assert os.getsid(pid) == pid


def test_pid_file_comes_and_goes(supervised, tmp_path):
    path = tmp_path / "nest.pid"
    assert int(path.read_text()) == supervised.pids()["nest"]

    supervised.stop()

    assert not path.exists()


def test_child_that_does_not_listen_is_killed(tmp_path):
    log = tmp_path / "log"
    supervisor = supervise.Supervisor([spec("deaf", DEAF, grace_seconds=0.3, log_path=log)])
    supervisor.start()
    wait_until(lambda: log.exists() and log.read_text())
    process = psutil.Process(supervisor.pids()["deaf"])

    supervisor.stop()

    assert psutil.wait_procs([process], timeout=5)[1] == []


def test_waits_longer_after_each_crash():
    supervisor = supervise.Supervisor([spec("broken", "raise SystemExit(3)")])
    supervisor.start()
    child = supervisor.children["broken"]
    wait_until(lambda: supervisor.poll() or child.restarts == 1)
    wait_until(lambda: supervisor.poll() or child.restart_at is not None)

    assert child.wait_seconds == 4 * supervise.FIRST_RESTART_SECONDS
    supervisor.stop()


def test_killed_parent_takes_its_children_along():
    code = (
        "import sys, time; from meshline import supervise;"
        "s = supervise.Supervisor([supervise.Spec('nap', [sys.executable, '-c', 'import time; time.sleep(60)'])]);"
        "s.start(); print(s.pids()['nap'], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))

    parent.kill()
    parent.communicate()

    assert psutil.wait_procs([child], timeout=5)[1] == []


def test_used_port_is_named_with_a_way_out():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "manage.py", "serve", "web", "--port", str(port)],
            cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 is not free" in done.stderr
    assert f"serve --port {port + 1}" in done.stderr


def test_second_of_a_kind_is_told_who_is_first(tmp_path):
    refusal = pytest.raises(supervise.AlreadyRunning, match=f"demo already runs here, as process {os.getpid()}")
    with supervise.only_one(tmp_path, "demo"), refusal, supervise.only_one(tmp_path, "demo"):
        pass

    with supervise.only_one(tmp_path, "demo"):
        assert (tmp_path / "demo.pid").read_text() == f"{os.getpid()}\n"


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_serve_stops_everything_on_interrupt(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "MESHLINE_PID_DIR": str(tmp_path)}
    served = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "web", "--port", str(port), "--web-workers", "1"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    main = psutil.Process(served.pid)
    wait_until(lambda: answers(port), seconds=20)
    processes = main.children(recursive=True)

    served.send_signal(signal.SIGINT)
    served.communicate(timeout=30)

    assert served.returncode == 0
    assert psutil.wait_procs(processes, timeout=5)[1] == []
