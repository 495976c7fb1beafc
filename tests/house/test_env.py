"""Settings that refuse nonsense name the variable, the rule and an example."""

import os
import time

import pytest
from django.core.exceptions import ImproperlyConfigured

from meshline import env

NAME = "MESHLINE_TRIAL"


@pytest.mark.parametrize(
    ("case", "raw", "read"),
    [
        ("not a number", "soon", lambda: env.env_int(NAME, 3, low=1, high=10)),
        ("too large", "11", lambda: env.env_int(NAME, 3, low=1, high=10)),
        ("too small", "0", lambda: env.env_int(NAME, 3, low=1, high=10)),
        ("neither yes nor no", "maybe", lambda: env.env_bool(NAME)),
        ("not a choice", "both-and", lambda: env.env_str(NAME, "a", choices=("a", "b"))),
        ("required", "", lambda: env.env_str(NAME)),
        ("control characters", "a\x07b", lambda: env.env_str(NAME, "a")),
        ("required secret", "", lambda: env.env_secret(NAME)),
        ("plain http", "http://api.example.com", lambda: env.env_url(NAME)),
        ("loopback http without leave", "http://127.0.0.1:1", lambda: env.env_url(NAME)),
        ("loopback in the user part", "http://127.0.0.1@evil.example", lambda: env.env_url(NAME, loopback_http=True)),
        ("loopback as a prefix", "http://127.0.0.1.evil.example", lambda: env.env_url(NAME, loopback_http=True)),
        ("not PostgreSQL", "mysql://u:p@h/db", lambda: env.env_database(NAME)),
        ("no database", "postgres://u:p@h/", lambda: env.env_database(NAME)),
    ],
)
def test_nonsense_is_refused_by_name_with_an_example(monkeypatch, case, raw, read):
    monkeypatch.setenv(NAME, raw)

    with pytest.raises(ImproperlyConfigured, match=rf"^{NAME} .*Example: {NAME}=."):
        read()


def test_missing_secret_file_is_named(monkeypatch):
    monkeypatch.setenv(f"{NAME}_FILE", "/nonexistent/secret")

    with pytest.raises(ImproperlyConfigured, match=f"{NAME}_FILE must name a readable text file"):
        env.env_secret(NAME, "")


def test_socket_folder_is_decoded(monkeypatch):
    monkeypatch.setenv(NAME, "postgres://app:p%40ss@%2Frun%2Fpg/meshline")

    database = env.env_database(NAME)

    assert (database["HOST"], database["PASSWORD"], database["NAME"]) == ("/run/pg", "p@ss", "meshline")


def test_secret_file_is_read_again_after_a_change(monkeypatch, tmp_path):
    path = tmp_path / "secrets"
    path.write_text("old\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(path))
    secrets = env.Secrets()
    first = secrets.get(NAME)

    path.write_text("new\nold\n")
    monkeypatch.setattr(env, "SECRETS_CHECK_SECONDS", 0.0)

    assert (first, secrets.get(NAME)) == (("old",), ("new", "old"))


def test_secret_file_that_vanishes_keeps_its_last_values(monkeypatch, tmp_path):
    path = tmp_path / "secrets"
    path.write_text("kept")
    monkeypatch.setenv(f"{NAME}_FILE", str(path))
    monkeypatch.setattr(env, "SECRETS_CHECK_SECONDS", 0.0)
    secrets = env.Secrets()
    secrets.get(NAME)

    path.unlink()

    assert secrets.get(NAME) == ("kept",)


def test_secret_file_is_looked_at_once_a_second_at_most(monkeypatch, tmp_path):
    path = tmp_path / "secrets"
    path.write_text("a")
    monkeypatch.setenv(f"{NAME}_FILE", str(path))
    secrets = env.Secrets()
    secrets.get(NAME)
    looks = []
    monkeypatch.setattr(os, "stat", lambda *args, **options: looks.append(args))

    started = time.monotonic()
    while time.monotonic() - started < 0.1:
        secrets.get(NAME)

    assert looks == []


def test_no_secret_is_no_secret(monkeypatch):
    monkeypatch.delenv(NAME, raising=False)

    assert env.Secrets().get(NAME) == ()
