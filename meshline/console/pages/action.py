"""The page of an action: what it changes, why it may, what was sent and what came back."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from gates import review
from gates.models import GateVersion
from ledger import cells
from ledger.models import Action, LedgerRow
from ledger.readonly import page_of
from ledger.words import event_words, kind_words
from meshline.console import facts, judgement, parts
from meshline.console.page import Block, Page, present
from sync import actions
from sync.models import Attempt

ROLL_BACK = review.PERMISSIONS["rollback"]

EXPLAINED = {
    "held": "Waits for time. Nothing was sent; it is judged again on fresh facts when the time comes.",
    "in_review": "Waits for a person. Nothing was sent.",
    "approved": "May be sent. It leaves as soon as a worker takes it.",
    "parked": "Held by the emergency stop. Nothing is sent until writes are resumed; then it is judged again.",
    "sending": "The request is stored and may be on its way. Not confirmed yet.",
    "unknown": "It was sent and the answer was lost. Meshline asks the provider before anything is sent again.",
    "applied": "Confirmed by the provider.",
    "failed": "The provider refused it. Nothing more is sent unless a person retries.",
    "rejected": "A person said no. Nothing was sent after that.",
    "superseded": "Withdrawn, because what happened since made it pointless.",
    "observed": "Only written down, in shadow mode. Nothing was sent.",
    "compensated": "It was confirmed, and later undone by another action.",
    "proposed": "Just proposed.",
}


def build(request: HttpRequest, record: Action) -> Page:
    """Read everything about one action."""
    related = ("customer", "contract", "event", "reverses", "requested_by")
    action = Action.objects.select_related(*related).get(pk=record.pk)
    rows = list(LedgerRow.objects.filter(action_id=action.pk).order_by("id")[: parts.MOST])
    attempts = list(Attempt.objects.filter(action=action.pk).order_by("id")[: parts.MOST])
    may_review = request.user.has_perm("gates.view_reviewitem")
    main = [
        parts.preview(action, "What it changes", request),
        judgement.block(action, _gates(action)),
        parts.items(action.review_items.select_related("action").order_by("-id")[:5]) if may_review else None,
        parts.attempts(attempts, parts.list_of("sync_attempt", action=action.pk)),
        parts.ledger_rows(rows, parts.list_of("ledger_ledgerrow", action=action.pk), "No ledger rows yet."),
    ]
    return Page(
        title=f"{kind_words(action.kind)}",
        sentence=EXPLAINED.get(action.state, ""),
        tag=cells.tag(action.state, action.get_state_display()),
        line=_line(action),
        main=present(main),
        side=[_confirmation(action), _judged(action), _inside(action)],
        back=(reverse("admin:ledger_action_changelist"), "Actions"),
        correlation=str(action.correlation_id),
        template="console/action.html",
        more={"action": action, "verb": _roll_back(request, action), "version": action.state_version},
    )


def _gates(action: Action) -> judgement.GateOf:
    """The gates that judged it, by name and version, in one query."""
    names = [str(one.get("rule")) for one in action.answers if isinstance(one, Mapping)]
    found = GateVersion.objects.filter(name__in=names).values("name", "version", "title", "rows")
    known = {(one["name"], one["version"]): one for one in found}
    return lambda name, version: known.get((name, version))


def _roll_back(request: HttpRequest, action: Action) -> dict[str, Any]:
    """The one thing that can be done to an action that is done: undo it. Off with the reason where it cannot be."""
    kind = actions.get(action.kind) if action.kind in actions.ACTIONS else None
    why_not = ""
    if not request.user.has_perm(ROLL_BACK):
        why_not = f"your account may not roll back; it needs the permission {ROLL_BACK}"
    elif action.state != Action.State.APPLIED:
        why_not = f"the action is {action.get_state_display().lower()}; only what is confirmed can be undone"
    elif kind is None or not kind.inverse_of(action.params):
        reason = kind.final_because(action.params) if kind else ""
        why_not = f"it cannot be undone by another action{f': {reason}' if reason else ''}"
    return {
        "allowed": not why_not, "why_not": why_not, "runbook": kind.runbook if kind else "",
        "inverse": kind_words(kind.inverse) if kind and kind.inverse else "",
    }  # fmt: skip


def _line(action: Action) -> list[tuple[str, Any]]:
    line: list[tuple[str, Any]] = [("Customer", page_of(action.customer, cells.theirs(action.customer)))]
    if action.contract:
        line.append(("Contract", page_of(action.contract, cells.code(action.contract.external_id, keep=12))))
    if action.amount_minor is not None:
        line.append(("Amount", cells.amount(action.amount_minor, action.currency)))
    if action.state == Action.State.HELD:
        line.append(
            ("Held until", format_html("{} ({})", cells.moment(action.available_at), cells.ago(action.available_at)))
        )
    if action.mode != Action.Mode.LIVE:
        line.append(("Mode", cells.tag("", action.get_mode_display())))
    line.append(("Because", cells.theirs(action.because, 300) if action.because else cells.dash()))
    return line


def _confirmation(action: Action) -> Block:
    """The provider's own word, without which nothing is done."""
    if action.confirmation:
        return Block(
            "Confirmed by the provider", pairs=facts.pairs(action.confirmation), note=cells.moment(action.applied_at)
        )
    empty = {
        "unknown": f"Not confirmed. Looked {action.looks} times so far.",
        "sending": "Not confirmed yet.",
    }.get(action.state, "Nothing was confirmed.")
    pairs = [("Last error", cells.theirs(action.last_error, 300))] if action.last_error else []
    return Block("Confirmation", pairs=pairs, empty=empty, note="" if not pairs else empty)


def _judged(action: Action) -> Block:
    """The facts it was judged on, as the ledger keeps them."""
    return Block("Facts it was judged on", pairs=facts.pairs(action.facts)[:30], empty="No facts were needed.")


def _inside(action: Action) -> Block:
    """Ids and numbers for support of the support."""
    event = page_of(action.event, event_words(action.event.kind)) if action.event else cells.dash()
    asked = (
        cells.theirs(action.requested_by.get_username()) if action.requested_by else (action.automation or "Meshline")
    )
    return Block(
        "Details",
        pairs=[
            ("Action id", cells.code(action.pk)),
            ("Asked for by", asked),
            ("Event", event),
            ("System", cells.system(action.provider or "system")),
            ("Target", cells.code(action.target)),
            ("Once per", cells.code(action.business_key)),
            ("Key sent", cells.code(action.key)),
            ("Provider's job", cells.code(action.job_ref)),
            ("Writes begun", action.tries),
            ("Looks", action.looks),
            ("Rule version", cells.code(action.rule_version)),
            ("Undoes", page_of(action.reverses)),
            ("First sent", cells.moment(action.sent_at, seconds=True)),
            ("Version", action.state_version),
        ],
    )
