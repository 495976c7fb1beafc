"""What adapters freeze, read and make of answers, against a scripted loopback server."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
import stripe as vendor

from sync import providers
from sync.contracts.zendesk import fingerprint
from sync.errors import (
    AuthError,
    ConflictError,
    PermanentError,
    TransientError,
    UnconfirmedError,
    UnreadableAnswer,
    WriteHalted,
)
from sync.providers import base, zendesk
from sync.providers.stripe import form
from sync.wiretypes import FrozenRequest
from tests.sync.loopback import keeps_answering, serving
from tests.sync.payloads import payload

STRIPE, NETSUITE, ZENDESK = (providers.get(name) for name in ("stripe", "netsuite", "zendesk"))
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def allow():
    """A guard that lets the write go."""


def says(status=200, document=None, body=None, **headers):
    raw = json.dumps(document).encode() if body is None else body
    return lambda peer: peer.answer(status, raw, **headers)


@pytest.fixture
def points(settings):
    """Point a provider at a server; NetSuite signs in with its legacy tokens, which need no call."""

    def point(name, server, **changes):
        config = {
            "api_key": "sk_1", "account": "1234567_SB1", "auth": "tba", "consumer_key": "ck", "consumer_secret": "cs",
            "token_id": "tk", "token_secret": "ts", "email": "bot@acme.test", "api_token": "zt", "api_version": "",
        }  # fmt: skip
        config |= {"base_url": server.url, "concurrency": 3, **changes}
        provider = {**settings.MESHLINE_PROVIDERS[name], **config}
        settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, name: provider}

    return point


@pytest.fixture
def performing(points):
    """Perform a write that is answered as scripted; gives the response, or raises, and what was exchanged."""

    def perform(provider, request, *answers):
        exchanges = []
        with serving(keeps_answering(*answers)) as server:
            points(provider.name, server)
            try:
                return provider.perform(request, allow, exchanges), exchanges
            finally:
                perform.requests = server.requests
                perform.exchanges = exchanges

    return perform


@pytest.fixture
def reading(points):
    """Read from answers by path; the server's requests are kept for a look."""

    def read(provider, call, routes, **config):
        def behave(peer):
            while head := peer.request():
                target = head.split(b" ")[1].decode()
                answer = next((answer for start, answer in routes.items() if target.startswith(start)), None)
                (answer or says(404, {}))(peer)

        with serving(behave) as server:
            points(provider.name, server, **config)
            try:
                return call()
            finally:
                read.requests = server.requests

    return read


REFUND = FrozenRequest("stripe", "POST", "/v1/refunds", (("Idempotency-Key", "k"),), "a=1")
PATCH = FrozenRequest("netsuite", "PATCH", "/services/rest/record/v1/customrecord_mesh_contract/501", (), "{}")
NOTE = FrozenRequest("zendesk", "PUT", "/api/v2/tickets/1", (), "{}")
WRITES = [(STRIPE, REFUND), (NETSUITE, PATCH), (ZENDESK, NOTE)]
HTML = b"<html><body>Maintenance</body></html>"


def html(status):
    return lambda peer: peer.answer(status, HTML, "text/html")


class Nowhere:
    url = "https://nowhere.example.com"


# --- what an answer to a write means


@pytest.mark.parametrize(("provider", "request_"), WRITES)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, PermanentError), (402, PermanentError), (404, PermanentError), (422, PermanentError), (401, AuthError),
        (403, AuthError), (429, TransientError), (500, UnconfirmedError), (502, UnconfirmedError),
        (503, UnconfirmedError), (504, UnconfirmedError), (408, UnconfirmedError), (301, UnreadableAnswer),
        (307, UnreadableAnswer),
    ],
)  # fmt: skip
@pytest.mark.parametrize("answer", [lambda status: says(status, {"x": 1}), html], ids=["json", "html"])
def test_refusals_of_writes(performing, provider, request_, status, kind, answer):
    with pytest.raises(kind) as refused:
        performing(provider, request_, answer(status))
    assert (refused.value.provider, refused.value.status) == (provider.name, status)
    assert performing.exchanges == [refused.value.exchange]
    assert len(performing.requests) == 1
    assert isinstance(refused.value, AuthError) == (status in (401, 403))


@pytest.mark.parametrize(("provider", "request_"), WRITES)
@pytest.mark.parametrize(
    "answer",
    [
        html(200),
        says(200, body=b""),
        says(200, body=b'{"id":"re_1"'),
        says(200, body=b"[]"),
        says(200, body=b'{"id":1,"id":2}'),
        lambda peer: peer.answer(200, b"{}", "text/plain"),
    ],
    ids=["html", "empty", "cut", "list", "repeated", "text"],
)
def test_a_2xx_that_confirms_nothing(performing, provider, request_, answer):
    with pytest.raises(UnreadableAnswer):
        performing(provider, request_, answer)


@pytest.mark.parametrize(
    ("provider", "request_", "answer", "kind", "code"),
    [
        (STRIPE, REFUND, says(409, {"error": {"code": "idempotency_key_in_use"}}), TransientError,
         "idempotency_key_in_use"),
        (STRIPE, REFUND, says(400, {"error": {"type": "idempotency_error"}}), PermanentError, "idempotency_error"),
        (STRIPE, REFUND, says(400, {"error": {"code": "rate_limit"}}), TransientError, "rate_limit"),
        (STRIPE, REFUND, says(402, {"error": {"code": "card_declined"}}), PermanentError, "card_declined"),
        (STRIPE, REFUND, says(400, {"error": "odd"}), PermanentError, ""),
        (NETSUITE, PATCH, says(400, {"o:errorDetails": [{"o:errorCode": "USER_ERROR"}]}), PermanentError, "USER_ERROR"),
        (NETSUITE, PATCH, says(400, {"o:errorDetails": [{"o:errorCode": "RCRD_HAS_BEEN_CHANGED"}]}), ConflictError,
         "RCRD_HAS_BEEN_CHANGED"),
        (NETSUITE, PATCH, says(429, {"o:errorCode": "CONCURRENCY_LIMIT_EXCEEDED"}), TransientError,
         "CONCURRENCY_LIMIT_EXCEEDED"),
        (NETSUITE, PATCH, says(400, {"o:errorDetails": [{"o:errorCode": "SSS_REQUEST_LIMIT_EXCEEDED"}]}),
         TransientError, "SSS_REQUEST_LIMIT_EXCEEDED"),
        (ZENDESK, NOTE, says(409, {"error": "UpdateConflict", "description": "x"}), ConflictError, "UpdateConflict"),
        (ZENDESK, NOTE, says(403, {"error": {"title": "Forbidden", "message": "No"}}), AuthError, "Forbidden"),
        (ZENDESK, NOTE, says(400, {"errors": [{"code": "Bad", "title": "t"}]}), PermanentError, "Bad"),
    ],
)  # fmt: skip
def test_the_providers_own_codes(performing, provider, request_, answer, kind, code):
    with pytest.raises(kind) as refused:
        performing(provider, request_, answer)
    assert refused.value.code == code


def test_the_providers_message_is_kept_in_one_line(performing):
    details = {"base": [{"description": "Status: closed prevents\nticket update\u0000"}]}
    with pytest.raises(PermanentError) as refused:
        performing(ZENDESK, NOTE, says(422, {"error": "RecordInvalid", "description": "Errors", "details": details}))
    assert str(refused.value) == "Errors Status: closed prevents ticket update "


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7), ("0", 0), ("1.5", 1.5), ("999999999", 86_400), ("Sat, 21 Nov 2026 09:31:00 GMT", 60),
        ("Sat, 21 Nov 2026 09:29:00 GMT", 0), ("Saturday, 21-Nov-26 09:31:00 GMT", 60), ("", None), ("soon", None),
        ("-5", None), ("Sat, 99 Foo 2026 09:31:00 GMT", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_retry_after(value, seconds):
    assert base.retry_after(value, NOW) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(("status", "kind"), [(429, TransientError), (503, UnconfirmedError)])
def test_retry_after_is_carried(performing, status, kind):
    with pytest.raises(kind) as refused:
        performing(ZENDESK, NOTE, says(status, {}, Retry_After="41"))
    assert refused.value.retry_after == timedelta(seconds=41)


@pytest.mark.parametrize(
    ("status", "kind"), [(500, TransientError), (503, TransientError), (404, None), (301, TransientError)]
)
def test_reads_are_never_unconfirmed(reading, status, kind):
    def call():
        return STRIPE.invoice("in_1")

    if kind is None:
        assert reading(STRIPE, call, {"/v1/": says(status, {})}) is None
    else:
        with pytest.raises(kind):
            reading(STRIPE, call, {"/v1/": says(status, {})})


@pytest.mark.parametrize("answer", [html(200), says(200, body=b""), says(200, body=b'{"id"'), says(200, [])])
def test_an_unreadable_read_is_transient(reading, answer):
    with pytest.raises(TransientError):
        reading(STRIPE, lambda: STRIPE.invoice("in_1"), {"/v1/": answer})


def test_a_read_that_drifted_goes_to_a_person(reading):
    with pytest.raises(PermanentError) as drifted:
        reading(STRIPE, lambda: STRIPE.invoice("in_1"), {"/v1/": says(200, {"id": "in_1"})})
    assert drifted.value.code == "drift"


def test_a_halted_write_leaves_no_exchange(points):
    def halt():
        raise WriteHalted("stopped")

    exchanges = []
    with serving(keeps_answering(says())) as server:
        points("stripe", server)
        with pytest.raises(WriteHalted):
            STRIPE.perform(REFUND, halt, exchanges)
    assert (exchanges, server.received) == ([], b"")


# --- Stripe


def test_forms_as_the_vendor_writes_them():
    params = {
        "payment_intent": "pi_1", "amount": 500, "metadata": {"case": "c 1&2", "meshline_action": "7"}, "note": "",
        "items": [{"price": "price_1", "quantity": 2}, {"price": "ü"}], "prorate": False, "expand": ["data.payments"],
    }  # fmt: skip
    encoded = form({**params, "absent": None})
    assert encoded.startswith(
        "payment_intent=pi_1&amount=500&metadata[case]=c+1%262&metadata[meshline_action]=7&note=&"
    )
    theirs = vendor._encode._api_encode(params)
    assert parse_qsl(encoded, keep_blank_values=True) == [
        (name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in theirs
    ]


def test_a_stripe_write(performing, points):
    points("stripe", Nowhere)
    request = STRIPE.post("/v1/refunds", {"charge": "ch_1", "amount": 500}, "meshline-7")
    assert FrozenRequest.from_json(json.loads(json.dumps(request.as_json()))) == request
    response, exchanges = performing(STRIPE, request, says(200, {"id": "re_1"}))
    assert response.json() == {"id": "re_1"}
    head = performing.requests[0].decode()
    for line in ("Authorization: Bearer sk_1", "Idempotency-Key: meshline-7", "Stripe-Version: 2026-10-28.endive"):
        assert line in head
    assert [exchange.request_body for exchange in exchanges] == ["charge=ch_1&amount=500"]


def test_a_billing_snapshot(reading):
    invoice = payload("stripe", "invoice.payment_failed")["data"]["object"]
    older = {**invoice, "id": "in_0", "created": 1792564800, "status": "paid", "amount_remaining": 0}
    charge = {"id": "ch_3", "disputed": True, "fraud_details": {}}
    exchanges = []
    snapshot = reading(
        STRIPE,
        lambda: STRIPE.billing("cus_A1", "sub_9", exchanges),
        {
            "/v1/subscriptions/sub_9": says(200, payload("stripe", "customer.subscription.updated")["data"]["object"]),
            "/v1/invoices?subscription=sub_9&limit=10": says(200, {"data": [older, invoice]}),
            "/v1/charges?customer=cus_A1&limit=": says(200, {"data": [charge, {"id": "ch_2", "disputed": False}]}),
            "/v1/disputes?charge=ch_3": says(
                200, {"data": [payload("stripe", "charge.dispute.created")["data"]["object"]]}
            ),
            "/v1/radar/early_fraud_warnings": says(200, {"data": [{"charge": "ch_other"}, {"charge": "ch_2"}]}),
        },
    )
    assert snapshot.subscription.status == "past_due"
    assert snapshot.subscription.mrr_minor == 4900
    assert [found.id for found in snapshot.invoices] == ["in_1R8", "in_0"]
    assert snapshot.invoices[0].attempt_count == 2
    assert [(found.id, found.is_open) for found in snapshot.disputes] == [("dp_1", True)]
    assert snapshot.fraud_flag
    assert len(exchanges) == 5
    assert all(b"Stripe-Version: 2026-10-28.endive" in request for request in reading.requests)


def test_a_billing_snapshot_without_a_subscription(reading):
    snapshot = reading(STRIPE, lambda: STRIPE.billing("cus_A1", None), {"/v1/": says(200, {"data": []})})
    assert (snapshot.subscription, snapshot.invoices, snapshot.disputes, snapshot.fraud_flag) == (None, (), (), False)
    assert b"/v1/subscriptions?customer=cus_A1&status=all" in reading.requests[0]
    assert b"/v1/invoices?customer=cus_A1" in reading.requests[1]


def test_ids_cannot_leave_their_place():
    for provider_call in (STRIPE.invoice, STRIPE.subscription, ZENDESK.ticket, NETSUITE.contract):
        for given in ("../charges?x=1", "", "a b", "1\n", "x" * 300):
            with pytest.raises(PermanentError) as refused:
                provider_call(given)
            assert (refused.value.code, refused.value.never_sent) == ("bad_id", True)


# --- Zendesk


def test_a_new_ticket():
    request = ZENDESK.create_ticket(
        "Payment failed", "Invoice A1", "mesh-cus-1", tags=["meshline"], key="meshline-7", action_id="7"
    )
    assert (request.method, request.path) == ("POST", "/api/v2/tickets")
    assert dict(request.headers)["Idempotency-Key"] == "meshline-7"
    ticket = json.loads(request.body)["ticket"]
    assert ticket["comment"] == {"body": "Invoice A1\n\n[meshline:7]", "public": False}
    assert (ticket["external_id"], ticket["tags"], "requester" in ticket) == ("mesh-cus-1", ["meshline"], False)


def test_notes_and_tags_are_safe_updates():
    note = ZENDESK.add_note("35436", "Done.", "2026-11-21T09:30:00Z", zendesk.marker("8"))
    assert (note.method, note.path) == ("PUT", "/api/v2/tickets/35436")
    assert json.loads(note.body)["ticket"] == {
        "comment": {"body": "Done.\n\n[meshline:8]", "public": False},
        "safe_update": True,
        "updated_stamp": "2026-11-21T09:30:00Z",
        "metadata": {"custom": {"meshline_hash": fingerprint("Done.\n\n[meshline:8]")}},
    }
    tags = ZENDESK.add_tags("35436", ["dunning"], "2026-11-21T09:30:00Z", action_id="8")
    assert ("X-Meshline-Action", "8") in tags.headers
    assert tags.path == "/api/v2/tickets/35436/tags"
    assert json.loads(tags.body) == {
        "tags": ["dunning"],
        "safe_update": "true",
        "updated_stamp": "2026-11-21T09:30:00Z",
    }


TICKET = {"id": 35436, "external_id": "m", "status": "open", "updated_at": "2026-11-21T09:30:00Z", "tags": ["a"]}


def test_reading_tickets(reading):
    found = reading(ZENDESK, lambda: ZENDESK.ticket("35436"), {"/api/v2/tickets/35436": says(200, {"ticket": TICKET})})
    assert (found.id, found.status, found.updated_at, found.tags) == ("35436", "open", TICKET["updated_at"], ("a",))
    listed = reading(
        ZENDESK,
        lambda: ZENDESK.tickets_by_external_id("mesh:a b"),
        {"/api/v2/tickets?external_id=mesh%3Aa%20b": says(200, {"tickets": [TICKET, TICKET]})},
    )
    assert len(listed) == 2
    assert b"Authorization: Basic Ym90QGFjbWUudGVzdC90b2tlbjp6dA==" in reading.requests[0]
    assert reading(ZENDESK, lambda: ZENDESK.ticket("1"), {}) is None
    comment = {"id": 31, "author_id": 76872, "public": False, "body": "x\n\n[meshline:7]", "created_at": None}
    comments = reading(ZENDESK, lambda: ZENDESK.comments("1"), {"/api/v2/": says(200, {"comments": [comment]})})
    assert [(found.id, found.is_public, "[meshline:7]" in found.body) for found in comments] == [("31", False, True)]


@pytest.mark.parametrize(
    "broken",
    [{"id": None}, {"id": "x"}, {"status": "odd"}, {"updated_at": "later"}, {"tags": "a"}, {"tags": None, "id": 0.5}],
)
def test_a_ticket_is_believed_only_whole(performing, broken):
    response, _ = performing(ZENDESK, NOTE, says(200, {"ticket": {**TICKET, **broken}}))
    with pytest.raises(UnreadableAnswer):
        zendesk.ticket_from(response)


def test_confirmations_of_zendesk(performing):
    response, _ = performing(ZENDESK, NOTE, says(201, {"ticket": TICKET, "audit": {}}))
    assert zendesk.ticket_from(response).id == "35436"
    response, _ = performing(ZENDESK, NOTE, says(200, {"tags": ["a", "b"]}))
    assert zendesk.tags_from(response) == ("a", "b")
    response, _ = performing(ZENDESK, NOTE, says(200, {"label": []}))
    with pytest.raises(UnreadableAnswer):
        zendesk.tags_from(response)
