"""Sentences and clauses of a plain text, and phrases in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gates.claims.letters import Word, words
from gates.claims.wording import Phrases, Wording

# A line that begins a list, or an empty one, ends a sentence; a line that was only wrapped does not.
END = re.compile(r"[.!?]+(?=[\s\"')\]]|$)|\n\s*(?:\n|(?=[-•–·]\s)|(?=\d+[.)]\s))|\n(?=[A-Z][\w ]{0,30}:)")
SHORT = re.compile(r"\b(?:e\.g|i\.e|approx|no|nr|inc|ltd|mr|mrs|ms|dr|vs|etc|acct|inv)\.$", re.IGNORECASE)
BREAK = re.compile(r"[,;:()\[\]]|\s[-–—]+\s|—|\.{3}|…|/")
# What is written together is read apart.
APART = {
    "won't": ("will", "not"), "can't": ("can", "not"), "cannot": ("can", "not"), "shan't": ("shall", "not"),
    "gonna": ("going", "to"), "ain't": ("is", "not"), "aren't": ("are", "not"), "let's": ("let", "us"),
    "wont": ("will", "not"), "didnt": ("did", "not"), "hasnt": ("has", "not"), "havent": ("have", "not"),
    "wasnt": ("was", "not"), "isnt": ("is", "not"),
}  # fmt: skip
ENDINGS = {"'ll": "will", "'re": "are", "'ve": "have", "'m": "am", "'d": "would"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A phrase among the words of a clause, from `first` to before `last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence; `joint` is what it was joined by to the part before it, empty for the first."""

    words: tuple[Word, ...]
    joint: str
    start: int
    end: int

    def span(self, seen: Seen) -> tuple[int, int]:
        """The place of a phrase in the plain text."""
        return self.words[seen.first].start, self.words[seen.last - 1].end


def sentences(text: str) -> list[tuple[int, int]]:
    """From and to of each sentence, without what is blank."""
    cuts, found, start = [], [], 0
    for seen in END.finditer(text):
        if not SHORT.search(text, max(0, seen.start() - 8), seen.end()):
            cuts.append(seen.end())
    for cut in [*cuts, len(text)]:
        if text[start:cut].strip():
            lead = len(text[start:cut]) - len(text[start:cut].lstrip())
            found.append((start + lead, start + len(text[start:cut].rstrip())))
        start = cut
    return found


def tokens(text: str, start: int, end: int) -> list[Word]:
    """The words, with what is contracted taken apart."""
    found = []
    for word in words(text, start, end):
        parts: tuple[str, ...]
        ending = next((one for one in ENDINGS if word.text.endswith(one)), "")
        if word.text in APART:
            parts = APART[word.text]
        elif word.text.endswith("n't"):
            parts = (word.text[:-3], "not")
        elif ending:
            parts = (word.text.removesuffix(ending), ENDINGS[ending])
        elif word.text.endswith("'s"):
            parts = (word.text[:-2],)
        else:
            parts = (word.text,)
        found += [Word(one, word.start, word.end) for one in parts]
    return found


def split(text: str, start: int, end: int, wording: Wording) -> list[Clause]:
    """The clauses of a sentence: cut at marks and at words that join, which belong to neither side."""
    splits = wording.single("splits")
    found: list[Clause] = []
    run: list[Word] = []
    joint, begin = "", start
    for word in tokens(text, start, end):
        mark = _mark(text, run[-1].end if run else begin, word.start)
        is_joint = word.text in splits and not _is_kept(run, word)
        if (mark or is_joint) and run:
            found.append(Clause(tuple(run), joint, begin, word.start))
            run, joint, begin = [], mark or word.text, word.start
        if is_joint:
            joint = word.text
            continue
        run.append(word)
    if run:
        found.append(Clause(tuple(run), joint, begin, end))
    return found


def _mark(text: str, start: int, end: int) -> str:
    """The mark between two words; one within a number is none."""
    between = text[start:end]
    if between in (",", ".", ":", "/") and text[start - 1 : start].isdigit() and text[end : end + 1].isdigit():
        return ""
    seen = BREAK.search(between)
    return seen[0].strip() if seen else ""


def _is_kept(run: Sequence[Word], word: Word) -> bool:
    """`not yet`, `as yet` and `so far` do not begin a clause."""
    return word.text in ("yet", "so", "also", "then") and bool(run)


def at(clause: Clause, phrases: Phrases) -> list[Seen]:
    """Where these phrases stand, the longest at each place."""
    found, place, texts = [], 0, [one.text for one in clause.words]
    while place < len(texts):
        for phrase in phrases.by_first.get(texts[place], ()):
            if tuple(texts[place : place + len(phrase)]) == phrase:
                found.append(Seen(place, place + len(phrase)))
                place += len(phrase) - 1
                break
        place += 1
    return found


def held(texts: Sequence[str], phrases: Phrases) -> bool:
    """Whether one of the phrases is among these words."""
    return any(
        tuple(texts[n : n + len(phrase)]) == phrase
        for n, word in enumerate(texts)
        for phrase in phrases.by_first.get(word, ())
    )
