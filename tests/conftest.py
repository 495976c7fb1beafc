"""What all tests share: the database with both roles, the simulators, and loud skips."""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from django.test.utils import setup_databases, teardown_databases

from gates import ownership, policy, sla_plan
from meshline import roles
from sync import mappings
from tests import database
from tests.simulators import Sandbox

LONG = (
    "people/test_matrix", "house/test_demo", "console/test_browser", "people/test_parity", "house/test_runjobs",
    "flows/test_faults", "flows/", "house/", "people/", "console/",
)  # fmt: skip


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: Any,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """Create and migrate as owner, run as app, empty and drop as owner: exactly what an installation does."""
    with django_db_blocker.unblock():
        with roles.as_owner(connection):
            database.drop_leftovers()
            with database.migrated_once():
                before = setup_databases(0, interactive=False, serialized_aliases=[])
        # Sessions that the product opens itself (LISTEN, the stop) belong to the test database as well.
        settings.MESHLINE_DIRECT_DATABASE["NAME"] = connection.settings_dict["NAME"]
        database.shipped()
        TransactionTestCase._fixture_teardown = database.empty_tables  # type: ignore[method-assign]
    yield
    database.shipped().session.close()
    with django_db_blocker.unblock(), roles.as_owner(connection):
        teardown_databases(before, verbosity=0)
        database.drop_copy()


@pytest.fixture(autouse=True)
def fresh_policies() -> None:
    """What a test before this one read of gates, rules, presence and SLA is not true any more."""
    for read in (policy, ownership, sla_plan, mappings):
        read._held.clear()


@pytest.fixture
def owner_connection(transactional_db: None) -> Iterator[psycopg.Connection]:
    """A session of the owner on the test database, for what the app must not be able to do."""
    with database.connect_as_owner() as session:
        yield session


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    """The simulators, in a process of their own as everywhere else."""
    simulators = Sandbox.start(seed=7)
    yield simulators
    simulators.stop()


@pytest.fixture
def sandbox(sandbox_process: Sandbox, settings: Any) -> Iterator[Sandbox]:
    """Simulators with empty books, and the providers pointed at them; silent again when the test is over."""
    sandbox_process.reset()
    providers = {name: dict(provider) for name, provider in settings.MESHLINE_PROVIDERS.items()}
    for name, provider in providers.items():
        provider["base_url"] = f"{sandbox_process.url}/{name}"
    settings.MESHLINE_PROVIDERS = providers
    yield sandbox_process
    sandbox_process.reset()  # a delivery after the test's end would find no database


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:
    """Nobody reads a small s: say loudly what did not run."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"{len(skipped)} TESTS DID NOT RUN", sep="!", red=True, bold=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A skipped test is a failed one where nobody is looking."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    is_ci = os.environ.get("CI", "").lower() in {"1", "true"}
    if is_ci and reporter and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda one: next((n for n, part in enumerate(LONG) if part in one.nodeid), len(LONG)))


def pytest_report_header(config: pytest.Config) -> str:
    """Name the database, since everything depends on it."""
    return f"database: {settings.DATABASES['default']['HOST']} as {settings.DATABASES['default']['USER']}"
