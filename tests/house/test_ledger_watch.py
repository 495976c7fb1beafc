"""The ledger is looked at each day in slices, and what was found stays to be read."""

from datetime import timedelta

import pytest

from ledger import clock
from ledger.models import LedgerCheck
from meshline import ledger_watch
from tests.ledger import sealed

pytestmark = pytest.mark.django_db


@pytest.fixture
def hour(monkeypatch):
    """Moves the clock on, hour by hour."""
    start = clock.now()
    return lambda hours: monkeypatch.setattr(clock, "now", lambda: start + timedelta(hours=hours))


def test_one_look_a_day_over_several_slices(hour, monkeypatch):
    sealed.rows(30)
    sealed.seal()
    monkeypatch.setattr(ledger_watch, "SLICE_ROWS", 10)
    monkeypatch.setattr(ledger_watch, "SLICE_SECONDS", 0.0)
    hour(0)

    said = [ledger_watch.run()]
    while said[-1].endswith("goes on"):
        said.append(ledger_watch.run())
    slices = len(said)
    said.append(ledger_watch.run())
    hour(23)
    said.append(ledger_watch.run())
    hour(25)
    said.append(ledger_watch.run())

    assert slices > 1
    assert said[slices - 1 : slices + 2] == ["30 rows, 5 seals", "nothing to do", "nothing to do"]
    assert said[-1].endswith("goes on")
    first, second = LedgerCheck.objects.order_by("id")
    assert (first.problem, first.bad_row, first.ended_at is None, second.ended_at) == ("", None, False, None)


def test_what_is_broken_ends_the_look_and_is_kept():
    sealed.rows(6)
    sealed.rows(1, subject_kind="action", subject_id="a", prior_state="held", post_state="approved", state_version=5)
    broken = sealed.ids()[-1]

    said = ledger_watch.run()

    kept = LedgerCheck.objects.get()
    assert said == kept.problem
    assert (kept.bad_row, kept.ended_at is None) == (broken, False)
    assert "begins with held, version 5" in kept.problem
    assert ledger_watch.run() == "nothing to do"


def test_an_empty_ledger_is_looked_at_too():
    assert ledger_watch.run() == "0 rows, 0 seals"
    assert LedgerCheck.objects.get().ended_at is not None
