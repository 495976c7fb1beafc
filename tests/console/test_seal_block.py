"""The verify page says how far the seals reach and what the last look found."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger import clock
from ledger.models import LedgerCheck, LedgerSeal
from tests.console.conftest import signed_in
from tests.ledger import sealed

VERIFY = "/admin/ledger/verify/"


@pytest.fixture
def auditor(shipped):
    """May read the ledger."""
    return signed_in("Auditor")


def text(client):
    answer = client.get(VERIFY)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_from_nothing_to_sealed_and_looked_at(auditor):
    assert "Nothing to seal yet." in text(auditor)

    sealed.rows(3)
    page = text(auditor)
    assert "none yet; the workers make one every five minutes" in page
    assert "<dt>Rows not sealed yet</dt><dd>3</dd>" in page
    assert "none yet; the workers begin one each day" in page

    sealed.seal()
    sealed.rows(1)
    LedgerCheck.objects.create(actor="system:shell", ended_at=clock.now() - timedelta(hours=2), rows=3)
    page = text(auditor)
    seal = LedgerSeal.objects.get()
    assert f"1, up to row #{seal.last_row}, made" in page
    assert bytes(seal.digest).hex()[:8] in page
    assert "<dt>Rows not sealed yet</dt><dd>1</dd>" in page
    assert "3 rows:" in page
    assert "Intact" in page


def test_a_broken_ledger_is_said_on_the_page(auditor):
    sealed.rows(2)
    LedgerCheck.objects.create(actor="x", ended_at=clock.now(), bad_row=7, problem="it was <b>changed</b>")
    LedgerCheck.objects.create(actor="x")

    page = text(auditor)

    assert "row #7:" in page
    assert "it was &lt;b&gt;changed&lt;/b&gt;" in page
    assert "Broken" in page


def test_seals_without_number_cost_no_more_statements(auditor):
    counts = []
    for _ in range(2):
        sealed.rows(20)
        sealed.seal(batch=2)
        with CaptureQueriesContext(connection) as found:
            text(auditor)
        counts.append(len(found))

    assert counts[0] == counts[1]


def test_a_range_that_is_sealed_says_so(auditor):
    sealed.rows(8)
    sealed.seal()
    first, *_, last = sealed.ids()

    page = auditor.post(VERIFY, {"first": first, "last": last}).content.decode()

    assert "The rows of 2 seals are as they were sealed." in page
