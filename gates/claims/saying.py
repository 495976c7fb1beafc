"""How the product itself says what became of an action: done is said of what the provider confirmed, and only then.

Every page, ticket, message and mail that speaks of an outcome says it with these words.
"""

from collections.abc import Collection

from gates.claims.judging import ENDED, OPEN
from ledger import money
from ledger.words import kind_words

CONFIRMED, MARK = "confirmed by the provider", "not confirmed by the ledger"


def outcome(kind: str, state: str, confirmation: str = "", *, minor: int | None = None, currency: str = "") -> str:
    """One action in words: what it is, how much, and how far it is; `confirmation` is the provider's id of it.

    `state` is that of the action's newest ledger row. Applied without a confirmation is not said to be done.
    """
    about = kind_words(kind) + (f" of {money.display(minor, currency)}" if minor is not None else "")
    if state == "applied" and confirmation:
        return f"{about}: {CONFIRMED} ({confirmation})"
    if state == "compensated":
        return f"{about}: was taken back since"
    if state in ENDED:
        return f"{about}: not carried out"
    if state in OPEN or state == "applied":
        return f"{about}: not confirmed yet"
    return f"{about}: only observed"


def marked(text: str, claimed: Collection[str]) -> str:
    """Somebody's words, with our mark where they say that something was done which nothing confirms."""
    return f"{text} [{MARK}]" if claimed else text
