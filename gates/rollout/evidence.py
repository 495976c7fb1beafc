"""What stored rows say for and against the next step of an automation or a segment. Nothing here is typed in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db.models import Max
from django.utils.module_loading import import_string

from gates.models import AlertEpisode, Automation, Segment, SignOff
from gates.models.automation import Staged
from gates.playbooks import PLAYBOOKS
from gates.rollout import counts
from gates.rollout.counts import Counts
from gates.rollout.ladder import Bars, Evidence
from ledger import clock, sets
from ledger.models import LedgerRow

# What has to be registered before an automation leaves shadow, and how it is called.
REGISTERED = {
    "owner_group": "owner group", "fallback_group": "fallback group", "source": "source", "destination": "destination",
    "exception_route": "exception route", "quality_checkpoint": "quality checkpoint",
    "reporting_field": "reporting field",
}  # fmt: skip
# Kinds an automation proposed lately, and which of them were undone for good by anybody, in a drill or in earnest.
KINDS_SQL = """
select distinct automation, kind from ledger_action
 where automation = any(%(names)b::text[]) and id >= %(first)b::uuid and reverses_id is null"""
DRIFT_SQL = """
select kind, count(*) from ledger_event
 where state = 'parked' and kind = any(%(kinds)b::text[]) and verdict like '%%schema drift%%' group by kind"""
TRIED_SQL = """
select distinct o.kind from ledger_action r join ledger_action o on o.id = r.reverses_id
 where r.state = 'applied' and r.applied_at >= %(since)b and r.reverses_id is not null"""
TESTED_SQL = "select slug from gates_runbook where tested_at >= %(since)b"
TRIED_WITHIN = timedelta(days=180)
# Alerts that say how people keep up: they speak neither for nor against an automation.
ABOUT_PEOPLE = ("item-old", "queue-growth", "correction-slow")
FALLEN = "automation:"  # how alerts about an automation that fell begin


@dataclass(frozen=True, slots=True)
class Undoing:
    """How a kind of action is undone: by which kind, if by any, and the slug of the page that says how."""

    inverse: str
    runbook: str


Known = Mapping[str, Undoing]
Reconciled = tuple[tuple[str, datetime | None, str], ...]


def bars() -> Bars:
    """What has to be reached, from the settings."""
    return Bars(**settings.MESHLINE_ROLLOUT)


def reconciled() -> Reconciled:
    """The last run of every check: name, when it ended, what is wrong with it. Known to the layer above."""
    said: Reconciled = _source("reconciled")()
    return said


def undoing() -> Known:
    """How each kind of action is undone. Known to the layer above."""
    said: Known = _source("undoing")()
    return said


def _source(name: str) -> Callable[[], Any]:
    found: Callable[[], Any] = import_string(settings.MESHLINE_ROLLOUT_SOURCES[name])
    return found


def of(automations: Sequence[Automation], *, with_segments: bool = False) -> dict[str, Evidence]:
    """The evidence of each automation by its name, and of each segment by `name/key`. A fixed number of statements."""
    whole: list[tuple[Automation, str, Staged]] = [(one, "", one) for one in automations]
    if with_segments:
        parts = Segment.objects.filter(automation__in=automations)
        named = {one.pk: one for one in automations}
        whole += [(named[part.automation_id], part.key, part) for part in parts]
    asks = [counts.ask(one.name, staged, key) for one, key, staged in whole]
    counted, compared = counts.of(asks), counts.compared(asks)
    names = [one.name for one in automations]
    shared = _Shared(
        clock.now(), reconciled(), _untried(names), tuple(_alerts()), drift(), _signed(automations), _newest(names),
        _lacking(automations),
    )  # fmt: skip
    return {
        f"{one.name}/{key}" if key else one.name: _one(one, staged, found, agreed, shared)
        for (one, key, staged), found, agreed in zip(whole, counted, compared, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Shared:
    now: datetime
    reconciled: Reconciled
    untried: Mapping[str, tuple[str, ...]]
    alerts: tuple[str, ...]
    drift: Mapping[str, str]
    signed: Mapping[int, SignOff]
    newest: Mapping[str, datetime]
    lacking: Mapping[str, tuple[str, ...]]


def _one(one: Automation, staged: Staged, found: Counts, shadow: tuple[int, int], shared: _Shared) -> Evidence:
    sign = shared.signed.get(one.pk)
    is_signed = sign is not None and (staged.fell_at is None or sign.given_at > staged.fell_at)
    agreed, compared = shadow if staged.state == Staged.State.SHADOW else (0, 0)
    return Evidence(
        stage=str(staged.state), version=one.version, now=shared.now, since=staged.stage_since,
        newest=max((at for at in (found.newest, shared.newest.get(one.name)) if at), default=None),
        decisions=found.decisions, suggestions=found.suggestions, previews=found.previews,
        judged=found.judged + compared, corrected=found.corrected + compared - agreed,
        reconciled=shared.reconciled, signed_by=sign.by.get_username() if sign and is_signed else "",
        signed_at=sign.given_at if sign and is_signed else None, untried=shared.untried.get(one.name, ()),
        alerts=_alerts_of(one.name, shared), lacks=shared.lacking.get(one.name, ()),
    )  # fmt: skip


def _signed(automations: Sequence[Automation]) -> dict[int, SignOff]:
    """The sign-off of the present version of each automation."""
    rows = SignOff.objects.select_related("by").filter(automation__in=automations, voided_at=None)
    versions = {one.pk: one.version for one in automations}
    return {one.automation_id: one for one in rows if one.version == versions[one.automation_id]}


def _newest(names: Sequence[str]) -> dict[str, datetime]:
    """The newest step of each: one that lies ahead says that the clock was set back."""
    rows = LedgerRow.objects.filter(subject_kind="rollout", subject_id__in=names).order_by()
    return dict(rows.values_list("subject_id").annotate(Max("recorded_at")))


def drift() -> dict[str, str]:
    """Automation -> the kinds of its events that came in a form it does not know and that nobody has settled."""
    hears = {kind: playbook.AUTOMATION for kind, playbook in PLAYBOOKS.items()}
    found: dict[str, list[str]] = {}
    for kind, count in sets.run(DRIFT_SQL, {"kinds": list(hears)}):
        found.setdefault(hears[kind], []).append(f"schema drift in {count} of {kind}")
    return {name: ", ".join(sorted(said)) for name, said in found.items()}


def _alerts_of(name: str, shared: _Shared) -> tuple[str, ...]:
    """Those that concern it: one about another automation's fall keeps nobody else down."""
    ours = [one for one in shared.alerts if not one.startswith(FALLEN) or one == f"{FALLEN}{name}"]
    return (*ours, *(said for said in [shared.drift.get(name, "")] if said))


def _alerts() -> list[str]:
    """The alerts that are on."""
    on = AlertEpisode.objects.filter(state=AlertEpisode.State.RAISED).exclude(rule__in=ABOUT_PEOPLE)
    return list(on.values_list("name", flat=True))


def _untried(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The kinds of each automation that can be undone and whose undoing was neither applied nor tested lately."""
    now, known = clock.now(), undoing()
    since = {"since": now - TRIED_WITHIN}
    tried = {row[0] for row in sets.run(TRIED_SQL, since)}
    tested = {row[0] for row in sets.run(TESTED_SQL, since)}
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, kind in sets.run(KINDS_SQL, {"names": list(names), "first": counts.first_id(now - counts.LATELY)}):
        how = known.get(kind)
        if how is not None and how.inverse and kind not in tried and how.runbook not in tested:
            found[name].append(kind)
    return {name: tuple(sorted(kinds)) for name, kinds in found.items()}


def _lacking(automations: Sequence[Automation]) -> dict[str, tuple[str, ...]]:
    """What is missing of each registration, and which of its people cannot answer for it."""
    groups = {one.owner_group for one in automations} | {one.fallback_group for one in automations}
    peopled = set(Group.objects.filter(name__in=groups, user__is_active=True).values_list("name", flat=True).distinct())
    owners = {one.pk: one for one in User.objects.filter(pk__in=[one.owner_id for one in automations])}
    members: dict[int, set[str]] = {}
    for pk, name in Group.objects.filter(user__in=owners).values_list("user", "name"):
        members.setdefault(pk, set()).add(name)
    return {one.name: tuple(_lacks(one, owners.get(one.owner_id or 0), members, peopled)) for one in automations}


def _lacks(one: Automation, owner: User | None, members: Mapping[int, set[str]], peopled: set[str]) -> list[str]:
    lacks = [f"no {words}" for name, words in REGISTERED.items() if not getattr(one, name).strip()]
    if owner is None:
        lacks.append("no person as owner")
    elif not owner.is_active:
        lacks.append(f"its owner {owner.get_username()} has left")
    elif one.owner_group not in members.get(owner.pk, set()):
        lacks.append(f"its owner {owner.get_username()} is not in {one.owner_group} any more")
    lacks += [
        f"nobody is in {group}"
        for group in dict.fromkeys((one.owner_group, one.fallback_group))
        if group and group not in peopled
    ]
    return lacks
