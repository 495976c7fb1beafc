"""Words that say something was done are not the same as its being done: only a confirming ledger row is."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates import claims
from gates.claims import Sense, wording
from gates.models import ReviewItem
from ledger import cells
from ledger.models import Action
from ledger.readonly import page_of
from meshline.console.page import Block
from sync.claims import drafts
from sync.claims import wording as in_force

# What people and assistants write when they mean that the very thing the item is about has happened.
OF_ITEM = re.compile(
    r"\b(?:all\s+done|it(?:'s|\s+is|\s+was)\s+done|completed|resolved|fixed|processed)\b", re.IGNORECASE
)
MARK = "not confirmed by ledger"
TITLE = "The text says that something was done. No ledger row of this customer confirms it since the item was opened."
TONES = {"verified": "applied", "premature": "held", "unverified": "in_review", "contradicted": "failed", "none": ""}
WORDS = {
    "verified": "Verified", "premature": "Premature", "unverified": "Unverified", "contradicted": "Contradicted",
    "none": "Claims nothing",
}  # fmt: skip
SENSES = {"done": "is done", "promised": "will be done", "under_way": "is under way", "denied": "was not done"}


def unconfirmed(text: str, kind: str, confirmed: Collection[str]) -> bool:
    """Whether a text claims something that no confirming row proves; a claim of no kind means the item's own `kind`."""
    topics = wording.shipped().topics
    told = [claim for one in claims.read(text) for claim in one.claims if claim.sense is Sense.DONE]
    if any(not topics[one.topic].kinds & set(confirmed) for one in told):
        return True
    return not told and OF_ITEM.search(text) is not None and kind not in confirmed


def mark(text: str, kind: str, confirmed: Collection[str]) -> SafeString | str:
    """The tag that stands beside such a text, or nothing."""
    if not unconfirmed(text, kind, confirmed):
        return ""
    return format_html('<span class="tag is-amber" title="{}">{}</span>', TITLE, cells.plain(MARK, 60))


def verdict_tag(verdict: str) -> SafeString:
    """What became of a claim."""
    return cells.tag(TONES.get(verdict, ""), WORDS.get(verdict, verdict))


def highlighted(text: str, places: Iterable[tuple[int, int]], most: int = 600) -> SafeString:
    """A text with these places of it marked; what it says is inert."""
    parts: list[tuple[SafeString | str]] = []
    at = 0
    for start, end in sorted(set(places)):
        if start < at or end > len(text):
            continue
        parts += [(text[at:start],), (format_html("<mark>{}</mark>", text[start:end]),)]
        at = end
    parts.append((text[at : at + most],))
    return format_html("<bdi>{}</bdi>", format_html_join("", "{}", parts))


def block(item: ReviewItem) -> Block | None:
    """What the words that would leave with an item's action claim, sentence by sentence; None where they claim nothing.

    The verdicts are those it was judged on; nothing is read for it.
    """
    action = item.action
    said = action.facts.get("said") if action is not None else None
    if action is None or not said:
        return None
    rows = [_row(action, one) for one in said if len(one) == 6]
    words = "A sentence that is not verified is not sent as it stands: correct the text, or wait for the confirmation."
    return Block(
        "What the text claims", columns=("Sentence", "Says of", "Verdict"), rows=[one for one in rows if one],
        note=words, wide=True, anchor="claims",
    )  # fmt: skip


def _row(action: Action, said: Sequence[Any]) -> tuple[Any, ...] | None:
    name, verdict, sense, topic, start, end = said
    text = str(action.params.get(name, ""))
    sentence = next(
        (one for one in claims.read(text, in_force.current()) if one.start <= start and end <= one.end), None
    )
    if sentence is None:
        return None
    shown = highlighted(text[sentence.start : sentence.end], [(start - sentence.start, end - sentence.start)])
    return shown, f"{topic}, {SENSES.get(str(sense), str(sense))}", verdict_tag(str(verdict))


def told(text: str) -> list[str]:
    """The sentences of a text that say something was done, or will be."""
    return [one.text for one in claims.read(text, in_force.current()) if one.claims]


def texts_of(action: Action) -> dict[str, str]:
    """The words that leave with an action, by parameter."""
    return {name: str(action.params[name]) for name in drafts.texts_of(action.kind) if action.params.get(name)}


def about(check: Any) -> Any:
    """What was looked at: the action behind a draft, or whoever asked."""
    if check.action_id is not None:
        return page_of(Action(pk=check.action_id), "action")
    return cells.theirs(check.by.get_username(), 40) if check.by else cells.dash()
