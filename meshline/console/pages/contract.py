"""The page of a contract: its standing, its unpaid invoices and what is planned because of them."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates import memo as memos
from ledger import cells
from ledger.models import Action, Contract, LedgerRow
from ledger.readonly import page_of
from meshline.console import facts, parts
from meshline.console.page import Block, Page


def build(request: HttpRequest, record: Contract) -> Page:
    """Read everything about one contract."""
    contract = Contract.objects.select_related("customer").get(pk=record.pk)
    owed = memos.owed(contract.dunning)
    rows = list(
        LedgerRow.objects.filter(subject_kind="contract", subject_id=str(contract.pk)).order_by("-id")[: parts.MOST]
    )[::-1]
    actions = list(Action.objects.filter(contract=contract).order_by("-id")[: parts.MOST])
    links = list(contract.links.all()[: parts.MOST])
    return Page(
        title=f"Contract of {cells.plain(contract.customer, 100)}",
        sentence=_sentence(contract, owed),
        tag=cells.tag(contract.state, contract.get_state_display()),
        line=[
            ("Customer", page_of(contract.customer, cells.theirs(contract.customer))),
            ("Plan", cells.theirs(contract.plan) if contract.plan else cells.dash()),
            ("Price of a period", cells.amount(contract.amount_minor, contract.currency)),
            ("Started", cells.moment(contract.started_at)),
            ("Ends", cells.moment(contract.ends_at)),
        ],
        doors=[parts.door(one) for one in links],
        main=[
            _invoices(contract),
            parts.actions(
                actions,
                "Actions",
                "Nothing was planned or done for this contract.",
                parts.list_of("ledger_action", contract=contract.pk),
            ),
            parts.ledger_rows(
                rows,
                parts.list_of("ledger_ledgerrow", customer=contract.customer_id),
                "The contract never changed its state.",
            ),
        ],
        side=[parts.links(links), history(contract, ("state", "plan", "amount_minor")), _details(contract)],
        back=(reverse("admin:ledger_contract_changelist"), "Contracts"),
    )


def _sentence(contract: Contract, owed: list[str]) -> str:
    words = {
        "past_due": "A payment failed and is not made good yet.",
        "suspended": "Access is suspended.",
        "active": "In good standing.",
        "cancelled": "Over, for good.",
    }.get(contract.state, "")
    unpaid = "" if not owed else f" {len(owed)} unpaid invoice{'s' if len(owed) > 1 else ''}."
    return f"{words}{unpaid}".strip()


def _invoices(contract: Contract) -> Block:
    """The memo of payments as a table; what is owed comes first."""
    owed = memos.owed(contract.dunning)
    rest = [key for key in contract.dunning if key not in owed]
    return Block(
        "Failed payments",
        columns=("Invoice", "Amount", "First failed", "Tries", "Next try", "Settled"),
        rows=[
            _invoice(key, contract.dunning[key]) for key in (*owed, *rest) if isinstance(contract.dunning[key], Mapping)
        ],
        empty="No payment of this contract ever failed.",
        wide=True,
        note=f"{len(owed)} unpaid" if owed else "all settled",
    )


def _invoice(key: str, entry: Mapping[str, Any]) -> tuple[Any, ...]:
    newest = entry.get("newest", [0, 0, 0])
    settled = entry.get("paid_at") or entry.get("closed_at")
    word = "Paid" if entry.get("paid_at") else "Closed"
    return (
        cells.code(entry.get("number") or key),
        cells.amount(entry.get("amount_due"), str(entry.get("currency") or "")),
        cells.moment(memos.failed_at(entry)),
        newest[1] or cells.dash(),
        cells.moment(memos.next_attempt(entry)),
        format_html("{} {}", cells.tag("applied", word), cells.moment(facts.instant(settled)))
        if settled
        else cells.tag("past_due", "Unpaid"),
    )


def history(record: Any, fields: tuple[str, ...]) -> Block:
    """Changes made by people and by configuration; the worker's own moves are in the ledger."""
    rows = list(record.history.select_related("history_user").order_by("-history_date")[:8])
    return Block(
        "Changes by people",
        columns=("When", "Who", "Then"),
        rows=[
            (
                cells.moment(one.history_date),
                cells.theirs(one.history_user.get_username()) if one.history_user else "Meshline",
                _then(one, fields),
            )
            for one in rows
        ],
        empty="Nobody changed this by hand.",
    )


def _then(one: Any, fields: tuple[str, ...]) -> SafeString:
    """The values of some columns after a change."""
    currency = str(getattr(one, "currency", ""))
    shown = [
        (facts.label(name).lower(), facts.value(name, getattr(one, name, None), currency))
        for name in fields
        if getattr(one, name, None) not in (None, "")
    ]
    return format_html_join(", ", "{}: {}", shown)


def _details(contract: Contract) -> Block:
    return Block(
        "Details",
        pairs=[
            ("External id", cells.code(contract.external_id)),
            ("Plan before", cells.theirs(contract.plan_before) if contract.plan_before else cells.dash()),
            ("Known since", cells.moment(contract.created_at)),
            ("Last changed", cells.moment(contract.updated_at)),
            ("Version", contract.state_version),
        ],
    )
