"""A worker cluster is either well or gone; nothing of it goes on alone."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from django.db import connection
from django_q.models import OrmQ
from django_q.tasks import async_task

from sync import lifeline, runjobs
from tests import database
from tests.simulators import ROOT

MEMBERS = 5  # sentinel, two workers, monitor, pusher
pytestmark = pytest.mark.django_db(transaction=True)


class Cluster:
    """A `runjobs` process on the test database, with everything it forked."""

    def __init__(self, name):
        environment = {**os.environ, **database.environment(), "MESHLINE_STOP_GRACE_SECONDS": "3"}
        command = [sys.executable, lifeline.__file__, str(os.getpid()), sys.executable]
        command += ["manage.py", "runjobs", "--cluster", name]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.main = psutil.Process(self.process.pid)
        wait_until(lambda: len(self.family()) == MEMBERS)

    def family(self):
        """Everything below the main process: the sentinel first."""
        return self.main.children(recursive=True)

    def ended(self):
        """The exit code, once every process is gone."""
        family = self.known
        code = self.process.wait(60)
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []
        return code

    def remember(self):
        self.known = self.family()
        return self.known


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.05)


@pytest.fixture
def cluster(request):
    made = Cluster(getattr(request, "param", "default"))
    yield made
    made.process.kill()
    made.process.communicate()


def workers(cluster):
    """Sentinel forks its two workers first."""
    return sorted(cluster.family()[0].children(), key=lambda process: process.pid)[:2]


def test_killed_idle_worker_ends_the_cluster(cluster):
    cluster.remember()

    workers(cluster)[0].kill()

    assert cluster.ended() == runjobs.CRASHED


def test_killed_sentinel_leaves_nobody(cluster):
    sentinel, *_ = cluster.remember()

    sentinel.kill()

    assert cluster.ended() == runjobs.CRASHED


def test_killed_parent_leaves_nobody(cluster):
    cluster.remember()

    cluster.process.kill()

    assert cluster.ended() == -signal.SIGKILL


def test_term_lets_a_running_task_finish(cluster):
    async_task("time.sleep", 1.5, cluster="meshline")
    wait_until(lambda: OrmQ.objects.filter(lock__gt=before_any_task()).exists())
    cluster.remember()

    cluster.process.send_signal(signal.SIGTERM)

    assert cluster.ended() == 0
    assert OrmQ.objects.count() == 0


def test_task_longer_than_the_grace_is_cut_off(cluster):
    async_task("time.sleep", 60, cluster="meshline")
    wait_until(lambda: OrmQ.objects.filter(lock__gt=before_any_task()).exists())
    cluster.remember()
    began = time.monotonic()

    cluster.process.send_signal(signal.SIGTERM)

    assert cluster.ended() == runjobs.CRASHED
    assert 2.5 < time.monotonic() - began < 30


@pytest.mark.parametrize("cluster", ["drain"], indirect=True)
def test_drain_cluster_rings_for_its_residents(cluster):
    def rung():
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from django_q_ormq_id_seq where is_called and last_value >= 2")
            return cursor.fetchone()[0] == 1

    wait_until(rung)
    cluster.remember()

    cluster.process.send_signal(signal.SIGTERM)

    assert cluster.ended() == 0


def before_any_task():
    """A locked row is one whose lock lies in the future."""
    with connection.cursor() as cursor:
        cursor.execute("select now()")
        return cursor.fetchone()[0]
