"""Whether what a text claims is what the ledger knows: only a confirmed action proves anything."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gates.claims import wording
from gates.claims.amounts import Amount
from gates.claims.reader import Claim, Sense, Sentence
from gates.claims.wording import Topic, Wording

OPEN = ("proposed", "held", "in_review", "approved", "parked", "sending", "unknown")
ENDED = ("failed", "rejected", "superseded")


class Verdict(StrEnum):
    """What became of a claim, the worst last."""

    NONE = "none"
    VERIFIED = "verified"
    PREMATURE = "premature"
    UNVERIFIED = "unverified"
    CONTRADICTED = "contradicted"


SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class Proof:
    """What the ledger knows of one action. `rows` are the numbers of the rows that say so; amounts in minor units.

    `state` is `applied` only where a row with the provider's confirmation says it. `names` are the ids it is about.
    `is_full`: it gave back all that was paid; None where that is not known. `at` orders them.
    """

    kind: str
    state: str
    rows: tuple[int, ...]
    amount_minor: int | None = None
    currency: str = ""
    names: frozenset[str] = frozenset()
    is_full: bool | None = None
    contract_id: int | None = None
    at: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on one claim, the ledger rows it rests on, and why in words."""

    claim: Claim
    verdict: Verdict
    rows: tuple[int, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one sentence: its worst claim's."""

    sentence: Sentence
    verdict: Verdict
    claims: tuple[Checked, ...] = field(default=())


def judge(
    sentences: Sequence[Sentence],
    proofs: Sequence[Proof],
    *,
    foreign: Collection[str] = (),
    own: Collection[str] = (),
    using: Wording | None = None,
) -> tuple[Judged, ...]:
    """Judge what was read. `foreign` are words of the text that name another customer, `own` ids of this one."""
    topics = (using or wording.shipped()).topics
    found = []
    for one in sentences:
        others = [name for name in foreign if name in one.text]
        claims = tuple(_checked(each, one, topics[each.topic], proofs, others, own) for each in one.claims)
        found.append(Judged(one, worst(each.verdict for each in claims), claims))
    return tuple(found)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several; NONE of none."""
    return max(verdicts, key=lambda one: SEVERITY[one], default=Verdict.NONE)


def _checked(
    claim: Claim, sentence: Sentence, topic: Topic, proofs: Sequence[Proof], others: Sequence[str], own: Collection[str]
) -> Checked:
    mine = [one for one in proofs if one.kind in topic.kinds]
    unknown = [name for name in sentence.ids if name not in own and not any(name in one.names for one in mine)]
    is_denial = claim.sense is Sense.DENIED
    if others or (unknown and not is_denial):
        verdict = Verdict.NONE if is_denial else Verdict.UNVERIFIED
        word = "another customer" if others else f"{unknown[0]}, which no confirmed action of this customer is about"
        return Checked(claim, verdict, why=f"it names {word}")
    named = [name for name in sentence.ids if any(name in one.names for one in mine)]
    mine = [one for one in mine if all(name in one.names for name in named)]
    applied = [one for one in mine if one.state == "applied" and not _is_undone(one, topic, proofs)]
    rows = _matched(claim, applied)
    if is_denial:
        words = "the ledger has it confirmed"
        return Checked(claim, Verdict.CONTRADICTED, rows, words) if rows else Checked(claim, Verdict.NONE)
    if rows:
        return Checked(claim, Verdict.VERIFIED, rows, "confirmed by the provider")
    return _not_proved(claim, mine, applied, proofs, topic)


def _not_proved(
    claim: Claim, mine: Sequence[Proof], applied: Sequence[Proof], proofs: Sequence[Proof], topic: Topic
) -> Checked:
    waiting = _matched(claim, [one for one in mine if one.state in OPEN])
    if waiting:
        return Checked(claim, Verdict.PREMATURE, waiting, "it is under way and not confirmed")
    undone = [one for one in mine if one.state == "compensated" or _is_undone(one, topic, proofs)]
    over = [one for one in mine if one.state in ENDED]
    for found, words in ((undone, "it was undone since"), (over, "it was not carried out")):
        rows = _matched(claim, found)
        if rows:
            return Checked(claim, Verdict.CONTRADICTED, rows, words)
    if claim.sense is not Sense.DONE:
        return Checked(claim, Verdict.PREMATURE, why="it is promised, and nothing is confirmed")
    if applied and (claim.amounts or claim.is_full is not None or claim.count > 1):
        rows = tuple(row for one in applied for row in one.rows)
        return Checked(claim, Verdict.CONTRADICTED, rows, "the ledger has it confirmed otherwise")
    return Checked(claim, Verdict.UNVERIFIED, why="no confirmed action of this customer proves it")


def _is_undone(one: Proof, topic: Topic, proofs: Sequence[Proof]) -> bool:
    """Whether something confirmed later took it back."""
    if one.state == "compensated":
        return True
    return any(
        later.state == "applied" and later.at > one.at and later.kind in topic.undone_by
        and later.contract_id == one.contract_id
        for later in proofs
    )  # fmt: skip


def _matched(claim: Claim, found: Sequence[Proof]) -> tuple[int, ...]:
    """The rows of these that are what is claimed; none where anything of it is not."""
    fit = [one for one in found if claim.is_full is None or one.is_full in (None, claim.is_full)]
    if not claim.amounts:
        return tuple(row for one in fit for row in one.rows) if len(fit) >= claim.count else ()
    left = list(fit)
    rows: list[int] = []
    for amount in claim.amounts:
        hit = next((one for one in left if _is(amount, one)), None)
        if hit is None:
            return _summed(claim, found)
        left.remove(hit)
        rows += hit.rows
    return tuple(rows) if len(claim.amounts) >= claim.count else _summed(claim, found)


def _is(amount: Amount, one: Proof) -> bool:
    return one.amount_minor is not None and amount.is_of(one.amount_minor, one.currency)


def _summed(claim: Claim, found: Sequence[Proof]) -> tuple[int, ...]:
    """One amount that several came to together: where the text says so, or speaks of as many."""
    several = [one for one in found if one.amount_minor is not None]
    if len(claim.amounts) != 1 or len(several) < 2 or not (claim.is_sum or claim.count == len(several)):
        return ()
    currencies = {one.currency for one in several}
    total = sum(one.amount_minor or 0 for one in several)
    if len(currencies) == 1 and claim.amounts[0].is_of(total, currencies.pop()):
        return tuple(row for one in several for row in one.rows)
    return ()
