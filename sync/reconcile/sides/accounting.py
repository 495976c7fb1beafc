"""Billing's balance against the ERP's books: the same lines that are recorded, each under the same key.

A key is what a line is of and its object (`payment ch_1`, `fee txn_1`), so that what was taken and what was given back
are never mistaken for each other. A record without an external id whose memo names a line is a copy: a second one.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from gates.playbooks import accounting
from gates.playbooks.accounting import Fact, Line
from ledger import sets
from sync.contracts import members
from sync.errors import PermanentError
from sync.onboarding.reading import erp
from sync.providers import netsuite_accounting as books
from sync.providers import netsuite_records as records
from sync.providers import stripe_accounts, stripe_balance
from sync.reconcile.pairing import Rows, Totals, Window
from sync.reconcile.sides.stripe import stripe
from sync.reconcile.staging import BETWEEN, Row, values
from sync.wiretypes import Exchange

WRITES = accounting.KINDS
PREFIXES = {prefix: word for word, (_, prefix) in accounting.WORDS.items()}
COUNTS = ("", *accounting.READ, *accounting.BACK)  # what may have records; "" is nobody knows what
NET = "net"  # what all lines of a currency come to in billing's balance
TOTALS = """
select list, split_part(key, ' ', 1), split_part(split_part(vals, %(u)b, 1), ' ', 2), count(*)::bigint,
       sum(case when vals ~ '^[0-9]' then split_part(vals, ' ', 1)::bigint else 0 end)::bigint
  from sync_reconcileside where run_id = %(run)b group by 1, 2, 3"""


def balance(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """The lines of every billing account since the first day that counts. Raises ProviderError.

    PermanentError `drift` for one that counts and cannot be read: without it nothing can be said to agree.
    """
    names = stripe_accounts.connected()
    place, _, inner = cursor.partition("|")
    number = int(place or 0)
    with stripe_accounts.acting_for(stripe_accounts.on_wire(names[number])):
        facts, following = stripe_balance.page(
            stripe(), inner, exchanges, since=settings.MESHLINE_ACCOUNTING["since"], until=window.started
        )
    for fact in facts:
        if fact.flaw and fact.category in COUNTS:
            told = f"{fact.id} of the balance cannot be read ({fact.flaw})"
            raise PermanentError(told, provider=stripe_accounts.PROVIDER, code="drift")
    rows: Rows = [("billing", _row(fact, line)) for fact in facts for line in _lines(fact)]
    if following:
        return rows, f"{number}|{following}"
    return rows, f"{number + 1}|" if number + 1 < len(names) else ""


def _lines(fact: Fact) -> tuple[Line, ...]:
    return accounting.lines(fact, books_refunds=bool(settings.MESHLINE_CREDIT_MEMOS))


def _row(fact: Fact, line: Line) -> Row:
    vals = values(f"{line.minor} {line.currency}")
    return Row(line.key, fact.id, vals, fact.customer, fact.made_at.isoformat())


def payments(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Payments and customer refunds that are ours, or copies of ours. Raises ProviderError."""
    return _booked(cursor, exchanges, journals=False)


def journals(window: Window, cursor: str, exchanges: list[Exchange]) -> tuple[Rows, str]:
    """Journal entries that are ours, or copies of ours, by what their lines debit. Raises ProviderError."""
    return _booked(cursor, exchanges, journals=True)


def _booked(cursor: str, exchanges: list[Exchange], *, journals: bool) -> tuple[Rows, str]:
    symbols = {key: name for name, key in (records.LISTED.read(erp(), exchanges)["currency"] or {}).items()}
    rows, following = books.listed(erp(), cursor, exchanges, journals=journals)
    made = [(row, _key(row)) for row in rows]
    return [("books", _record(row, key, symbols)) for row, key in made if key], following


def _key(row: Mapping[str, Any]) -> str:
    """What a record is of; "" for one that is none of these."""
    named = books.names_of(row, tuple(PREFIXES))
    found = next((prefix for prefix in PREFIXES if named.startswith(prefix)), "")
    return f"{PREFIXES[found]} {named.removeprefix(found)}" if found else ""


def _record(row: Mapping[str, Any], key: str, symbols: Mapping[str, str]) -> Row:
    """Its amount whatever its sign: the ERP shows what goes out with a minus in some lists and not in others."""
    currency = symbols.get(members.text_or_blank(row, "currency"), "?")
    minor = records.minor_of(row.get("total"), currency)
    amount = f"{abs(minor)} {currency}" if minor is not None else f"?{row.get('total') or ''} {currency}"
    return Row(key, str(row["id"]), values(amount), members.text_or_blank(row, "entity"))


def totals(run_id: int) -> Totals:
    """Records and minor units of both sides, by what they are of and currency; and the net of each currency."""
    found: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
    for name, word, currency, count, minor in sets.run(TOTALS, {"run": run_id, "u": BETWEEN}):
        _add(found, (word, currency), name, count, minor)
        _add(found, (NET, currency), name, count, -minor if word in accounting.TAKES else minor)
    order = [*accounting.WORDS, NET]
    return [
        (word, currency, *sides.get("billing", (0, 0)), *sides.get("books", (0, 0)))
        for (word, currency), sides in sorted(found.items(), key=lambda one: (one[0][1], order.index(one[0][0])))
    ]


def _add(
    found: dict[tuple[str, str], dict[str, tuple[int, int]]], key: tuple[str, str], side: str, count: int, minor: int
) -> None:
    before = found.setdefault(key, {}).get(side, (0, 0))
    found[key][side] = (before[0] + count, before[1] + minor)
