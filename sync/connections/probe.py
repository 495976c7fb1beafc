"""One cheap read of each system: does it answer, as whom, how far is its clock off, what is left of its limits."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.conf import settings

from ledger import clock
from sync import attempts, health, providers
from sync.errors import ProviderError
from sync.providers.base import JSON_TYPE, compact_json
from sync.wiretypes import Exchange, FrozenRequest, Response

ERP_QUERY = "/services/rest/query/v1/suiteql?limit=1&offset=0"
NOBODY = {"q": "SELECT c.id FROM customer c WHERE c.id = ? ORDER BY c.id", "params": ["0"]}
SLACK_SCOPES = ("chat:write", "channels:history", "users:read", "users:read.email")
# What systems say of their limits, and what it means; the first of a pair of headers is what is left.
LIMITS = (
    ("x-daily-ratelimit-token-remaining", "x-daily-ratelimit-token-limit", "tokens of the day"),
    ("x-ratelimit-remaining", "x-ratelimit-limit", "requests of the burst"),
    ("x-rate-limit-remaining", "x-rate-limit", "requests of the minute"),
)


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask a system, and how its answer names the account and what else is to be said of it."""

    request: Callable[[], FrozenRequest]
    account: Callable[[Mapping[str, Any]], str] = lambda _: ""
    wrong: Callable[[Mapping[str, Any]], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, in words; `found` as a ConnectionCheck keeps it."""

    ok: bool
    said: str
    ms: int
    code: str
    found: dict[str, Any]
    at: datetime


def _get(provider: str, path: str) -> Callable[[], FrozenRequest]:
    return lambda: FrozenRequest(provider, "GET", path, providers.get(provider).read_headers(), "")


def _erp() -> FrozenRequest:
    return FrozenRequest("netsuite", "POST", ERP_QUERY, (JSON_TYPE, ("Prefer", "transient")), compact_json(NOBODY))


def _within(document: Mapping[str, Any], outer: str, inner: str) -> str:
    found = document.get(outer)
    return str(found.get(inner) or "")[:80] if isinstance(found, Mapping) else ""


def _wrong_agent(document: Mapping[str, Any]) -> str:
    """The desk answers strangers as well: as nobody."""
    agent, ours = _within(document, "user", "id"), str(settings.MESHLINE_PROVIDERS["zendesk"].get("agent_id") or "")
    if not agent:
        return "it answered, but did not know us: e-mail or token is wrong"
    return f"we are agent {agent}, MESHLINE_ZENDESK_AGENT_ID says {ours}" if ours and ours != agent else ""


def _wrong_team(document: Mapping[str, Any]) -> str:
    team, ours = str(document.get("team_id") or ""), str(settings.MESHLINE_PROVIDERS["slack"].get("team_id") or "")
    return f"the token belongs to workspace {team[:32]}, MESHLINE_SLACK_TEAM_ID says {ours}" if team != ours else ""


PROBES: Mapping[str, Probe] = {
    "stripe": Probe(_get("stripe", "/v1/disputes?limit=1")),
    "netsuite": Probe(_erp),
    "zendesk": Probe(_get("zendesk", "/api/v2/users/me.json"), lambda said: _within(said, "user", "id"), _wrong_agent),
    "pipedrive": Probe(_get("pipedrive", "/api/v1/users/me"), lambda said: _within(said, "data", "company_id")),
    "slack": Probe(_get("slack", "/api/auth.test"), lambda said: str(said.get("team_id") or "")[:80], _wrong_team),
}


def ask(provider: str) -> Answer:
    """Ask once, outside any transaction. The exchange is stored as an attempt without its answer's body."""
    probe, adapter = PROBES[provider], providers.get(provider)
    exchanges: list[Exchange] = []
    errors: list[ProviderError] = []
    began = time.monotonic()
    at = clock.now()
    try:
        response = adapter.read(probe.request(), exchanges)
        document = adapter.document(response)
        wrong = probe.wrong(document)
        found = {**told(response, at), "account": probe.account(document)}
        answer = Answer(not wrong, wrong or "it answered", _ms(began), "wrong_account" if wrong else "", found, at)
    except ProviderError as error:
        errors.append(error)
        code = (error.code or type(error).__name__)[:80]
        answer = Answer(ok=False, said=error.message[:300], ms=_ms(began), code=code, found={}, at=at)
    attempts.store((None, None, replace(one, response_body="")) for one in exchanges)
    health.note_calls(exchanges, errors)
    return answer


def told(response: Response, asked_at: datetime) -> dict[str, Any]:
    """What the headers of an answer say: clock, limits, scopes, version."""
    headers = response.headers
    found: dict[str, Any] = {
        "limits": [
            [words, f"{headers[left]} of {headers[most]} left"] for left, most, words in LIMITS
            if left in headers and most in headers
        ],
        "skew_s": skew(headers.get("date", ""), asked_at + timedelta(milliseconds=response.exchange.ms / 2)),
        "api_version": headers.get("stripe-version", "")[:40],
    }  # fmt: skip
    if "x-oauth-scopes" in headers:
        granted = {one.strip() for one in headers["x-oauth-scopes"].split(",")}
        found["scopes_missing"] = [one for one in SLACK_SCOPES if one not in granted]
    return found


def skew(date: str, now: datetime) -> int | None:
    """Whole seconds that the other clock is ahead of ours; None where the answer names no time."""
    try:
        there = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return round(((there if there.tzinfo else there.replace(tzinfo=UTC)) - now).total_seconds())


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
