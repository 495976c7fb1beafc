"""System checks: what would otherwise fail at three in the morning fails at the start."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from meshline import conf_queue, roles, schedules
from sync import providers, residents

# The whole of one HTTP exchange, see the client's limits: a lease must outlive it.
LONGEST_EXCHANGE_SECONDS = 20
PAUSE_SECONDS = 60
SWEEP_SECONDS = 10

Apps = Sequence[AppConfig] | None


def register() -> None:
    """Have Django run these with its own."""
    for check in (names_resolve, queue_margins, leases):
        checks.register(check)
    checks.register(two_roles, checks.Tags.database)


def names_in_registries() -> Iterator[tuple[str, str]]:
    """Every dotted path that is resolved late, and where it stands."""
    yield "sync.residents.TASK", residents.TASK
    yield "meshline.schedules.TICK", schedules.TICK
    yield "meshline.schedules.EACH_TICK", schedules.EACH_TICK
    for job in schedules.SCHEDULES:
        yield f"meshline.schedules.SCHEDULES[{job.name}]", job.run
    for name, path in providers.PROVIDERS.items():
        yield f"sync.providers.PROVIDERS[{name}]", path


def names_resolve(app_configs: Apps = None, **_options: Any) -> list[checks.CheckMessage]:
    """A typo in a registry."""
    found: list[checks.CheckMessage] = []
    for place, path in names_in_registries():
        try:
            import_string(path)
        except ImportError as error:
            found.append(checks.Error(f"{place} names {path!r}: {error}", hint="Mend the path.", id="meshline.E001"))
    return found


def queue_margins(app_configs: Apps = None, **_options: Any) -> list[checks.CheckMessage]:
    """A task must not be handed out again while it may still run."""
    return [
        checks.Error(f"Q_CLUSTER retry {reason}", hint="Raise MESHLINE_TASK_RETRY_SECONDS.", id="meshline.E002")
        for reason in conf_queue.too_small_margins(settings.Q_CLUSTER)
    ]


def leases(app_configs: Apps = None, **_options: Any) -> list[checks.CheckMessage]:
    """A lease outlives the longest exchange, and a dead worker's rows are back within the minute."""
    lease, box = settings.MESHLINE_LEASE_SECONDS, settings.MESHLINE_DRAIN_BOX_SECONDS
    found: list[checks.CheckMessage] = []
    if lease <= LONGEST_EXCHANGE_SECONDS and not settings.MESHLINE_DEV:
        text = f"MESHLINE_LEASE_SECONDS {lease} is not above the longest exchange, {LONGEST_EXCHANGE_SECONDS} s"
        found.append(checks.Error(text, hint="Use 40.", id="meshline.E003"))
    if lease + SWEEP_SECONDS > PAUSE_SECONDS:
        text = f"MESHLINE_LEASE_SECONDS {lease} and the sweep together exceed {PAUSE_SECONDS} s"
        found.append(checks.Error(text, hint="Use 40.", id="meshline.E004"))
    if box + LONGEST_EXCHANGE_SECONDS >= settings.Q_CLUSTER["ALT_CLUSTERS"][residents.CLUSTER]["timeout"]:
        text = f"MESHLINE_DRAIN_BOX_SECONDS {box} leaves a drain no time to end before its timeout"
        found.append(checks.Error(text, hint="Use 25.", id="meshline.E005"))
    return found


def two_roles(
    app_configs: Apps = None, databases: Sequence[str] | None = None, **_options: Any
) -> list[checks.CheckMessage]:
    """One role for everything could rewrite the ledger."""
    if not databases or roles.has_two_roles() or not roles.app_owns_ledger():
        return []
    text = "The role of DATABASE_URL owns its database and thereby could rewrite the ledger"
    return [checks.Warning(text, hint="Use two roles, see compose.yaml.", id="meshline.W001")]
