"""Who gets an item, and why: the rule that chose its owner, what it looked at, and what the rules would say today."""

from typing import Any

from django.utils.html import format_html

from gates import accounts, ownership, regions
from gates.models import ReviewItem
from ledger import cells, money
from ledger.words import state_words
from meshline.console.page import Block
from meshline.console.pages.item_story import Story


def block(item: ReviewItem, story: Story) -> Block | None:
    """The explanation; nothing once the item is settled."""
    if item.state == ReviewItem.State.RESOLVED:
        return None
    account = _account(story)
    told: dict[str, Any] = {"kind": item.kind, "why": item.why, "automation": item.automation, **account}
    owner = ownership.current().owner_of(told)
    pairs: list[tuple[str, Any]] = [("Came here by", cells.plain(item.routed_by, 200) or "no rule; it was given")]
    if account:
        pairs.append(("Looked at", _looked_at(told, item)))
    moved = item.owner_group != owner.group or (owner.person is not None and item.owner_id not in (None, owner.person))
    pairs.append(("By the rules of now", format_html("{}{}", _clause(owner), _since(moved=moved))))
    return Block("Who gets this, and why", pairs=pairs)


def _account(story: Story) -> dict[str, Any]:
    """What routing needs of the customer and of the contract that the item is about."""
    for one in story.raw["account"]:
        known = {name: one[name] for name in ("tier", "mrr_minor", "contract_state")}
        return {**known, **accounts.known(one["paying"], one["country"], one["named"])}
    return {}


def _clause(owner: ownership.Owner) -> str:
    return cells.plain(f"{owner.group}, because of {owner.why}", 300)


def _since(*, moved: bool) -> str:
    return "; it was given to somebody else, bumped, or opened under other rules" if moved else ""


def _looked_at(told: dict[str, Any], item: ReviewItem) -> str:
    customer = item.customer
    shown = [str(told.get("tier") or "")]
    if told.get("mrr_minor") is not None and customer and customer.currency:
        shown.append(f"{money.display(told['mrr_minor'], customer.currency)} a month")
    if told.get("contract_state"):
        shown.append(f"contract {state_words(str(told['contract_state']))}")
    if told.get("payment_state"):
        shown.append(accounts.PAYMENT_STATES.get(str(told["payment_state"]), str(told["payment_state"])).lower())
    shown.append(regions.REGIONS.get(str(told.get("region") or ""), "region not known"))
    return cells.plain(", ".join(filter(None, shown)), 200)
