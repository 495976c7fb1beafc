"""The script that checks a ledger away from here: the same verdict from two files and nothing else."""

import csv
import json
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ledger import offline_check, sets
from ledger.models import LedgerRow
from ledger.offline_check import COLUMNS
from ledger.seals import form
from tests.ledger import sealed

HARD_JSON = [
    "{}", "[]", "null", "true", '"x"', "0", "-0", "-0.00", "1.10", "1e5", "1E-7", "-12.50e+3",
    "123456789012345678901234567890",
    '{"b": 1, "aa": 2, "a": 3, "": 4, "é": 5, "zz": {"y": [], "x": {}}}', '"\\u00fc\\ud83d\\ude00\\u2028/\\/"',
    '"\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f"', '[[[1, [2.0]], "a,b: c"], {"k\\"": "v"}]', '{"x": 1e400}',
]  # fmt: skip


@pytest.mark.django_db
def test_json_is_the_text_that_the_database_seals():
    found = sets.run("select t, t::jsonb::text from unnest(%(texts)b::text[]) t", {"texts": HARD_JSON})

    wrong = [(text, offline_check.canonical_json(text), stored) for text, stored in found]

    assert [one for one in wrong if one[1] != one[2]] == []
    assert len(found) == len(HARD_JSON)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', "{", "", "nan", "[1,]"])
def test_what_is_no_single_json_has_no_canonical_text(text):
    with pytest.raises((ValueError, ArithmeticError)):
        offline_check.canonical_json(text)


@pytest.fixture
def exported(db, tmp_path):
    """Rows of every kind, sealed and exported, beside a copy of the script."""
    sealed.rows(40)
    LedgerRow.objects.create(subject_kind="x", subject_id="'", prior_state="x", post_state="x", actor="@a", decision="")
    sealed.seal(batch=12)
    sealed.rows(2)
    for command, name in (("export_seals", "seals.json"), ("export_ledger", "ledger.csv")):
        call_command(command, str(tmp_path / name), stdout=StringIO())
    shutil.copy(offline_check.__file__, tmp_path / "offline_check.py")
    return tmp_path


def check(folder, *words, seals="seals.json", ledger="ledger.csv"):
    """Run it alone, without our code, our packages or our environment."""
    command = [sys.executable, "-I", "-S", "offline_check.py", seals, ledger, "--json", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={}, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def test_an_untouched_extract_is_as_sealed(exported):
    code, said = check(exported)

    assert (code, said["as_sealed"], said["rows"], said["seals"], said["unsealed"]) == (0, True, 41, 4, 0)


def test_every_row_has_the_digest_that_the_database_sealed(exported):
    stored = sets.run(f"select t.row_id, sha256({form.ROW_BYTES}) from {form.texts('true')} order by t.row_id limit 41")

    assert dict(offline_check.rows_of(str(exported / "ledger.csv"))) == {key: bytes(digest) for key, digest in stored}


def test_no_cell_would_be_run_by_a_spreadsheet(exported):
    with (exported / "ledger.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row[name] for row in rows for name, kind in COLUMNS.items() if kind == "text"]

    assert [one for one in texts if one and not (one[0] == "'" or one[0].isalnum())] == []
    assert "'=cmd()" in texts
    assert "''quoted" in texts


def lines_of(folder):
    with (folder / "ledger.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def write(folder, lines, name="changed.csv"):
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(lines)
    return name


def put(lines, at, column, value):
    cells = list(lines[at])
    cells[list(COLUMNS).index(column)] = value
    return [*lines[:at], cells, *lines[at + 1 :]]


CASES = [
    ("untouched, quoted otherwise", lambda rows: rows, None, ""),
    ("a cell changed", lambda rows: put(rows, 9, "actor", "x"), 9, "it was changed"),
    ("a time changed", lambda rows: put(rows, 9, "recorded_at", "2026-01-01T00:00:00.000000Z"), 9, "it was changed"),
    ("json changed", lambda rows: put(rows, 9, "inputs", '{"a": 2}'), 9, "it was changed"),
    ("json with a member twice", lambda rows: put(rows, 9, "inputs", '{"a": 2, "a": 1}'), 9, "it was changed"),
    ("json that is none", lambda rows: put(rows, 9, "inputs", "["), 9, "it was changed"),
    ("a number that is none", lambda rows: put(rows, 9, "amount_minor", "x"), 9, "it was changed"),
    ("a line gone", lambda rows: rows[:20] + rows[21:], 20, "it was removed"),
    ("the first line gone", lambda rows: rows[:1] + rows[2:], 1, "it was removed"),
    ("the end cut off", lambda rows: rows[:-5], 37, "it and everything after it was cut off"),
    ("two lines swapped", lambda rows: [*rows[:5], rows[6], rows[5], *rows[7:]], 5, "it stands after row"),
    ("two ids swapped", lambda rows: put(put(rows, 5, "id", rows[6][0]), 6, "id", rows[5][0]), None, "it stands after"),
    ("a line twice", lambda rows: [*rows[:5], rows[5], *rows[5:]], 5, "it stands after row"),
    ("a line put in before", lambda rows: [rows[0], ["-5", *rows[1][1:]], *rows[1:]], None, ""),
    ("a short line", lambda rows: [*rows[:5], ["1", "2"], *rows[5:]], None, "line "),
]  # fmt: skip


def test_what_was_done_to_an_extract_is_found(exported):
    rows, missed = lines_of(exported), []
    first = int(rows[1][0]) - 1
    for case, change, row, said in CASES:
        name = write(exported, change(rows))
        code, found = check(exported, ledger=name)
        row_there = None if found["row"] is None else found["row"] - first
        fits = (code, found["problem"][: len(said)]) == (1 if said else 0, said) and row in (None, row_there)
        if not fits:
            missed.append((case, code, found))

    assert missed == []


def test_json_laid_out_otherwise_is_the_same(exported):
    rows = lines_of(exported)
    at = list(COLUMNS).index("inputs")
    laid_out = [
        [*cells[:at], json.dumps(dict(reversed(value.items())), indent=1), *cells[at + 1 :]]
        if isinstance(value := json.loads(cells[at]), dict) and "1.10" not in cells[at] and "e" not in cells[at]
        else cells
        for cells in rows[1:]
    ]
    assert laid_out != rows[1:]

    assert check(exported, ledger=write(exported, [rows[0], *laid_out]))[0] == 0


def test_seals_that_were_touched_or_are_none(exported):
    document = json.loads((exported / "seals.json").read_text())
    told = []
    for change in (
        lambda seals: seals[1].update(row_count=11),
        lambda seals: seals[1].update(digest="00" * 32),
        lambda seals: seals[2].update(rows=""),
        lambda seals: seals.pop(1),
        lambda seals: seals.pop(0) and seals[0].update(seal=1),
    ):
        changed = json.loads(json.dumps(document))
        change(changed["seals"])
        (exported / "changed.json").write_text(json.dumps(changed))
        code, found = check(exported, seals="changed.json")
        told.append((code, found["problem"][:6]))
    (exported / "none.json").write_text('{"format": "other"}')

    assert told == [(1, "seal 2"), (1, "seal 2"), (1, "seal 3"), (1, "seal 3"), (1, "seal 1")]
    assert [check(exported, seals=name)[0] for name in ("none.json", "nowhere.json", "ledger.csv")] == [2, 2, 2]
    assert check(exported, ledger="seals.json")[0] == 2


def test_a_part_is_checked_by_its_own_seals_or_by_a_range(exported):
    first = LedgerRow.objects.order_by("id").first().pk
    words = ("--from", str(first + 13), "--to", str(first + 14))
    call_command("export_seals", str(exported / "part.json"), *words, stdout=StringIO())
    call_command("export_seals", str(exported / "heads.json"), "--heads", stdout=StringIO())
    said = StringIO()
    call_command("export_ledger", str(exported / "part.csv"), *words, stdout=said)

    assert said.getvalue() == f"rows: 12, from {first + 12} to {first + 23}\n"
    assert check(exported, seals="part.json", ledger="part.csv")[1]["rows"] == 12
    assert check(exported, *words, ledger="part.csv")[1]["rows"] == 2
    assert check(exported, ledger="part.csv")[1]["row"] == first
    assert check(exported, seals="heads.json")[0] == 0
    broken = check(exported, seals="heads.json", ledger=write(exported, put(lines_of(exported), 9, "actor", "x")))[1]
    assert f"to {first + 11} is not as seal 1 has it" in broken["problem"]


def test_an_export_is_on_record_and_writes_nothing_over(exported):
    told = list(LedgerRow.objects.filter(actor="system:shell").order_by("id").values_list("decision", "inputs"))

    assert [decision for decision, _ in told] == ["export", "exported"]
    assert told[1][1]["rows"] == 41
    before = (exported / "ledger.csv").read_bytes()
    for words, why in (
        (("export_ledger", "ledger.csv"), "is there already"), (("export_seals", "seals.json"), "is there already"),
        (("export_ledger", "no/where.csv"), "cannot be written"), (("export_seals", "x", "--from", "9999"), "no seal"),
        (("export_ledger", "x", "--from", "5", "--to", "4"), "not above --to"),
    ):  # fmt: skip
        with pytest.raises(CommandError, match=why) as wrong:
            call_command(words[0], str(exported / words[1]), *words[2:])
        assert wrong.value.returncode == 2
    assert (exported / "ledger.csv").read_bytes() == before
    assert not list(Path(exported).glob("*.part"))
