"""Readiness is red for each thing that would stop work, and says which."""

import pytest
from django.db import OperationalError, connection

from meshline import health

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker_seen():
    """A resident that was seen just now."""
    with connection.cursor() as cursor:
        cursor.execute("delete from sync_drainslot where slot = 1")
        cursor.execute("insert into sync_drainslot (slot, host, seen_at) values (1, 'here', now())")


def see_worker(ago):
    with connection.cursor() as cursor:
        cursor.execute("update sync_drainslot set seen_at = now() - make_interval(secs => %s)", [ago])


def test_alive_asks_nothing(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_ready_when_all_is_well(client, worker_seen):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ready"), answer.json()


def test_silent_worker_is_red(client, worker_seen):
    see_worker(health.HEARTBEAT_SECONDS + 5)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "65 s old" in answer.json()["checks"]["workers"]["detail"]


def test_missing_signing_secret_is_named_and_no_secret_is_shown(client, worker_seen, monkeypatch, tmp_path):
    empty = tmp_path / "none"
    empty.write_text("")
    monkeypatch.setenv("MESHLINE_STRIPE_WEBHOOK_SECRETS_FILE", str(empty))
    monkeypatch.setenv("MESHLINE_ZENDESK_WEBHOOK_SECRETS", "zd-very-secret")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "MESHLINE_STRIPE_WEBHOOK_SECRETS" in answer.json()["checks"]["secrets"]["detail"]
    assert "zd-very-secret" not in answer.content.decode()


def test_missing_migration_is_red(client, worker_seen, monkeypatch):
    known = health.known_migrations()
    monkeypatch.setattr(health, "known_migrations", lambda: known | {("ledger", "9999_later")})

    assert client.get("/readyz").json()["checks"]["migrations"]["detail"].startswith("run migrate: 1 ")


def test_app_that_owns_the_ledger_is_red(client, worker_seen, monkeypatch):
    monkeypatch.setattr("meshline.roles.app_owns_ledger", lambda: True)

    assert "owns the ledger" in client.get("/readyz").json()["checks"]["roles"]["detail"]


def test_database_that_is_away_is_red_not_a_crash(monkeypatch):
    def away():
        raise OperationalError("password=hidden")

    monkeypatch.setitem(health.CHECKS, "queue", away)

    assert health.problems()["queue"] == "the database does not answer (OperationalError)"


def test_old_work_is_red(worker_seen, monkeypatch):
    monkeypatch.setattr(health, "OLDEST_JOB_AGE", "select 301")

    assert health.queue() == "the oldest waiting job is 301 s old"


def test_writing_needs_no_method_here(client):
    assert client.post("/readyz").status_code == 405
