"""Text as a reader sees it: hidden letters gone, look-alikes told, and every letter knows where it came from."""

import re
import unicodedata
from dataclasses import dataclass

# Letters of other alphabets that look like ours: a word is not another one because of them.
ALIKE = str.maketrans("аеорсхуіѕԁһјӏАЕОРСХВКМНТ’‘ʼ＇´`‐‑‒−＿", "aeopcxyisdhjlAEOPCXBKMHT''''''---- ")
TICKS = dict.fromkeys("✓✔✅☑", " done ")
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Plain:
    """A text made plain, with the place of each of its letters in what was given."""

    text: str
    places: tuple[int, ...]

    def place(self, at: int) -> int:
        """Where this letter stands in the given text; the end of it for the end."""
        return self.places[at]


@dataclass(frozen=True, slots=True)
class Word:
    """One word, lower case, and where it stands in the plain text."""

    text: str
    start: int
    end: int


def plain(text: str) -> Plain:
    """Compatibility forms resolved letter by letter; formatting characters and marks of emphasis left out."""
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        if unicodedata.category(letter) in ("Cf", "Mn") or letter in "*~":
            continue
        for one in TICKS.get(letter) or unicodedata.normalize("NFKC", letter).translate(ALIKE):
            letters.append(" " if one == "_" else one)
            places.append(place)
    return Plain("".join(letters), (*places, len(text)))


def words(text: str, start: int, end: int) -> list[Word]:
    """The words of a part of a plain text."""
    return [Word(found[0].lower(), *found.span()) for found in WORD.finditer(text, start, end)]
