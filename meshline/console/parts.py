"""Blocks that several pages share: the preview, the answers of rules, ledger rows, attempts, actions and links."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from gates.cells import item_tag
from gates.models import ReviewItem
from ledger import cells, money
from ledger.models import Action, Contract, Customer, Event, ExternalId, LedgerRow
from ledger.readonly import PERSONAL, actor_names, page_of
from ledger.words import (
    decision_words,
    event_words,
    from_identifier,
    kind_words,
    rule_words,
    state_words,
    subject_words,
    verdict_words,
)
from meshline.console import doors, facts
from meshline.console.page import Block
from sync import actions as actions_of
from sync.cells import answer_tag
from sync.models import Attempt

MOST = 20
ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
KINDS_OF_ID = {"customer": "customer", "subscription": "subscription", "contract": "contract", "ticket": "ticket"}


def list_of(name: str, **filters: Any) -> str:
    """The address of a list with a filter."""
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(filters)}"


def may_see_personal(request: HttpRequest) -> bool:
    """Whether addresses and bodies are shown in full."""
    return request.user.has_perm(PERSONAL)


def email(request: HttpRequest, customer: Customer) -> SafeString:
    """An e-mail address, masked for those who may not see it."""
    if not customer.email:
        return cells.dash()
    return cells.theirs(customer.email if may_see_personal(request) else cells.masked(customer.email))


def door(link: ExternalId) -> SafeString:
    """A link row: to the record at its own system where we know the address."""
    name = f"{cells.system(link.system)} {KINDS_OF_ID.get(link.kind, from_identifier(link.kind).lower())}"
    shown = format_html("{} {}", name, cells.code(link.value, keep=14))
    url = link.url or doors.address(link.system, link.kind, link.value)
    if url.startswith(doors.SAFE):
        return format_html('<a class="door" href="{}" rel="noopener noreferrer" target="_blank">{} ↗</a>', url, shown)
    return format_html('<span class="door">{}</span>', shown)


def links(rows: Sequence[ExternalId]) -> Block:
    """Where else somebody is known, and since when."""
    return Block(
        "Known as",
        pairs=[
            (
                f"{cells.system(one.system)} {from_identifier(one.kind).lower()}",
                format_html('{} <span class="quiet">{}</span>', cells.code(one.value), cells.ago(one.linked_at)),
            )
            for one in rows
        ],
        empty="Not linked to any system yet.",
    )


def preview(action: Action, title: str, request: HttpRequest | None = None) -> Block:
    """System, field, now and after, before anything is done; the exact request one click below.

    Addresses in the request are masked for a person who may not see personal data, and without a `request`.
    """
    rows = [preview_row(row) for row in action.preview if isinstance(row, Mapping)]
    changed = [row for row in rows if str(row[2]) != str(row[3])]
    may_see = request is not None and may_see_personal(request)
    data = {
        "rows": changed,
        "same": len(rows) - len(changed),
        "key": action.key,
        "hash": action.preview_hash[:8],
        "judged": facts.instant(action.facts.get("now")) if isinstance(action.facts, Mapping) else None,
        "request": frozen(action, mask=not may_see),
        "undo": undo_words(action),
        "sent": action.sent_at is not None or action.tries > 0,
        "kind": kind_words(action.kind),
        "params": facts.pairs(action.params) if isinstance(action.params, Mapping) else [],
    }
    return Block(title, template="console/preview.html", data=data, wide=True)


def preview_row(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """One row of a preview as cells: system, field, now, after; amounts with a currency in its own decimals."""
    name, currency = str(_first(row, "field", "name")), str(row.get("currency") or "")
    return (
        cells.system(str(_first(row, "system", "provider"))),
        field_words(name),
        facts.value(name, _first(row, "now", "before", "prior"), currency),
        facts.value(name, _first(row, "after", "new", "then"), currency),
    )


def undo_words(action: Action) -> str:
    """Whether and how this can be undone."""
    kind = actions_of.get(action.kind) if action.kind in actions_of.ACTIONS else None
    if action.state == Action.State.FAILED:
        return "it was refused, so there is nothing to undo."
    why = kind.final_because(action.params) if kind is not None else ""
    if why:
        return f"not by Meshline once it is sent: {why}."
    if kind is not None and kind.inverse:
        inverse = kind_words(kind.inverse_of(action.params)).lower()
        return f"nothing is sent before it is decided; afterwards by a further action: {inverse}."
    return "not by Meshline once it is sent." if action.irreversible else "it adds something and changes nothing else."


def money_text(action: Action | None) -> str:
    """The amount of an action for comparison: plain text."""
    return money.display(action.amount_minor, action.currency) if action is not None else "-"


def said(row: LedgerRow) -> str:
    """What a ledger row says, in words."""
    reason = next((str(one["reason"]) for one in row.reasons if isinstance(one, dict) and one.get("reason")), "")
    return decision_words(row.decision) + (f": {cells.plain(reason, 120)}" if reason else "")


def field_words(name: str) -> str:
    """A field's name in words; a provider's own field name stays as it is."""
    if "." in name:
        return cells.plain(name, 80)
    return capfirst(cells.plain(name, 80)) if " " in name else from_identifier(name.removeprefix("custrecord_mesh_"))


def _first(row: Mapping[str, Any], *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def frozen(action: Action, *, mask: bool = False) -> dict[str, Any] | None:
    """The request as it was stored before its first byte left; bodies that are JSON are laid out."""
    stored = action.request
    if not isinstance(stored, Mapping):
        return None
    headers = "\n".join(f"{pair[0]}: {pair[1]}" for pair in stored.get("headers", []) if len(pair) == 2)
    return {
        "line": cells.plain(f"{stored.get('method', '')} {stored.get('path', '')}", 1200),
        "system": cells.system(str(stored.get("provider", ""))),
        "headers": cells.plain(headers, 4000),
        "body": masked(laid_out(str(stored.get("body", "")))) if mask else laid_out(str(stored.get("body", ""))),
    }


def masked(text: str) -> str:
    """A text with every e-mail address in it masked."""
    return ADDRESS.sub(lambda found: cells.masked(found.group()), text)


def laid_out(body: str) -> str:
    """A body for reading: JSON indented, anything else as it is; long ones cut with a word about it."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False) if body[:1] in "{[" and body else body
    except (ValueError, RecursionError):
        text = body
    cut = "" if len(text) <= 20_000 else f"\n… cut here, {len(text):,} characters in all"
    return cells.plain(text[:20_000], 200_000) + cut


def answers(action: Action) -> Block:
    """Every rule's answer with its reason, the strictest first."""
    rank = {"block": 0, "review_two": 1, "review": 2, "hold": 3}
    given = sorted(
        (one for one in action.answers if isinstance(one, Mapping)),
        key=lambda one: rank.get(str(one.get("verdict")), 9),
    )
    return Block(
        "Rules and gates",
        columns=("Rule", "Answer", "Reason", "Until"),
        rows=[
            (
                f"{rule_words(str(one.get('rule', '')))} v{one.get('version', 1)}",
                cells.tag(str(one.get("verdict")), RESULTS.get(str(one.get("verdict")), str(one.get("verdict")))),
                cells.theirs(one.get("reason") or "", 300),
                facts.value("until", one.get("until")),
            )
            for one in given
        ],
        empty="No rule has judged this yet.",
        note=f"{len(given)} asked" if given else "",
        wide=True,
    )


RESULTS = {
    "pass": "Passes",
    "hold": "Holds",
    "review": "Asks a person",
    "review_two": "Asks two people",
    "block": "Blocks",
}


def ledger_rows(rows: Sequence[LedgerRow], more: str, empty: str, names: Mapping[str, str] | None = None) -> Block:
    """Ledger rows, oldest first: the story."""
    known = actor_names(row.actor for row in rows) if names is None else names
    return Block(
        "Ledger rows",
        columns=("Row", "Time", "Decision", "By", "Before → after", "Outcome"),
        rows=[
            (
                page_of(row, f"#{row.pk}"),
                cells.moment(row.recorded_at, seconds=True),
                decision_words(row.decision),
                cells.theirs(known.get(row.actor, row.actor), 40),
                step(row),
                cells.theirs(
                    ", ".join(filter(None, (state_words(row.outcome) if row.outcome else "", row.error_code))), 80
                ),
            )
            for row in rows
        ],
        empty=empty,
        more=("All of them in the ledger", more),
        wide=True,
    )


def step(row: LedgerRow) -> SafeString:
    """What a row moved."""
    about = "" if row.subject_kind == "action" else f"{subject_words(row.subject_kind)}: "
    if row.prior_state == row.post_state:
        return format_html('<span class="quiet">{}stays {}</span>', about, state_words(row.post_state))
    return format_html("{}{} → {}", about, state_words(row.prior_state), state_words(row.post_state))


def attempts(rows: Sequence[Attempt], more: str) -> Block:
    """Exchanges with providers."""
    return Block(
        "Attempts",
        columns=("Began", "System", "Request", "Answer", "Took"),
        rows=[
            (
                page_of(one, cells.moment(one.began_at, seconds=True)),
                cells.system(one.provider),
                format_html('<code class="path">{} {}</code>', one.method, cells.plain(one.path, 60)),
                answer_tag(one),
                f"{one.ms:,} ms",
            )
            for one in rows
        ],
        empty="Nothing was sent.",
        more=("All attempts", more),
        wide=True,
    )


def actions(rows: Sequence[Action], title: str, empty: str, more: str = "") -> Block:
    """Actions as a table."""
    return Block(
        title,
        columns=("What", "State", "Because", "Not before", "Proposed"),
        rows=[
            (
                page_of(one, kind_words(one.kind)),
                cells.tag(one.state, one.get_state_display()),
                cells.theirs(one.because, 80),
                cells.ago(one.available_at) if one.state == "held" else cells.dash(),
                cells.moment(one.created_at),
            )
            for one in rows
        ],
        empty=empty,
        more=("All actions", more) if more else None,
        wide=True,
    )


def items(rows: Iterable[ReviewItem], title: str = "Waiting for a person") -> Block:
    """Review items as a table."""
    return Block(
        title,
        columns=("Item", "State", "What", "Due"),
        rows=[
            (
                page_of(one),
                item_tag(one),
                cells.theirs(one.sentence, 120),
                cells.due(one.due_at, over=one.state == "resolved"),
            )
            for one in rows
        ],
        empty="Nothing about this waits for a person.",
        wide=True,
    )


def events(rows: Sequence[Event], more: str, empty: str) -> Block:
    """Events as a table."""
    return Block(
        "Events",
        columns=("Received", "Source", "What happened", "State", "Verdict"),
        rows=[
            (
                page_of(one, cells.moment(one.received_at, seconds=True)),
                cells.system(one.source),
                event_words(one.kind),
                cells.tag(one.state, one.get_state_display()),
                cells.theirs(verdict_words(one.verdict), 100) if one.verdict else cells.dash(),
            )
            for one in rows
        ],
        empty=empty,
        more=("All events", more),
        wide=True,
    )


def contracts(rows: Sequence[Contract]) -> Block:
    """Contracts as a table."""
    return Block(
        "Contracts",
        columns=("Contract", "State", "Plan", "Price of a period", "Ends"),
        rows=[
            (
                page_of(one, cells.code(one.external_id, keep=12)),
                cells.tag(one.state, one.get_state_display()),
                cells.theirs(one.plan) if one.plan else cells.dash(),
                cells.amount(one.amount_minor, one.currency),
                cells.moment(one.ends_at),
            )
            for one in rows
        ],
        empty="No contract is known.",
        wide=True,
    )
