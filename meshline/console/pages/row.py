"""The page of one ledger row: what was decided, on what, by whom, and the provider's word for it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from ledger import cells
from ledger.models import Action, Customer, LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import decision_words, kind_words, rule_words, state_words, subject_words
from meshline.console import facts, parts
from meshline.console.page import Block, Page

FOR_EVER = "The database refuses to change or remove a ledger row, for everybody. A correction is a new row."


def build(request: HttpRequest, row: LedgerRow) -> Page:
    """One row of the journal."""
    customer = Customer.objects.filter(pk=row.customer_id).first() if row.customer_id else None
    step = f"went from {state_words(row.prior_state)} to" if row.prior_state != row.post_state else "stayed"
    return Page(
        title=f"Ledger row #{row.pk}: {decision_words(row.decision).lower()}",
        sentence=f"{subject_words(row.subject_kind).capitalize()} {step} {state_words(row.post_state)}.",
        tag=cells.tag(row.post_state, state_words(row.post_state).capitalize()),
        line=[
            ("Recorded", cells.moment(row.recorded_at, seconds=True)),
            ("By", cells.theirs(actor_names([row.actor])[row.actor], 60)),
            ("Mode", row.mode),
            ("Customer", page_of(customer, cells.theirs(customer)) if customer else cells.dash()),
        ],
        main=[
            Block("Reasons", columns=("Rule", "Answer", "Reason"), rows=_reasons(row), empty="None noted.", wide=True),
            Block("Facts it was judged on", pairs=facts.pairs(row.inputs), empty="No facts were needed.", wide=True),
        ],
        side=[_outcome(row), _details(row), Block("Read-only", text=FOR_EVER)],
        back=(reverse("admin:ledger_ledgerrow_changelist"), "Ledger"),
        correlation=str(row.correlation_id or ""),
    )


def _reasons(row: LedgerRow) -> list[tuple[Any, ...]]:
    given = [one for one in row.reasons if isinstance(one, dict)]
    return [
        (rule_words(str(one.get("rule", ""))), _answer(one.get("verdict")), cells.theirs(one.get("reason") or "", 300))
        for one in given
    ]


def _answer(verdict: Any) -> Any:
    return cells.tag(str(verdict), parts.RESULTS.get(str(verdict), str(verdict))) if verdict else cells.dash()


def _outcome(row: LedgerRow) -> Block:
    """What came of it."""
    pairs = [
        ("Outcome", state_words(row.outcome) if row.outcome else cells.dash()),
        ("Error", cells.code(row.error_code)),
        ("Confirmed by", cells.code(row.confirmation_id)),
        ("Applied", cells.moment(row.applied_at, seconds=True)),
        ("Latency", f"{row.latency_ms} ms" if row.latency_ms is not None else cells.dash()),
        ("Amount", cells.amount(row.amount_minor, row.currency)),
    ]
    return Block("Outcome", pairs=pairs)


def _details(row: LedgerRow) -> Block:
    """What it belongs to."""
    action = Action.objects.filter(pk=row.action_id).first() if row.action_id else None
    event: Any = cells.dash()
    if row.event_id:
        event = cells.link(reverse("admin:ledger_event_change", args=[row.event_id]), f"event {row.event_id}")
    pairs = [
        ("About", format_html("{} {}", subject_words(row.subject_kind), cells.code(row.subject_id))),
        ("Action", page_of(action, kind_words(action.kind)) if action else cells.dash()),
        ("Event", event),
        ("Key", cells.code(row.key)),
        ("Rule version", cells.code(row.rule_version)),
        ("Version", row.state_version),
    ]
    return Block("Details", pairs=pairs)
