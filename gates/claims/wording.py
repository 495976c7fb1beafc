"""The words that claims are made of, as data: `wording.json`, to which an installation may add its own."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("wording.json")
FORMS = ("done", "doing", "base")
TOPIC_LISTS = ("kinds", "undone_by", "nouns", *FORMS, "idioms")
LISTS = (
    "things", "not_the_thing", "not_of_it", "elsewhere", "future", "possible", "condition", "negation", "no_negation",
    "asking", "splits", "turns", "auxiliaries", "past", "others_amount", "full", "partial", "sum",
)  # fmt: skip
MOST_WORDS = 400


class BadWording(ValueError):
    """A list of words is not what it should be; says where and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Phrases:
    """Phrases as tuples of words, longer ones first; `by_first` has them by their first word."""

    all: tuple[tuple[str, ...], ...]
    by_first: Mapping[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Topic:
    """One thing that may be claimed to have been done.

    `kinds` are the actions whose confirmation proves it, `undone_by` those after which it is true no more.
    """

    name: str
    kinds: frozenset[str]
    undone_by: frozenset[str]
    nouns: Phrases
    forms: Mapping[str, Phrases]
    idioms: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Wording:
    """All of it. `singles` are the phrases of a list that are one word."""

    topics: Mapping[str, Topic]
    carriers: Mapping[str, Phrases]
    lists: Mapping[str, Phrases]
    singles: Mapping[str, frozenset[str]]
    counts: Mapping[str, int]

    def single(self, name: str) -> frozenset[str]:
        """The words of a list that are one word."""
        return self.singles[name]


@cache
def shipped() -> Wording:
    """The list that comes with the product."""
    return build(raw())


@cache
def raw() -> dict[str, Any]:
    """The file as it is."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def extended(more: Mapping[str, Any]) -> Wording:
    """The shipped list with further words and topics, in the same form. Raises BadWording."""
    base = raw()
    if not isinstance(more, Mapping) or set(more) - set(base):
        raise BadWording(f"wording: an object with some of {', '.join(base)}")
    whole = {**base, "topics": {name: dict(one) for name, one in base["topics"].items()}}
    for name, added in _object(more, "topics").items():
        topic = whole["topics"].setdefault(str(name), {})
        if not isinstance(added, Mapping) or set(added) - set(TOPIC_LISTS):
            raise BadWording(f"topics.{name}: an object with some of {', '.join(TOPIC_LISTS)}")
        for part, list_of in added.items():
            topic[part] = [*topic.get(part, []), *_texts(list_of, f"topics.{name}.{part}")]
    for form, list_of in _object(more, "carriers").items():
        if form not in FORMS:
            raise BadWording(f"carriers.{form}: one of {', '.join(FORMS)}")
        whole["carriers"] = {**whole["carriers"], form: [*whole["carriers"][form], *_texts(list_of, form)]}
    for name in LISTS:
        whole[name] = [*base[name], *_texts(more.get(name, []), name)]
    return build(whole)


def build(found: Mapping[str, Any]) -> Wording:
    """Words to phrases."""
    topics = {name: _topic(name, one) for name, one in found["topics"].items()}
    carriers = {form: _phrases(found["carriers"][form]) for form in FORMS}
    lists = {name: _phrases(found[name]) for name in LISTS}
    singles = {name: frozenset(one[0] for one in each.all if len(one) == 1) for name, each in lists.items()}
    return Wording(topics, carriers, lists, singles, dict(found["counts"]))


def _topic(name: str, one: Mapping[str, Any]) -> Topic:
    try:
        idioms = tuple(re.compile(pattern) for pattern in one.get("idioms", ()))
    except re.error as error:
        raise BadWording(f"topics.{name}.idioms: {error}") from None
    forms = {form: _phrases(one.get(form, ())) for form in FORMS}
    kinds, undone = frozenset(one.get("kinds", ())), frozenset(one.get("undone_by", ()))
    return Topic(name, kinds, undone, _phrases(one.get("nouns", ())), forms, idioms)


def _phrases(texts: Sequence[str]) -> Phrases:
    """Longer ones first, so that the first that fits is the one that is meant."""
    split = {tuple(text.lower().replace("-", " ").split()) for text in texts}
    found = tuple(sorted((one for one in split if one), key=lambda one: (-len(one), one)))
    first: dict[str, tuple[tuple[str, ...], ...]] = {}
    for one in found:
        first[one[0]] = (*first.get(one[0], ()), one)
    return Phrases(found, first)


def _object(more: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = more.get(name, {})
    if not isinstance(found, Mapping):
        raise BadWording(f"{name}: must be an object")
    return found


def _texts(list_of: Any, where: str) -> list[str]:
    if not isinstance(list_of, list) or len(list_of) > MOST_WORDS:
        raise BadWording(f"{where}: a list of at most {MOST_WORDS} texts")
    for text in list_of:
        if not isinstance(text, str) or not 1 <= len(text.strip()) <= 200:
            raise BadWording(f"{where}: each a text of 1 to 200 characters")
    return list(list_of)
