"""The messages to be written: planned in sets, claimed with a lease, booked when the answer is in, or is lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from ledger import sets
from sync import session

A_PASS = 200
MOST_TRIES = 12
# Changes of messages claimed at once, beside at most one new message for each channel.
CHANGES_AT_ONCE = 4
STOPPED = """exists (select from gates_stopswitch s where s.state <> 'running'
                       and s.scope in ('provider:' || a.provider, 'automation:' || a.automation))"""
VERSION = f"""i.state_version || '.' || coalesce(a.state_version::text, '-')
              || case when a.id is not null and {STOPPED} then '.s' else '' end"""
PLAN = """
insert into sync_slackmessage (item_id, channel, marker, ts, state, shown, dirty, closed, tries, looks, available_at,
                               last_error, created_at)
select i.id, c.channel, gen_random_uuid(), '', 'planned', '', false, false, 0, 0, now(), '', now()
  from gates_reviewitem i
  join unnest(%(groups)b::text[], %(channels)b::text[]) as c(name, channel) on c.name = i.owner_group
 where i.state <> 'resolved' and not exists (select from sync_slackmessage m where m.item_id = i.id)
 order by i.due_at, i.id limit %(most)b
on conflict (item_id) do nothing returning id"""
MARK = f"""
update sync_slackmessage m set dirty = true
  from gates_reviewitem i left join ledger_action a on a.id = i.action_id
 where i.id = m.item_id and not m.closed and not m.dirty and m.state = 'posted' and m.shown <> {VERSION}
returning m.id"""
DROP = """
update sync_slackmessage m set closed = true, state = 'failed', last_error = 'settled before it was posted'
  from gates_reviewitem i where i.id = m.item_id and not m.closed and m.state = 'planned' and i.state = 'resolved'
   returning m.id"""
TAKE = """
with due as (
  select id, channel, state, row_number() over (partition by channel, state = 'posted' order by available_at, id) as n
    from sync_slackmessage
   where not closed and available_at <= now() and (lease_until is null or lease_until < now())
     and (state in ('planned', 'sending', 'unknown') or (state = 'posted' and dirty))),
mine as (
  select id, state from sync_slackmessage
   where id = any(array(select id from due where n <= case when state = 'posted' then %(changes)b else 1 end))
     and (lease_until is null or lease_until < now())
   order by id for update skip locked)
update sync_slackmessage m set lease_token = %(token)b, tries = m.tries + 1,
       lease_until = now() + make_interval(secs => %(lease)b::float8),
       state = case when m.state = 'planned' then 'sending' else m.state end,
       sent_at = case when m.state = 'planned' then coalesce(m.sent_at, now()) else m.sent_at end
  from mine where m.id = mine.id
returning m.id, m.item_id, m.channel, m.ts, m.marker, mine.state, m.sent_at, m.tries, m.looks"""
HELD = "exists (select from sync_slackmessage where id = %s and lease_token = %s and lease_until > now())"


@dataclass(frozen=True, slots=True)
class Row:
    """A claimed message; `state` is the one before the claim, sending and unknown mean that it may be there already."""

    id: int
    item_id: int
    channel: str
    ts: str
    marker: UUID
    state: str
    sent_at: datetime | None
    tries: int
    looks: int


def channels() -> Mapping[str, str]:
    """Owner group -> channel id; empty where Slack is not connected."""
    found: Mapping[str, str] = settings.MESHLINE_PROVIDERS.get("slack", {}).get("channels") or {}
    return found


def is_connected() -> bool:
    """Whether there is a Slack to talk to."""
    return "slack" in settings.MESHLINE_PROVIDERS


def plan() -> int:
    """Plan messages for open items of groups with a channel, mark those that show an older state; returns how many."""
    if not is_connected():
        return 0
    told = channels()
    done = len(sets.run(DROP)) + len(sets.run(MARK))
    if told:
        asked = {"groups": list(told), "channels": list(told.values()), "most": A_PASS}
        done += len(sets.run(PLAN, asked))
    return done


def touch(item_id: int) -> None:
    """Have an item's message written again soon: something about it was decided, or somebody saw an old one."""
    sets.run(
        "update sync_slackmessage set dirty = true where item_id = %(item)b and not closed and state = 'posted'",
        {"item": item_id},
    )


def take(token: int, lease: int) -> list[Row]:
    """Claim what is due. Committed to disk before anything leaves: a message must not be forgotten and sent again."""
    with transaction.atomic():
        session.durable()
        asked = {"token": token, "lease": float(lease), "changes": CHANGES_AT_ONCE}
        return [Row(*row) for row in sets.run(TAKE, asked)]


def posted(row: Row, token: int, *, channel: str, ts: str, shown: str, final: bool) -> None:
    """The message stands and shows this version. One that was only found again shows nobody knows what: `shown` ""."""
    _book(
        row, token, state="posted", channel=channel, ts=ts, shown=shown, dirty=not shown, closed=final, tries=0, looks=0
    )


def put_off(row: Row, token: int, state: str, *, wait: float, error: str, looks: int = 0) -> None:
    """Again in `wait` seconds, in this state; after a dozen tries it is left alone."""
    if row.tries >= MOST_TRIES:
        give_up(row, token, error=error)
        return
    _book(row, token, state=state, looks=looks, wait=wait, error=error)


def give_up(row: Row, token: int, *, error: str) -> None:
    """Nothing more is tried: a new message failed, or an old one stays as it is."""
    _book(row, token, state="posted" if row.ts else "failed", closed=True, error=error)


def _book(row: Row, token: int, *, wait: float = 0.0, error: str = "", **values: Any) -> None:
    kinds = {str: "text", bool: "bool", int: "int"}
    sets_ = ", ".join(f"{name} = %({name})b::{kinds[type(value)]}" for name, value in values.items())
    sets.run(
        f"""update sync_slackmessage set {sets_}, lease_until = null, lease_token = null,
                   last_error = left(%(error)b::text, 300),
                   available_at = now() + make_interval(secs => %(wait)b::float8)
            where id = %(id)b and lease_token = %(token)b""",
        {**values, "wait": wait, "error": error, "id": row.id, "token": token},
    )
