"""Notes that only one person sees: why their click changed nothing. Sent once or not at all."""

from typing import Any

from ledger import claim, sets
from sync import contracts
from sync.contracts import slack as contract
from sync.errors import BadBody
from sync.slack import blocks

TEXT, ERROR = 600, 300
USABLE_SECONDS = 1800.0
CLAIM = """
update sync_slacknote n set state = 'sending', tries = tries + 1, lease_token = %(token)b,
       lease_until = now() + make_interval(secs => %(lease)b::float8)
  from (select id from sync_slacknote where state = 'planned' and available_at <= now()
         order by available_at limit %(most)b for update skip locked) due, ledger_event e
 where n.id = due.id and e.id = n.event_id
returning n.id, n.event_id, n.channel, n.slack_user, n.text, e.received_at,
          n.created_at < now() - make_interval(secs => %(usable)b::float8)"""


def plan(event_id: int, channel: str, user: str, text: str) -> None:
    """Have a person told something, once for each click of theirs."""
    row = {"event_id": event_id, "channel": channel, "slack_user": user, "text": blocks.escaped(text, TEXT)}
    types = {"event_id": "bigint", "channel": "text", "slack_user": "text", "text": "text"}
    sets.run(
        f"""insert into sync_slacknote ({", ".join(types)}, state, tries, available_at, last_error, created_at)
            values ({", ".join(f"%({name})b" for name in types)}, 'planned', 0, now(), '', now())
            on conflict (event_id) do nothing""",
        row,
    )


def take(token: int, lease: int, most: int) -> list[tuple[Any, ...]]:
    """Claim notes that are due: (id, event id, channel, user, text, response address, whether it is too late)."""
    asked = {"token": token, "lease": float(lease), "most": most, "usable": USABLE_SECONDS}
    rows = sets.run(CLAIM, asked)
    bodies = claim.bodies([(row[1], row[5]) for row in rows])
    return [(*row[:5], _response_url(bodies.get(row[1])), row[6]) for row in rows]


def _response_url(body: bytes | None) -> str:
    """From the click itself, so that the secret is in one place and goes when the body is erased."""
    try:
        return contract.response_url(contracts.parse(contract.SOURCE, body).document) if body else ""
    except BadBody:
        return ""


def end(note_id: int, token: int, *, error: str = "", again_in: float | None = None) -> None:
    """It was sent, it failed, or it is for later: `again_in` seconds."""
    state = "planned" if again_in is not None else "failed" if error else "sent"
    sets.run(
        """update sync_slacknote set state = %(state)b, last_error = left(%(error)b::text, 300), lease_until = null,
                  lease_token = null, available_at = now() + make_interval(secs => %(wait)b::float8)
           where id = %(id)b and lease_token = %(token)b""",
        {"state": state, "error": error, "wait": again_in or 0.0, "id": note_id, "token": token},
    )


def give_up() -> None:
    """Notes whose worker died in the middle: whether they were seen is not known, and not worth a second one."""
    sets.run(
        """update sync_slacknote set state = 'failed', last_error = 'its worker died', lease_until = null,
                  lease_token = null where state = 'sending' and lease_until < now()"""
    )
