"""The health of provider accounts, shared by all processes: breaker and not-before, one row a provider."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger import clock, sets
from sync.errors import AuthError, ProviderError, WriteHalted
from sync.wiretypes import Exchange

WINDOW_SECONDS = 60
LEAST_REQUESTS = 10
PROBE_EVERY = timedelta(seconds=30)
FRESH_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class State:
    """When a provider may be called again; None means now."""

    open: bool = False
    probe_at: datetime | None = None
    not_before: datetime | None = None


_seen: dict[str, State] = {}
_seen_at = [0.0]


def states() -> Mapping[str, State]:
    """All providers, at most a quarter of a second old."""
    if time.monotonic() - _seen_at[0] > FRESH_SECONDS:
        rows = sets.run("select provider, breaker, probe_at, not_before from sync_providerstate")
        _seen.clear()
        _seen.update({row[0]: State(row[1] == "open", row[2], row[3]) for row in rows})
        _seen_at[0] = time.monotonic()
    return _seen


def wait_until(providers: Iterable[str], now: datetime) -> datetime | None:
    """When calls to all of these may go, if not now. An open breaker whose probe is due lets one caller through."""
    latest: datetime | None = None
    for name in providers:
        state = states().get(name)
        if state is None:
            continue
        until = paced_until(name, now)
        if state.open and not (state.probe_at and state.probe_at <= now and take_probe(name)):
            until = max(filter(None, (until, state.probe_at, now + timedelta(seconds=1))))
        if until and (latest is None or until > latest):
            latest = until
    return latest


def paced_until(provider: str, now: datetime) -> datetime | None:
    """Until when the provider asked not to be called; None when it may be."""
    state = states().get(provider)
    return state.not_before if state and state.not_before and state.not_before > now else None


def take_probe(provider: str) -> bool:
    """One request may try an open breaker; True for who got it."""
    rows = sets.run(
        """update sync_providerstate set probe_at = now() + %(every)b::interval
           where provider = %(provider)b and breaker = 'open' and probe_at <= now() returning id""",
        {"provider": provider, "every": PROBE_EVERY},
    )
    _seen_at[0] = 0.0
    return bool(rows)


def note(
    provider: str, *, ok: bool, error: str = "", retry_after: timedelta | None = None, refused: bool = False
) -> None:
    """Record how a call went: success closes the breaker; half of at least ten in a minute, or a 401, opens it."""
    now = clock.now()
    sets.run("""insert into sync_providerstate (provider, breaker, last_error) values (%(p)b, 'closed', '')
                on conflict do nothing""",
             {"p": provider})  # fmt: skip
    if ok:
        sets.run(
            """update sync_providerstate set breaker = 'closed', last_success_at = %(now)b, opened_at = null,
                      probe_at = null where provider = %(p)b""",
            {"p": provider, "now": now},
        )
    else:
        sets.run(
            """update sync_providerstate set last_error = left(%(error)b::text, 300), last_error_at = %(now)b,
                      not_before = greatest(not_before, %(until)b::timestamptz) where provider = %(p)b""",
            {"p": provider, "error": error, "now": now, "until": now + retry_after if retry_after else None},
        )
        if refused or _mostly_failing(provider):
            sets.run(
                """update sync_providerstate set breaker = 'open', opened_at = %(now)b, probe_at = %(probe)b
                   where provider = %(p)b and breaker = 'closed'""",
                {"p": provider, "now": now, "probe": now + PROBE_EVERY},
            )
    _seen_at[0] = 0.0


def note_calls(exchanges: Iterable[Exchange], errors: Iterable[ProviderError]) -> None:
    """Tell the shared health of each provider how its calls went, after the attempts are stored."""
    worst: dict[str, ProviderError] = {_key_of(error): error for error in errors if error.provider}
    for name in {key(one.provider, one.account) for one in exchanges} | set(worst):
        error = worst.get(name)
        if error is None:
            state = states().get(name)
            if state is None or state.open:
                note(name, ok=True)
        elif not isinstance(error, WriteHalted):
            ok = error.status is not None and error.status < 500 and error.status not in (401, 403, 429)
            note(
                name,
                ok=ok,
                error=f"{error.provider}: {error.message}",
                retry_after=error.retry_after,
                refused=isinstance(error, AuthError),
            )


def key(provider: str, account: str = "") -> str:
    """The row of a provider, or of a further account of it: one account's trouble keeps no other one waiting."""
    return f"{provider}:{account}"[:32] if account else provider


def _key_of(error: ProviderError) -> str:
    return key(error.provider, error.exchange.account if error.exchange else "")


def _mostly_failing(provider: str) -> bool:
    provider, _, account = provider.partition(":")
    total, failed = sets.run(
        """select count(*), count(*) filter (where status is null or status >= 500) from (
             select status from sync_attempt where provider = %(p)b and account = %(account)b
                and began_at > now() - make_interval(secs => %(s)b::float8)
              order by id desc limit 200) recent""",
        {"p": provider, "account": account, "s": WINDOW_SECONDS},
    )[0]
    return bool(total >= LEAST_REQUESTS and failed * 2 >= total)
