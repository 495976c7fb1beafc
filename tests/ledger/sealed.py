"""A ledger worth sealing: rows whose content is hard to write down, and short ways to seal and look."""

import psycopg

from ledger import book, sets
from ledger.models import LedgerSeal
from ledger.offline_check import entries_of
from ledger.seals import sealing

HARD = [
    {"a": 1, "bb": [1.10, "1e400", None, True, {}], "é": "ü\u2028\x7f", "": "", "aa": {"z": {"y": []}}},
    {"text": 'a "quoted" \\ back\nnew\ttab\x01\x1f, comma', "emoji": "💶"},
    ["=1+1", -0.0, 10**30, 0.0000001, 1e22],
    {"b" * 300: "x" * 5000},
]
TEXTS = ["=cmd()", "'quoted", "", "line\nbreak", 'say "hi", now', "Ünïcode €", "-5", "plain"]


def rows(count, **more):
    """Remarks about nothing in particular: no chain knows them, so that only a seal can tell."""
    book.write_rows([
        {
            "subject_kind": "export", "subject_id": f"n{number}", "decision": "export", "prior_state": "export",
            "post_state": "export", "inputs": HARD[number % len(HARD)], "reasons": [HARD[(number + 1) % len(HARD)]],
            "key": TEXTS[number % len(TEXTS)], "confirmation_id": TEXTS[(number + 3) % len(TEXTS)],
            "amount_minor": -number if number % 2 else None, "event_id": number or None, **more,
        }
        for number in range(count)
    ])  # fmt: skip


def ids():
    return [key for (key,) in sets.run("select id from ledger_ledgerrow order by id")]


def sealed_ids():
    """Each id as often as a seal lists it."""
    return [
        key for one in LedgerSeal.objects.order_by("id") for key in sorted(entries_of(bytes(one.row_digests)).keys())
    ]


def seal(batch=7, patience=60.0):
    return sealing.seal(batch=batch, patience=patience)


def run_on(session, sql, params=None):
    """As `sets.run`, on another session: to look from within a transaction that is thrown away."""
    with psycopg.Cursor(session) as cursor:
        cursor.execute(sql.encode(), params, binary=True)
        return cursor.fetchall() if cursor.description else []
