"""Where mail leaves: off until it is named, and every half-way of naming it is refused with what to set."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from meshline import conf_mail

GOOD = {"HOST": "smtp.example.com", "FROM": "onboarding@example.com"}


def read(monkeypatch, *, allow_loopback=False, **given):
    for name in ("HOST", "PORT", "FROM", "TLS", "USER", "PASSWORD", "TIMEOUT_SECONDS"):
        monkeypatch.delenv(f"MESHLINE_MAIL_{name}", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(f"MESHLINE_MAIL_{name}", value)
    return conf_mail.read(allow_loopback=allow_loopback)


def test_off_by_default_and_safe_by_default(monkeypatch):
    assert read(monkeypatch) == {}
    made = read(monkeypatch, **GOOD)
    assert (made["tls"], made["port"], made["base_url"]) == ("starttls", 587, "smtp://smtp.example.com:587")
    here = read(monkeypatch, allow_loopback=True, **GOOD | {"HOST": "127.0.0.1", "PORT": "8225"})
    assert (here["tls"], here["port"]) == ("none", 8225)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"FROM": "a@b.example"}, "MESHLINE_MAIL_HOST is required"), ({"USER": "me"}, "MESHLINE_MAIL_HOST is required"),
        ({"HOST": "smtp.example.com"}, "MESHLINE_MAIL_FROM is required"),
        (GOOD | {"HOST": "smtp://x"}, "MESHLINE_MAIL_HOST must be the name"),
        (GOOD | {"HOST": "127.0.0.1"}, "MESHLINE_MAIL_HOST points at this machine"),
        (GOOD | {"FROM": "Me <a@b.example>"}, "MESHLINE_MAIL_FROM must be one plain address"),
        (GOOD | {"TLS": "none"}, "MESHLINE_MAIL_TLS may be none only"),
        (GOOD | {"TLS": "ssl"}, "MESHLINE_MAIL_TLS must"),
        (GOOD | {"USER": "me"}, "MESHLINE_MAIL_PASSWORD is required"),
        (GOOD | {"PASSWORD": "x"}, "MESHLINE_MAIL_USER is required"),
        (GOOD | {"PORT": "0"}, "MESHLINE_MAIL_PORT must be from 1"),
    ],
)  # fmt: skip
def test_half_a_configuration_is_refused(monkeypatch, given, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        read(monkeypatch, **given)
