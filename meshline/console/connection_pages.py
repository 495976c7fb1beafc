"""Connections: one card a system with everything that says whether it works, and the two checks people ask for."""

from datetime import timedelta
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates.stop import Refused
from ledger import cells, clock
from meshline import schedules
from meshline.console import parts
from meshline.console.page import Block, Page, Site
from sync import catch_up, providers
from sync.connections import door, known, ping, state
from sync.connections.known import Credential
from sync.connections.models import ConnectionCheck
from sync.connections.state import Card

VIEW = "sync.view_providerstate"
VERBS = {"check": door.CHECK, "test": door.PING}
DONE = {
    "check": "A worker asks {name} now. Reload this page in a moment to see the answer.",
    "test": "A worker sends {name}'s test delivery now. Reload this page in a moment to see what came of it.",
}
ROTATE = (
    "Write the new one to its variable or file. Signing secrets may be several, comma separated: keep the old one "
    "until the system signs with the new one. Files of signing secrets are read again within seconds, all else "
    "at the next start."
)


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The page."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    return _draw(site, request)


def act(site: Site, request: HttpRequest, provider: str, verb: str) -> HttpResponse:
    """Ask for a check or a test delivery; by POST only."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    if verb not in VERBS or provider not in providers.PROVIDERS:
        raise Http404("there is no such connection or verb")
    here = f"{reverse('admin:connections')}#{provider}"
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        door.ask(provider, VERBS[verb], by=cast(User, request.user))
    except Refused as refusal:
        return _draw(site, request, refusal)
    messages.success(request, DONE[verb].format(name=cells.system(provider)))
    return HttpResponseRedirect(here)


def _draw(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    may = request.user.has_perm(door.PERMISSION)
    cards = state.cards()
    bad = [card for card in cards if card.problems]
    page = Page(
        title="Connections",
        sentence=_sentence(bad),
        tag=cells.tag("failed", "Needs attention") if bad else cells.tag("running", "All well"),
        main=[_block(card, may_check=may) for card in cards],
    )
    shown = {"title": page.title, "page": page, "refusal": refusal}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _sentence(bad: list[Card]) -> str:
    if not bad:
        return "Every system that is configured works as far as we know. A check asks it again."
    return f"Something is wrong with {', '.join(cells.system(card.provider) for card in bad)}."


def _block(card: Card, *, may_check: bool) -> Block:
    used = card.known.is_used
    data = {
        "card": card, "tag": _tag(card), "used": used, "pairs": _pairs(card) if used else [],
        "checks": card.provider not in known.UNASKED, "tests": card.provider in ping.MAKERS,
        "may_check": may_check, "can_call": card.known.can_call, "can_test": card.known.can_deliver,
        "pending": _is_pending(card.check, "pending_since"), "sending": _is_pending(card.check, "ping_pending_since"),
        "provider_test": ping.PROVIDER_TEST.get(card.provider, ""), "rotate": ROTATE,
        "name": cells.system(card.provider),
    }  # fmt: skip
    return Block(
        cells.system(card.provider), template="console/connection.html", data=data, wide=True, anchor=card.provider
    )


def _tag(card: Card) -> SafeString:
    if not card.known.is_used:
        return cells.tag("", "Not used")
    if card.problems:
        return cells.tag("failed", "Needs attention")
    return cells.tag("running", "Working") if card.answered_at else cells.tag("", "Not used yet")


def _is_pending(check: ConnectionCheck | None, name: str) -> bool:
    since = getattr(check, name) if check else None
    return since is not None and clock.now() - since < door.AGAIN_AFTER


def _pairs(card: Card) -> list[tuple[str, Any]]:
    """Everything that is known, in the order in which one looks for trouble."""
    told = card.known
    account = told.account or (card.check.found.get("account") if card.check else "")
    pairs: list[tuple[str, Any]] = [
        ("Mode", format_html('{} <span class="quiet">{}</span>', told.mode, cells.plain(told.host, 120))),
        ("Account", cells.theirs(account, 80) if account else cells.dash()),
        ("Credentials", _credentials((*told.credentials, *filter(None, [told.signing]), *told.further))),
        ("Last success", cells.ago(card.answered_at)),
        ("Errors", f"{card.hour.words} in the last hour, {card.day.words} in the last day"),
        ("Breaker", _breaker(card)),
        ("Limits", _limits(card)),
        ("Clock", _clock(card.check)),
        *_versions(card),
        *_scopes(card.check),
        ("Last check", _last_check(card.check)),
        ("Last delivery", cells.ago(card.delivered_at) if card.delivered_at else "none among the newest events"),
        ("Refused deliveries", _refused(card)),
        ("Test delivery", _ping(card.check)),
    ]
    return pairs + _polling(card)


def _credentials(listed: tuple[Credential, ...]) -> SafeString:
    """Which are there and how old their files are; never what they are."""
    return format_html_join("", "<div><code>{}</code> {}</div>", ((one.variable, _there(one)) for one in listed))


def _there(one: Credential) -> str:
    if not one.is_set:
        return "is not set"
    number = f"{one.count} set" if one.count > 1 else "set"
    return f"{number}, its file is {cells.length(one.age)} old" if one.age is not None else number


def _breaker(card: Card) -> Any:
    one = card.state
    if one is None:
        return "closed, not used yet"
    if one.breaker == one.Breaker.OPEN:
        return format_html("{} {}", cells.tag("failed", "Open"), cells.theirs(one.last_error, 200))
    if one.not_before and one.not_before > clock.now():
        return format_html("closed; it asked us to wait until {}", cells.moment(one.not_before))
    return "closed"


def _limits(card: Card) -> Any:
    told = card.check.found.get("limits") if card.check else None
    if not told:
        return "it tells none" if card.check and card.check.checked_at else "known after a check"
    return ", ".join(f"{left} ({words})" for words, left in told)


def _clock(check: ConnectionCheck | None) -> str:
    skew = check.found.get("skew_s") if check else None
    if not isinstance(skew, int):
        return "its answers name no time" if check and check.checked_at else "known after a check"
    return "the same as ours" if abs(skew) < 2 else f"{abs(skew)} s {'ahead of' if skew > 0 else 'behind'} ours"


def _versions(card: Card) -> list[tuple[str, Any]]:
    if not card.known.version and not card.newest_version:
        return []
    pinned, newest = card.known.version or "no version", card.newest_version or "none seen"
    return [("API version", f"our calls name {pinned}; the newest delivery has {newest}")]


def _scopes(check: ConnectionCheck | None) -> list[tuple[str, Any]]:
    if check is None or "scopes_missing" not in check.found:
        return []
    return [("Scopes missing", ", ".join(check.found["scopes_missing"]) or "none")]


def _last_check(check: ConnectionCheck | None) -> Any:
    if check is None or check.checked_at is None:
        return "never"
    tone, word = ("applied", "answered") if check.ok else ("failed", "failed")
    return format_html(
        "{} {}, {}, {} ms", cells.tag(tone, word), cells.ago(check.checked_at), cells.theirs(check.said, 300), check.ms
    )


def _refused(card: Card) -> Any:
    if not card.refused:
        return "none within a day"
    reasons = "; ".join(f"{reason} ({count})" for reason, count in card.reasons[:5]) or "none kept"
    url = parts.list_of("sync_refusal", source=card.provider)
    return format_html('<a href="{}">{} within a day</a>: {}', url, f"{card.refused:,}", cells.theirs(reasons, 300))


def _ping(check: ConnectionCheck | None) -> Any:
    if check is None or check.pinged_at is None:
        return "never sent"
    result = check.ping
    tag = cells.tag("applied", "arrived") if result.get("ok") else cells.tag("failed", "failed")
    told = format_html("{} {}, {}", tag, cells.ago(check.pinged_at), cells.theirs(result.get("said"), 300))
    if not result.get("event"):
        return told
    url = reverse("admin:ledger_event_change", args=[result["event"]])
    return format_html('{}, <a href="{}">the event</a>', told, url)


def _polling(card: Card) -> list[tuple[str, Any]]:
    """Where the system has a list to compare with: the last comparison, and how often it is made."""
    if card.provider not in catch_up.SOURCES:
        return []
    every = next((job.every for job in schedules.SCHEDULES if job.name == "catch_up"), timedelta())
    check = card.check
    if check is None or check.polled_at is None:
        return [("Missed changes", f"asked for every {cells.length(every)}; not asked yet")]
    missing = check.polled.get("missing", 0)
    tag = cells.tag("failed", f"{missing} missing") if missing else cells.tag("applied", "none missing")
    return [(
        "Missed changes",
        format_html(
            "{} of {} changed, {}; asked for every {}", tag, check.polled.get("changed", 0),
            cells.ago(check.polled_at), cells.length(every),
        ),
    )]  # fmt: skip
