"""Typed readers of the environment that refuse nonsense and say what would be right."""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}
SECRETS_CHECK_SECONDS = 1.0

_environ = environ.Env()


def refuse(name: str, rule: str, example: str) -> ImproperlyConfigured:
    """The one shape of every configuration error: which variable, which rule, what would do."""
    return ImproperlyConfigured(f"{name} {rule}. Example: {name}={example}")


def read_file(path: Path) -> None:
    """Take over a `.env` file; what the environment already says wins."""
    if path.is_file():
        environ.Env.read_env(str(path), overwrite=False)


def env_str(
    name: str,
    default: str | None = None,
    *,
    example: str = "text",
    choices: tuple[str, ...] = (),
    max_length: int = 4096,
) -> str:
    """A piece of text; without a default the variable is required."""
    value = os.environ.get(name, "").strip()
    if not value:
        if default is None:
            raise refuse(name, "is required and is not set", example)
        return default
    if choices and value not in choices:
        raise refuse(name, f"must be one of {', '.join(choices)}, not {value!r}", choices[0])
    if len(value) > max_length or not value.isprintable():
        raise refuse(name, f"must be printable text of at most {max_length} characters", example)
    return value


def env_int(name: str, default: int, *, low: int, high: int) -> int:
    """A whole number within a range, both ends included."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise refuse(name, f"must be a whole number from {low} to {high}, not {raw!r}", str(default)) from None
    if not low <= value <= high:
        raise refuse(name, f"must be from {low} to {high}, not {value}", str(min(max(default, low), high)))
    return value


def env_bool(name: str, default: bool = False) -> bool:
    """Yes or no; anything else is refused instead of read as yes."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    value = raw.strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise refuse(name, f"must be 1 or 0, not {raw!r}", "1" if default else "0")


def env_list(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Comma separated values, blanks dropped."""
    raw = os.environ.get(name)
    return list(default) if raw is None else split(raw)


def env_url(name: str, default: str | None = None, *, loopback_http: bool = False) -> str:
    """An https address without a trailing slash; plain http only to the own machine, and only when allowed."""
    url = env_str(name, default, example="https://api.example.com").rstrip("/")
    if url and not url.startswith("https://") and not (loopback_http and is_loopback(url)):
        rule = "must be an https:// address (http:// only to 127.0.0.1, with MESHLINE_DEV=1)"
        raise refuse(name, rule, "https://api.example.com")
    return url


def env_secret(name: str, default: str | None = None, *, example: str = "a secret") -> str:
    """A secret from `NAME`, or from the file that `NAME_FILE` names."""
    path = os.environ.get(f"{name}_FILE", "").strip()
    if not path:
        # Keys in PEM form span lines, so the printable rule of env_str does not fit here.
        value = os.environ.get(name, "").strip()
        if not value and default is None:
            raise refuse(name, f"(or {name}_FILE) is required and is not set", example)
        return value or (default or "")
    return read_secret_file(name, path)


def env_database(name: str, default: str = "") -> dict[str, Any]:
    """A PostgreSQL address as Django's settings; empty where neither the variable nor a default is set."""
    url = os.environ.get(name, "").strip() or default
    if not url:
        return {}
    if not url.startswith(("postgres://", "postgresql://")):
        raise refuse(name, "must be a postgres:// address", "postgres://user:password@host:5432/meshline")
    config: dict[str, Any] = dict(_environ.db_url_config(url))
    config["HOST"] = unquote(str(config["HOST"]))  # a socket's folder is written percent-encoded
    if not config.get("NAME"):
        raise refuse(name, "must name a database", "postgres://user:password@host:5432/meshline")
    return config


def is_loopback(url: str) -> bool:
    """Whether an address points at the own machine."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2].lower()
    return host.startswith("[::1]") or host.partition(":")[0] in {"127.0.0.1", "localhost"}


def split(raw: str) -> list[str]:
    """Values separated by commas or line ends."""
    return [part.strip() for part in raw.replace("\n", ",").split(",") if part.strip()]


def read_secret_file(name: str, path: str) -> str:
    """The content of a secret's file, named by its variable when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        rule = f"must name a readable text file ({error.__class__.__name__})"
        raise refuse(f"{name}_FILE", rule, "/run/secrets/" + name.lower()) from None


@dataclass(slots=True)
class _Watched:
    """What one secret file held when it was last read."""

    values: tuple[str, ...]
    stamp: tuple[int, int, int]
    checked_at: float


class Secrets:
    """Secrets that may be rotated while we run: `_FILE` variants are read again soon after they change."""

    def __init__(self, defaults: Mapping[str, str] | None = None) -> None:
        self._defaults = dict(defaults or {})
        self._files: dict[str, _Watched] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> tuple[str, ...]:
        """All values in force, newest rule first; empty when nothing is configured."""
        path = os.environ.get(f"{name}_FILE", "").strip()
        if path:
            return self._from_file(name, path)
        return tuple(split(os.environ.get(name, "") or self._defaults.get(name, "")))

    def _from_file(self, name: str, path: str) -> tuple[str, ...]:
        with self._lock:
            now = time.monotonic()
            known = self._files.get(path)
            if known and now - known.checked_at < SECRETS_CHECK_SECONDS:
                return known.values
            try:
                stat = os.stat(path)
                stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
                if known is None or known.stamp != stamp:
                    known = _Watched(tuple(split(read_secret_file(name, path))), stamp, now)
                    self._files[path] = known
            except (OSError, ImproperlyConfigured):
                # A rotation replaces the file; in the gap the values read last stay in force.
                if known is None:
                    return ()
            known.checked_at = now
            return known.values
