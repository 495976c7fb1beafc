"""A program that talks to the API, with a session or with a token."""

import json
from datetime import timedelta

from django.test import Client

from gates.models import ApiToken
from ledger import clock
from tests.people.cast import person

BASE = "/api/v1/"


class Caller:
    """Somebody's program; `user` is whose permissions it has."""

    def __init__(self, user, *, token=None, strict=False):
        self.user, self.token = user, token
        self.browser = Client(enforce_csrf_checks=strict)
        if token is None:
            self.browser.force_login(user)

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def get(self, path, **query):
        return self.browser.get(at(path), query, headers=self.headers)

    def post(self, path, body=None, **more):
        sent = b"" if body is None else json.dumps(body).encode()
        return self.browser.generic("POST", at(path), sent, "application/json", headers={**self.headers, **more})

    def raw(self, path, data, content_type="application/json", method="POST"):
        return self.browser.generic(method, at(path), data, content_type, headers=self.headers)


def at(path):
    return path if path.startswith("/") else BASE + path


def by_session(group="Support Manager", **more):
    """A caller with a session."""
    return Caller(person(group, **more))


def by_token(group="Support Manager", *, days=1, **more):
    """A caller with a token."""
    user = person(group, **more)
    return Caller(user, token=issue(user, days=days))


def issue(user, days=1):
    """The secret of a new token."""
    return ApiToken.issue(user, expires_at=clock.now() + timedelta(days=days))[1]


def error(answer):
    """(status, code, field) of an error."""
    said = answer.json()["error"]
    assert set(said) <= {"code", "message", "field", "gate"}
    assert said["message"]
    return answer.status_code, said["code"], said.get("field", "")
