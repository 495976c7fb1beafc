"""System checks: what would otherwise fail at three in the morning fails at the start."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from gates import presets
from gates.playbooks import PLAYBOOKS
from meshline import conf_queue, roles, schedules
from sync import actions, providers, residents
from sync.actions.base import ActionKind
from sync.claims import wording

# The whole of one HTTP exchange, see the client's limits: a lease must outlive it.
LONGEST_EXCHANGE_SECONDS = 20
PAUSE_SECONDS = 60
SWEEP_SECONDS = 10

APPS = ("ledger", "gates", "sync", "meshline")
SIMULATOR_USERS = (
    "sync/sandbox/", "sync/management/commands/sandbox.py", "meshline/demo/", "meshline/management/commands/demo.py",
)  # fmt: skip
IMPORTS_SIMULATOR = re.compile(
    r"^\s*(?:from|import) +sync\.sandbox\b|^\s*from +sync +import .*\bsandbox\b", re.MULTILINE
)

Apps = Sequence[AppConfig] | None


def register() -> None:
    """Have Django run these with its own."""
    for check in (names_resolve, queue_margins, leases, kinds_complete, playbooks_owned, simulators_apart, claim_words):
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
    for name, path in actions.ACTIONS.items():
        yield f"sync.actions.ACTIONS[{name}]", path


def names_resolve(app_configs: Apps = None, **_options: Any) -> list[checks.CheckMessage]:
    """A typo in a registry."""
    found: list[checks.CheckMessage] = []
    for place, path in names_in_registries():
        try:
            import_string(path)
        except ImportError as error:
            found.append(checks.Error(f"{place} names {path!r}: {error}", hint="Mend the path.", id="meshline.E001"))
    return found


def claim_words(app_configs: Apps = None, **_options: Any) -> list[checks.CheckMessage]:
    """Words of an installation's own that cannot be read would leave claims unread."""
    try:
        wording.of_file(settings.MESHLINE_CLAIM_WORDING_FILE)
    except wording.BadWording as error:
        text = f"MESHLINE_CLAIM_WORDING_FILE: {error}"
        return [checks.Error(text, hint="See gates/claims/wording.json for the form.", id="meshline.E011")]
    return []


def kinds_complete(app_configs: Apps = None, **_options: Any) -> list[checks.CheckMessage]:
    """A kind that neither says what undoes it nor why nothing does, or that no page explains, is refused at start."""
    found: list[checks.CheckMessage] = []
    for name, path in actions.ACTIONS.items():
        try:
            kind = import_string(path)
        except ImportError:
            continue  # said by names_resolve
        found += [
            checks.Error(f"Action {name}: {text}", hint=hint, id=f"meshline.E00{number}")
            for number, text, hint in faults_of(name, kind)
        ]
    return found


def faults_of(name: str, kind: Any) -> Iterator[tuple[int, str, str]]:
    """What is missing of one kind of action."""
    if not (isinstance(kind, type) and issubclass(kind, ActionKind)):
        yield 6, f"{kind!r} is no ActionKind", "Name a class of sync.actions.base.ActionKind."
        return
    if kind.__abstractmethods__:
        yield 6, f"lacks {', '.join(sorted(kind.__abstractmethods__))}", "Write what is missing."
    if kind.name != name or kind.provider not in providers.PROVIDERS:
        text = f"calls itself {kind.name!r} at provider {kind.provider!r}"
        yield 6, text, "Its name is the registry's, its provider is in sync.providers.PROVIDERS."
    if kind.inverse and kind.inverse not in actions.ACTIONS:
        yield 7, f"its inverse {kind.inverse!r} is no registered action", "Set `inverse` to the kind that undoes it."
    if bool(kind.inverse) == bool(kind.irreversible_because):
        text = "it declares neither an inverse nor why there is none, or both"
        yield 7, text, "Set `inverse` to the kind that undoes it, or `irreversible_because` to the reason."
    if not kind.runbook or not runbook(kind.runbook).is_file():
        yield 8, f"its runbook {kind.runbook!r} is no page", "Write templates/runbooks/<runbook>.html."


def runbook(name: str) -> Path:
    """Where a runbook's page is."""
    return Path(settings.BASE_DIR) / "templates" / "runbooks" / f"{name}.html"


def playbooks_owned(app_configs: Apps = None, **_options: Any) -> list[checks.CheckMessage]:
    """A playbook whose automation is not installed could only ever observe."""
    installed = {str(one["name"]) for one in presets.AUTOMATIONS}
    return [
        checks.Error(
            f"The playbook of {kind} acts for {playbook.AUTOMATION!r}, which is no automation",
            hint="Add it to gates.presets.AUTOMATIONS.", id="meshline.E009",
        )
        for kind, playbook in PLAYBOOKS.items()
        if playbook.AUTOMATION not in installed
    ]  # fmt: skip


def simulators_apart(app_configs: Apps = None, **_options: Any) -> list[checks.CheckMessage]:
    """Product code that leans on a simulator would behave differently where there is none."""
    base = Path(settings.BASE_DIR)
    names = (path.relative_to(base).as_posix() for app in APPS for path in sorted((base / app).rglob("*.py")))
    return [
        checks.Error(f"{name} imports the simulators", hint="Ask the provider's adapter instead.", id="meshline.E010")
        for name in names
        if not name.startswith(SIMULATOR_USERS) and IMPORTS_SIMULATOR.search((base / name).read_text("utf-8"))
    ]


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
