"""From a provider's ids to our customer and contract, for a whole batch in a few statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger import clock, sets
from ledger.identity import mint_external_id
from sync.facts import Known, Refs
from sync.mappings import active

Link = tuple[str, str, str]
LINK_TYPES = {
    "system": "text", "kind": "text", "value": "text", "customer_id": "bigint", "contract_id": "bigint", "url": "text",
    "linked_by": "text", "linked_at": "timestamptz",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """Where an id leads: our customer, and the contract where the id is that fine."""

    customer_id: int
    contract_id: int | None


@dataclass(frozen=True, slots=True)
class Adoption:
    """A contract met for the first time: which ids name it and its customer, and what is known of it."""

    contract_links: tuple[Link, ...]
    customer_links: tuple[Link, ...]
    plan: str = ""
    name: str = ""
    started_at: datetime | None = None
    ends_at: datetime | None = None


def look_up(links: Iterable[Link]) -> dict[Link, Found]:
    """All these ids in one statement."""
    wanted = list(dict.fromkeys(link for link in links if link[2]))
    if not wanted:
        return {}
    rows = sets.run(
        """select x.system, x.kind, x.value, x.customer_id, x.contract_id
             from unnest(%(system)b::text[], %(kind)b::text[], %(value)b::text[]) as v(system, kind, value)
             join ledger_externalid x on x.system = v.system and x.kind = v.kind and x.value = v.value""",
        {"system": [w[0] for w in wanted], "kind": [w[1] for w in wanted], "value": [w[2] for w in wanted]},
    )
    return {(row[0], row[1], row[2]): Found(row[3], row[4]) for row in rows}


def adopt(new: Adoption) -> Found | None:
    """Make the customer and contract that these ids name, or link to those already known by one of them.

    Runs in the caller's transaction. None when somebody else adopted the same ids at this very moment: try again.
    """
    known = look_up([*new.contract_links, *new.customer_links])
    customer_id = next(
        (known[link].customer_id for link in (*new.contract_links, *new.customer_links) if link in known), 0
    )
    contract_id = next((known[link].contract_id for link in new.contract_links if link in known), None)
    if not customer_id:
        customer_id = _new_customer(new.name)
    if not contract_id:
        contract_id = _new_contract(customer_id, new)
    wanted = [(link, None) for link in new.customer_links] + [(link, contract_id) for link in new.contract_links]
    missing = [(customer_id, link, contract) for link, contract in wanted if link[2] and link not in known]
    if not remember(missing, "system:correlate"):
        return None
    return Found(customer_id, contract_id)


NAMED_BY = ("netsuite", "customer")
STRANGER = "ignored: nobody here knows this customer"
# Two workers may meet at one customer at the same moment: the sweep looks at the newest links once more.
HEAR_LATE = """
update ledger_event e set state = 'received', state_version = e.state_version + 1, verdict = '', done_at = null,
       available_at = now()
  from (select value, linked_at, system, kind from ledger_externalid order by id desc limit 500) x
 where (x.system, x.kind) = (%(source)b, %(kind)b) and x.linked_at > now() - interval '10 minutes'
   and e.source = x.system and e.object_id = x.value and e.kind like 'customer.%%' and e.state = 'ignored'
   and e.verdict = %(verdict)b returning e.id"""
# The ERP tells of a customer before it tells of the contract by which we meet them: what it said, the name above all,
# is read once more then.
HEAR_AGAIN = """
update ledger_event set state = 'received', state_version = state_version + 1, verdict = '', done_at = null,
       available_at = now()
 where source = %(source)b and object_id = any(%(values)b::text[]) and kind like 'customer.%%' and state = 'ignored'
   and verdict = %(verdict)b"""


def remember(links: Sequence[tuple[int, Link, int | None]], by: str) -> bool:
    """Store link rows (customer, id, contract); False when one of the ids belongs to somebody already."""
    now = clock.now()
    rows = [
        {
            "system": system, "kind": kind, "value": value, "customer_id": customer, "contract_id": contract, "url": "",
            "linked_by": by, "linked_at": now,
        }
        for customer, (system, kind, value), contract in links
    ]  # fmt: skip
    made = sets.insert(
        "ledger_externalid", LINK_TYPES, rows, "on conflict do nothing returning system, kind, value"
    )  # fmt: skip
    met = [value for system, kind, value in made if (system, kind) == NAMED_BY]
    if met:
        sets.run(HEAR_AGAIN, {"source": NAMED_BY[0], "values": met, "verdict": STRANGER})
    return len(made) == len(rows)


def hear_strangers() -> int:
    """Events about customers who were met while they were read go to be read once more; how many."""
    asked = {"source": NAMED_BY[0], "kind": NAMED_BY[1], "verdict": STRANGER}
    return len(sets.run(HEAR_LATE, asked))


def _new_customer(name: str) -> int:
    row = sets.run(
        """insert into ledger_customer (external_id, state, state_version, name, email, tier, currency, owner,
                                        created_at,
                                        updated_at)
           values (%(id)b, 'pending', 0, %(name)b, '', 'starter', '', '', now(), now()) returning id""",
        {"id": mint_external_id("cus"), "name": name[:255]},
    )
    return int(row[0][0])


def _new_contract(customer_id: int, new: Adoption) -> int:
    row = sets.run(
        """insert into ledger_contract (external_id, customer_id, state, state_version, plan, plan_before, currency,
                                        started_at, ends_at, dunning, created_at, updated_at)
           values (%(id)b, %(customer)b, 'draft', 0, %(plan)b, '', '', %(started)b::timestamptz, %(ends)b::timestamptz,
                   '{}', now(), now()) returning id""",
        {"id": mint_external_id("con"), "customer": customer_id, "plan": new.plan[:64], "started": new.started_at,
         "ends": new.ends_at},
    )  # fmt: skip
    return int(row[0][0])


def hand_over(contract_id: int, customer_id: int) -> None:
    """A contract of which nothing was sent anywhere goes to another customer, with the ids that name it."""
    asked = {"contract": contract_id, "customer": customer_id}
    sets.run("update ledger_contract set customer_id = %(customer)b, updated_at = now() where id = %(contract)b", asked)
    sets.run("update ledger_externalid set customer_id = %(customer)b where contract_id = %(contract)b", asked)


KNOWN_SQL = """
select k.id, k.customer_id, k.external_id, k.state, k.state_version, k.plan, k.plan_before, k.dunning, k.started_at,
       c.external_id, c.tier, coalesce(x.blocks, '{}'::jsonb), c.state, c.state_version
  from ledger_contract k join ledger_customer c on c.id = k.customer_id
  left join ledger_contextrecord x on x.customer_id = c.id
 where k.id = any(%(ids)b::bigint[])"""


TICKETS = ("zendesk ticket", "zendesk customer_ticket")  # the one we opened for a contract, and the customer's own
# Which billing account a customer is in: what an event told, then what the customer sync linked.
LINKS_SQL = """
select * from (
  select customer_id, contract_id, system || ' ' || kind, value from ledger_externalid
   where customer_id = any(%(ids)b::bigint[]) order by id) x
union all
select customer_id, null, 'billing account', billing_account from sync_synclink
 where customer_id = any(%(ids)b::bigint[]) and billing_id <> '' and billing_account <> ''
union all
select t.customer_id, null, 'ticket trouble',
       t.number || ' ' || case when i.id is not null then 'flips' else t.state || ':' || t.into end
  from gates_ticket t left join gates_reviewitem i on i.id = t.guard_item and i.state <> 'resolved'
 where t.customer_id = any(%(ids)b::bigint[]) and (t.guard_item is not null or t.state in ('deleted', 'merged'))
   and (i.id is not null or t.state in ('deleted', 'merged'))"""
BILLING_ACCOUNT = ("stripe", "account")  # a link whose value is `account/customer`


def load(contract_ids: Iterable[int]) -> dict[int, Known]:
    """Contracts with their customer, cached facts and links: two statements for all.

    What is done with them goes by the field mapping in force, so it is looked at here, before threads need it.
    """
    active.refresh()
    ids = sorted(set(contract_ids))
    rows = sets.run(KNOWN_SQL, {"ids": ids}) if ids else []
    links: dict[int, list[tuple[Any, ...]]] = {}
    for link in sets.run(LINKS_SQL, {"ids": sorted({row[1] for row in rows})}) if rows else ():
        links.setdefault(link[0], []).append(link)
    return {row[0]: _known(row, links.get(row[1], [])) for row in rows}


CUSTOMERS_SQL = """
select null, c.id, '', '', 0, '', '', '{}'::jsonb, null::timestamptz, c.external_id, c.tier, '{}'::jsonb, c.state,
       c.state_version, c.name, c.email
  from ledger_customer c where c.id = any(%(ids)b::bigint[])"""


def load_customers(customer_ids: Iterable[int]) -> dict[int, Known]:
    """Customers by themselves, for what is about none of their contracts: contract 0, no state, no blocks."""
    ids = sorted(set(customer_ids))
    rows = sets.run(CUSTOMERS_SQL, {"ids": ids}) if ids else []
    links: dict[int, list[tuple[Any, ...]]] = {}
    for link in sets.run(LINKS_SQL, {"ids": ids}) if rows else ():
        links.setdefault(link[0], []).append(link)
    return {row[1]: _known((0, *row[1:]), links.get(row[1], [])) for row in rows}


def _known(row: tuple[Any, ...], all_links: Sequence[tuple[Any, ...]]) -> Known:
    links = {name: value for _, contract, name, value in all_links if contract in (None, row[0])}
    refs = Refs(
        customer_id=row[1],
        external_id=row[9],
        contract_id=row[0],
        contract_external_id=row[2],
        billing_customer=links.get("stripe customer", ""),
        subscription=links.get("stripe subscription", ""),
        erp_record=links.get("netsuite contract", ""),
        erp_customer=links.get("netsuite customer", ""),
        ticket=links.get("zendesk ticket", ""),
        deal=links.get("pipedrive deal", ""),
        organizations=tuple(value for _, _, name, value in all_links if name == "pipedrive organization"),
    )
    suffix = f":{row[0]}"
    blocks = {name.removesuffix(suffix): block for name, block in row[11].items() if name.endswith(suffix)}
    told = links.get(" ".join(BILLING_ACCOUNT), "").partition("/")[0]
    known = Known(refs, row[10], row[3], row[4], row[5], row[6], row[7] or {}, row[8], blocks, *row[12:])
    known.billing_account = links.get("billing account", told)
    known.tickets = {value: "" for _, _, name, value in all_links if name in TICKETS} | dict(
        value.split(" ", 1) for _, _, name, value in all_links if name == "ticket trouble"
    )
    return known


# What an action is about that tells only ourselves.
NOBODY = Known(Refs(0, "", 0, ""), "", "", 0, "", "", {}, None)


def note_accounts(heard: Iterable[tuple[int, str, str]]) -> None:
    """Events (our customer, account, billing customer) of further billing accounts: where their calls have to go."""
    rows = [(customer, (*BILLING_ACCOUNT, f"{account}/{value}"), None) for customer, account, value in heard]
    known = look_up(link for _, link, _ in rows)
    remember([row for row in dict.fromkeys(rows) if row[1] not in known], "system:correlate")


def lock_customers(ids: Iterable[int | None]) -> set[int]:
    """Two sources may meet on one customer: whoever books holds its row. Returns those who were erased."""
    wanted = sorted({one for one in ids if one})
    if not wanted:
        return set()
    rows = sets.run(
        """select id, erased_at is not null from ledger_customer where id = any(%(ids)b::bigint[])
            order by id for no key update""",
        {"ids": wanted},
    )
    return {row[0] for row in rows if row[1]}


def store_blocks(updates: dict[int, dict[str, Any]]) -> None:
    """Merge read facts into the context of customers: `{customer: {block: facts}}`; an older read never overwrites."""
    if not updates:
        return
    sets.run(
        """insert into ledger_contextrecord as x (customer_id, blocks, updated_at)
           select v.customer, v.blocks::jsonb, now()
             from unnest(%(customer)b::bigint[], %(blocks)b::text[]) as v(customer, blocks)
           on conflict (customer_id) do update set updated_at = now(), pending_since = null, blocks = x.blocks ||
             (select coalesce(jsonb_object_agg(n.key, n.value), '{}'::jsonb) from jsonb_each(excluded.blocks) n
               where coalesce(x.blocks -> n.key ->> 'synced_at', '') <= coalesce(n.value ->> 'synced_at', ''))""",
        {"customer": list(updates), "blocks": [sets.to_json(blocks) for blocks in updates.values()]},
    )


REVENUE = """
update ledger_customer c set mrr_minor = v.mrr, currency = v.currency, updated_at = now()
  from (select x.customer_id, case when count(distinct b.value ->> 'currency') = 1
                                   then sum((b.value ->> 'amount_minor')::bigint) end as mrr,
               case when count(distinct b.value ->> 'currency') = 1 then min(b.value ->> 'currency') else '' end
               as currency
          from ledger_contextrecord x, jsonb_each(x.blocks) b
         where x.customer_id = any(%(ids)b::bigint[]) and b.key like 'subscription:%%'
           and b.value ->> 'status' in ('active', 'trialing', 'past_due', 'unpaid')
           and b.value ->> 'amount_minor' is not null
         group by x.customer_id) v
 where c.id = v.customer_id and (c.mrr_minor, c.currency) is distinct from (v.mrr, v.currency)"""


def note_revenue(customer_ids: Iterable[int]) -> None:
    """What customers pay in a month, from the subscriptions that run. Sums of several currencies are not made up."""
    sets.run(REVENUE, {"ids": sorted(customer_ids)})


def show_pending(customer_id: int) -> None:
    """A read takes long: pages show that it goes on."""
    sets.run(
        """insert into ledger_contextrecord as x (customer_id, blocks, updated_at, pending_since)
           values (%(id)b, '{}', now(), now())
           on conflict (customer_id) do update set pending_since = coalesce(x.pending_since, now())""",
        {"id": customer_id},
    )
