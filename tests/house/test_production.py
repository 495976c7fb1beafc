"""The product refuses to start in production on settings that would be unsafe."""

import os
import subprocess
import sys

import pytest

from tests.simulators import ROOT

KEY = "mF3k-Qz8_tXw1LbV7rNc0PyHs5GdJe2UaRi9ToKl4MvBxCuZqWnEhYgSfDjOpA6I"
PRODUCTION = {
    "SECRET_KEY": KEY,
    "MESHLINE_ALLOWED_HOSTS": "meshline.example.com",
    "DATABASE_URL": "postgres://meshline_app:pw@127.0.0.1:1/meshline",
    "MESHLINE_OWNER_DATABASE_URL": "postgres://meshline_owner:pw@127.0.0.1:1/meshline",
    "DEBUG": "0",
    "MESHLINE_DEV": "0",
    "MESHLINE_ALLOW_LOOPBACK": "0",
}


def manage(*arguments, **changes):
    """Run one command in an environment of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MESHLINE_", "DJANGO_"))}
    environment = {**kept, **PRODUCTION, **changes, "DJANGO_SETTINGS_MODULE": "meshline.settings"}
    command = [sys.executable, "-W", "error::UserWarning", "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_deploy_check_has_no_warning():
    done = manage("check", "--deploy", "--fail-level", "WARNING")

    assert (done.returncode, "no issues (0 silenced)" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("case", "changes", "named"),
    [
        ("no key", {"SECRET_KEY": ""}, "SECRET_KEY must have at least 50"),
        ("short key", {"SECRET_KEY": KEY[:49]}, "SECRET_KEY must have at least 50"),
        ("dull key", {"SECRET_KEY": "ab" * 40}, "SECRET_KEY must have at least 50"),
        ("example key", {"SECRET_KEY": "django-insecure-" + KEY}, "SECRET_KEY is an example"),
        ("any host", {"MESHLINE_ALLOWED_HOSTS": "*"}, "MESHLINE_ALLOWED_HOSTS must name"),
        ("no host", {"MESHLINE_ALLOWED_HOSTS": ""}, "MESHLINE_ALLOWED_HOSTS must name"),
        ("simulator", {"MESHLINE_STRIPE_BASE_URL": "http://127.0.0.1:8200/stripe"}, "MESHLINE_STRIPE_BASE_URL must be"),
        ("own machine", {"MESHLINE_ZENDESK_BASE_URL": "https://localhost"}, "MESHLINE_ZENDESK_BASE_URL points at"),
        ("development rules", {"MESHLINE_DEV": "1"}, "MESHLINE_DEV needs DEBUG=1"),
        ("no database", {"DATABASE_URL": ""}, "DATABASE_URL is required"),
        (
            "short window",
            {"MESHLINE_SAFETY_WINDOW_SECONDS": "60"},
            "SAFETY_WINDOW_SECONDS must be from 172800",
        ),
        ("margin", {"MESHLINE_TASK_RETRY_SECONDS": "183"}, "MESHLINE_TASK_RETRY_SECONDS must be above 183"),
    ],
)
def test_unsafe_settings_are_no_start(case, changes, named):
    done = manage("check", **changes)

    assert done.returncode == 2
    assert named in done.stderr
    assert KEY not in done.stderr
