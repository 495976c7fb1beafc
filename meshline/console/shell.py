"""What every page carries: navigation by work, the environment tag, the stop banner and the counts."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection
from django.http import HttpRequest
from django.urls import reverse

from gates import stop
from gates.models import Preference, StopSwitch
from ledger import cells
from meshline.console import environment

MOST = 100

# One statement for all of them; each stops counting where nobody would read on.
QUEUE = """(select count(*) from (select 1 from gates_reviewitem
             where state <> 'resolved' and (owner_id is null or owner_id = %s) limit %s) q)"""
HELD = "(select count(*) from (select 1 from ledger_action where state = 'parked' limit 1001) p)"
COUNTS = f"""select {QUEUE}, (select count(*) from sync_providerstate where breaker = 'open'), {HELD},
 coalesce((select shortcuts from gates_preference where user_id = %s), true)"""

QUEUE_WORDS = "unclaimed or yours"

# section -> (label, URL name, permission); an entry without its permission is absent.
NAV: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Work": (
        ("Home", "admin:index", ""),
        ("Review queue", "admin:gates_reviewitem_changelist", "gates.view_reviewitem"),
        ("Onboarding", "admin:onboarding", "gates.view_checklist"),
        ("Alerts", "admin:alerts", "gates.view_alertepisode"),
        ("Incidents", "admin:incidents", "gates.view_incident"),
        ("Ticket kinds", "admin:ticket_kinds", "gates.view_ticketkind"),
        ("Disputes", "admin:disputes", "sync.view_dispute"),
        ("Customers", "admin:ledger_customer_changelist", "ledger.view_customer"),
        ("Contracts", "admin:ledger_contract_changelist", "ledger.view_contract"),
    ),
    "Evidence": (
        ("Events", "admin:ledger_event_changelist", "ledger.view_event"),
        ("Ledger", "admin:ledger_ledgerrow_changelist", "ledger.view_ledgerrow"),
        ("Actions", "admin:ledger_action_changelist", "ledger.view_action"),
        ("Attempts", "admin:sync_attempt_changelist", "sync.view_attempt"),
        ("Claims", "admin:claims", "sync.view_claimcheck"),
        ("Refused deliveries", "admin:sync_refusal_changelist", "sync.view_refusal"),
    ),
    "Control": (
        ("Emergency stop", "admin:stop", ""),
        ("Automations", "admin:gates_automation_changelist", "gates.view_automation"),
        ("Gates", "admin:gates_gateversion_changelist", "gates.view_gateversion"),
        ("Back-tests", "admin:backtests", "gates.view_backtest"),
        ("Game days", "admin:gamedays", "gates.view_gameday"),
        ("Ownership and SLA", "admin:routing", "gates.view_ownershiprule"),
        ("Cancellations", "admin:cancellations", "gates.view_cancellationblock"),
    ),
    "Systems": (
        ("Connections", "admin:connections", "sync.view_providerstate"),
        ("Field mapping", "admin:mapping", "sync.view_mappingversion"),
        ("Customers to billing", "admin:sync_runs", "sync.view_syncrun"),
        ("Sync errors", "admin:sync_errors", "sync.view_syncerror"),
        ("Portal links", "admin:portal_links", "sync.view_portallink"),
        ("Import links", "admin:imports", "sync.view_linkimport"),
        ("Slack messages", "admin:sync_slackmessage_changelist", "sync.view_slackmessage"),
        ("Slack accounts", "admin:sync_slackaccount_changelist", "sync.view_slackaccount"),
        ("Context checks", "admin:sync_contextcheck_changelist", "sync.view_contextcheck"),
        ("Erasures", "admin:sync_erasure_changelist", "sync.view_erasure"),
        ("Workers", "admin:workers", "sync.view_drainslot"),
    ),
    "Insight": (
        ("Key figures", "admin:kpis", "meshline.view_kpiday"),
        ("Differences", "admin:sync_delta_changelist", "sync.view_delta"),
        ("Reconciliation runs", "admin:sync_reconcilerun_changelist", "sync.view_reconcilerun"),
        ("Onboarding report", "admin:onboarding_report", "ledger.view_action"),
        ("Shadow reports", "admin:shadow", "gates.view_shadowcomparison"),
        ("Reviews", "admin:audits", "gates.view_audit"),
        ("Runbooks", "admin:runbooks", "gates.view_runbook"),
    ),
    "Set-up": (
        ("Users", "admin:auth_user_changelist", "auth.view_user"),
        ("Groups", "admin:auth_group_changelist", "auth.view_group"),
    ),
}


DAILY = ("Work", "Control")


@dataclass(slots=True)
class Entry:
    """One line of the navigation."""

    label: str
    url: str
    current: bool
    count: str = ""
    about: str = ""
    alarm: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the navigation; the daily ones are open, and any that holds this page or an alarm."""

    label: str
    entries: list[Entry]
    is_open: bool


@dataclass(slots=True)
class StopState:
    """What is halted now, for the banner and for the stop page."""

    switches: list[StopSwitch]
    halted: list[StopSwitch]
    unset: bool
    held: int = 0

    @property
    def on(self) -> bool:
        """Whether any write is halted."""
        return bool(self.halted) or self.unset

    @property
    def faltered(self) -> list[StopSwitch]:
        """Scopes that were resumed and whose release stopped itself at a group of failures."""
        return [one for one in self.switches if one.state == StopSwitch.State.RUNNING and one.release_halted_at]


@dataclass(slots=True)
class Counts:
    """Numbers of the navigation."""

    queue: int
    broken: int
    held: int
    shortcuts: bool


def stop_state(request: HttpRequest) -> StopState:
    """The stop as this request sees it, read once."""
    known: StopState | None = getattr(request, "_stop_state", None)
    if known is None:
        switches = stop.switches()
        halted = [one for one in switches if one.state != StopSwitch.State.RUNNING]
        known = StopState(switches, halted, unset=not any(one.scope == stop.ALL for one in switches))
        request._stop_state = known  # type: ignore[attr-defined]
    return known


def scope_words(scope: str) -> str:
    """A scope of the stop in words."""
    kind, _, name = scope.partition(":")
    if kind == "provider":
        return f"writes to {cells.system(name)}"
    if kind == "customer":
        return f"writes about the customer {cells.plain(name, 64)}"
    return f"the automation {cells.plain(name, 60)}" if kind == "automation" else "all writes"


def counts(user: AbstractBaseUser | AnonymousUser) -> Counts:
    """The numbers that call for action, and whether this person uses single keys."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [user.pk, MOST, user.pk])
        return Counts(*cursor.fetchone())


def navigation(request: HttpRequest, numbers: Counts, state: StopState) -> list[Section]:
    """The sections this person may see, in the order of work."""
    sections = []
    named = [reverse(name) for entries in NAV.values() for _, name, _ in entries if name != "admin:index"]
    # A page may lie below another one's address: the longest that fits is where one is.
    here = max((url for url in named if request.path.startswith(url)), key=len, default=request.path)
    for section, entries in NAV.items():
        shown = [
            _entry(here, label, name, numbers, state)
            for label, name, permission in entries
            if not permission or request.user.has_perm(permission)
        ]
        if shown:
            calls = any(one.current or one.alarm for one in shown)
            sections.append(Section(section, shown, section in DAILY or calls))
    return sections


def _entry(here: str, label: str, name: str, numbers: Counts, state: StopState) -> Entry:
    url = reverse(name)
    entry = Entry(label, url, here == url)
    if label == "Review queue":
        entry.count, entry.part = queue_count(numbers.queue), "nav-queue"
        entry.about = QUEUE_WORDS if entry.count else ""
    elif label == "Connections" and numbers.broken:
        entry.count, entry.about, entry.alarm = str(numbers.broken), "paused after failures", True
    elif label == "Emergency stop" and state.on:
        entry.count, entry.about, entry.alarm = "on", "", True
    return entry


def queue_count(number: int) -> str:
    """The number beside the queue; empty for none, and no more exact than anybody reads."""
    return (f"{MOST - 1}+" if number >= MOST else str(number)) if number else ""


def stop_mark(state: StopState) -> str:
    """What an open page compares to see that the stop changed since it was drawn."""
    known = [*state.halted, *state.faltered]
    return ",".join(f"{one.scope}:{one.state}:{one.state_version}" for one in known) or "unset" * state.unset


def preference(user: Any) -> Preference | None:
    """A person's settings, read once a request."""
    return getattr(user, "preference", None)


def context(request: HttpRequest) -> dict[str, Any]:
    """Everything the base template needs beyond Django's own."""
    shown: dict[str, Any] = {"environment": environment.current(), "find_query": ""}
    if not (request.user.is_authenticated and getattr(request.user, "is_staff", False)):
        return shown
    state = stop_state(request)
    numbers = counts(request.user)
    state.held = numbers.held
    keys = {"stop_mark": stop_mark(state), "shortcuts": numbers.shortcuts}
    return {**shown, **keys, "stop": state, "nav": navigation(request, numbers, state)}
