"""How log lines look: one event a line, JSON in production, control characters escaped, the correlation id on each."""

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

# The address of a portal link is a key to somebody's billing data; Django names paths when a request goes wrong.
PORTAL_PATH = re.compile(r"(/portal/)[^/\s\"'?]+")
CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def escape_control(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Data must not be able to forge a line, end one early or paint a terminal."""
    for key, value in event.items():
        if isinstance(value, str) and key not in {"exception", "stack"}:
            event[key] = value.translate(CONTROL)
    return event


def hide_portal_tokens(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No line holds a portal link's token, whoever wrote the line, tracebacks included."""
    for key, value in event.items():
        if isinstance(value, str) and "/portal/" in value:
            event[key] = PORTAL_PATH.sub(r"\1...", value)
    return event


def shared_processors() -> list[Any]:
    """What happens to every line, ours and those of libraries alike."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        hide_portal_tokens,
        escape_control,
    ]


def renderer(*, readable: bool) -> Any:
    """Readable for a person at a terminal, one JSON object a line for everything else."""
    return structlog.dev.ConsoleRenderer(colors=False) if readable else structlog.processors.JSONRenderer()


def configure(*, readable: bool, level: str) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING, so that both write the same lines."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    line = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared_processors(),
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer(readable=readable)],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            # Without a handler of its own django-q2 adds one that writes a second, plain line.
            "django-q": {"handlers": [], "level": "WARNING", "propagate": True},
            # Its access lines would repeat the tokens of portal addresses.
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }
