"""Texts that leave with actions: which parameters are such texts, what they claim, and the list of what was found."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from gates import claims
from gates.claims import Judged, Proof, Verdict, saying
from ledger import clock, sets
from sync import actions
from sync.actions.params import Text
from sync.claims import evidence, wording
from sync.claims.models import ClaimCheck

WORDS = ("text", "note", "subject", "body", "message", "comment")  # what words are called where nobody fills them in
SHORTEST = 100  # a field that may be longer, of no fixed form, holds words
RENDERED = ("ticket.handoff",)  # made of records alone, nobody's words
BEING_WRITTEN = 0  # stands for the row of a confirmation that is booked in this very transaction
CHECK_TYPES = {
    "checked_at": "timestamptz", "source": "text", "customer_id": "bigint", "contract_id": "bigint", "ticket": "text",
    "draft": "text", "action_id": "uuid", "kind": "text", "param": "text", "digest": "text", "length": "int",
    "verdict": "text", "sentences": "jsonb",
}  # fmt: skip
ONCE = "on conflict do nothing"
Said = tuple[tuple[str, str, str, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking at the texts of one action: for the facts, and for the list."""

    said: Said = ()
    found: Mapping[str, tuple[Judged, ...]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


NOTHING = Looked()


@cache
def texts_of(kind: str) -> tuple[str, ...]:
    """The parameters of a kind that hold words which leave; none where it tells only ourselves."""
    if kind not in actions.ACTIONS or kind in RENDERED:
        return ()
    chosen = actions.get(kind)
    if chosen.about_nobody:
        return ()
    if chosen.says is not None:
        return chosen.says
    long = [
        name for name, rule in chosen.asks_for.items()
        if isinstance(rule, Text) and rule.most >= SHORTEST and not rule.choices and not rule.pattern
    ]  # fmt: skip
    return tuple(dict.fromkeys([*long, *(name for name in WORDS if name not in chosen.asks_for)]))


def look(
    kind: str, params: Mapping[str, Any], customer: int, contract: int | None, pending: Iterable[Proof] = ()
) -> Looked:
    """Judge what the texts of an action claim, on the ledger as it is in this transaction.

    Nothing is read from the database unless something is claimed. `pending` is confirmed in this transaction.
    """
    texts = {name: str(params[name]) for name in texts_of(kind) if params.get(name)}
    using = wording.current() if texts else None
    read = {name: claims.read(text, using) for name, text in texts.items()}
    topics = {claim.topic for each in read.values() for one in each for claim in one.claims}
    if not topics or using is None:
        return NOTHING
    known = [*evidence.proofs([customer], using, topics=topics).get(customer, ()), *pending] if customer else []
    found = {}
    for name, sentences in read.items():
        who = evidence.named(sentences, customer)
        found[name] = claims.judge(sentences, known, foreign=who.foreign, own=who.own, using=using)
    return Looked(_said(found), found, texts)


def _said(found: Mapping[str, Sequence[Judged]]) -> Said:
    return tuple(
        (name, str(one.verdict), str(one.claim.sense), one.claim.topic, one.claim.start, one.claim.end)
        for name, judged in found.items() for each in judged for one in each.claims
        if one.verdict is not Verdict.NONE
    )  # fmt: skip


def marked(text: str, customer: int | None) -> str:
    """Somebody's words for people elsewhere: marked where they say that something was done which nothing confirms."""
    using = wording.current()
    read = claims.read(text, using)
    topics = {claim.topic for one in read for claim in one.claims}
    if not topics:
        return text
    known = evidence.proofs([customer], using, topics=topics)[customer] if customer else []
    found = _said({"": claims.judge(read, known, using=using)})
    return saying.marked(text, [one[3] for one in found if one[1] != Verdict.VERIFIED and one[2] == "done"])


def confirmed_now(done: Mapping[str, Sequence[Any]], customer: int) -> list[Proof]:
    """What is confirmed by the batch that is being booked, whose rows are not written yet."""
    found = []
    for kind, works in done.items():
        for work, answer in works:
            if work.known.refs.customer_id == customer:
                minor, currency = actions.get(kind).amount(work.params)
                names = frozenset(evidence.PART.findall(f"{evidence._flat(work.params)} {answer.id}"))
                contract = work.known.refs.contract_id or None
                rows = (BEING_WRITTEN,)
                found.append(Proof(kind, "applied", rows, minor, currency, names, None, contract, 2**62))
    return found


def rows_of(looked: Looked, action: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A check for each text that claims something; `action` has id, kind, customer_id and contract_id."""
    found = []
    for name, judged in looked.found.items():
        worst = claims.worst(one.verdict for one in judged)
        if worst is not Verdict.NONE:
            about = {"action_id": action["id"], "kind": action["kind"], "param": name, "source": "draft"}
            who = {"customer_id": action["customer_id"], "contract_id": action["contract_id"]}
            found.append({**about, **who, **described(looked.texts[name], judged), "ticket": "", "draft": ""})
    return found


def described(text: str, judged: Sequence[Judged]) -> dict[str, Any]:
    """What is kept of a look at a text: nothing of its words."""
    return {
        "checked_at": clock.now(), "digest": hashlib.sha256(text.encode()).hexdigest(), "length": len(text),
        "verdict": str(claims.worst(one.verdict for one in judged)),
        "sentences": [_sentence(one) for one in judged if one.claims],
    }  # fmt: skip


def _sentence(one: Judged) -> dict[str, Any]:
    told = [
        {
            "topic": each.claim.topic, "sense": str(each.claim.sense), "start": each.claim.start,
            "end": each.claim.end, "verdict": str(each.verdict), "why": each.why,
            "rows": [row for row in each.rows if row != BEING_WRITTEN],
        }
        for each in one.claims
    ]  # fmt: skip
    return {"start": one.sentence.start, "end": one.sentence.end, "verdict": str(one.verdict), "claims": told}


def store(rows: Sequence[dict[str, Any]]) -> None:
    """Keep checks of drafts, in the caller's transaction; the same verdict on the same words once."""
    if rows:
        sets.insert(ClaimCheck._meta.db_table, CHECK_TYPES, list(rows), ONCE)
