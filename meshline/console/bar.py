"""The decision bar of a review item: which verbs there are for whom, what forbids the others, and the form of one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core import signing
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from gates import review
from gates.models import ReviewItem
from gates.review import Verb
from gates.rollout.lowering import QUARANTINE
from gates.stop import Refused
from ledger import cells, clock
from ledger.models import Action
from ledger.words import kind_words, rule_words
from meshline.console import facts, judgement, parts, proposal_form
from meshline.console.pages.item_story import Story
from meshline.console.queue import walk
from sync import actions, proposals

FIRST = ("approve", "reject")
AT_HAND = ("snooze", "claim", "release", "undo")
FOLDED = ("edit", "assign", "escalate", "rollback", "wake")
KEYS = {
    "approve": "a", "reject": "r", "retry": "t", "check": "t", "snooze": "h", "claim": "c", "release": "c",
}  # fmt: skip
NEEDS_REASON = ("approve", "reject", "retry", "escalate")
ASKS_MORE = ("snooze", "assign", "edit", "rollback")  # a form of their own opens first; nothing is done by opening it
REASONS = (
    "Checked with the customer", "Agreed with billing", "Customer paid meanwhile", "Wrong customer or contract",
    "Duplicate",
)  # fmt: skip
SNOOZES = {
    "1h": "for 1 hour", "4h": "for 4 hours", "tomorrow": "until tomorrow 09:00", "3d": "for 3 days", "7d": "for 7 days",
}  # fmt: skip
WAITS = {
    "customer": "the customer has to answer (the clock rests)",
    "time": "it is too early (the clock runs on)",
    "event": "an event has to come first (the clock runs on)",
}
MOST_PEOPLE = 200
WHAT_RETRY_DOES = "Retry sends the same bytes under the same key, so a write that did happen is not repeated."
WHAT_AGAIN = "Mark reviewed - retry agrees to nothing: all is read again, and it goes on only if every gate passes."
SALT, MOST_SEEN = "console.seen", 20


@dataclass(frozen=True, slots=True)
class Button:
    """One verb as it is drawn."""

    verb: Verb
    key: str
    needs_reason: bool
    opens_form: bool


def context(request: HttpRequest, item: ReviewItem, story: Story) -> dict[str, Any]:
    """What the bar needs: buttons in three places, the versions the page was drawn with, and the open form, if any."""
    verbs = {one.name: one for one in review.verbs(item, request.user)}  # type: ignore[arg-type]
    resolved = item.state == ReviewItem.State.RESOLVED
    state = item.action.state if item.action else ""
    second = "check" if state == "unknown" else "retry"
    first = [*FIRST, second] if item.action else ["reject"]
    mine = item.owner_id == request.user.pk and item.state == ReviewItem.State.CLAIMED
    hand = [one for one in AT_HAND if one in verbs and one != ("claim" if mine else "release")]
    hand = [one for one in hand if one != "undo" or verbs[one].allowed]
    folded = [one for one in FOLDED if one in verbs and not (one == "wake" and not verbs[one].allowed)]
    offered = undoable(request, item)
    shown = _after_the_end(verbs, offered) if resolved else first
    off = [verbs[one] for one in (*first, *hand) if one in verbs and not verbs[one].allowed]
    return {
        "buttons": [_button(item, verbs[one]) for one in shown if one in verbs],
        "hand": [] if resolved else [_button(item, verbs[one]) for one in hand],
        "folded": [] if resolved else [_button(item, verbs[one]) for one in folded],
        "off": [] if resolved else off,
        "version": item.action.state_version if item.action else item.state_version,
        "item_version": item.state_version,
        "preview_hash": item.action.preview_hash if item.action else "",
        "seen": seen(item),
        "may_comment": request.user.has_perm("gates.claim_item"),
        "may_claim": request.user.has_perm("gates.claim_item") and not resolved,
        "mine": mine,
        "reasons": REASONS,
        "retry_text": WHAT_RETRY_DOES
        if state == "failed"
        else WHAT_AGAIN
        if review.reads_again(item, item.action)
        else "",
        "resolved": resolved,
        "view": walk.remembered(request).here,
        "walking": walk.is_walking(request),
        "undo": offered,
        "stale": differences(item, seen_before(request), story) if request.method == "POST" else None,
    }


def _after_the_end(verbs: Mapping[str, Verb], offered: Mapping[str, Any] | None) -> list[str]:
    """What is still possible when an item is settled: undo, unless it is offered above already, and roll back."""
    named = ("rollback",) if offered and offered["same"] else ("undo", "rollback")
    return [one for one in named if one in verbs and verbs[one].allowed]


def _button(item: ReviewItem, verb: Verb) -> Button:
    asks = verb.name in ASKS_MORE or (verb.name == "reject" and _is_failed(item))
    return Button(verb, KEYS.get(verb.name, ""), verb.name in NEEDS_REASON and not asks, asks)


def _is_failed(item: ReviewItem) -> bool:
    if item.action is None:
        return item.kind == QUARANTINE
    return bool(item.action.state == Action.State.FAILED)


def live_url(item: ReviewItem) -> str:
    """What the open page asks now and then; it carries the versions the page was drawn with."""
    drawn = f"{item.state_version}.{item.action.state_version if item.action else 0}"
    return f"{reverse('admin:review_live', args=[item.pk])}?v={drawn}"


def seen(item: ReviewItem) -> str:
    """What the page shows of the action, signed, so that a stale form can be answered with the differences."""
    action = item.action
    rows = [dict(row) for row in action.preview if isinstance(row, Mapping)][:MOST_SEEN] if action else []
    shown = {
        "state": str(action.state if action else item.state), "version": action.state_version if action else 0,
        "amount": parts.money_text(action), "rows": rows,
    }  # fmt: skip
    return signing.dumps(shown, salt=SALT, compress=True)


def seen_before(request: HttpRequest) -> dict[str, Any]:
    """What the page that was sent from showed; empty when it does not say so, or somebody changed it."""
    try:
        found = signing.loads(request.POST.get("seen", "")[:20_000], salt=SALT)
    except (signing.BadSignature, json.JSONDecodeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remember_undo(request: HttpRequest, item: ReviewItem) -> None:
    """The person approved this a moment ago: whatever page comes next offers to take it back."""
    request.session["undo"] = [item.pk, clock.now().isoformat()]


def undoable(request: HttpRequest, item: ReviewItem) -> dict[str, Any] | None:
    """The approval that can still be taken back, and for how many seconds; None when there is none."""
    kept = request.session.get("undo")
    if not (isinstance(kept, list) and len(kept) == 2 and settings.MESHLINE_UNDO_SECONDS):
        return None
    at = facts.instant(kept[1])
    left = settings.MESHLINE_UNDO_SECONDS - (clock.now() - at).total_seconds() if at else 0
    if left < 1:
        return None
    return {"item": kept[0], "seconds": int(left), "class": min(10, int(left)), "same": kept[0] == item.pk}


# --- the form of one verb


def form(request: HttpRequest, item: ReviewItem, verb: str) -> dict[str, Any]:
    """What the bar shows instead of its buttons while a verb asks for more than a reason."""
    makers = {"snooze": _snooze, "assign": _assign, "edit": _edit, "rollback": _rollback, "reject": _exception}
    made = makers[verb](request, item) if verb in makers else {}
    return {"verb": verb, "label": LABELS.get(verb, verb.capitalize()), "typed": request.POST, **made}


LABELS = {
    "snooze": "Snooze", "assign": "Assign", "edit": "Change the proposal", "rollback": "Roll back",
    "reject": "Close as failed", "escalate": "Escalate",
}  # fmt: skip


def _snooze(request: HttpRequest, item: ReviewItem) -> dict[str, Any]:
    return {"untils": SNOOZES.items(), "waits": WAITS.items()}


def _exception(request: HttpRequest, item: ReviewItem) -> dict[str, Any]:
    """Closing a failed item asks what was wrong, what was done and what keeps it from coming again."""
    return {"causes": review.CAUSES.items(), "error": item.action.last_error if item.action else ""}


def _assign(request: HttpRequest, item: ReviewItem) -> dict[str, Any]:
    able = User.objects.filter(is_active=True, groups__permissions__codename="claim_item").distinct()
    return {
        "people": list(able.order_by("username").values_list("pk", "username")[:MOST_PEOPLE]),
        "groups": list(Group.objects.order_by("name").values_list("name", flat=True)[:50]),
    }


def _edit(request: HttpRequest, item: ReviewItem) -> dict[str, Any]:
    """The fields that the action's kind asks for, with what is proposed now or what was typed."""
    action = item.action
    if action is None or action.kind not in actions.ACTIONS:
        return {"fields": []}
    given = proposal_form.typed(request.POST) or proposal_form.text_of(action.kind, action.params)
    return {"fields": proposal_form.fields(action.kind, given), "about": kind_words(action.kind)}


def _rollback(request: HttpRequest, item: ReviewItem) -> dict[str, Any]:
    return rollback_preview(item.action, request.user) if item.action else {}


def rollback_preview(action: Action, user: Any) -> dict[str, Any]:
    """What undoing would change, without storing anything; or why it cannot be undone."""
    kind = actions.get(action.kind) if action.kind in actions.ACTIONS else None
    if kind is None or not kind.inverse_of(action.params):
        why = kind.final_because(action.params) if kind else ""
        return {"why_not": why or "there is nothing that undoes it", "runbook": kind.runbook if kind else ""}
    inverse = kind.inverse_of(action.params)
    told: dict[str, Any] = {"inverse": kind_words(inverse), "runbook": kind.runbook}
    if not user.has_perm(proposals.PERMISSION):
        return {**told, "hidden": True}
    try:
        params = kind.undo(action.params, action.facts)
        shown = proposals.preview(inverse, action.contract_id or "", params, by=user)
    except Refused as refusal:
        return {**told, "why_not": refusal.message}
    return {**told, "rows": preview_rows(shown["preview"])}


def failing(shown: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What the gates would say of a preview that is not stored: (rule, tag, reason)."""
    return [
        (rule_words(str(one["rule"])), judgement.verdict_tag(str(one["verdict"])), cells.theirs(one["reason"], 300))
        for one in shown["failing"]
    ]


def preview_rows(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of a preview as cells of system, field, now and after."""
    return [parts.preview_row(row) for row in rows if isinstance(row, Mapping)]


# --- a page that was drawn before something changed


def differences(item: ReviewItem, before: Mapping[str, Any], story: Story) -> dict[str, Any] | None:
    """What the sent page showed against what is there now, and who changed it when; None when the page did not say."""
    action = item.action
    if not before or action is None:
        return None
    rows = [("State", _state(str(before.get("state", ""))), action.get_state_display())]
    rows.append(("Version", str(before.get("version", "")), str(action.state_version)))
    rows.append(("Amount", str(before.get("amount", "")), parts.money_text(action)))
    rows += _preview_differences(before.get("rows"), action)
    since = [
        (cells.moment(row.recorded_at, seconds=True), story.names.get(row.actor, row.actor), parts.said(row))
        for row in story.rows
        if row.outcome != "refused" and row.state_version > int(before.get("version") or 0)
    ]
    return {"rows": [row for row in rows if row[1] != row[2]], "since": since[-6:]}


def _state(state: str) -> str:
    return str(dict(Action.State.choices).get(state, state))


def _preview_differences(shown: Any, action: Action) -> list[tuple[Any, str, str]]:
    was = {_place(row): row for row in shown if isinstance(row, Mapping)} if isinstance(shown, list) else {}
    now = {_place(row): row for row in action.preview if isinstance(row, Mapping)}
    told: list[tuple[Any, str, str]] = []
    for place in dict.fromkeys((*was, *now)):
        told.append((format_html("{}: {}", *place), _step(was.get(place)), _step(now.get(place))))
    return told


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return cells.plain(row.get("system") or "", 60), cells.plain(row.get("field") or "", 80)


def _step(row: Mapping[str, Any] | None) -> str:
    return cells.plain(f"{row.get('now') or '-'} → {row.get('after') or '-'}", 200) if row else "not there"
