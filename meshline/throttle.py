"""How often somebody may try a password: counted in the database, so that every process counts together.

Nobody is locked out for ever. A count begins anew when its time is over, and tries that were refused do not prolong
it. A browser that once signed in to an account is known by a signed cookie and has a count of its own: a stranger who
guesses at the account from elsewhere uses up the strangers' count, not that of its owner.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.crypto import get_random_string, salted_hmac

from ledger import clock, sets

COOKIE, COOKIE_DAYS, SALT = "meshline_browser", 180, "meshline.throttle"
KEEP = timedelta(days=1)

# One statement, so that two tries at the same moment wait for each other and both count.
COUNT_SQL = """
insert into meshline_signincount as t (key, tries, began_at) values (%(key)b, 1, %(now)b)
on conflict (key) do update set
   tries = case when t.began_at <= %(since)b then 1 else t.tries + 1 end,
   began_at = case when t.began_at <= %(since)b then %(now)b else t.began_at end
returning tries, began_at"""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many tries in so long a time."""

    name: str
    most: int
    within: timedelta = timedelta(minutes=15)


ADDRESS = Limit("address", 30)  # whatever accounts it tries: an office may stand behind it
PAIR = Limit("pair", 5)  # one account from one address
ACCOUNT = Limit("account", 50)  # one account from browsers it never used
BROWSER = Limit("browser", 10)  # one account from a browser it used before
STEP_UP = Limit("step-up", 5)  # the password again, of somebody who is signed in
PORTAL = Limit("portal", 10, timedelta(minutes=1))  # addresses of portal links that lead nowhere, from one address
PORTAL_LINK = Limit("portal-link", 60, timedelta(minutes=1))  # sessions of one portal link


@dataclass(frozen=True, slots=True)
class Turn:
    """One try: how long to wait before it is looked at (none: now), and what to take back if it is right."""

    wait: timedelta
    keys: tuple[tuple[Limit, str], ...] = ()

    @property
    def minutes(self) -> int:
        """The wait as people are told it: whole minutes, rounded up."""
        return max(1, -(-int(self.wait.total_seconds()) // 60))


def begin(request: HttpRequest, username: str) -> Turn:
    """Count a try to sign in, before anything is looked at: it makes no difference whether the account exists."""
    account = username.strip().casefold()
    if is_known(request, account):
        return _first_refusal(((BROWSER, f"{account}\x00{request.COOKIES[COOKIE]}"),))
    peer = address(request)
    # The address comes first: who is refused there leaves no further row, however many names are tried.
    return _first_refusal(((ADDRESS, peer), (PAIR, f"{account}\x00{peer}"), (ACCOUNT, account)))


def begin_step_up(user_id: int) -> Turn:
    """Count a try to confirm the password of somebody signed in."""
    return _first_refusal(((STEP_UP, str(user_id)),))


def succeeded(turn: Turn) -> None:
    """It was the right password: the try is taken back, and what belongs to this person alone begins anew."""
    for limit, subject in turn.keys:
        key = key_of(limit, subject)
        if limit in (ADDRESS, ACCOUNT):
            sets.run("update meshline_signincount set tries = greatest(tries - 1, 0) where key = %(key)b", {"key": key})
        else:
            sets.run("delete from meshline_signincount where key = %(key)b", {"key": key})


def forget() -> int:
    """Remove counts whose time has long been over; returns how many."""
    gone = sets.run(
        "delete from meshline_signincount where began_at < %(before)b returning key", {"before": clock.now() - KEEP}
    )
    return len(gone)


def spent(limit: Limit, subject: str) -> timedelta:
    """How long to wait because a count is used up already; nothing is counted."""
    now = clock.now()
    params = {"key": key_of(limit, subject), "since": now - limit.within, "most": limit.most}
    found = sets.run(
        "select began_at from meshline_signincount where key = %(key)b and tries >= %(most)b and began_at > %(since)b",
        params,
    )
    return max(found[0][0] + limit.within - now, timedelta(seconds=1)) if found else timedelta()


def count(limit: Limit, subject: str) -> timedelta:
    """Count one; how long to wait where that was one too many."""
    return _first_refusal(((limit, subject),)).wait


def _first_refusal(keys: tuple[tuple[Limit, str], ...]) -> Turn:
    now = clock.now()
    for limit, subject in keys:
        tries, began_at = _count(limit, subject, now)
        if tries > limit.most:
            return Turn(max(began_at + limit.within - now, timedelta(seconds=1)))
    return Turn(timedelta(), keys)


def _count(limit: Limit, subject: str, now: datetime) -> tuple[int, datetime]:
    params: dict[str, Any] = {"key": key_of(limit, subject), "now": now, "since": now - limit.within}
    tries, began_at = sets.run(COUNT_SQL, params)[0]
    return tries, began_at


def key_of(limit: Limit, subject: str) -> str:
    """The row of a count; without the secret key nobody can tell whose it is."""
    return salted_hmac(f"{SALT}.{limit.name}", subject, algorithm="sha256").hexdigest()


# --- who is asking ---------------------------------------------------------------------------------------------------


def address(request: HttpRequest) -> str:
    """The peer, by the proxy's word where there is one; of IPv6 the network, since a host has countless addresses."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        # The last entry is our own proxy's; those before it are whatever the sender wrote.
        peer = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip() or peer
    try:
        known = ipaddress.ip_address(peer)
    except ValueError:
        return "unknown"
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)


def is_known(request: HttpRequest, account: str) -> bool:
    """Whether this browser signed in to this account before."""
    try:
        said = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=timedelta(days=COOKIE_DAYS))
    except signing.BadSignature:
        return False
    return isinstance(said, list) and key_of(BROWSER, account) in said[1:]


def remember(request: HttpRequest, response: HttpResponse, username: str) -> None:
    """Let this browser be known to this account from now on; it may be known to a few."""
    account = key_of(BROWSER, username.strip().casefold())
    try:
        said = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=timedelta(days=COOKIE_DAYS))
    except signing.BadSignature:
        said = []
    others = [one for one in said[1:] if one != account][-4:] if isinstance(said, list) else []
    response.set_cookie(
        COOKIE, signing.dumps([get_random_string(12), *others, account], salt=SALT), max_age=COOKIE_DAYS * 86_400,
        secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Strict", path=reverse("admin:login"),
    )  # fmt: skip
