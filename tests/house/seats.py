"""Somebody with a password, and ways to sign in: for the tests of signing in and of sessions."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client

from gates import presets
from ledger import clock
from tests.factories import UserFactory

LOGIN, STEP_UP = "/admin/login/", "/admin/account/confirm/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_hasher(monkeypatch):
    """A million rounds are for guessers; here they would only take the tests' time."""
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)


@pytest.fixture
def ana():
    """Somebody who may approve and resume."""
    presets.install_groups()
    return account("ana", "Support Manager")


def account(name, *groups, **more):
    made = UserFactory(username=name, groups=groups, **more)
    made.set_password(PASSWORD)
    made.save()
    return made


@pytest.fixture
def at(monkeypatch):
    """Moves the clock by seconds from where it stood."""
    begun = clock.now()

    def move(seconds):
        monkeypatch.setattr(clock, "now", lambda: begun + timedelta(seconds=seconds))

    move(0)
    return move


def sign_in(client, name="ana", password=PASSWORD, *, peer="203.0.113.7", **more):
    return client.post(LOGIN, {"username": name, "password": password, **more}, REMOTE_ADDR=peer)


def is_in(client):
    return client.get("/admin/stop/").status_code == 200


def fail(times, name="ana", *, peer="203.0.113.7", client=None):
    return [sign_in(client or Client(), name, "wrong", peer=peer).status_code for _ in range(times)]
