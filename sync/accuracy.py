"""How true what we remember is: some customers are read live and compared with their stored facts, field by field.

Judging an irreversible step reads live anyway; this says how far the rest, which pages and suggestions rest on, can be
trusted before an automation that uses it is trusted further.
"""

import random
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction

from gates.stop import Refused
from ledger import clock, sets
from sync import attempts, correlate, enrich, health
from sync.errors import ProviderError
from sync.facts import Known
from sync.models import ContextCheck
from sync.wiretypes import Exchange

SAMPLE, MOST = 20, 500
BLOCKS = ("billing", "entitlement", "support")
NOT_FACTS = frozenset({"synced_at", "live", "read"})
KNOWN_CONTRACTS = """
select k.id from ledger_contract k join ledger_contextrecord x on x.customer_id = k.customer_id
  join ledger_customer c on c.id = k.customer_id and c.erased_at is null
 where x.blocks <> '{}' and k.id >= %(from)b order by k.id limit %(most)b"""


def run(sample: int = SAMPLE, *, by: str = "system:schedule") -> ContextCheck:
    """Compare the stored facts of so many contracts, met at random, with a live read; stores and returns the result.

    `fields` is {block.field: [compared, equal]}, `unread` how many blocks could not be read. Nothing of what was
    compared is kept, and the stored facts are not changed: a wrong one would hide itself. Raises Refused 422.
    """
    if not 1 <= sample <= MOST:
        raise Refused(422, "sample", f"sample: 1 to {MOST} contracts, not {sample}")
    began = clock.now()
    compared, equal, exchanges, errors = Counter[str](), Counter[str](), list[Exchange](), list[ProviderError]()
    unread = 0
    known = correlate.load(_chosen(sample))
    for one in known.values():
        for name in BLOCKS:
            stored = one.blocks.get(name)
            if not stored or not stored.get("synced_at"):
                continue
            live = _live(one, name, exchanges, errors)
            if live is None:
                unread += 1
                continue
            for field in sorted((stored.keys() & live.keys()) - NOT_FACTS):
                compared[f"{name}.{field}"] += 1
                equal[f"{name}.{field}"] += stored[field] == live[field]
    attempts.store_reads(exchanges)
    health.note_calls(exchanges, errors)
    with transaction.atomic():
        return ContextCheck.objects.create(
            began_at=began, ended_at=clock.now(), started_by=by[:150], sampled=len(known), unread=unread,
            fields={name: [count, equal[name]] for name, count in sorted(compared.items())},
        )  # fmt: skip


def weekly() -> str:
    """The scheduled run, in words."""
    return words(run())


def share(fields: Mapping[str, list[int]]) -> float | None:
    """Of all that was compared, what was equal; None where nothing was compared."""
    compared = sum(pair[0] for pair in fields.values())
    return sum(pair[1] for pair in fields.values()) / compared if compared else None


def words(one: ContextCheck) -> str:
    """A check in one sentence."""
    found = share(one.fields)
    if found is None:
        return "nothing was compared: no stored facts, or no system answered"
    wrong = [name for name, (compared, equal) in one.fields.items() if equal < compared]
    said = f"{found:.1%} of the stored values of {one.sampled} contracts are as a live read says"
    return f"{said}; {', '.join(wrong[:6])} differ" if wrong else said


def _chosen(sample: int) -> list[int]:
    """Contracts with stored facts, from a random place on, and from the beginning where the end comes first."""
    top = int(sets.run("select coalesce(max(id), 0) from ledger_contract", {})[0][0])
    begin = random.randint(0, top)
    rows = sets.run(KNOWN_CONTRACTS, {"from": begin, "most": sample})
    if len(rows) < sample:
        rows += sets.run(KNOWN_CONTRACTS, {"from": 0, "most": sample})
    return list(dict.fromkeys(row[0] for row in rows))[:sample]


def _live(known: Known, name: str, exchanges: list[Exchange], errors: list[ProviderError]) -> dict[str, Any] | None:
    """A block as it is now; None where it cannot be read."""
    if not enrich.stale(known, [name], clock.now(), timedelta(seconds=-1)):
        return None  # not linked there any more
    if health.wait_until([enrich.PROVIDER_OF[name]], clock.now()) is not None:
        return None
    try:
        found: dict[str, Any] = enrich.read(known, [name], exchanges)[name]
    except ProviderError as error:
        errors.append(error)
        return None
    return found
