"""What a superuser did to sealed rows, with every trigger lifted, is found, and the first row it befell is named."""

import base64
import json
from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command

from ledger import offline_check, verify
from ledger.models import LedgerCheck
from ledger.offline_check import COLUMNS
from meshline.subjects import SUBJECTS, UNCHAINED
from tests.ledger import sealed
from tests.ledger.test_verify import story

CHANGED, REMOVED, INSERTED = offline_check.CHANGED, offline_check.REMOVED, offline_check.INSERTED
CUT = "it and everything after it was cut off"
VALUES = {
    "number": "coalesce({0}, 0) + 1", "uuid": "gen_random_uuid()", "text": "{0} || 'x'",
    "time": "coalesce({0}, '2026-01-01') + interval '1 microsecond'", "json": "'[1, 2]'",
}  # fmt: skip
SMALL = {
    "a text taken away": "update ledger_ledgerrow set subject_id = '' where id = {at}",
    "a value set to null": "update ledger_ledgerrow set event_id = null where id = {at}",
    "null set to a value": "update ledger_ledgerrow set customer_id = 0 where id = {at}",
    "a time without an end": "update ledger_ledgerrow set recorded_at = 'infinity' where id = {at}",
    "a time before Christ": "update ledger_ledgerrow set recorded_at = '2026-01-01 BC' where id = {at}",
    "text moved from one column to the next": (
        "update ledger_ledgerrow set key = '', confirmation_id = key || confirmation_id where id = {at}"
    ),
    "a number written otherwise": (
        "update ledger_ledgerrow set inputs = '{{\"a\": 1.0}}' where id = {at}"
    ),
}  # fmt: skip
TAMPER = [
    ("the first row deleted", "delete from ledger_ledgerrow where id = {first}", REMOVED, "first"),
    ("a row in the middle deleted", "delete from ledger_ledgerrow where id = {at}", REMOVED, "at"),
    ("two seals' rows deleted", "delete from ledger_ledgerrow where id between {at} and {at} + 15", REMOVED, "at"),
    ("the end cut off", "delete from ledger_ledgerrow where id > {at}", CUT, "next"),
    ("the last row deleted", "delete from ledger_ledgerrow where id >= {last}", CUT, "last"),
    ("everything deleted", "delete from ledger_ledgerrow", CUT, "first"),
    ("a row put in", INSERT := """insert into ledger_ledgerrow (id, {columns}) overriding system value
      select {gap}, {columns} from ledger_ledgerrow where id = {at}""", INSERTED, "gap"),
    ("a row put in before all others", INSERT.replace("{gap}", "-5"), INSERTED, "-5"),
    ("two rows swapped", """update ledger_ledgerrow set id = case id when {at} then -{at} else -{at} - 1 end
      where id in ({at}, {at} + 1); update ledger_ledgerrow set id = case id when -{at} then {at} + 1 else {at} end
      where id < 0""", CHANGED, "at"),
    ("a row moved to the end", "update ledger_ledgerrow set id = {last} + 1000 where id = {at}", REMOVED, "at"),
    ("a row moved into a gap", "update ledger_ledgerrow set id = {gap} where id = {at}", REMOVED, "at"),
    ("all rows of an actor changed", "update ledger_ledgerrow set actor = 'x' where id >= {at}", CHANGED, "at"),
    *((name, statement, CHANGED, "at") for name, statement in SMALL.items()),
    *(
        (f"{name} changed", f"update ledger_ledgerrow set {name} = {VALUES[kind].format(f'{name}')} where id = {{at}}",
         CHANGED, "at")
        for name, kind in COLUMNS.items() if kind != "id" and name not in ("id", "txid")
    ),
    ("txid changed", "update ledger_ledgerrow set txid = '7' where id = {at}", CHANGED, "at"),
]  # fmt: skip


@pytest.fixture
def history(owner_connection):
    """A story and forty rows that no chain knows, with a gap, all sealed; the ids that the cases use."""
    story()
    sealed.rows(25)
    owner_connection.execute("select nextval('ledger_ledgerrow_id_seq')")
    sealed.rows(15)
    sealed.seal()
    ids = sealed.ids()
    gap = next(before + 1 for before, after in pairwise(ids) if after != before + 1)
    return {"first": ids[0], "at": gap - 9, "next": gap - 8, "gap": gap, "last": ids[-1], "-5": -5}


class Attack:
    """One session of the owner, its triggers lifted, in which everything is undone afterwards."""

    def __init__(self, session):
        self.session = session

    def __enter__(self):
        self.session.autocommit = False
        for table in ("ledger_ledgerrow", "ledger_ledgerseal"):
            self.session.execute(f"alter table {table} disable trigger user")
        self.swap = pytest.MonkeyPatch()
        return self

    def __exit__(self, *_):
        self.swap.undo()
        self.session.rollback()
        self.session.autocommit = True

    def do(self, statement, **places):
        columns = ", ".join(name for name in COLUMNS if name != "id")
        for one in statement.format(columns=columns, **places).split(";"):
            self.session.execute(one)

    def look(self, **given):
        """The report as the product would give it now, the triggers in place again."""
        for table in ("ledger_ledgerrow", "ledger_ledgerseal"):
            self.session.execute(f"alter table {table} enable trigger user")
        self.swap.setattr(verify.sets, "run", lambda sql, params=None: sealed.run_on(self.session, sql, params))
        return verify.verify(SUBJECTS, UNCHAINED, **given)


def test_each_is_found_and_its_first_row_named(owner_connection, history):
    missed = []
    for case, statement, said, place in TAMPER:
        with Attack(owner_connection) as attack:
            attack.do(statement, **history)
            broken = attack.look().broken
        if broken is None or broken.row != history[place] or not broken.problem.startswith(said):
            missed.append((case, broken, history[place]))

    assert missed == []
    assert len(TAMPER) >= 40
    assert verify.verify(SUBJECTS, UNCHAINED).is_intact


def test_a_range_finds_what_befell_its_seals(owner_connection, history):
    with Attack(owner_connection) as attack:
        attack.do("update ledger_ledgerrow set actor = 'x' where id = {at}", **history)
        within = attack.look(first=history["at"] - 3, last=history["at"] + 3)
        beyond = attack.look(first=history["last"] - 3, last=history["last"])

    assert (within.broken.row, beyond.broken) == (history["at"], None)


SEALS = [
    ("newest seal removed, its rows too", """delete from ledger_ledgerrow where id > (
        select max(last_row) from ledger_ledgerseal where id < {newest}); delete from ledger_ledgerseal
        where id = {newest}""", "it and everything after it was cut off (exported seal"),
    ("all seals removed and the first row",
     "delete from ledger_ledgerseal; delete from ledger_ledgerrow where id = {first}",
     "it was removed after it was sealed (exported seal 1)"),
    ("newest seal removed alone", "delete from ledger_ledgerseal where id = {newest}", "seal {newest} (rows "),
]  # fmt: skip


def test_what_the_database_cannot_know_exported_seals_tell(owner_connection, history, tmp_path):
    call_command("export_seals", str(tmp_path / "seals.json"), stdout=StringIO())
    exported = offline_check.read_seals(str(tmp_path / "seals.json"))
    newest, missed = exported[-1], []
    for case, statement, said in SEALS:
        with Attack(owner_connection) as attack:
            attack.do(statement, newest=newest.number, first=history["first"])
            broken = attack.look(exported=exported).broken
        row = {"it and": newest.first_row, "it was": history["first"]}.get(said[:6])
        if broken is None or broken.row != row or not broken.problem.startswith(said.format(newest=newest.number)):
            missed.append((case, broken))

    assert missed == []
    assert verify.verify(SUBJECTS, UNCHAINED, exported=exported).is_intact


def test_a_forger_who_seals_anew_is_found_by_what_was_exported(owner_connection, history, tmp_path):
    """Rows changed, all seals removed and made again by the product itself: the ledger agrees with itself."""
    call_command("export_seals", str(tmp_path / "whole.json"), stdout=StringIO())
    call_command("export_seals", str(tmp_path / "heads.json"), "--heads", stdout=StringIO())
    for table in ("ledger_ledgerrow", "ledger_ledgerseal"):
        owner_connection.execute(f"alter table {table} disable trigger user")
    owner_connection.execute("update ledger_ledgerrow set actor = 'x' where id = %s", [history["at"]])
    owner_connection.execute("delete from ledger_ledgerseal")
    for table in ("ledger_ledgerrow", "ledger_ledgerseal"):
        owner_connection.execute(f"alter table {table} enable trigger user")
    sealed.seal()

    assert verify.verify(SUBJECTS, UNCHAINED).is_intact
    whole, heads = (offline_check.read_seals(str(tmp_path / name)) for name in ("whole.json", "heads.json"))
    broken = verify.verify(SUBJECTS, UNCHAINED, exported=whole).broken
    assert (broken.row, broken.problem.startswith(CHANGED)) == (history["at"], True)
    assert "is another one than exported" in verify.verify(SUBJECTS, UNCHAINED, exported=heads).broken.problem
    with pytest.raises(CommandError) as trouble:
        call_command("verify_ledger", "--against", str(tmp_path / "whole.json"), stdout=StringIO())
    assert trouble.value.returncode == 1
    assert LedgerCheck.objects.get().bad_row == history["at"]


FORGED = [
    ("digest", "update ledger_ledgerseal set digest = sha256('x') where id = 3", "seal 3 (rows "),
    ("a listed row",
     "update ledger_ledgerseal set row_digests = overlay(row_digests placing '\\x00' from 9) where id = 3",
     "seal 3 (rows "),
    ("time", "update ledger_ledgerseal set sealed_at = sealed_at - interval '1 day' where id = 3", "seal 3 (rows "),
    ("range", "update ledger_ledgerseal set last_row = last_row + 1 where id = 3", "seal 3 (rows "),
    ("count", "update ledger_ledgerseal set row_count = 1 where id = 3", "seal 3 (rows "),
    ("number", "update ledger_ledgerseal set id = 300 where id = 3", "seal 4 (rows "),
    ("format", "update ledger_ledgerseal set row_format = 9 where id = 3", "seal 3 (rows "),
    ("one removed", "delete from ledger_ledgerseal where id = 3", "seal 4 (rows "),
    ("the first removed", "delete from ledger_ledgerseal where id = 1", "seal 2 (rows "),
    ("order", "update ledger_ledgerseal set previous = '\\x01' where id = 3", "seal 3 (rows "),
]  # fmt: skip


def test_a_seal_that_was_touched_is_named(owner_connection, history):
    missed = []
    for case, statement, said in FORGED:
        with Attack(owner_connection) as attack:
            attack.do(statement)
            broken = attack.look().broken
        if broken is None or not broken.problem.startswith(said):
            missed.append((case, broken))

    assert missed == []


def test_a_file_that_is_no_export_or_was_changed(history, tmp_path):
    path = tmp_path / "seals.json"
    call_command("export_seals", str(path), stdout=StringIO())
    document = json.loads(path.read_text())
    listed = bytearray(base64.b64decode(document["seals"][1]["rows"]))
    listed[20] ^= 1
    document["seals"][1]["rows"] = base64.b64encode(bytes(listed)).decode()
    (tmp_path / "changed.json").write_text(json.dumps(document))
    (tmp_path / "other.json").write_text("[]")

    with pytest.raises(CommandError, match="is there already") as taken:
        call_command("export_seals", str(path))
    with pytest.raises(CommandError, match="no exported seals") as other:
        call_command("verify_ledger", "--against", str(tmp_path / "other.json"))
    out = StringIO()
    with pytest.raises(CommandError) as changed:
        call_command("verify_ledger", "--against", str(tmp_path / "changed.json"), stdout=out)

    assert (taken.value.returncode, other.value.returncode, changed.value.returncode) == (2, 2, 1)
    assert "seal 2 was changed: its list of rows is another one" in out.getvalue()
