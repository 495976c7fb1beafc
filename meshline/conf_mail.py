"""Where mail leaves; off until a server is named. Django's SMTP back end does the sending."""

import re
from typing import Any

from meshline.env import env_int, env_secret, env_str, is_loopback, refuse

HOST, FROM, TLS, USER = "MESHLINE_MAIL_HOST", "MESHLINE_MAIL_FROM", "MESHLINE_MAIL_TLS", "MESHLINE_MAIL_USER"
PASSWORD = "MESHLINE_MAIL_PASSWORD"  # noqa: S105 - the name of a variable
NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+\w{2,63}"
)
PORTS = {"starttls": 587, "tls": 465, "none": 25}
BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def read(*, allow_loopback: bool) -> dict[str, Any]:
    """The mail server; {} where none is named. Raises ImproperlyConfigured with the variable and its rule."""
    host = env_str(HOST, "")
    if not host:
        for name in (FROM, USER, PASSWORD):
            if env_str(name, ""):
                raise refuse(HOST, f"is required, since {name} is set", "smtp.example.com")
        return {}
    if not NAME.fullmatch(host):
        rule = f"must be the name of a mail server without scheme or port, not {host!r}"
        raise refuse(HOST, rule, "smtp.example.com")
    is_here = is_loopback(f"smtp://{host}")
    if is_here and not allow_loopback:
        raise refuse(HOST, "points at this machine; that needs MESHLINE_ALLOW_LOOPBACK=1", "smtp.example.com")
    sender = env_str(FROM, example="onboarding@example.com", max_length=254)
    if not ADDRESS.fullmatch(sender):
        raise refuse(FROM, "must be one plain address without a name", "onboarding@example.com")
    tls = env_str(TLS, "none" if is_here else "starttls", choices=tuple(PORTS))
    if tls == "none" and not is_here:
        raise refuse(TLS, "may be none only where MESHLINE_MAIL_HOST is this machine", "starttls")
    user, password = env_str(USER, ""), env_secret(PASSWORD, "")
    if bool(user) != bool(password):
        raise refuse(USER if password else PASSWORD, "is required: user and password go together", "onboarding")
    port = env_int("MESHLINE_MAIL_PORT", PORTS[tls], low=1, high=65_535)
    return {
        "base_url": f"smtp://{host}:{port}", "webhook_secrets": "", "backend": BACKEND, "host": host, "port": port,
        "user": user, "password": password, "tls": tls, "from": sender,
        "timeout": env_int("MESHLINE_MAIL_TIMEOUT_SECONDS", 10, low=1, high=30),
    }  # fmt: skip
