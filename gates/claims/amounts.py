"""Amounts as people write them: `$1,204.50`, `1.204,50 EUR`, `¥5,000`, `KWD 12.500`, `fifty dollars`.

A text does not say which of its separators is the decimal one, so an amount is compared with an amount of the ledger
in that one's currency and decimals, never turned into a number by itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from gates.claims.letters import Word, words
from ledger import money

DOLLARS = frozenset("usd cad aud nzd sgd hkd mxn".split())
SIGNS = {
    "us$": frozenset({"usd"}), "ca$": frozenset({"cad"}), "a$": frozenset({"aud"}), "$": DOLLARS,
    "€": frozenset({"eur"}), "£": frozenset({"gbp"}), "¥": frozenset({"jpy", "cny"}), "₩": frozenset({"krw"}),
    "₹": frozenset({"inr"}), "kd": frozenset({"kwd"}), "bd": frozenset({"bhd"}), "kr": frozenset({"sek", "nok", "dkk"}),
    "dollar": DOLLARS, "dollars": DOLLARS, "buck": DOLLARS, "bucks": DOLLARS, "euro": frozenset({"eur"}),
    "euros": frozenset({"eur"}), "pound": frozenset({"gbp"}), "pounds": frozenset({"gbp"}), "yen": frozenset({"jpy"}),
    "dinar": money.THREE_DECIMAL, "dinars": money.THREE_DECIMAL, "francs": frozenset({"chf"}),
}  # fmt: skip
CODES = money.ZERO_DECIMAL | money.TWO_DECIMAL | money.THREE_DECIMAL
CENTS = ("cent", "cents", "pence")
TIMES = {"k": 1_000, "thousand": 1_000, "m": 1_000_000, "million": 1_000_000}
ONES = {name: n for n, name in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split())}  # fmt: skip
TENS = {name: 10 * n for n, name in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
SPELT = {*ONES, *TENS, "hundred", "thousand"}
DIGITS = r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,']\d+)*"
BEFORE = r"us\$|ca\$|a\$|[$€£¥₩₹]|(?<![^\W_])(?:kd|bd|[a-z]{3})(?=[\s\d])"
AFTER = r"[$€£¥₩₹]|(?:k|m|thousand|million)?\s*(?:[a-z]{2,7})(?![^\W_])"
AMOUNT = re.compile(rf"(?:(?P<before>{BEFORE})\s*)?(?<![\d.,'/:-])(?P<digits>{DIGITS})(?P<times>[km](?![^\W_]))?"
                    rf"(?:-(?=\W|$))?(?:\s*(?P<after>{AFTER}))?")  # fmt: skip
NO_AMOUNT = re.compile(r"[\d]|[-/:]\d|%|\s*(?:%|percent|days?|hours?|minutes?|weeks?|months?|years?|am\b|pm\b|utc\b)")


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of a text: its digits as written, what it is multiplied by, and the currencies it may be in.

    `start` and `end` are its place in the plain text. No currency: whatever the ledger has.
    """

    digits: str
    times: Decimal
    currencies: frozenset[str]
    start: int
    end: int

    def is_of(self, minor: int, currency: str) -> bool:
        """Whether this amount is that one, to the minor unit."""
        places = money.exponent(currency)
        if places is None or (self.currencies and currency not in self.currencies):
            return False
        return _number(self.digits, places) * self.times * 10**places == minor


def _number(digits: str, places: int) -> Decimal:
    """The number behind digits and separators, read as in a currency with so many decimals."""
    plain = re.sub(r"[ '\u00a0\u202f]", "", digits)
    marks = [one for one in plain if one in ".,"]
    if not marks:
        return Decimal(plain)
    last = marks[-1]
    whole, _, part = plain.rpartition(last)
    is_decimal = marks.count(last) == 1 and (
        len(set(marks)) == 2 or len(part) != 3 or (last == "." and places == 3) or whole == "0"
    )
    kept = re.sub("[.,]", "", whole)
    return Decimal(f"{kept}.{part}") if is_decimal else Decimal(kept + part)


def find(text: str, start: int, end: int) -> list[Amount]:
    """The amounts in a part of a plain text, in their order. A number alone is one only where it has decimals."""
    found = [*_in_digits(text, start, end), *_in_words(text, start, end)]
    return sorted(found, key=lambda one: one.start)


def _in_digits(text: str, start: int, end: int) -> Iterator[Amount]:
    low = text.lower()
    for seen in AMOUNT.finditer(low, start, end):
        before, after = _sign(seen["before"] or ""), (seen["after"] or "").split()
        times, taken = Decimal(TIMES.get(seen["times"] or "", 1)), seen.end("times") if seen["times"] else seen.end(
            "digits"
        )  # fmt: skip
        if after and after[0] in TIMES:
            times, taken, after = Decimal(TIMES[after[0]]), seen.end("after"), after[1:]
        behind = _sign(after[0]) if after else frozenset()
        if after and after[0] in CENTS:
            times, taken, behind = Decimal("0.01"), seen.end("after"), DOLLARS | {"eur", "gbp"}
        if behind:
            taken = seen.end("after")
        if not (before or behind) and not _is_plain_amount(low, seen["digits"], seen.end("digits")):
            continue
        # `$50 CAD` says twice what it is in: the narrower one counts.
        both = before & behind if before and behind else before | behind
        yield Amount(seen["digits"], times, both or before, seen.start(), taken)


def _sign(word: str) -> frozenset[str]:
    return SIGNS.get(word) or (frozenset({word}) if word in CODES else frozenset())


def _is_plain_amount(low: str, digits: str, end: int) -> bool:
    """`50.00`: decimals, and neither a date, a time, a share nor a version."""
    if NO_AMOUNT.match(low, end):
        return False
    return re.fullmatch(r"[\d ',.]*\d[.,]\d{2}", digits) is not None and len(re.findall(r"[.,]", digits)) <= 2


def _in_words(text: str, start: int, end: int) -> Iterator[Amount]:
    run: list[Word] = []
    for word in words(text, start, end):
        if (
            word.text in ONES
            or word.text in TENS
            or word.text in ("hundred", "thousand")
            or (run and word.text == "and")
        ):
            run.append(word)
            continue
        signs = _sign(word.text) if run else frozenset()
        if signs:
            yield Amount(str(_spelt([one.text for one in run])), Decimal(1), signs, run[0].start, word.end)
        run = []


def _spelt(spelt: list[str]) -> int:
    total = part = 0
    for word in spelt:
        if word == "hundred":
            part = max(part, 1) * 100
        elif word == "thousand":
            total, part = total + max(part, 1) * 1000, 0
        else:
            part += ONES.get(word, 0) + TENS.get(word, 0)
    return total + part
