"""Check `customers`: deals that carry a customer's external id against the ERP's customers under these ids.

A customer is of an organization, and several of its deals may carry the same id; where deals of two organizations do,
or two of the ERP's records belong to one id, that is a duplicate. Only occurrences are counted, no set is made of ids.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger import sets
from sync.contracts import members
from sync.contracts import netsuite as erp_contract
from sync.contracts import pipedrive_records as records
from sync.contracts.members import DriftError
from sync.errors import PermanentError
from sync.onboarding import reading
from sync.providers import netsuite_records
from sync.reconcile import fields
from sync.reconcile.fields import Field
from sync.reconcile.finding import Compared, Finding, Page, Ref, fingerprint
from sync.wiretypes import Exchange

# What is read, in this order, and from whom.
LISTS = {
    "names": "netsuite", "deals": "pipedrive", "archived": "pipedrive", "organizations": "pipedrive",
    "persons": "pipedrive", "customers": "netsuite",
}  # fmt: skip
WITH_FIELDS = ("deal", "organization")  # which of the CRM's records have fields of ours
KINDS = ("missing_left", "missing_right", "field_differs", "duplicate")
LEAD = "Revenue Ops Lead"
# Who sees to a difference: the people of the system whose word counts for the field.
GROUPS = {"netsuite": "Billing Resolver", "stripe": "Billing Resolver", "pipedrive": LEAD}
ENGINEERS = "Automation Engineer"
PAGE, KEYS = 1000, 1000
OURS = "mesh-"
COLUMN = re.compile(r"[a-z][a-z0-9_]{0,99}")
ROW_TYPES = {"run_id": "bigint", "kind": "text", "record": "text", "key": "text", "parent": "text", "data": "jsonb"}


def read(name: str, cursor: str, kept: dict[str, Any], exchanges: list[Exchange]) -> Page:
    """One page of one list. Raises ProviderError."""
    if name == "names":
        lists = netsuite_records.LISTED.read(reading.erp(), exchanges)
        return Page([], "", {"lists": lists, "fields": [list(one) for one in fields.chosen(lists)]})
    if name == "customers":
        return _customers(cursor, kept, exchanges)
    entity = {"archived": "deal"}.get(name, name.removesuffix("s"))
    rows, following = reading.crm().listed(entity, is_archive=name == "archived", cursor=cursor, exchanges=exchanges)
    named = reading.crm().fields(entity, exchanges) if entity in WITH_FIELDS else {}
    return Page(rows, following, named=named)


def _customers(cursor: str, kept: dict[str, Any], exchanges: list[Exchange]) -> Page:
    """The ERP's customers of ours, by id from the last one seen on: pages by offset end at 100,000 rows."""
    columns = sorted({one.column for one in fields_of(kept) if COLUMN.fullmatch(one.column)})
    deal = next((one.column for one in fields_of(kept) if one.source == "deal.id"), "externalid")
    query = (
        f"SELECT {', '.join(['id', 'externalid', *columns])} FROM customer "
        f"WHERE id > ? AND (externalid IS NOT NULL OR {deal} IS NOT NULL) ORDER BY id"
    )
    rows = reading.erp().suiteql(query, [cursor or "0"], limit=PAGE, exchanges=exchanges)
    rows = [{**row, "deal": row.get(deal, "") if deal != "externalid" else ""} for row in rows]
    try:
        last = erp_contract.record_id(rows[-1]) if len(rows) == PAGE else ""
    except DriftError as error:
        raise reading.erp().drifted(error) from error
    return Page(rows, last)


def fields_of(kept: dict[str, Any]) -> list[Field]:
    """The fields of this run, as they were chosen at its start."""
    return [Field(*one) for one in kept["fields"]]


# --- keeping what was read


def store(run_id: int, name: str, page: Page, kept: dict[str, Any]) -> tuple[int, int]:
    """Keep a page in the caller's transaction; how many records of the left and of the right side took part."""
    try:
        if name in ("deals", "archived"):
            return _store_deals(run_id, page), 0
        if name in ("organizations", "persons"):
            _fill(run_id, name.removesuffix("s"), page)
        return (0, _store_customers(run_id, page.rows)) if name == "customers" else (0, 0)
    except DriftError as error:
        adapter = reading.erp() if LISTS[name] == "netsuite" else reading.crm()
        raise adapter.drifted(error) from error


def _store_deals(run_id: int, page: Page) -> int:
    """Deals that carry an external id, and places for the organizations and people behind them."""
    known = page.named
    mark = known.get("external_id")
    if mark is None:
        raise PermanentError("the CRM has no field for the external id", provider=LISTS["deals"], code="no_field")
    kept: list[dict[str, Any]] = []
    for row in page.rows:
        if not (row.get("custom_fields") or {}).get(mark.code) or row.get("is_deleted") is True:
            continue
        said, _ = records.custom(row, known, {})
        deal = {
            "deal.id": records.number(row, "id"), "deal.currency": members.text_or_blank(row, "currency").lower(),
            "deal.subsidiary": said.get("subsidiary", ""), "deal.payment_terms": said.get("payment_terms", ""),
            "deal.csm": said.get("csm", ""), "deal.billing_owner": said.get("billing_owner", ""),
            "deal.first_value_date": said.get("first_value_date", ""),
            "custom.onboarding_package_code": said.get("package_code", ""),
            "person": members.identifier(row, "person_id"), "changed": members.text_or_blank(row, "update_time"),
        }  # fmt: skip
        organization = members.identifier(row, "org_id")
        kept.append(_row(run_id, "deal", deal["deal.id"], _key(said["external_id"]), organization, deal))
        kept += [_row(run_id, "organization", organization)] if organization else []
        kept += [_row(run_id, "person", deal["person"])] if deal["person"] else []
    return _keep(kept).count("deal")


def _fill(run_id: int, kind: str, page: Page) -> None:
    """What those organizations or people say that a deal hangs on; the others are nobody's business here."""
    known = {records.number(row, "id"): row for row in page.rows}
    wanted = sets.run(
        """select record from sync_reconcilerow where run_id = %(run)b and kind = %(kind)b
              and record = any(%(ids)b::text[])""",
        {"run": run_id, "kind": kind, "ids": list(known)},
    )
    told = [
        (record, _said(kind, known[record], page))
        for (record,) in wanted
        if known[record].get("is_deleted") is not True
    ]
    sets.run(
        """update sync_reconcilerow r set data = v.data::jsonb
             from unnest(%(ids)b::text[], %(data)b::text[]) as v(record, data)
            where r.run_id = %(run)b and r.kind = %(kind)b and r.record = v.record""",
        {"run": run_id, "kind": kind, "ids": [one for one, _ in told], "data": [sets.to_json(one) for _, one in told]},
    )


def _said(kind: str, row: dict[str, Any], page: Page) -> dict[str, Any]:
    if kind == "person":
        someone = records.person(row)
        return {
            "person.name": someone.name, "person.primary_email": someone.primary_email, "person.phones": someone.phones
        }  # fmt: skip
    said, _ = records.custom(row, page.named, {})
    name = members.text_or_blank(row, "name")
    return {
        "organization.id": records.number(row, "id"), "organization.name": name,
        "organization.tax_id": said.get("tax_id", ""),
    }  # fmt: skip


def _store_customers(run_id: int, rows: Sequence[dict[str, Any]]) -> int:
    """The ERP's customers under an id of ours, and those that name a deal: copies keep the deal, never the id."""
    kept = []
    for row in rows:
        key, deal = _key(members.text_or_blank(row, "externalid")), members.text_or_blank(row, "deal")
        if key.startswith(OURS) or deal:
            record = erp_contract.record_id(row)
            kept.append(_row(run_id, "customer", record, key if key.startswith(OURS) else "", deal, row))
    return len(_keep(kept))


def _keep(rows: list[dict[str, Any]]) -> list[str]:
    """Each record once, however often the lists show it; the kinds of those that were new."""
    made = sets.insert("sync_reconcilerow", ROW_TYPES, rows, "on conflict do nothing returning kind")
    return [kind for (kind,) in made]


def _row(
    run_id: int, kind: str, record: str, key: str = "", parent: str = "", data: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {"run_id": run_id, "kind": kind, "record": record, "key": key, "parent": parent[:40], "data": data or {}}


def _key(external_id: str) -> str:
    """External ids mind no case in the ERP, and people type blanks."""
    return external_id.strip().lower()[:255]


# --- comparing what was kept

# A customer of the ERP without an id of its own belongs to the customer whose deal it names.
ADOPT = """
update sync_reconcilerow c set key = coalesce((
         select d.key from sync_reconcilerow d
          where d.run_id = c.run_id and d.kind = 'deal' and d.record = c.parent), 'netsuite:' || c.record)
 where c.run_id = %(run)b and c.kind = 'customer' and c.key = ''"""
ROWS = """
with page as (select distinct key from sync_reconcilerow where run_id = %(run)b and key > %(after)b
               order by key limit %(size)b)
select r.key, r.kind, r.record, r.parent, r.data, o.data, p.data
  from page join sync_reconcilerow r on r.run_id = %(run)b and r.key = page.key
  left join sync_reconcilerow o on r.kind = 'deal' and o.run_id = r.run_id and o.kind = 'organization'
        and o.record = r.parent
  left join sync_reconcilerow p on r.kind = 'deal' and p.run_id = r.run_id and p.kind = 'person'
        and p.record = r.data ->> 'person'
 order by r.key, r.id"""
# Ours of these ids: whether the CRM ever knew it, whether it is being made, or was while both sides were read, and
# whether a person refused it: a deal that nobody bills is missing nowhere.
ABOUT = """
select c.external_id, c.id,
       exists (select from ledger_externalid x where x.customer_id = c.id and x.system = 'pipedrive'),
       exists (select from ledger_action a
                where a.customer_id = c.id and a.kind in ('customer.create', 'deal.annotate')
                  and (a.state not in ('applied', 'rejected', 'superseded', 'observed', 'compensated')
                       or a.updated_at >= (select started_at from sync_reconcilerun where id = %(run)b))),
       coalesce((select a.state = 'rejected' from ledger_action a
                  where a.customer_id = c.id and a.kind = 'customer.create' order by a.id desc limit 1), false)
  from ledger_customer c where c.external_id = any(%(keys)b::text[])"""


@dataclass(slots=True)
class Both:
    """Everything that was read under one key."""

    key: str
    deals: list[dict[str, Any]] = field(default_factory=list)
    organizations: list[str] = field(default_factory=list)
    erp: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    customer_id: int | None = None
    is_of_crm: bool = True
    is_under_way: bool = False
    is_refused: bool = False

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Every record there is."""
        deals = [("pipedrive", "deal", one["deal.id"]) for one in self.deals]
        places = [("pipedrive", "organization", one) for one in self.organizations]
        return (*deals, *places, *(("netsuite", "customer", record) for record, _ in self.erp))


def compare(run_id: int, kept: dict[str, Any]) -> Iterator[Compared]:
    """Go through all keys in pages; what is under way is no difference."""
    sets.run(ADOPT, {"run": run_id})
    after, chosen, lists = "", fields_of(kept), kept["lists"]
    while rows := sets.run(ROWS, {"run": run_id, "after": after, "size": KEYS}):
        after = rows[-1][0]
        found = _grouped(run_id, rows)
        yield Compared(len(found), [one for both in found for one in _findings(both, chosen, lists)])


def _grouped(run_id: int, rows: Sequence[tuple[Any, ...]]) -> list[Both]:
    found: dict[str, Both] = {}
    for key, kind, record, parent, data, organization, person in rows:
        both = found.setdefault(key, Both(key))
        if kind == "customer":
            both.erp.append((record, data))
        else:
            both.deals.append({**data, **(organization or {}), **(person or {})})
            both.organizations += [parent] if parent and parent not in both.organizations else []
    for key, customer_id, *about in sets.run(ABOUT, {"keys": list(found), "run": run_id}):
        both = found[key]
        both.customer_id, (both.is_of_crm, both.is_under_way, both.is_refused) = customer_id, about
    return list(found.values())


def _findings(both: Both, chosen: Sequence[Field], lists: fields.Lists) -> list[Finding]:
    found = []
    if len(both.organizations) > 1:
        found.append(_finding(both, "duplicate", "pipedrive", left=", ".join(both.organizations)))
    if len(both.erp) > 1:
        found.append(_finding(both, "duplicate", "netsuite", right=", ".join(record for record, _ in both.erp)))
    if not both.erp and not both.is_under_way and not both.is_refused:
        found.append(_finding(both, "missing_right", left=_name(both)))
    if not both.deals and both.is_of_crm and not both.is_under_way:
        found.append(_finding(both, "missing_left", right=str(both.erp[0][1].get("companyname", ""))))
    if both.deals and both.erp:
        found += _different(both, chosen, lists)
    return found


def _different(both: Both, chosen: Sequence[Field], lists: fields.Lists) -> list[Finding]:
    """The fields that none of the deals has as the ERP's own record has them; of a copy nothing is compared."""
    record = next((row for _, row in both.erp if _key(str(row.get("externalid", ""))) == both.key), both.erp[0][1])
    newest = max(both.deals, key=lambda one: str(one.get("changed", "")))
    found = []
    for one in chosen:
        lefts = [fields.left(one, deal.get(one.source), lists) for deal in both.deals]
        theirs = fields.right(one, str(record.get(one.column) or ""))
        if not fields.differ(one, lefts, theirs):
            continue
        found.append(
            _finding(
                both, "field_differs", one.name, left=fields.shown(newest.get(one.source)),
                right=fields.name_of(one, str(record.get(one.column) or ""), lists), owner=one.owner,
                prints=(fingerprint("|".join(sorted(set(lefts)))), fingerprint(theirs)),
            )
        )  # fmt: skip
    return found


def _name(both: Both) -> str:
    return str(both.deals[0].get("organization.name") or "")[:300] if both.deals else ""


def _finding(
    both: Both, kind: str, about: str = "", *, left: str = "", right: str = "", owner: str = "",
    prints: tuple[str, str] | None = None,
) -> Finding:  # fmt: skip
    group = GROUPS.get(owner, ENGINEERS) if kind == "field_differs" else LEAD
    left_print, right_print = prints or (fingerprint(left), fingerprint(right))
    return Finding(
        kind, both.key, about, group, left[:300], right[:300], left_print, right_print, owner, both.refs,
        both.customer_id,
    )  # fmt: skip
