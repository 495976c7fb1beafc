"""The cells of a row of the queue, and the columns that people add for themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gates.cells import customer_cell, due_badge, item_tag
from gates.models import ReviewItem
from ledger import cells, money
from ledger.words import from_identifier, kind_words, why_words
from meshline.console.queue.address import Asked
from meshline.console.queue.rows import Group
from meshline.console.queue.walk import item_url

FITS = 14  # characters of a name that its column shows
SHORT = 16  # characters of a preview's hash in a row: enough to see that it changed; the confirm page carries all


@dataclass(slots=True)
class GroupLine:
    """A group of failures as it is drawn above its first item."""

    group: Group
    url: str
    words: str
    first: SafeString
    last: SafeString
    runbook: str


@dataclass(slots=True)
class Row:
    """One item as it is drawn. `pick` is what its check box says: id, version and preview that were shown."""

    item: Any
    url: str
    pick: str
    tag: SafeString
    what: str
    about: str
    customer: SafeString
    why: str
    rule: str
    amount: str
    due: SafeString
    owner: SafeString
    holder: str
    group: GroupLine | None
    is_shown: bool
    more: Sequence[Any]


def row(one: Any, asked: Asked, columns: Sequence[str]) -> Row:
    """The cells of one item."""
    group: Group | None = getattr(one, "group", None)
    return Row(
        item=one,
        url=item_url(one.pk, asked),
        pick=pick(one),
        tag=state(one),
        what=kind_words(one.kind),
        about=cells.plain(one.sentence, 100),
        customer=customer_cell(one),
        why=why_words(one.why),
        rule=rule(one),
        amount=money.display(one.amount_minor, one.currency) if one.amount_minor is not None else cells.dash(),
        due=due_badge(one),
        owner=owner(one),
        holder=holder(one),
        group=group_line(group, one, asked) if group else None,
        is_shown=group is None or group.unfolded,
        more=[MORE[name][1](one) for name in columns],
    )


def group_line(group: Group, first: ReviewItem, asked: Asked) -> GroupLine:
    """What failed, where and how often, with the way to its items and to what people do about it."""
    code, system, automation = group.parts
    said = (f"{cells.system(system)}:" if system else "", why_words(code), f"({from_identifier(automation)})")
    return GroupLine(
        group=group,
        url=asked.unfolded(group.key).url,
        words=" ".join(said if automation else said[:2]).strip(),
        first=cells.moment(group.first),
        last=cells.moment(group.last),
        runbook=reverse("admin:queue_runbook", args=[first.pk]),
    )


def pick(one: ReviewItem) -> str:
    """What a check box carries: the item, and the version and preview that its row stood for."""
    action = one.action
    return (
        f"{one.pk}:{action.state_version}:{action.preview_hash[:SHORT]}" if action else f"{one.pk}:{one.state_version}:"
    )


def state(one: Any) -> SafeString:
    """What the item waits for; where one person agreed already, for a second one."""
    if one.agreed_by and one.action.state == "in_review":
        said = ", ".join(cells.plain(name, 40) for name in one.agreed_by)
        return format_html('<span title="approved by {}">{}</span>', said, cells.tag("in_review", "Second approval"))
    return item_tag(one)


def rule(one: Any) -> str:
    """The words of the rule that asked and its version, or of the error."""
    action, said = one.action, one.reason
    if action is not None and action.state in ("failed", "unknown"):
        said = action.last_error or said
    elif one.gate_version:
        said = f"{said or why_words(one.why)} ({one.why} v{one.gate_version})"
    return cells.plain(said or one.why, 100)


def holder(one: Any) -> str:
    """The name that stands cut in its column, in full for the title; empty where it is not cut."""
    name = one.owner.get_username() if one.owner else one.owner_group
    return cells.plain(name, 80) if len(name) > FITS else ""


def owner(one: Any) -> SafeString:
    """Who has it, else whose turn it is; and who has it open right now."""
    holder = (
        cells.theirs(one.owner.get_username(), 40)
        if one.owner is not None
        else format_html('<span class="quiet">{}</span>', cells.plain(one.owner_group, 40))
    )
    if not one.watched_by:
        return holder
    names = ", ".join(cells.plain(name, 40) for name in one.watched_by)
    return format_html('{} <span class="viewing" title="{} has it open">viewing now</span>', holder, names)


def revenue(one: Any) -> SafeString:
    """What the customer pays a month."""
    if one.customer is None or one.customer.mrr_minor is None:
        return cells.dash()
    return cells.amount(one.customer.mrr_minor, one.customer.currency)


def automation(one: Any) -> Any:
    """The automation in words."""
    return from_identifier(one.automation) if one.automation else cells.dash()


MORE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "automation": ("Automation", automation),
    "age": ("Age", lambda one: cells.ago(one.created_at)),
    "mrr": ("Monthly revenue", revenue),
    "system": ("System", lambda one: cells.system(one.provider) if one.provider else cells.dash()),
    "attempts": ("Attempts", lambda one: str(one.action.tries) if one.action else cells.dash()),
    "correlation": ("Correlation", lambda one: cells.code(one.correlation_id or "", keep=8)),
}
