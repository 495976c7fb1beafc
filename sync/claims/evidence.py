"""What the ledger knows of a customer's actions, as a judge of claims reads it: confirmed by a row, or not."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gates.claims import Proof, Sentence
from gates.claims.wording import Wording
from ledger import sets

# The state is what the rows say: applied needs the row that has the provider's confirmation.
PROOFS = """
select a.customer_id, a.kind, a.contract_id, a.amount_minor, a.currency, a.params, a.business_key, a.facts -> 'payment',
       last.post_state, last.id, done.id, done.confirmation_id
  from ledger_action a
  join lateral (select l.id, l.post_state from ledger_ledgerrow l
                 where l.action_id = a.id and l.subject_kind = 'action' order by l.id desc limit 1) last on true
  left join lateral (select l.id, l.confirmation_id from ledger_ledgerrow l
                      where l.action_id = a.id and l.subject_kind = 'action' and l.post_state = 'applied'
                        and l.prior_state <> 'applied' and l.confirmation_id <> '' order by l.id limit 1) done on true
 where a.customer_id = any(%(customers)b::bigint[]) and a.kind = any(%(kinds)b::text[]) and a.mode = 'live'
   and (%(contract)b::bigint is null or a.contract_id = %(contract)b::bigint)
 order by a.id"""
LINKED = """
select x.value, x.customer_id from ledger_externalid x where x.value = any(%(names)b::text[])
 union all select c.external_id, c.id from ledger_customer c where c.external_id = any(%(names)b::text[])
 union all select c.name, c.id from ledger_customer c where c.name = any(%(names)b::text[]) and c.name <> ''
 union all select k.external_id, k.customer_id from ledger_contract k where k.external_id = any(%(names)b::text[])"""
MAILS = "select c.email, c.id from ledger_customer c where lower(c.email) = any(%(mails)b::text[])"
PART = re.compile(r"[^\s:|,\"'{}\[\]#]+")
CAPITALS = re.compile(r"[^\W\d_][\w&.'-]*")
MOST_NAMES, LONGEST_NAME = 200, 5


@dataclass(frozen=True, slots=True)
class Known:
    """Words of a text that name somebody: of another customer, and of this one."""

    foreign: frozenset[str]
    own: frozenset[str]


def proofs(
    customers: Collection[int], using: Wording, *, contract: int | None = None, topics: Iterable[str] = ()
) -> dict[int, list[Proof]]:
    """By customer, what is known of actions that could prove or take back these topics (all where none is named)."""
    wanted = [using.topics[name] for name in topics] or list(using.topics.values())
    kinds = sorted({kind for one in wanted for kind in (*one.kinds, *one.undone_by)})
    found: dict[int, list[Proof]] = {customer: [] for customer in customers}
    asked = {"customers": list(found), "kinds": kinds, "contract": contract}
    for customer, *row in sets.run(PROOFS, asked) if found and kinds else ():
        found[customer].append(_proof(row))
    return found


def _proof(row: Sequence[Any]) -> Proof:
    kind, contract, minor, currency, params, key, payment, state, last, done, confirmation = row
    if state == "applied" and done is None:
        state = "unknown"  # nobody confirmed it
    full = None
    if isinstance(payment, Mapping) and minor is not None:
        full = payment.get("refunded_minor", 0) + minor >= payment.get("amount_minor", 0)
    names = frozenset(PART.findall(f"{_flat(params)} {key} {confirmation or ''}"))
    rows = (done if state == "applied" else last,)
    return Proof(kind, state, rows, minor, currency, names, full, contract, done or last)


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(_flat(one) for one in value.values())
    return " ".join(map(_flat, value)) if isinstance(value, list) else str(value)


def named(sentences: Sequence[Sentence], customer: int) -> Known:
    """Who is named by ids, addresses and names in sentences that claim something. An address of nobody is no id."""
    telling = [one for one in sentences if one.claims]
    ids = {name for one in telling for name in one.ids}
    mails = {name.casefold() for name in ids if "@" in name}
    words = {name for one in telling for name in _names(one.text)}
    found = [(str(word), owner) for word, owner in sets.run(LINKED, {"names": sorted((ids - mails) | words)})]
    if mails:
        of = {str(mail).casefold(): owner for mail, owner in sets.run(MAILS, {"mails": sorted(mails)})}
        found += [(name, of.get(name.casefold(), customer)) for name in ids if "@" in name]
    own = frozenset(word for word, owner in found if owner == customer)
    foreign = frozenset(word for word, owner in found if owner != customer) - own
    return Known(foreign, own)


def _names(text: str) -> list[str]:
    """Runs of words that begin with a capital: what may be a company's name."""
    found: list[str] = []
    words = list(CAPITALS.finditer(text))
    for n, first in enumerate(words):
        for last in words[n : n + LONGEST_NAME]:
            run = text[first.start() : last.end()].rstrip(".,'")
            if first[0][0].isupper() and len(run) > 2 and "\n" not in run:
                found.append(run)
    return found[:MOST_NAMES]
