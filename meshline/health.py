"""Is the process alive, and is the whole fit for work."""

import functools
from collections.abc import Callable

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from meshline import roles

HEARTBEAT_SECONDS = 60
OLDEST_JOB_SECONDS = 300

HEARTBEAT_AGE = "select extract(epoch from now() - max(seen_at)) from sync_drainslot where slot > 0"
OLDEST_JOB_AGE = """
    select max(extract(epoch from now() - oldest)) from (
        select min(available_at) as oldest from ledger_event where state in ('received', 'waiting')
        union all
        select min(available_at) from ledger_action where in_lane and state = 'approved') waiting
"""


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked, so that a broken database does not restart the web."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 only when work that comes in would be done; the body names what is missing, never a secret."""
    found = problems()
    is_ready = not any(found.values())
    body = {
        "status": "ready" if is_ready else "not ready",
        "checks": {name: {"ok": not problem, "detail": problem} for name, problem in found.items()},
    }
    return JsonResponse(body, status=200 if is_ready else 503)


def problems() -> dict[str, str]:
    """Each check's own finding: empty where all is well."""
    found = {}
    for name, check in CHECKS.items():
        try:
            found[name] = check()
        except DatabaseError as error:
            found[name] = f"the database does not answer ({type(error).__name__})"
    return found


def database() -> str:
    """The database answers and can be written."""
    with connection.cursor() as cursor:
        cursor.execute("show transaction_read_only")
        return "the database is read-only" if cursor.fetchone()[0] == "on" else ""


def migrations() -> str:
    """Every migration of this release is applied."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('django_migrations')")
        if cursor.fetchone()[0] is None:
            return "the database is empty: run migrate"
        cursor.execute("select app, name from django_migrations")
        missing = known_migrations() - {(app, name) for app, name in cursor.fetchall()}
    return f"run migrate: {len(missing)} migrations are not applied" if missing else ""


@functools.cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """The migrations this release brings; they cannot change while it runs."""
    loader = MigrationLoader(None)
    return frozenset(key for key, migration in loader.disk_migrations.items() if not migration.replaces)


def database_roles() -> str:
    """The app must not own what it must not be able to change."""
    if roles.app_owns_ledger():
        return "the role of DATABASE_URL owns the ledger or its database; it must only hold grants"
    return ""


def workers() -> str:
    """A resident drain was seen within the minute."""
    age = seconds(HEARTBEAT_AGE)
    if age is None:
        return "no worker has ever been seen: start runjobs --cluster drain"
    return f"the last sign of a worker is {age:.0f} s old" if age > HEARTBEAT_SECONDS else ""


def queue() -> str:
    """Nothing that is due has been waiting for minutes."""
    age = seconds(OLDEST_JOB_AGE)
    return f"the oldest waiting job is {age:.0f} s old" if age is not None and age > OLDEST_JOB_SECONDS else ""


def signing_secrets() -> str:
    """Every source that may deliver has a secret to check it with."""
    missing = [
        provider["webhook_secrets"]
        for provider in settings.MESHLINE_PROVIDERS.values()
        if provider["base_url"]
        and provider["webhook_secrets"]
        and not settings.MESHLINE_SECRETS.get(provider["webhook_secrets"])
    ]
    return f"not set, so all deliveries are refused: {', '.join(sorted(missing))}" if missing else ""


def seconds(query: str) -> float | None:
    """An age by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        value = cursor.fetchone()[0]
        return None if value is None else float(value)


CHECKS: dict[str, Callable[[], str]] = {
    "database": database,
    "migrations": migrations,
    "roles": database_roles,
    "workers": workers,
    "queue": queue,
    "secrets": signing_secrets,
}
