"""Seals cover every row once, in order, whoever writes, whoever seals at the same time."""

import threading
import time
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from ledger import verify
from ledger.models import LedgerRow, LedgerSeal
from ledger.offline_check import COLUMNS
from ledger.seals import sealing
from meshline.subjects import SUBJECTS, UNCHAINED
from tests import database
from tests.ledger import sealed

INSERT = """insert into ledger_ledgerrow (subject_kind, subject_id, decision, actor, prior_state, post_state,
  state_version, recorded_at, reasons, inputs, rule_version, mode, key, confirmation_id, outcome, error_code, currency)
  select 'export', %s, 'export', 'writer', 'export', 'export', 0, now(), '[]', '{}', '', 'live', '', '', '', '', ''
  returning id"""


def is_intact():
    return verify.verify(SUBJECTS, UNCHAINED).is_intact


@pytest.mark.django_db
def test_nothing_is_sealed_where_nothing_is():
    assert (sealed.seal(), LedgerSeal.objects.count()) == (sealing.Sealed(0, 0), 0)


@pytest.mark.django_db
def test_rows_are_sealed_once_in_batches_and_only_new_ones_again():
    sealed.rows(20)

    first, again = sealed.seal(), sealed.seal()
    sealed.rows(3)
    third = sealed.seal()

    assert (first, again, third) == (sealing.Sealed(3, 20), sealing.Sealed(0, 0), sealing.Sealed(1, 3))
    assert sealed.sealed_ids() == sealed.ids()
    seals = list(LedgerSeal.objects.order_by("id"))
    assert [(one.pk, one.row_count) for one in seals] == [(1, 7), (2, 7), (3, 6), (4, 3)]
    assert [one.first_row for one in seals] == [1, *(one.last_row + 1 for one in seals[:-1])]
    digests = [bytes(one.digest) for one in seals]
    assert [one.previous and bytes(one.previous) for one in seals] == [None, *digests[:-1]]
    assert is_intact()


@pytest.mark.django_db
def test_when_the_time_is_up_the_next_call_goes_on():
    sealed.rows(20)

    assert sealing.seal(seconds=0, batch=7) == sealing.Sealed(1, 7, "the time is up, there is more")
    assert sealed.seal() == sealing.Sealed(2, 13)


@pytest.mark.django_db
def test_there_is_no_second_seal_after_the_same_one():
    sealed.rows(3)
    sealed.seal()
    other = LedgerSeal(pk=99, first_row=1, last_row=3, row_count=3, digest=b"x", previous=None)

    with pytest.raises(IntegrityError, match="seal_one_after"), transaction.atomic():
        other.save(force_insert=True)


@pytest.mark.django_db
def test_every_column_of_the_table_is_sealed():
    names = [row[0] for row in sealed.sets.run(
        "select attname from pg_attribute where attrelid = 'ledger_ledgerrow'::regclass and attnum > 0"
        " and not attisdropped"
    )]  # fmt: skip

    assert sorted(names) == sorted(COLUMNS)


@pytest.fixture
def writer(transactional_db):
    """A session with a transaction of its own."""
    with database.connect_as_owner() as session:
        session.autocommit = False
        yield session
        session.rollback()


def write(session, word):
    return session.execute(INSERT, [word]).fetchone()[0]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_row_that_is_committed_late_is_waited_for(writer, end):
    sealed.rows(2)
    sealed.seal()
    sealed.rows(5)
    late = write(writer, "late")
    sealed.rows(9)

    before = sealed.seal(patience=0.05)

    assert (before.rows, "do not end" in before.note) == (5, True)
    assert LedgerSeal.objects.latest("id").last_row == late - 1
    assert sealed.seal(patience=0.05).rows == 0

    getattr(writer, end)()
    after = sealed.seal()

    assert (after.rows, after.note) == (10 if end == "commit" else 9, "")
    assert (late in sealed.sealed_ids()) == (end == "commit")
    assert sealed.sealed_ids() == sealed.ids()
    assert is_intact()


def test_a_transaction_that_never_wrote_a_row_holds_nothing_up(writer):
    sealed.rows(5)
    writer.execute("select pg_current_xact_id()")
    writer.execute("select count(*) from ledger_ledgerrow")

    assert sealed.seal(patience=0.0) == sealing.Sealed(1, 5)


def test_a_row_thrown_back_to_a_savepoint_holds_nothing_up(writer):
    sealed.rows(5)
    with writer.transaction():
        write(writer, "never")
        raise psycopg.Rollback
    sealed.rows(2)

    assert sealed.seal(patience=0.0).rows == 5 + 2


def test_one_who_finds_another_sealing_leaves(writer):
    sealed.rows(5)
    writer.execute("select pg_advisory_xact_lock(%s)", [sealing.LOCK])

    assert sealed.seal() == sealing.Sealed(0, 0, sealing.BUSY)
    writer.rollback()
    assert sealed.seal().rows == 5


class Traffic:
    """Three who write all the time, so that ids are committed out of order, and two who seal."""

    def __init__(self):
        self.stop, self.faults, self.sealed = threading.Event(), [], []
        self.threads = [threading.Thread(target=self.write, args=(name,)) for name in ("keeps", "keeps", "drops")]
        self.threads += [threading.Thread(target=self.seal) for _ in range(2)]

    def write(self, name):
        with database.connect_as_owner() as session:
            session.autocommit = False
            while not self.stop.is_set():
                for number in range(3):
                    write(session, f"{name}-{number}")
                    self.stop.wait(0.002)
                session.rollback() if name == "drops" else session.commit()

    def seal(self):
        try:
            while not self.stop.is_set():
                self.sealed.append(sealed.seal(batch=20).rows)
        except psycopg.Error as error:
            self.faults.append(error)
        finally:
            connection.close()

    def run_until(self, rows):
        for one in self.threads:
            one.start()
        give_up_at = time.monotonic() + 60
        while sum(self.sealed) < rows and not self.faults and time.monotonic() < give_up_at:
            time.sleep(0.05)
        self.stop.set()
        for one in self.threads:
            one.join(60)


def test_writers_who_never_pause_and_two_who_seal(transactional_db):
    traffic = Traffic()

    traffic.run_until(rows=150)
    sealed.seal()

    assert (traffic.faults, sum(traffic.sealed) >= 150) == ([], True)
    assert sealed.sealed_ids() == sealed.ids()
    assert is_intact()


@pytest.mark.django_db
def test_the_command_says_how_many():
    sealed.rows(4)
    said = [StringIO(), StringIO()]

    call_command("seal_ledger", stdout=said[0])
    call_command("seal_ledger", "--json", stdout=said[1])

    assert said[0].getvalue() == "rows sealed: 4, seals made: 1\n"
    assert said[1].getvalue() == '{"seals": 0, "rows": 0, "note": ""}\n'
    assert LedgerRow.objects.count() == 4
