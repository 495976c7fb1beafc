"""Whether customers could open their portal now: addresses, key, a session for the check customer, its host."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_q.tasks import async_task

from gates.stop import Refused
from ledger import book, clock
from sync import client
from sync.errors import ProviderError
from sync.portal import alerts, links, tokens, visits
from sync.portal.models import PortalLink, PortalRun
from sync.providers import stripe_accounts, stripe_portal
from sync.wiretypes import Exchange

TASK = "sync.portal.checking.job"
SAMPLE = 20
LOST = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at; `words` says what was found or what to do."""

    name: str
    ok: bool
    words: str


def ask(*, by: User) -> PortalRun:
    """Queue a check: a page waits for no provider. Raises Refused: 403 permission, 409 one was asked for just now."""
    actor = f"user:{by.pk}"
    row = {
        "subject_kind": "portal", "subject_id": "check", "decision": "check_portal", "actor": actor,
        "prior_state": "portal", "post_state": "portal",
    }  # fmt: skip
    if not (by.is_active and by.has_perm(links.PERMISSION)):
        book.write_rows([row | {"outcome": "refused", "error_code": "permission"}])
        raise Refused(403, "permission", f"your account may not do this; it needs the permission {links.PERMISSION}")
    if pending():
        raise Refused(409, "pending", "a check was asked for just now; its result shows up here")
    with transaction.atomic():
        made = PortalRun.objects.create(kind=PortalRun.Kind.CHECK, asked_by=actor)
        book.write_rows([row | {"outcome": "asked", "inputs": {"run": made.pk}}])
        async_task(TASK, made.pk)
    return made


def job(run_id: int) -> str:
    """The check that a page asked for."""
    asked = PortalRun.objects.filter(pk=run_id, finished_at=None).first()
    return line(_tried(asked))[1] if asked else "nothing to do"


def run(*, actor: str) -> PortalRun:
    """Try the whole path now and keep the result; no customer's own link is opened."""
    return _tried(PortalRun(kind=PortalRun.Kind.CHECK, asked_by=actor))


def latest() -> PortalRun | None:
    """The newest check that is over."""
    return PortalRun.objects.filter(kind=PortalRun.Kind.CHECK, finished_at__isnull=False).first()


def pending() -> bool:
    """Whether a check was asked for a moment ago and is not over."""
    return PortalRun.objects.filter(
        kind=PortalRun.Kind.CHECK, finished_at=None, began_at__gt=clock.now() - LOST
    ).exists()


def line(run_: PortalRun | None) -> tuple[bool | None, str]:
    """A check in one line: whether all is well (None: never looked), and the first thing to do."""
    if run_ is None:
        return None, "never checked"
    steps: list[dict[str, Any]] = run_.report.get("steps", [])
    wrong = next((one for one in steps if not one["ok"]), None)
    return (True, "customers can open their portal") if wrong is None else (False, wrong["words"])


def _tried(made: PortalRun) -> PortalRun:
    steps = list(_steps())
    made.report = {"ok": all(one.ok for one in steps), "steps": [asdict(one) for one in steps]}
    made.finished_at = clock.now()
    made.save()
    return made


def _steps() -> Iterator[Step]:
    yield _address()
    yield _addresses_known()
    if not settings.MESHLINE_PROVIDERS["stripe"].get("api_key"):
        yield Step("session", ok=False, words="MESHLINE_STRIPE_API_KEY is not set")
        return
    yield _session("")
    for account in stripe_accounts.further():
        yield _session(account)


def _address() -> Step:
    """What customers get is https at a host we answer for."""
    parts = urlsplit(settings.MESHLINE_PUBLIC_URL)
    host = parts.hostname or ""
    local = host in client.LOOPBACK_HOSTS and settings.MESHLINE_ALLOW_LOOPBACK
    if parts.scheme != "https" and not local:
        return Step("address", ok=False, words="MESHLINE_PUBLIC_URL must be https, or mail would carry open addresses")
    if not any(host == one or (one.startswith(".") and host.endswith(one)) for one in settings.ALLOWED_HOSTS):
        return Step("address", ok=False, words=f"{host} is not in MESHLINE_ALLOWED_HOSTS, so links would answer 400")
    return Step("address", ok=True, words=f"links stand at {parts.scheme}://{parts.netloc}/portal/")


def _addresses_known() -> Step:
    """The newest links can be written again: their key is known."""
    newest = list(PortalLink.objects.filter(state=PortalLink.State.ACTIVE)[:SAMPLE])
    lost = sum(1 for one in newest if not tokens.recover(one.seed, one.token_hash))
    if lost:
        return Step(
            "key", ok=False,
            words=f"{lost} of the newest {len(newest)} links were made under a former SECRET_KEY: they work, but "
            "cannot be shown or written again; put that key into SECRET_KEY_FALLBACKS, or renew them",
        )  # fmt: skip
    return Step("key", ok=True, words=f"the newest {len(newest)} links can be written again")


def _session(account: str) -> Step:
    """A session for an account's check customer, and that its address is one we would send people to."""
    name = f"session {account}".strip()
    variable = f"MESHLINE_PORTAL_CHECK_CUSTOMER{'_' if account else ''}{account.upper()}"
    customer = stripe_portal.chosen_of("check_customer", account)
    if not customer:
        words = f"{variable} is not set: make a customer for this in Stripe and name its id"
        return Step(name, ok=False, words=words)
    exchanges: list[Exchange] = []
    try:
        url = visits.session(customer, exchanges, account)
    except ProviderError as error:
        visits.note(exchanges, [error])
        code = visits.trouble(error)
        if code == "portal_customer_gone":
            return Step(name, ok=False, words=f"{variable}: Stripe has no such customer")
        if code != "portal_unreachable":
            alerts.raise_once(code)
        found = alerts.TROUBLES[code]
        where = f"Account {account}: " if account else ""
        return Step(name, ok=False, words=f"{where}{found.sentence} {found.fix}")
    visits.note(exchanges, [])
    return Step(name, ok=True, words=f"a session was made; it leads to {urlsplit(url).hostname}")
