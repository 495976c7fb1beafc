"""Which customer of ours a customer of the ERP is: met by any of its ids, or made. For a chunk, in a few statements."""

from collections.abc import Mapping, Sequence

from gates.rules.customer_sync import Outcome
from ledger import sets
from ledger.identity import mint_external_id
from sync import correlate
from sync.customer_sync import links
from sync.customer_sync.planning import Planned

NAMES_BILLING = (Outcome.LINK, Outcome.WRITE_BACK, Outcome.UPDATE, Outcome.UNCHANGED)


class RacedAdoption(Exception):
    """Another run met the same customer for the first time at this moment: plan the chunk again."""


def adopt(planned: Sequence[Planned]) -> dict[int, int]:
    """Internal id -> our customer; met by the ERP's id, by our own, by the billing id, else made."""
    found = _links("netsuite", [one.source.internal_id for one in planned])
    left = [one for one in planned if one.source.internal_id not in found]
    if left:
        ours = dict(
            sets.run(
                "select external_id, id from ledger_customer where external_id = any(%(ids)b::text[])",
                {"ids": [one.source.external_id for one in left if one.source.external_id]},
            )
        )
        billed = _unlinked(_links("stripe", [_billing_id(one) for one in left if _billing_id(one)]))
        used: set[int] = set(found.values())
        rows = []
        for one in left:
            customer = ours.get(one.source.external_id) or billed.get(_billing_id(one))
            if customer is None or customer in used:
                rows.append(one)
                continue
            used.add(customer)
            found[one.source.internal_id] = customer
        found |= dict(zip((one.source.internal_id for one in rows), _make_customers(rows), strict=True))
        new = [(found[one.source.internal_id], ("netsuite", "customer", one.source.internal_id), None) for one in left]
        if not correlate.remember(new, links.ACTOR):
            raise RacedAdoption
    return {one.internal_id: found[one.source.internal_id] for one in planned}


def _billing_id(one: Planned) -> str:
    assert one.decision is not None
    return one.decision.billing_id if one.decision.outcome in NAMES_BILLING else ""


def _links(system: str, values: Sequence[str]) -> dict[str, int]:
    rows = sets.run(
        """select value, customer_id from ledger_externalid
            where system = %(system)b and kind = 'customer' and value = any(%(values)b::text[])""",
        {"system": system, "values": list(values)},
    )
    return dict(rows)


def _unlinked(billed: Mapping[str, int]) -> dict[str, int]:
    """Those of these customers that no customer of the ERP is linked to yet."""
    if not billed:
        return {}
    rows = sets.run(
        """select customer_id from ledger_externalid where system = 'netsuite' and kind = 'customer'
              and customer_id = any(%(ids)b::bigint[])""",
        {"ids": list(billed.values())},
    )
    taken = {row[0] for row in rows}
    return {value: customer for value, customer in billed.items() if customer not in taken}


def _make_customers(planned: Sequence[Planned]) -> list[int]:
    if not planned:
        return []
    rows = sets.run(
        """insert into ledger_customer (external_id, state, state_version, name, email, tier, currency, owner,
                                        created_at, updated_at)
           select v.external_id, 'pending', 0, left(v.name, 255), left(v.email, 320), 'starter', '', '', now(), now()
             from unnest(%(external)b::text[], %(name)b::text[], %(email)b::text[]) with ordinality
                  as v(external_id, name, email, n) order by v.n returning id""",
        {
            "external": [mint_external_id("cus") for _ in planned], "name": [one.source.name for one in planned],
            "email": [one.source.email for one in planned],
        },
    )  # fmt: skip
    return [row[0] for row in rows]
