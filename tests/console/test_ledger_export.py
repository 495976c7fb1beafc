"""The ledger as CSV: no cell that runs, personal data only for who may see it, flat in memory, and on record."""

import asyncio
import csv
import io
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test.utils import CaptureQueriesContext

from ledger import journal
from ledger.models import LedgerRow
from meshline import sessions
from meshline.console import ledger_export
from meshline.pages import Reader, is_endless
from tests import factories as f
from tests.console.conftest import signed_in

LIST, EXPORT = "/admin/ledger/ledgerrow/", "/admin/ledger/export/"


@pytest.fixture
def auditor(shipped):
    """May read everything and export."""
    return signed_in("Auditor")


def exported(client, **sent):
    answer = client.post(EXPORT, sent)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def rows_of(count, **more):
    return [f.LedgerRowFactory(**more).pk for _ in range(count)]


ACTIVE = [
    "=cmd()", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", "﹢1", "﹣1", "﹫x",
    " =1", "\u200b=1", "\ufeff=1", "\u00a0@x", "\x00=1", "⁺1",
]  # fmt: skip


@pytest.mark.parametrize("text", ACTIVE)
def test_nothing_a_spreadsheet_would_run_begins_a_cell(text):
    assert ledger_export.safe(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Acme = good", "a-b", "10186", "re_1", "«quoted»", "'=1", "名前"])
def test_other_texts_stay_as_they_are(text):
    assert ledger_export.safe(text) == text


def test_an_export_is_what_the_filters_leave_in_utc_and_is_on_record(auditor):
    customer = f.CustomerFactory(name="=cmd()", email="ap@initech.example")
    at = datetime(2026, 3, 2, 14, 5, 6, 789, tzinfo=UTC)
    row = f.LedgerRowFactory(
        customer_id=customer.pk, recorded_at=at, amount_minor=980, currency="jpy", outcome="held",
        reasons=[{"rule": "gate", "verdict": "review", "reason": 'said "no", twice\nand left'}],
    )  # fmt: skip
    f.LedgerRowFactory()

    found = exported(auditor, customer=customer.pk, personal="yes")

    assert len(found) == 1
    cell = found[0]
    assert (cell["row"], cell["recorded_at_utc"]) == (str(row.pk), "2026-03-02T14:05:06.000789Z")
    assert (cell["amount_minor"], cell["currency"], cell["customer_name"]) == ("980", "jpy", "'=cmd()")
    assert cell["reasons"] == 'gate: review: said "no", twice\nand left'
    begun, ended = LedgerRow.objects.filter(subject_kind="export").order_by("id")
    assert (begun.decision, begun.actor) == ("export", f"user:{auditor.user.pk}")
    assert begun.inputs == {"filters": {"customer": str(customer.pk)}, "personal": True, "up_to_row": row.pk + 1}
    assert (ended.decision, ended.inputs["rows"], ended.subject_id) == ("exported", 1, begun.subject_id)


def test_every_row_is_exported_once_over_many_pages(auditor, monkeypatch):
    monkeypatch.setattr(journal, "PAGE", 7)
    keys = rows_of(40)

    assert [int(cell["row"]) for cell in exported(auditor)] == keys[::-1]


def test_an_export_is_read_in_pages_while_it_is_sent(auditor, monkeypatch):
    monkeypatch.setattr(journal, "PAGE", 5)
    rows_of(20)
    pieces = auditor.post(EXPORT).streaming_content

    with CaptureQueriesContext(connection) as seen:
        head, first = next(pieces), next(pieces)

    assert head.startswith(b"\xef\xbb\xbfrow,")
    assert len(first.splitlines()) == 5
    assert len([one for one in seen if 'FROM "ledger_ledgerrow"' in one["sql"]]) == 1
    assert LedgerRow.objects.filter(decision="export").count() == 1
    assert not LedgerRow.objects.filter(decision="exported").exists()


def test_personal_data_is_masked_unless_asked_for_and_allowed(auditor, shipped):
    customer = f.CustomerFactory(name="Initech Labs", email="ap@initech.example")
    f.LedgerRowFactory(customer_id=customer.pk)

    masked, full = exported(auditor)[0], exported(auditor, customer=customer.pk, personal="yes")[0]

    assert (masked["customer_name"], masked["customer_email"]) == ("I***", "a***@initech.example")
    assert (full["customer_name"], full["customer_email"]) == ("Initech Labs", "ap@initech.example")


def test_who_may_not_see_personal_data_gets_none_of_it(auditor):
    customer = f.CustomerFactory(name="Initech Labs", email="ap@initech.example")
    f.LedgerRowFactory(customer_id=customer.pk)
    group = auditor.user.groups.get()
    group.permissions.remove(group.permissions.get(codename="view_eventbody"))

    assert auditor.post(EXPORT, {"personal": "yes"}).status_code == 403
    assert exported(auditor)[0]["customer_name"] == "I***"


def test_personal_data_leaves_only_after_the_password_again(auditor):
    session = auditor.session
    session[sessions.PROVED] = 0
    session.save()

    answer = auditor.post(EXPORT, {"personal": "yes"})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/account/confirm/")
    assert not LedgerRow.objects.exists()
    assert auditor.post(EXPORT).status_code == 200


@pytest.mark.parametrize("group", ["Support", "Billing Resolver", "Automation Engineer", "Product Ops", None])
def test_export_is_a_right_of_its_own(shipped, group):
    client = signed_in(*([group] if group else []))

    assert client.post(EXPORT).status_code == 403
    assert not LedgerRow.objects.exists()
    if group:
        assert "needs the permission ledger.export_ledger" in client.get(LIST).content.decode()


def test_looking_at_the_address_of_the_export_exports_nothing(auditor):
    assert auditor.get(EXPORT).status_code == 405
    assert not LedgerRow.objects.exists()


def test_a_streamed_page_goes_to_the_server_piece_by_piece():
    events = []

    class Stream:
        async def send_bytes(self, piece):
            events.append(("sent", piece))

    class Transport:
        def response_stream(self, status, headers):
            events.append(("begun", status))
            return Stream()

    def pieces():
        for piece in (b"a", b"b"):
            events.append(("made", piece))
            yield piece

    async def run():
        reader = Reader(asyncio.get_running_loop(), Transport())
        await asyncio.to_thread(reader.take, 200, [], pieces())

    asyncio.run(run())

    assert events == [("begun", 200), ("made", b"a"), ("sent", b"a"), ("made", b"b"), ("sent", b"b")]
    assert is_endless(StreamingHttpResponse([]), [])
    assert not is_endless(StreamingHttpResponse([]), [("Content-Length", "3")])
