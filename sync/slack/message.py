"""What a message about an item says: the case in few lines, who decided and when, and the buttons there may be."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from gates import review, runbooks
from gates.models import ReviewItem, StopSwitch
from ledger import cells, clock, money, words
from ledger.models import Action, ContextRecord, Contract, Customer
from sync.claims import drafts
from sync.slack import blocks, refs
from sync.slack.blocks import Block
from sync.slack.models import SlackMessage

MOST_CHANGES, MOST_FAULTS = 8, 8
COMPANY = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
SHORT_HASH = 12
ENDED = ("applied", "failed", "rejected", "superseded", "compensated", "observed")
NO_FURTHER = ("retried",)  # a new outcome follows, under another item if it fails again
SENTENCE, NAME = 500, 80
STYLES = {"approve": "primary", "reject": "danger"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as it is to be: `version` of what it shows, `final` when nothing will change any more."""

    content: dict[str, Any]
    version: str
    final: bool


def render(item_id: int, marker: Any) -> Rendered:
    """The message about an item as it is now. A handful of reads."""
    related = ("action", "customer", "owner", "resolved_by", "action__contract", "action__customer", "event")
    item = ReviewItem.objects.select_related(*related).get(pk=item_id)
    action: Action | None = item.action
    stopped = _stopped(action)
    title = _title(item)
    over = item.state == ReviewItem.State.RESOLVED
    sentence = _plain(drafts.marked(item.sentence, item.customer_id), SENTENCE)
    lines: list[Block] = [blocks.header(title), blocks.section(sentence)]
    if over:
        lines.append(blocks.section(_decided(item, action)))
    else:
        lines += [blocks.fields(_facts(item)), *_to_correct(item, action), *_snapshot(item)]
    lines += [*_week(item), *_changes(action), *([] if over else _trouble(item, action))]
    if stopped and not over:
        lines.append(blocks.section("The emergency stop is on for this: what is approved now waits until it is over."))
    if made := _buttons(item, marker, over=over):
        lines.append(blocks.buttons(f"review:{item.pk}", made))
    shown = f", preview {action.preview_hash[:SHORT_HASH]}" if action and action.preview_hash else ""
    lines.append(blocks.context(f"{item}{shown}"))
    text = f"{item}: {_decided(item, action) if over else sentence}"
    version = f"{item.state_version}.{action.state_version if action else '-'}{'.s' if stopped else ''}"
    final = over and (action is None or action.state in ENDED)
    return Rendered({"text": blocks.escaped(text, blocks.FALLBACK), "blocks": lines}, version, final)


def _stopped(action: Action | None) -> bool:
    scopes = [f"provider:{action.provider}", f"automation:{action.automation}"] if action else []
    return bool(scopes) and StopSwitch.objects.filter(scope__in=scopes).exclude(state="running").exists()


def _title(item: ReviewItem) -> str:
    amount = f", {money.display(item.amount_minor, item.currency)}" if item.amount_minor is not None else ""
    return f"{words.kind_words(item.kind)}{amount}"


def _facts(item: ReviewItem) -> list[tuple[str, str]]:
    """Amount, why, SLA badge and whose it is."""
    pairs = [
        ("Why a person", words.why_words(item.why) + (f": {_plain(item.reason, SENTENCE)}" if item.reason else ""))
    ]
    if item.amount_minor is not None:
        pairs.insert(0, ("Amount", money.display(item.amount_minor, item.currency)))
    owner = item.owner_group
    if item.owner is not None:
        claimed = item.state == ReviewItem.State.CLAIMED
        owner += f", {'claimed by' if claimed else 'for'} {item.owner.get_username()}"
    return [*pairs, ("SLA", _badge(item)), ("Owner", owner)]


def _to_correct(item: ReviewItem, action: Action | None) -> list[Block]:
    """What is wrong and where, one thing a line; and how it goes on once that is mended."""
    if not review.reads_again(item, action):
        return []
    marked = review.marked(item)
    faults = [one for one in item.reason.split("; ") if one]
    lines = [f"Marked reviewed{marked} and read again. Still:" if marked else "To be corrected:"]
    lines += [f"• {_plain(one, 200)}" for one in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        lines.append(f"and {len(faults) - MOST_FAULTS} more")
    return [blocks.section("\n".join([*lines, f"Then press {refs.LABELS['retry']}: everything is read again."]))]


def _week(item: ReviewItem) -> list[Block]:
    """The report of a week, a line each; figures and names of checks only."""
    told = item.evidence.get("week") if isinstance(item.evidence, dict) else None
    return [blocks.section("\n".join(_plain(one, SENTENCE) for one in told))] if isinstance(told, list) and told else []


def _badge(item: ReviewItem) -> str:
    """The badge's text as of now; the message is written again at bumps only, so the instant stands beside it."""
    if item.paused_at is not None:
        return f"paused, {cells.left(item.due_at, item.paused_at)[0]}: the customer has to answer"
    bumped = f", bumped {item.bumps}x" if item.bumps else ""
    return f"{cells.left(item.due_at, clock.now())[0]}, due {cells.utc(item.due_at)}{bumped}"


def _snapshot(item: ReviewItem) -> list[Block]:
    """Four lines: who, contract, billing, money."""
    action: Action | None = item.action
    customer: Customer | None = item.customer or (action.customer if action else None)
    if customer is None:
        return []
    contract: Contract | None = action.contract if action else None
    record = ContextRecord.objects.filter(customer=customer).first()
    found = record.blocks if record is not None and isinstance(record.blocks, dict) else {}
    suffix = f":{contract.pk}" if contract else ""
    billing = found.get(f"billing{suffix}", found.get("billing"))
    billing = billing if isinstance(billing, dict) else {}
    return [blocks.section("\n".join((_who(customer), _contract(contract), _billing(billing), _revenue(customer))))]


def _who(customer: Customer) -> str:
    return f"{cells.plain(customer.name or customer.external_id, NAME)}, {customer.get_tier_display()}"


def _contract(contract: Contract | None) -> str:
    if contract is None:
        return "Contract: none linked"
    until = f" until {contract.ends_at:%Y-%m-%d}" if contract.ends_at else ""
    return f"Contract: {words.state_words(contract.state)}{until}, plan {cells.plain(contract.plan, 40) or 'not known'}"


def _billing(billing: dict[str, Any]) -> str:
    if not billing:
        return "Billing: not read yet"
    listed = billing.get("invoices")
    rows = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    unpaid = sum(1 for one in rows if one.get("status") in ("open", "past_due", "uncollectible"))
    status = str(billing.get("subscription_status") or "unknown").replace("_", " ")
    disputes, fraud = billing.get("open_disputes") or 0, "fraud warning" if billing.get("fraud_flag") else "no fraud"
    return f"Billing: subscription {cells.plain(status, 40)}, {unpaid} unpaid, {disputes} disputes, {fraud}"


def _revenue(customer: Customer) -> str:
    return f"Monthly revenue: {money.display(customer.mrr_minor, customer.currency)}"


def _changes(action: Action | None) -> list[Block]:
    """The preview: what would be different afterwards."""
    rows = [one for one in (action.preview if action else []) if isinstance(one, dict)]
    if not rows:
        return []
    lines = [
        f"{cells.plain(one.get('system', ''), 40)} {cells.plain(one.get('field', ''), 60)}: "
        f"{_plain(one.get('now', '-'), 100)} → {_plain(one.get('after', '-'), 100)}"
        for one in rows[:MOST_CHANGES]
    ]
    left = len(rows) - len(lines)
    return [blocks.section("\n".join(["What it would change", *lines, *([f"and {left} more"] if left > 0 else [])]))]


def _plain(value: Any, limit: int) -> str:
    """A text as a channel may read it: nobody knows the rights of everybody in there, so addresses are masked."""
    return ADDRESS.sub(lambda found: cells.masked(found.group()), cells.plain(value, limit))


def _trouble(item: ReviewItem, action: Action | None) -> list[Block]:
    """What went wrong, and the page that says what to do about it."""
    lines = []
    if action is not None and action.state == "failed":
        lines.append(f"It failed: {words.from_identifier(action.error_code)}. {_plain(action.last_error, 300)}")
    book = runbooks.for_item(item)
    if book is not None:
        lines.append(f"Runbook: {book.title}")
    return [blocks.section("\n".join(lines))] if lines else []


def _decided(item: ReviewItem, action: Action | None) -> str:
    """Who decided what, when, and where that is by now; only what is confirmed is called so."""
    who = item.resolved_by.get_username() if item.resolved_by else "Meshline"
    at: datetime | None = item.resolved_at
    when = f" at {cells.utc(at)}" if at else ""
    now = f" The action is {words.state_words(action.state)} now." if action is not None else ""
    marked = "" if item.resolved_by or action is None else review.marked(item)
    now += f" Marked reviewed{marked}." if marked else ""
    return f"{words.from_identifier(item.resolution or 'resolved')} by {who}{when}.{now}"


def _buttons(item: ReviewItem, marker: Any, *, over: bool) -> list[Block]:
    value = "" if over else refs.sign(refs.of(item, marker))
    made = [
        blocks.button(f"{refs.PREFIX}{verb}", refs.LABELS[verb], value, style=STYLES.get(verb, ""))
        for verb in refs.offered(item)
    ]
    base = str(settings.MESHLINE_PROVIDERS["slack"].get("console_url") or "")
    if base:
        url = base + reverse("admin:gates_reviewitem_change", args=[item.pk])
        made.append(blocks.button(refs.OPEN, "Open", url=url))
    deal = _deal(item)
    return [*made, blocks.button(refs.OPEN_DEAL, "Open deal", url=deal)] if deal else made


def _deal(item: ReviewItem) -> str:
    """Where the deal is that has to be corrected; empty where there is none, or nobody said whose CRM it is."""
    action: Action | None = item.action
    company = str(settings.MESHLINE_PROVIDERS.get("pipedrive", {}).get("company") or "")
    kind, _, rest = action.business_key.partition(":") if action else ("", "", "")
    deal = rest.partition(":")[0]
    return f"https://{company}.pipedrive.com/deal/{deal}" if kind == "deal" and COMPANY.fullmatch(company) else ""


def form(item: ReviewItem, verb: str, metadata: str) -> dict[str, Any]:
    """The form that asks for the reason of a decision."""
    label = refs.LABELS[verb]
    action: Action | None = item.action
    shown = f"{_title(item)}\n{_plain(drafts.marked(item.sentence, item.customer_id), SENTENCE)}"
    return {
        "type": "modal", "callback_id": f"{refs.PREFIX}{verb}", "private_metadata": metadata,
        "title": blocks.plain(label, blocks.TITLE), "submit": blocks.plain(label, blocks.TITLE),
        "blocks": [
            blocks.section(shown), *_changes(action),
            blocks.reason_input("why", "text", "Reason; it is kept with the decision"),
        ],
    }  # fmt: skip


def of_click(message: SlackMessage | None, ref: refs.Ref, channel: str, ts: str) -> bool:
    """Whether a button is one of the message it came with. A message whose answer was lost has no time stamp yet."""
    return (
        message is not None and str(message.marker) == ref.marker and message.channel == channel
        and message.ts in ("", ts)
    )  # fmt: skip
