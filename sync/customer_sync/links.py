"""What our books hold of each customer of the ERP at the billing system. By the booking thread, inside transactions."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from gates.rules.customer_sync import addresses, same_key
from ledger import book, clock, sets
from sync.actions.base import Confirmation, Work
from sync.customer_sync import drift
from sync.portal import links as portal_links
from sync.portal import tokens

ACTOR = "system:customer_sync"
LINK_TYPES = {
    "account": "text", "internal_id": "bigint", "customer_id": "bigint", "billing_account": "text",
    "billing_id": "text", "generation": "int", "attempt": "int", "content": "text", "row": "text", "modified": "text",
    "email_key": "text", "updated_at": "timestamptz",
}  # fmt: skip
COLUMNS = (
    "id", "internal_id", "customer_id", "billing_account", "is_live", "billing_id", "written_back_at", "generation",
    "attempt", "content", "row", "modified", "email_key", "page",
)  # fmt: skip


@dataclass(slots=True)
class Held:
    """One link as it stands in our books."""

    id: int
    internal_id: int
    customer_id: int
    billing_account: str
    is_live: bool | None
    billing_id: str
    written_back_at: Any
    generation: int
    attempt: int
    content: str
    row: str
    modified: str
    email_key: str
    page: int | None = None  # the portal link whose address the ERP was seen with
    link: int | None = None  # the one that works now


def load(account: str, internal_ids: Sequence[int]) -> dict[int, Held]:
    """The links of these customers of the ERP: one statement."""
    rows = sets.run(
        f"""select {", ".join(f"s.{name}" for name in COLUMNS)}, p.id, p.seed, p.token_hash from sync_synclink s
              left join sync_portallink p on p.customer_id = s.customer_id and p.billing_customer = s.billing_id
                   and p.state = 'active' and (p.expires_at is null or p.expires_at > %(now)b)
             where s.account = %(account)b and s.internal_id = any(%(ids)b::bigint[])""",
        {"account": account, "ids": list(internal_ids), "now": clock.now()},
    )
    return {row[1]: Held(*(*row[:-3], _writable(*row[-4:]))) for row in rows}


def erased(internal_ids: Sequence[int]) -> set[int]:
    """Those of these customers of the ERP who were forgotten: nobody is asked about them again."""
    rows = sets.run(
        """select x.value::bigint from ledger_externalid x
             join ledger_customer c on c.id = x.customer_id and c.erased_at is not null
            where x.system = 'netsuite' and x.kind = 'customer' and x.value = any(%(ids)b::text[])""",
        {"ids": [str(one) for one in internal_ids]},
    )
    return {row[0] for row in rows}


def _writable(page: int | None, link: int | None, seed: str | None, token_hash: str | None) -> int | None:
    """The working link, unless its address is not known any more: then there is nothing to write."""
    if link is None or link == page or (seed and token_hash and tokens.recover(seed, token_hash)):
        return link
    return None


def email_key(email: str) -> str:
    """What two equal addresses have in common here: a keyed hash, so that the address itself is kept nowhere."""
    found = addresses(email)
    if len(found) != 1:
        return ""
    return hmac.new(settings.SECRET_KEY.encode(), f"sync:{same_key(found[0])}".encode(), hashlib.sha256).hexdigest()


def holders(account: str, billing_ids: Iterable[str]) -> dict[str, set[str]]:
    """Which customers of the ERP these billing customers belong to by our books, by internal id."""
    wanted = sorted({one for one in billing_ids if one})
    if not wanted:
        return {}
    rows = sets.run(
        """select billing_id, internal_id::text from sync_synclink
            where account = %(account)b and billing_id = any(%(ids)b::text[])
           union
           select x.value, n.value from ledger_externalid x
             join ledger_externalid n on n.customer_id = x.customer_id and n.system = 'netsuite' and n.kind = 'customer'
            where x.system = 'stripe' and x.kind = 'customer' and x.value = any(%(ids)b::text[])""",
        {"account": account, "ids": wanted},
    )
    found: dict[str, set[str]] = {}
    for billing_id, internal_id in rows:
        found.setdefault(billing_id, set()).add(internal_id)
    return found


Holder = tuple[int, bool, str]


def email_holders(account: str, keys: Iterable[str]) -> dict[str, list[Holder]]:
    """Who has an address: (internal id, whether it has a billing customer or one is being made, billing account).

    Lowest id first.
    """
    wanted = sorted({one for one in keys if one})
    if not wanted:
        return {}
    rows = sets.run(
        """select l.email_key, l.internal_id, l.billing_id <> '' or exists (
                    select from ledger_action a where a.customer_id = l.customer_id
                       and a.kind = 'billing_customer.create'
                       and a.state in ('held', 'in_review', 'approved', 'parked', 'sending', 'unknown')),
                  l.billing_account
             from sync_synclink l
            where l.account = %(account)b and l.email_key = any(%(keys)b::text[]) order by l.internal_id""",
        {"account": account, "keys": wanted},
    )
    found: dict[str, list[Holder]] = {}
    for key, *holder in rows:
        found.setdefault(key, []).append((holder[0], holder[1], holder[2]))
    return found


def store(rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert links, or bring those that are there up to date with what was just seen; a billing id is never lost."""
    now = clock.now()
    sets.insert(
        "sync_synclink", LINK_TYPES, [{**one, "updated_at": now} for one in rows],
        """on conflict (account, internal_id) do update set generation = excluded.generation,
             attempt = excluded.attempt, email_key = excluded.email_key, updated_at = excluded.updated_at,
             billing_account = case when sync_synclink.billing_id = '' or sync_synclink.billing_account = ''
                                    then excluded.billing_account else sync_synclink.billing_account end""",
    )  # fmt: skip


def note_unchanged(rows: Sequence[tuple[int, str, str, str]]) -> None:
    """Rows (link id, row, modified, content) that were seen equal: the next run asks nobody about them."""
    if rows:
        sets.run(
            """update sync_synclink l set row = v.row, modified = v.modified, content = v.content, updated_at = now()
                 from unnest(%(id)b::bigint[], %(row)b::text[], %(modified)b::text[], %(content)b::text[])
                      as v(id, row, modified, content) where l.id = v.id""",
            {"id": [one[0] for one in rows], "row": [one[1] for one in rows], "modified": [one[2] for one in rows],
             "content": [one[3] for one in rows]},
        )  # fmt: skip


def clear_written_back(ids: Sequence[int]) -> None:
    """The ERP's field was blanked on purpose: what comes next begins anew."""
    if ids:
        sets.run(
            """update sync_synclink set written_back_at = null, billing_id = '', is_live = null, content = '', row = '',
                      modified = '', attempt = 1, updated_at = now() where id = any(%(ids)b::bigint[])""",
            {"ids": list(ids)},
        )


def adopt(rows: Sequence[Mapping[str, Any]]) -> None:
    """Links that the ERP held before we looked, verified at the billing system: `id, billing_id, is_live`."""
    if rows:
        sets.run(
            """update sync_synclink l set billing_id = v.billing_id, is_live = v.is_live,
                      written_back_at = coalesce(l.written_back_at, now()), updated_at = now()
                 from unnest(%(id)b::bigint[], %(billing_id)b::text[], %(is_live)b::bool[])
                      as v(id, billing_id, is_live) where l.id = v.id""",
            sets.columns_of(rows, {"id": "any", "billing_id": "any", "is_live": "any"}),
        )


def billed(done: Sequence[tuple[Work, Confirmation]]) -> None:
    """The billing system confirmed these customers."""
    rows = [
        {
            "account": work.params["account"], "internal_id": int(work.params["customer"]), "billing_id": answer.id,
            "billing_account": str(work.params["billing_account"]),
            "is_live": bool(answer.said.get("live")), "content": str(answer.said.get("hash", "")),
            "row": str(work.params.get("row", "")), "modified": str(work.params.get("modified", "")),
            "back": not work.params.get("link"),
        }
        for work, answer in done
    ]  # fmt: skip
    names = ("account", "internal_id", "billing_account", "billing_id", "is_live", "content", "row", "modified", "back")
    sets.run(
        """update sync_synclink l set billing_id = v.billing_id, is_live = v.is_live, content = v.content,
                  billing_account = v.billing_account,
                  row = case when v.back then v.row else '' end,
                  modified = case when v.back then v.modified else '' end,
                  written_back_at = case when v.back then coalesce(l.written_back_at, now()) else null end,
                  updated_at = now()
             from unnest(%(account)b::text[], %(internal_id)b::bigint[], %(billing_account)b::text[],
                         %(billing_id)b::text[], %(is_live)b::bool[], %(content)b::text[], %(row)b::text[],
                         %(modified)b::text[], %(back)b::bool[])
                  as v(account, internal_id, billing_account, billing_id, is_live, content, row, modified, back)
            where l.account = v.account and l.internal_id = v.internal_id""",
        {name: [one[name] for one in rows] for name in names},
    )
    drift.settle([answer.id for _, answer in done])
    _forget_old([(work, answer.id) for work, answer in done if work.params.get("old_billing_id")])


def _forget_old(moved: Sequence[tuple[Work, str]]) -> None:
    """A link that was moved on purpose: the old billing customer is nobody's here any more."""
    gone = [(work, str(work.params["old_billing_id"])) for work, new in moved if work.params["old_billing_id"] != new]
    if not gone:
        return
    for work, new in moved:  # few: somebody cleared the field of each
        portal_links.end_for(work.known.refs.customer_id, actor=ACTOR, reason="linked anew in the ERP", keep=new)
    taken = sets.run(
        """delete from ledger_externalid x using unnest(%(customer)b::bigint[], %(value)b::text[]) as v(customer, value)
            where x.system = 'stripe' and x.kind = 'customer' and x.value = v.value and x.customer_id = v.customer
           returning x.customer_id""",
        {"customer": [work.known.refs.customer_id for work, _ in gone], "value": [old for _, old in gone]},
    )
    unlinked = {row[0] for row in taken}
    book.write_rows(
        [
            {
                "subject_kind": "customer", "subject_id": str(work.known.refs.customer_id), "action_id": work.id,
                "customer_id": work.known.refs.customer_id, "decision": "unlink", "actor": ACTOR,
                "prior_state": work.known.customer_state, "post_state": work.known.customer_state,
                "state_version": work.known.customer_version, "inputs": {"stripe_customer": old},
                "correlation_id": work.correlation_id,
            }
            for work, old in gone if work.known.refs.customer_id in unlinked
        ]
    )  # fmt: skip


def imported(account: str, rows: Sequence[tuple[int, int, str, str]]) -> None:
    """Rows (internal id, our customer, billing id, its account) that a person confirmed: verified there.

    The ERP was not yet seen with them.
    """
    sets.insert(
        "sync_synclink", LINK_TYPES,
        [
            {
                "account": account, "internal_id": internal_id, "customer_id": customer, "billing_account": billing,
                "billing_id": billing_id, "generation": 1, "attempt": 1, "content": "", "row": "", "modified": "",
                "email_key": "", "updated_at": clock.now(),
            }
            for internal_id, customer, billing_id, billing in rows
        ],
        """on conflict (account, internal_id) do update set billing_id = excluded.billing_id, is_live = null,
             billing_account = excluded.billing_account,
             written_back_at = null, content = '', row = '', modified = '', updated_at = excluded.updated_at,
             generation = sync_synclink.generation + 1
           where sync_synclink.billing_id <> excluded.billing_id""",
    )  # fmt: skip


def written_back(done: Sequence[tuple[Work, Confirmation]]) -> None:
    """The ERP was read and names the billing customer."""
    sets.run(
        """update sync_synclink l set written_back_at = now(), row = v.row, modified = v.modified,
                  page = coalesce(v.page, l.page), updated_at = now()
             from unnest(%(account)b::text[], %(internal_id)b::bigint[], %(billing_id)b::text[], %(row)b::text[],
                         %(modified)b::text[], %(page)b::bigint[])
                  as v(account, internal_id, billing_id, row, modified, page)
            where l.account = v.account and l.internal_id = v.internal_id and l.billing_id = v.billing_id""",
        {
            "account": [work.params["account"] for work, _ in done],
            "internal_id": [int(work.params["customer"]) for work, _ in done],
            "billing_id": [str(work.params["billing_id"]) for work, _ in done],
            "row": [str(answer.said.get("row", "")) for _, answer in done],
            "modified": [str(answer.said.get("modified", "")) for _, answer in done],
            "page": [answer.said.get("page") for _, answer in done],
        },
    )  # fmt: skip
