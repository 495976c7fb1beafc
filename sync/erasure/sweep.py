"""The statements that take a person out of the tables; each says how many rows it changed. In the caller's transaction.

Two passes: what hangs on the customer goes whatever it says, and what the person is known by goes wherever it stands.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from psycopg import sql

from ledger import clock, sets
from sync.erasure import words as wording

# Whole rows of these hang on a customer. `customer` is our number, `ids` are its ids in the other systems.
ITS_EVENTS = """select id from ledger_event where customer_id = %(customer)b
                union select event_id from ledger_action where customer_id = %(customer)b and event_id is not null"""
OWN: dict[str, str] = {
    "ledger_eventbody": f"""update ledger_eventbody set raw = '', headers = '{{}}', erased_at = %(now)b
        where erased_at is null and event_id in ({ITS_EVENTS})""",
    "sync_attempt": f"""update sync_attempt set request_body = '', response_body = '', path = split_part(path, '?', 1)
        where (request_body <> '' or response_body <> '' or path like '%%?%%')
          and (action_id in (select id from ledger_action where customer_id = %(customer)b)
               or event_id in ({ITS_EVENTS}))""",
    "ledger_contextrecord": """update ledger_contextrecord set blocks = '{}'
        where customer_id = %(customer)b and blocks <> '{}'""",
    "sync_linkimportrow": """update sync_linkimportrow set email = ''
        where email <> '' and (customer_id = %(customer)b or internal_id = any(%(ids)b::text[]))""",
    "sync_syncerror": """update sync_syncerror set exchange = '{}', candidates = '[]'
        where customer_id = %(customer)b and (exchange <> '{}' or candidates <> '[]')""",
    "sync_syncoutcome": """update sync_syncoutcome set notes = '[]', candidates = '[]'
        where customer_id = %(customer)b and (notes <> '[]' or candidates <> '[]')""",
    "sync_delta": """update sync_delta set left_value = '', right_value = ''
        where customer_id = %(customer)b and (left_value <> '' or right_value <> '')""",
    "sync_reconcilerow": """update sync_reconcilerow set data = '{}'
        where data <> '{}' and (record = any(%(ids)b::text[]) or key = any(%(ids)b::text[]))""",
}
CUSTOMER = """update ledger_customer set name = '', email = '', erased_at = %(now)b, updated_at = %(now)b
    where id = %(customer)b and erased_at is null"""
ACTIONS = """select id, params, preview, facts, confirmation from ledger_action where customer_id = %(customer)b
    order by id for update"""
BARE_ACTIONS = """update ledger_action a set params = v.params::jsonb, preview = v.preview::jsonb,
        facts = v.facts::jsonb, confirmation = v.confirmation::jsonb, request = null
   from unnest(%(id)b::uuid[], %(params)b::text[], %(preview)b::text[], %(facts)b::text[], %(confirmation)b::text[])
        as v(id, params, preview, facts, confirmation) where a.id = v.id"""
# The journal and what seals it hold nothing personal and cannot be changed; the rest is the framework's own.
FIXED = ("ledger_ledgerrow", "ledger_ledgerseal", "ledger_ledgercheck", "ledger_edge", "ledger_event")
OURS = ("ledger_", "gates_", "sync_", "meshline_")
COLUMNS = """
select c.table_name, c.column_name, c.data_type from information_schema.columns c
  join pg_class k on k.relname = c.table_name and k.relnamespace = 'public'::regnamespace and k.relkind = 'r'
 where c.table_schema = 'public' and c.is_generated = 'NEVER'
   and c.data_type in ('text', 'character varying', 'jsonb') and not k.relispartition
 order by c.table_name, c.ordinal_position"""
IN_BODIES = """
select b.id, b.event_id from ledger_eventbody b, lateral (select lower(encode(b.raw, 'escape')) as text) t
 where b.erased_at is null and exists (select from unnest(%(forms)b::text[]) f where strpos(t.text, f) > 0)"""
ERASE_BODIES = """update ledger_eventbody set raw = '', headers = '{}', erased_at = %(now)b
    where id = any(%(ids)b::bigint[]) and erased_at is null"""
REFUSALS = """update sync_refusal r set body_head = '', headers = '{}'
    where exists (select from unnest(%(forms)b::text[]) f where strpos(lower(encode(r.body_head, 'escape')), f) > 0)"""
RETURNED = """update ledger_eventbody b set raw = '', headers = '{}', erased_at = %(now)b
   from ledger_event e join ledger_customer c on c.id = e.customer_id and c.erased_at is not null
  where b.event_id = e.id and b.erased_at is null and b.received_at >= c.erased_at - interval '1 day'"""
RETURNED_TO_NOBODY = """update ledger_eventbody b set raw = '', headers = '{}', erased_at = %(now)b
   from sync_erasure x, jsonb_array_elements_text(x.events) as v(event) where b.event_id = v.event::bigint
    and x.state = 'done' and b.erased_at is null"""
ASKED_AGAIN = """update sync_attempt t set request_body = '', response_body = '', path = split_part(path, '?', 1)
   from ledger_action a join ledger_customer c on c.id = a.customer_id and c.erased_at is not null
  where t.action_id = a.id and t.began_at >= c.erased_at - interval '1 day'
    and (t.request_body <> '' or t.response_body <> '')"""


def own_rows(customer: int, ids: Sequence[str]) -> dict[str, int]:
    """Everything that hangs on the customer, by number or by one of its ids elsewhere; {table: rows changed}."""
    asked = {"customer": customer, "ids": list(ids), "now": clock.now()}
    counts = {table: _changed(statement, asked) for table, statement in OWN.items()}
    counts["ledger_action"] = _bare_actions(customer)
    counts["ledger_customer"] = _changed(CUSTOMER, asked)
    return counts


def _bare_actions(customer: int) -> int:
    """What was to be written is over; ids, amounts and states stay, so that what was done can be explained."""
    rows = sets.run(ACTIONS, {"customer": customer})
    if not rows:
        return 0
    columns: dict[str, list[Any]] = {"id": [row[0] for row in rows]}
    for place, name in enumerate(("params", "preview", "facts", "confirmation"), start=1):
        columns[name] = [sets.to_json(wording.bare(row[place])) for row in rows]
    return _changed(BARE_ACTIONS, columns)


def everywhere(words: Sequence[str]) -> tuple[dict[str, int], list[int]]:
    """Replace these words in every text column; bodies that have one go whole. ({table: rows}, events of bodies)."""
    counts: dict[str, int] = {}
    if not words:
        return counts, []
    for table, columns in _columns().items():
        if table not in FIXED:
            changed = _replace(table, columns, words)
            counts |= {table: changed} if changed else {}
    forms = {"forms": wording.in_bytes(words)}
    hits = sets.run(IN_BODIES, forms)
    if hits:
        counts["ledger_eventbody"] = _changed(ERASE_BODIES, {"ids": [row[0] for row in hits], "now": clock.now()})
    refused = _changed(REFUSALS, forms)
    return counts | ({"sync_refusal": refused} if refused else {}), sorted({row[1] for row in hits})


def left(words: Sequence[str]) -> dict[str, int]:
    """Where these words still stand, the journal included: {table: rows}; empty when nothing is left."""
    found: dict[str, int] = {}
    if not words:
        return found
    for table, columns in _columns().items():
        count = _count(table, columns, words)
        found |= {table: count} if count else {}
    bodies = len(sets.run(IN_BODIES, {"forms": wording.in_bytes(words)}))
    return found | ({"ledger_eventbody": bodies} if bodies else {})


def forget_bodies(events: Sequence[int]) -> None:
    """Empty the bodies of these events."""
    sets.run(
        """update ledger_eventbody set raw = '', headers = '{}', erased_at = %(now)b
            where event_id = any(%(ids)b::bigint[]) and erased_at is null""",
        {"now": clock.now(), "ids": list(events)},
    )


def again() -> int:
    """What was delivered or read anew about those who were erased; how many rows were emptied."""
    now = {"now": clock.now()}
    return _changed(RETURNED, now) + _changed(RETURNED_TO_NOBODY, now) + _changed(ASKED_AGAIN, {})


def _columns() -> dict[str, list[tuple[str, bool]]]:
    """Table -> (column, whether it is JSON) of every text that we store."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for table, column, kind in sets.run(COLUMNS, {}):
        if table.startswith(OURS):
            found.setdefault(table, []).append((column, kind == "jsonb"))
    return found


def _replace(table: str, columns: Sequence[tuple[str, bool]], words: Sequence[str]) -> int:
    sets_to, where = [], []
    for column, is_json in columns:
        name, kind = sql.Identifier(column), "json" if is_json else "text"
        cast = sql.SQL("::jsonb" if is_json else "")
        sets_to.append(
            sql.SQL("{0} = regexp_replace({0}::text, {1}, {2}, 'gi'){3}").format(
                name, sql.Placeholder(kind), sql.Literal(wording.ERASED), cast
            )
        )
        where.append(sql.SQL("{0}::text ~* {1}").format(name, sql.Placeholder(kind)))
    statement = sql.SQL("update {0} set {1} where {2}").format(
        sql.Identifier(table), sql.SQL(", ").join(sets_to), sql.SQL(" or ").join(where)
    )
    return _changed(statement, _patterns(words))


def _count(table: str, columns: Sequence[tuple[str, bool]], words: Sequence[str]) -> int:
    where = [
        sql.SQL("{0}::text ~* {1}").format(sql.Identifier(column), sql.Placeholder("json" if is_json else "text"))
        for column, is_json in columns
    ]
    statement = sql.SQL("select count(*) from {0} where {1}").format(sql.Identifier(table), sql.SQL(" or ").join(where))
    with connection.cursor() as cursor:
        cursor.execute(statement, _patterns(words))
        return int(cursor.fetchone()[0])


def _patterns(words: Sequence[str]) -> dict[str, str]:
    return {"text": wording.pattern(words), "json": wording.pattern(words, in_json=True)}


def _changed(statement: Any, values: Mapping[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
