"""The embedded PostgreSQL starts by itself, survives being killed, and leaves nothing behind."""

import os
import subprocess
import sys
import time

import psutil
import psycopg
import pytest

from meshline import postgres
from tests.simulators import ROOT

START = "from meshline import postgres; print(postgres.urls()[0])"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for the whole file, which no other user may enter; tests may leave its server dead or stopped."""
    made = postgres.Server(tmp_path_factory.mktemp("local"))
    began = time.monotonic()
    made.start()
    made.first_start_seconds = time.monotonic() - began
    yield made
    made.stop()
    made.release()
    if made.home != made.folder:
        subprocess.run(["rm", "-rf", str(made.home)], check=True)


@pytest.fixture
def server(folder):
    """The server of the file, running."""
    folder.start()
    return folder


def connect(server, role=0):
    return psycopg.connect(server.urls()[role], autocommit=True)


def kill_everything(server):
    """As the kernel does when memory runs out: postmaster and its children, without a word."""
    pid = server.pid()
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        process.kill()
    server._child.wait(5)
    server._child = None
    psutil.wait_procs(family, timeout=5)


def test_committed_rows_survive_a_kill_of_everything(server):
    with connect(server, role=1) as owner:
        owner.execute("create table kept (n int)")
        owner.execute("insert into kept select generate_series(1, 1000)")

    kill_everything(server)
    with connect(server, role=1) as owner:
        count = owner.execute("select count(*) from kept").fetchone()

    assert count == (1000,)


def test_pid_file_of_somebody_else_does_not_count(server):
    kill_everything(server)
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    assert server.pid() is None
    with connect(server) as app:
        assert app.execute("select 1").fetchone() == (1,)


def test_durability_is_on(server):
    with connect(server) as app:
        values = [
            app.execute(f"show {name}").fetchone()[0] for name in ("fsync", "synchronous_commit", "full_page_writes")
        ]

    assert values == ["on", "on", "on"]


def test_neither_role_is_more_than_it_must_be(server):
    with connect(server) as app:
        rows = app.execute(
            "select rolname, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls from pg_roles"
            " where rolname like 'meshline%' order by 1"
        ).fetchall()
        owner = app.execute("select pg_get_userbyid(datdba) from pg_database where datname = 'meshline'").fetchone()

    assert rows == [("meshline_app", False, False, False, False), ("meshline_owner", False, True, False, False)]
    assert owner == ("meshline_owner",)


def test_several_may_ask_at_once_and_the_last_one_stops_it(tmp_path):
    environment = {**os.environ, "MESHLINE_LOCAL_DIR": str(tmp_path)}
    askers = [
        subprocess.Popen([sys.executable, "-c", START], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    answers = {asker.communicate(timeout=60)[0].strip() for asker in askers}

    assert len(answers) == 1
    assert next(iter(answers)).startswith("postgres://meshline_app:")
    assert postgres.Server(tmp_path).pid() is None
    subprocess.run(["rm", "-rf", str(postgres.Server(tmp_path).home)], check=True)


def test_credentials_are_private(server):
    assert server.credentials_path.stat().st_mode & 0o077 == 0


def test_stop_leaves_no_process(server):
    pid = server.pid()
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]

    server.stop()

    assert [pid for pid in family if psutil.pid_exists(pid)] == []


def test_first_start_is_quick(server):
    assert server.first_start_seconds < 5


def test_long_paths_get_a_short_socket(tmp_path):
    deep = postgres.Server(tmp_path / ("d" * 60) / ("e" * 60))
    try:
        with connect(deep) as app:
            assert app.execute("select 1").fetchone() == (1,)
    finally:
        deep.stop()
        subprocess.run(["rm", "-rf", str(deep.home)], check=True)


def test_signal_to_the_terminal_group_does_not_reach_it(server):
    assert os.getsid(server.pid()) == server.pid()
