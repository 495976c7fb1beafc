"""The systems card: whether each system answers, how fast, when it last told us something; and who works here."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString

from ledger import cells, clock
from meshline.console import parts
from meshline.console.home_numbers import Numbers, rows
from sync.modes import is_test

LATEST, LATEST_EVENTS = 20, 2_000  # exchanges of each system, deliveries of all of them
SLOW_MS, LEAST = 2_000, 3
SILENT, LATE_JOB = timedelta(minutes=1), timedelta(minutes=3)
# Its share of the fragment every open page asks for each ten seconds: under two milliseconds at any size.
SQL = f"""
with told as (
  select source, max(received_at) at from (
    select source, received_at from ledger_event order by id desc limit {LATEST_EVENTS}) n group by source),
known as (
  select unnest(%s::text[]) provider
   union select provider from sync_providerstate where breaker = 'open'),
busy as (select provider, count(*) n from ledger_action where state = 'sending' group by provider)
select k.provider, s.breaker, s.probe_at, s.not_before, s.last_success_at, a.ms, a.n, a.bad, told.at told, busy.n busy
  from known k left join sync_providerstate s on s.provider = k.provider
  left join lateral (
    select percentile_cont(0.5) within group (order by ms) ms, count(*) n,
           count(*) filter (where status is null or status >= 500 or status in (401, 403, 408, 429)) bad
      from (select ms, status, began_at from sync_attempt where provider = k.provider order by id desc
             limit {LATEST}) n
     where began_at > %s) a on true
  left join told on told.source = k.provider left join busy on busy.provider = k.provider"""

# The same as one value, for a statement that asks for more at once.
AS_JSON = f"(select coalesce(json_agg(row_to_json(s)), '[]') from ({SQL}) s)"
COLUMNS = ("provider", "breaker", "probe_at", "not_before", "last_success_at", "ms", "n", "bad", "told", "busy")


def of_json(one: Mapping[str, Any]) -> list[Any]:
    """A row out of `AS_JSON`."""
    return [one[name] for name in COLUMNS]


def given() -> tuple[Any, ...]:
    """What the statement is given."""
    return list(settings.MESHLINE_PROVIDERS), clock.now() - timedelta(hours=1)


def systems() -> list[dict[str, Any]]:
    """Each configured system, used or not, and further accounts whose calls are paused. One statement."""
    return shown(rows(SQL, given()))


def shown(found: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """The rows of the statement for people; times may be texts, as JSON has them."""
    names, now = list(settings.MESHLINE_PROVIDERS), clock.now()
    order = {name: place for place, name in enumerate(names)}
    return [_system(row, now) for row in sorted(found, key=lambda row: (order.get(row[0], len(names)), row[0]))]


def _at(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def mark(listed: Iterable[Mapping[str, Any]]) -> str:
    """What an open page compares to see that the card changed since it was drawn."""
    told = "|".join(f"{one['name']}{one['tag']}{one['said']}" for one in listed)
    return hashlib.blake2s(told.encode(), digest_size=6).hexdigest()


def _system(row: Sequence[Any], now: datetime) -> dict[str, Any]:
    name, breaker, *times, ms, many, bad, told, busy = row
    probe, not_before, success, told = (_at(one) for one in (*times, told))
    opened = breaker == "open"
    said: list[Any] = []
    if opened:
        said.append(f"next try in {cells.length(probe - now)}" if probe and probe > now else "next try now")
    if not_before and not_before > now:
        said.append(f"asked us to wait {cells.length(not_before - now)}")
    if ms is not None and not opened:
        said.append(took(ms))
    if told is not None:
        said.append(f"told us {age(told, now)}")
    config: Mapping[str, Any] = settings.MESHLINE_PROVIDERS.get(name, {})
    if busy or config.get("concurrency"):
        limit = f" of {config['concurrency']}" if config.get("concurrency") else ""
        said.append(f"{busy or 0}{limit} sending")
    if not said and success is not None:
        said.append(f"answered {age(success, now)}")
    return {
        "name": cells.system(name), "url": f"{reverse('admin:connections')}#{name.partition(':')[0]}",
        "tag": _tag(opened=opened, ms=ms, many=many or 0, bad=bad or 0, used=success is not None),
        "said": " · ".join(said), "test": name in settings.MESHLINE_PROVIDERS and is_test(name, config),
    }  # fmt: skip


def _tag(*, opened: bool, ms: float | None, many: int, bad: int, used: bool) -> SafeString:
    if opened:
        return cells.tag("failed", "Paused")
    if many >= LEAST and bad * 2 >= many:
        return cells.tag("failed", "Failing")
    if ms is not None and ms > SLOW_MS:
        return cells.tag("waiting", "Slow")
    return cells.tag("running", "Working") if used or many else cells.tag("", "Not used yet")


def took(ms: float) -> str:
    """A latency for people, two digits of it: an unchanged card is not sent again."""
    if ms >= 1000:
        return f"{ms / 1000:.1f} s"
    return f"{round(ms, -1):.0f} ms" if ms >= 100 else f"{ms:.0f} ms"


def age(at: datetime, now: datetime) -> str:
    """How long ago, in no more steps than anybody needs: seconds would change with each look."""
    gap = now - at
    return "just now" if gap < timedelta(minutes=1) else f"{cells.length(gap)} ago"


def works(seen: Numbers) -> list[dict[str, Any]]:
    """Workers, what they have before them, the schedule, and what was last found of the ledger."""
    return [_workers(seen), _schedule(seen), _inbox(seen), *_unread(seen), _ledger(seen)]


def _workers(seen: Numbers) -> dict[str, Any]:
    last, now = seen["worker_seen"], clock.now()
    silent = last is None or now - last > SILENT
    lag = seen.age("ready_since")
    said = f"{seen['workers']} at work" if not silent else f"seen {age(last, now)}" if last else "none ever started"
    return {
        "name": "Workers", "url": reverse("admin:workers"), "needs": "sync.view_drainslot",
        "tag": cells.tag("failed", "Silent") if silent else cells.tag("running", "Working"),
        "said": said + (f" · lag {cells.length(lag)}" if lag and lag > timedelta(seconds=1) else " · no lag"),
    }  # fmt: skip


def _schedule(seen: Numbers) -> dict[str, Any]:
    last, now = seen["job_at"], clock.now()
    late = last is None or now - last > LATE_JOB
    failed = seen["jobs_failed"]
    said = f"last job {age(last, now)}" if last else "no job has run yet"
    tag = cells.tag("failed", "Late") if late else cells.tag("running", "Working")
    return {
        "name": "Schedule", "url": reverse("admin:sync_jobrun_changelist"), "needs": "sync.view_jobrun",
        "tag": cells.tag("failed", f"{failed} failed") if failed and not late else tag,
        "said": f"{failed} {'job' if failed == 1 else 'jobs'} failed in 24 h · {said}" if failed else said,
    }  # fmt: skip


def _inbox(seen: Numbers) -> dict[str, Any]:
    many, oldest = seen["events"], seen.age("events_oldest")
    old = oldest is not None and oldest > timedelta(minutes=5)
    return {
        "name": "Inbox", "url": parts.list_of("ledger_event", state="received"),
        "needs": "ledger.view_event", "tag": cells.tag("waiting", "Behind") if old else "",
        "said": f"{seen.shown('events')}, oldest {cells.length(oldest)}" if many and oldest else "all handled",
    }  # fmt: skip


def _unread(seen: Numbers) -> list[dict[str, Any]]:
    """Events that wait for somebody who can read them; nothing while there are none."""
    many = seen["unread"]
    if not many:
        return []
    shown = "1,000+" if many > 1000 else f"{many:,}"
    return [{
        "name": "Unread events", "url": parts.list_of("ledger_event", state="parked"),
        "needs": "ledger.view_event", "tag": cells.tag("waiting", "Look"),
        "said": f"{shown} {'event' if many == 1 else 'events'}",
    }]  # fmt: skip


def _ledger(seen: Numbers) -> dict[str, Any]:
    at, problem, sealed = seen["checked_at"], seen["check_problem"], seen["sealed_at"]
    tag = cells.tag("failed", "Broken") if problem else cells.tag("applied", "Intact") if at else ""
    said = [f"looked at {age(at, clock.now())}, {seen['check_rows']:,} rows" if at else "never looked at as a whole"]
    if sealed:
        said.append(f"sealed {age(sealed, clock.now())}")
    return {
        "name": "Ledger check", "url": reverse("admin:ledger_verify"), "needs": "ledger.view_ledgerrow", "tag": tag,
        "said": " · ".join(said),
    }  # fmt: skip
