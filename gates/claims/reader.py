"""Finds in a text what it claims to have been done, and how it is meant: done, promised, under way, or denied.

A sentence is cut into clauses. A clause claims something where it has a topic's own verb ("refunded"), or a noun of a
topic and a verb that carries it ("a refund was issued"). What stands before the verb says how it is meant; a clause
that begins with its verb ("... and cancelled") takes that over from the one before it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from gates.claims import amounts as money_in
from gates.claims import clauses, wording
from gates.claims.amounts import Amount
from gates.claims.clauses import Clause, Seen, at, held
from gates.claims.letters import Plain, plain
from gates.claims.wording import Topic, Wording

MONEY = ("refund", "credit", "invoice")
PRONOUNS = ("it", "this", "that", "they", "them", "these", "those", "one", "both")
SUBJECTS = ("i", "we", "you", "they", "he", "she", "team", "finance", "billing", "colleague", "colleagues", "support")
BETWEEN = ("have", "has", "had", "just", "already", "also", "now", "did", "ve", "successfully", "today", "yesterday")
HEADS = ("for", "of", "about", "on", "against", "from", "regarding", "concerning")
BE, BEING = "be", "being"
MODALS = ("can", "could", "may", "might", "must", "would")
HYPOTHETICAL = ("would", "could")
AUXILIARY = ("am", "is", "are", "be", "been", "currently", "now", "was", "were", "re", "m")
ID = re.compile(
    r"\b(?:cus|ch|py|in|sub|re|pi|dp|du|il|si)_[A-Za-z0-9]{3,}\b|\b(?:INV|CM|CN|CRED)-?\d[\w-]*\b|\bmesh-[\w-]{4,}\b"
    r"|[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"
)
NEAR, WIDE = 4, 9


class Sense(StrEnum):
    """How a claim is meant."""

    DONE = "done"
    PROMISED = "promised"
    UNDER_WAY = "under_way"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing a text says of one topic. `start` and `end` are places in the given text, of its words."""

    topic: str
    sense: Sense
    start: int
    end: int
    amounts: tuple[Amount, ...] = ()
    count: int = 1
    is_full: bool | None = None
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence with its place in the given text, what it claims, and the ids it names."""

    text: str
    start: int
    end: int
    claims: tuple[Claim, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Event:
    """A verb that was found, in places of the plain text."""

    topic: Topic
    form: str
    start: int
    end: int
    word: int  # its place among the words of the clause
    nouns: tuple[int, ...] = ()
    is_carried: bool = False
    denied_by_noun: bool = False


@dataclass(slots=True)
class Memory:
    """What clauses take over from those before them."""

    before: list[str] = field(default_factory=list)
    nouns: list[Topic] = field(default_factory=list)  # of a clause that had no verb
    last: Topic | None = None
    age: int = 0


@lru_cache(maxsize=512)
def read(text: str, using: Wording | None = None) -> tuple[Sentence, ...]:
    """Every sentence of a text with what it claims. English; the words are those of `wording`."""
    words, page, memory = using or wording.shipped(), plain(text), Memory()
    found = []
    for start, end in clauses.sentences(page.text):
        claims = _claims(page, start, end, words, memory)
        first, last = page.place(start), page.place(end)
        ids = tuple(dict.fromkeys(ID.findall(text[first:last])))
        found.append(Sentence(text[first:last].strip(), first, last, tuple(claims), ids))
        memory.age += 1
        if memory.age > 2:
            memory.last = None
    return tuple(found)


def _claims(page: Plain, start: int, end: int, words: Wording, memory: Memory) -> list[Claim]:
    memory.before, memory.nouns = [], []
    parts = clauses.split(page.text, start, end, words)
    is_question = page.text[start:end].rstrip().endswith("?") and bool(
        parts and parts[0].words and parts[0].words[0].text in words.single("asking")
    )
    found: list[tuple[Claim, Clause, Event]] = []
    for clause in parts:
        seen = _events(page.text, clause, words, memory)
        senses = [(one, _sense(one, clause, words, memory)) for one in seen]
        for event, sense in senses:
            if sense is not None and not is_question:
                claim = Claim(event.topic.name, sense, event.start, event.end)
                found.append((replace(claim, **_extent(event, clause, words)), clause, event))
        _remember(clause, seen, words, memory)
    return _with_amounts(page, start, end, found, words)


# --- which verbs there are


def _events(text: str, clause: Clause, words: Wording, memory: Memory) -> list[Event]:
    nouns = _nouns(clause, words)
    found = [*_own_verbs(clause, words, nouns), *_idioms(text, clause, words)]
    taken = {one.word for one in found}
    for form, phrases in words.carriers.items():
        for seen in at(clause, phrases):
            if seen.first not in taken:
                taken.add(seen.first)
                found += _carried(clause, seen, form, nouns, words, memory)
    unique = {(one.topic.name, one.word): one for one in found}
    return sorted(unique.values(), key=lambda one: one.start)


def _own_verbs(clause: Clause, words: Wording, nouns: Sequence[tuple[Seen, Topic]]) -> list[Event]:
    found = []
    for topic in words.topics.values():
        for form, phrases in topic.forms.items():
            for seen in at(clause, phrases):
                is_noun = form == "base" and any(noun.first <= seen.first < noun.last for noun, _ in nouns)
                if is_noun and not _is_verb(clause, seen):
                    continue
                other = _object_of(clause, seen, nouns, words, topic)
                if other is None:
                    continue
                denied = other is not topic
                found.append(Event(other, form, *clause.span(seen), seen.first, denied_by_noun=denied))
    return found


def _is_verb(clause: Clause, seen: Seen) -> bool:
    """`refund` is a noun and a verb; after "will", "to" or a pronoun it is a verb."""
    before = clause.words[seen.first - 1].text if seen.first else clause.joint
    return before in ("will", "shall", "to", "not", "did", "should", "fully", "gladly", "and", *SUBJECTS)


def _object_of(
    clause: Clause, seen: Seen, nouns: Sequence[tuple[Seen, Topic]], words: Wording, topic: Topic
) -> Topic | None:
    """What is cancelled: None for a thing that is not ours to cancel, another topic where that is what was."""
    if topic.name != "cancel":
        return topic
    things = [one for one in at(clause, words.lists["things"]) if one.first < seen.first + WIDE]
    near = max((one for one in things if one.first < seen.first), default=None, key=lambda one: one.first)
    near = near or min((one for one in things if one.first > seen.first), default=None, key=lambda one: one.first)
    if near is not None and clause.words[near.first].text in words.single("elsewhere"):
        return None
    left = [(one, of) for one, of in nouns if one.first < seen.first and of is not topic]
    if left and (near is None or near.first > seen.first or near.first < left[-1][0].first):
        return left[-1][1] if left[-1][1].name in MONEY else topic
    return topic


def _idioms(text: str, clause: Clause, words: Wording) -> list[Event]:
    found = []
    low = text.lower()
    for topic in words.topics.values():
        for pattern in topic.idioms:
            for seen in pattern.finditer(low, clause.start, clause.end):
                last = max(0, sum(1 for one in clause.words if one.start < seen.end()) - 1)
                first = sum(1 for one in clause.words if one.end <= seen.start())
                verb = next(
                    (n for n in range(last, first - 1, -1) if clause.words[n].text.endswith(("ed", "sent", "given"))),
                    first,
                )
                found.append(Event(topic, "done", *seen.span(), verb))
    return found


def _nouns(clause: Clause, words: Wording) -> list[tuple[Seen, Topic]]:
    found = []
    for topic in words.topics.values():
        for seen in at(clause, topic.nouns):
            after = clause.words[seen.last].text if seen.last < len(clause.words) else ""
            if after not in words.single("not_the_thing"):
                found.append((seen, topic))
    return sorted(found, key=lambda one: one[0].first)


def _carried(
    clause: Clause, seen: Seen, form: str, nouns: Sequence[tuple[Seen, Topic]], words: Wording, memory: Memory
) -> list[Event]:
    """What a verb such as "issued" is said of: the noun it belongs to, and those that wait for their verb."""
    target = _head(clause, seen, nouns)
    start, end = clause.span(seen)
    topics: list[tuple[Topic, tuple[int, ...]]] = []
    if target is not None:
        topics.append((target[1], (target[0].first,)))
    if (target is None or (target[0].first < seen.first and clause.joint in ("and", ",", "or"))) and memory.nouns:
        topics += [(one, ()) for one in memory.nouns]
    is_told = clause.words[seen.first].text not in words.single("not_of_it")
    if not topics and is_told and memory.last is not None and any(one.text in PRONOUNS for one in clause.words):
        topics.append((memory.last, ()))
    firsts = [clause.words[n].start for _, places in topics for n in places]
    lasts = [clause.words[n].end for _, places in topics for n in places]
    return [
        Event(topic, form, min([start, *firsts]), max([end, *lasts]), seen.first, places, is_carried=True)
        for topic, places in topics
    ]


def _head(clause: Clause, seen: Seen, nouns: Sequence[tuple[Seen, Topic]]) -> tuple[Seen, Topic] | None:
    left = [one for one in nouns if one[0].last <= seen.first]
    right = [one for one in nouns if seen.last <= one[0].first <= seen.last + WIDE]
    place = seen.first - 1
    while place >= 0 and clause.words[place].text in BETWEEN:
        place -= 1
    is_active = place >= 0 and clause.words[place].text in SUBJECTS
    if right and (is_active or not left):
        return right[0]
    if not left:
        return None
    n = len(left) - 1
    while n and any(one.text in HEADS for one in clause.words[left[n - 1][0].last : left[n][0].first]):
        n -= 1
    return left[n]


# --- how they are meant


def _sense(event: Event, clause: Clause, words: Wording, memory: Memory) -> Sense | None:
    before = [one.text for one in clause.words[: event.word]]
    if clause.joint and not any(one in words.single("auxiliaries") for one in before) and not event.nouns:
        kept = memory.before
        if clause.joint in words.single("turns"):
            kept = [one for one in kept if one not in words.single("negation")]
        before = [*kept, *before]
    if event.nouns and event.nouns[0] > event.word:  # "issued no refund"
        before += [one.text for one in clause.words[event.word + 1 : event.nouns[0]] if one.text in ("no", "neither")]
    if held(before, words.lists["condition"]):
        return None
    is_denied = _is_denied(before, words) != event.denied_by_noun
    meant = _meant(event, before, words)
    return Sense.DENIED if meant is not None and is_denied else meant


def _meant(event: Event, before: list[str], words: Wording) -> Sense | None:
    will, near = held(before, words.lists["future"]), before[-NEAR:]
    if event.form == "base":
        if held(before, words.lists["past"]):
            return Sense.DONE
        return Sense.PROMISED if will and not _is_wished(before, words) else None
    if event.form == "doing":
        if not event.is_carried and not will and not set(near) & set(AUXILIARY):
            return None
        return None if _is_wished(before, words) else Sense.UNDER_WAY
    if BEING in near:
        return Sense.UNDER_WAY
    if BE in near:
        if will:
            return Sense.PROMISED
        return None if _is_wished(before, words) or "to" in near else Sense.PROMISED
    if _is_wished(before, words):
        modal = next((one for one in reversed(before) if one in MODALS), "")
        return Sense.DONE if modal and modal not in HYPOTHETICAL and "have" in near else None
    return Sense.PROMISED if will else Sense.DONE


def _is_wished(before: list[str], words: Wording) -> bool:
    """Somebody wants it, may do it or asks for it; "as requested" is none of these."""
    return held([one for n, one in enumerate(before) if not (n and before[n - 1] == "as")], words.lists["possible"])


def _is_denied(before: list[str], words: Wording) -> bool:
    rest = list(before)
    for phrase in words.lists["no_negation"].all:
        for n in range(len(rest) - len(phrase) + 1):
            if tuple(rest[n : n + len(phrase)]) == phrase:
                rest[n : n + len(phrase)] = [""] * len(phrase)
    if "neither" in rest or "nor" in rest:
        return True
    singles = sum(1 for one in rest if one in words.single("negation"))
    texts = tuple(rest)
    more = sum(
        1 for one in words.lists["negation"].all if len(one) > 1
        and any(texts[n : n + len(one)] == one for n in range(len(texts)))
    )  # fmt: skip
    return (singles + more) % 2 == 1


# --- what else belongs to a claim


def _extent(event: Event, clause: Clause, words: Wording) -> dict[str, Any]:
    said = [one.text for one in clause.words]
    count = max((words.counts[one] for one in said if one in ("twice", "thrice")), default=1)
    if event.nouns and event.nouns[0]:
        count = max(count, words.counts.get(said[event.nouns[0] - 1], 1))
    full = held(said, words.lists["full"])
    partial = held(said, words.lists["partial"])
    return {
        "count": count, "is_full": False if partial else True if full else None,
        "is_sum": held(said, words.lists["sum"]),
    }  # fmt: skip


def _remember(clause: Clause, events: Sequence[Event], words: Wording, memory: Memory) -> None:
    nouns = [topic for _, topic in _nouns(clause, words)]
    memory.before = [one.text for one in clause.words]
    if nouns or events:
        memory.nouns = nouns if not events else []
    if nouns or events:
        memory.last, memory.age = (nouns[-1] if nouns else events[-1].topic), 0


def _with_amounts(
    page: Plain, start: int, end: int, found: Sequence[tuple[Claim, Clause, Event]], words: Wording
) -> list[Claim]:
    """Every amount goes to the nearest claim that can have one, those of its own clause first."""
    given: dict[int, list[Amount]] = {}
    for amount in money_in.find(page.text, start, end):
        able = [
            n for n, (claim, _, _) in enumerate(found)
            if claim.topic in MONEY and not _is_anothers(page.text, start, amount, claim.topic, words)
        ]  # fmt: skip
        if able:
            nearest = min(able, key=lambda n: _distance(amount, found[n][1], found[n][2]))
            given.setdefault(nearest, []).append(amount)
    return [
        replace(claim, amounts=tuple(given.get(n, ())), start=page.place(claim.start), end=page.place(claim.end))
        for n, (claim, _, _) in enumerate(found)
    ]


def _distance(amount: Amount, clause: Clause, event: Event) -> tuple[bool, int]:
    inside = clause.start <= amount.start < clause.end
    return not inside, min(abs(amount.start - event.end), abs(event.start - amount.end))


def _is_anothers(text: str, start: int, amount: Amount, topic: str, words: Wording) -> bool:
    """`your payment of 100.00`: of something else than the claim."""
    before = [one.text for one in clauses.tokens(text, start, amount.start)][-5:]
    while before and before[-1] in ("your", "the", "a", "an", "about", "exactly") and before[-2:-1] != ["of"]:
        before.pop()
    own = {noun[-1] for name in MONEY if name == topic or name != "invoice" for noun in words.topics[name].nouns.all}
    for phrase in words.lists["others_amount"].all:
        if tuple(before[-len(phrase) :]) == phrase:
            leads = before[-len(phrase) - 1] if len(before) > len(phrase) else ""
            return not (leads in own or phrase[0] == topic)
    return False
