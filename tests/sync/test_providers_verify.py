"""Deliveries are believed only with a fitting signature on the very bytes, within 300 s; and then named."""

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest
import stripe as vendor

from sync import providers, strictjson
from sync.errors import BadBody, SignatureError
from tests.sync.payloads import names, payload

STRIPE, NETSUITE, ZENDESK = (providers.get(name) for name in ("stripe", "netsuite", "zendesk"))
VECTOR = payload("stripe", "signature_vector")
T = VECTOR["t"]
NOW = datetime.fromtimestamp(T, UTC)
SECRET, OTHER = VECTOR["secret"], "whsec_other"
BODY = VECTOR["body"].encode()
GOOD = VECTOR["v1"]
HEADER = f"t={T},v1={GOOD}"


def v1(body=BODY, secret=SECRET, t=T):
    return hmac.new(secret.encode(), str(t).encode() + b"." + body, "sha256").hexdigest()


def check(header=HEADER, body=BODY, *, now=NOW, secrets=(SECRET,), name="stripe-signature", provider=STRIPE):
    values = header if isinstance(header, tuple) else (header,)
    provider.verify({name: values}, body, now, secrets)


# --- Stripe


def test_published_vectors():
    check()
    check(f"t={T},v1={VECTOR['v1_utf8']}", VECTOR["body_utf8"].encode())


def test_the_vendors_library_agrees():
    header = vendor.WebhookSignature.generate_signature_header(VECTOR["body"], SECRET, timestamp=T)
    check(header)
    assert vendor.WebhookSignature.verify_header(VECTOR["body"], HEADER, SECRET, tolerance=None)


@pytest.mark.parametrize("seconds", [0, 270, 300, -30, -300])
def test_within_the_tolerance(seconds):
    check(now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [300.5, 301, 86_400, -301, -300.5, -(10**8)])
def test_out_of_the_tolerance(seconds):
    with pytest.raises(SignatureError):
        check(now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "header",
    [
        "", "x", f"t={T}", f"v1={GOOD}", f"t={T},v0={GOOD}", f"t={T},v2={GOOD}", f"t={T},V1={GOOD}", f"t={T},v1=",
        f"t={T}, v1={GOOD}", f"t={T},v1={GOOD.upper()}", f"t={T},v1={GOOD[:-1]}", f"t={T},t={T},v1={GOOD}",
        f"t={T},t={T + 1},v1={GOOD}", f"t={T + 1},v1={GOOD}", f"t= {T},v1={GOOD}", f"t=+{T},v1={GOOD}",
        f"t={T}.0,v1={GOOD}", f"t=١٧٩٥,v1={GOOD}", f"t=,v1={GOOD}", f"t={'9' * 4000},v1={GOOD}",
        f"t={T},v1=ü\ud800", f"t={T}," + "v1=00," * 5000,
        (), (HEADER, HEADER), f"{HEADER},{HEADER}",
    ],
)  # fmt: skip
def test_refused_signatures(header):
    with pytest.raises(SignatureError):
        check(header)


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b"", BODY.replace(b"1Test", b"2Test")])
def test_other_bytes(body):
    with pytest.raises(SignatureError):
        check(body=body)


@pytest.mark.parametrize("secrets", [(), ("",), (OTHER,), (SECRET.upper(),), (SECRET + " ",)])
def test_without_the_right_secret_everything_is_refused(secrets):
    with pytest.raises(SignatureError):
        check(secrets=secrets)


def test_an_empty_secret_signs_nothing():
    with pytest.raises(SignatureError):
        check(f"t={T},v1={v1(secret='')}", secrets=("",))


def test_while_rotating_either_secret_and_either_signature_fits():
    check(secrets=(OTHER, SECRET))
    check(f"t={T},v1={v1(secret=OTHER)}", secrets=(OTHER, SECRET))
    check(f"t={T},v1={'0' * 64},v1={VECTOR['v1']},v0=abc")
    with pytest.raises(SignatureError):
        check(f"t={T},v1={v1(secret=OTHER)}")


def test_bytes_that_are_no_text_can_be_signed():
    body = b"{\xff"
    check(f"t={T},v1={v1(body)}", body)


# --- our script in NetSuite: the same rules under another name


def test_the_script_hook():
    check(provider=NETSUITE, name="x-meshline-signature")
    with pytest.raises(SignatureError):
        check(provider=NETSUITE)


# --- Zendesk

ZVECTOR = payload("zendesk", "signature_vector")
ZBODY = ZVECTOR["body"].encode()
ZNOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def zcheck(signature=ZVECTOR["sig"], stamp=ZVECTOR["ts"], body=ZBODY, now=ZNOW, secrets=None):
    values = [given if isinstance(given, tuple) else (given,) for given in (signature, stamp)]
    headers = {"x-zendesk-webhook-signature": values[0], "x-zendesk-webhook-signature-timestamp": values[1]}
    ZENDESK.verify(headers, body, now, secrets or (ZVECTOR["secret"],))


def zsign(stamp, body=b"{}"):
    return base64.b64encode(hmac.new(ZVECTOR["secret"].encode(), stamp.encode() + body, "sha256").digest()).decode()


def test_zendesk_vectors():
    zcheck()
    zcheck(ZVECTOR["sig_empty_body"], body=b"")
    zcheck(secrets=("new", ZVECTOR["secret"]))


@pytest.mark.parametrize(
    "stamp", ["2026-11-21T09:30:00Z", "2026-11-21T10:30:00+01:00", "1795253400", "2026-11-21T09:30:00.123Z"]
)
def test_zendesk_times_as_text_or_seconds(stamp):
    for seconds in (270, -30):
        zcheck(zsign(stamp), stamp, b"{}", ZNOW + timedelta(seconds=seconds))
    for seconds in (302, -302):
        with pytest.raises(SignatureError):
            zcheck(zsign(stamp), stamp, b"{}", ZNOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "stamp", ["", "now", "2026-11-21", "20261121T093000Z", "2026-13-45T99:00:00Z", "9" * 12, "-1", "0x1", "ü"]
)
def test_zendesk_times_nobody_can_read(stamp):
    with pytest.raises(SignatureError):
        zcheck(zsign(stamp), stamp, b"{}")


@pytest.mark.parametrize(
    ("signature", "stamp"),
    [
        ("", ZVECTOR["ts"]), (ZVECTOR["sig"][:-1], ZVECTOR["ts"]), (ZVECTOR["sig"] + ",x", ZVECTOR["ts"]),
        ((ZVECTOR["sig"], ZVECTOR["sig"]), ZVECTOR["ts"]), (ZVECTOR["sig"], (ZVECTOR["ts"], ZVECTOR["ts"])),
        ((), ZVECTOR["ts"]),
        (ZVECTOR["sig"], ()), (ZVECTOR["sig"], "2026-11-21T09:30:01Z"),
    ],
)  # fmt: skip
def test_refused_zendesk_signatures(signature, stamp):
    with pytest.raises(SignatureError):
        zcheck(signature, stamp)


# --- envelopes


def envelope(provider, document, headers=None, oddities=frozenset()):
    return provider.envelope(document, headers or {}, b"", oddities)


def test_a_stripe_event():
    document = payload("stripe", "invoice.payment_failed")
    document["request"]["idempotency_key"] = "meshline-7"
    found = envelope(STRIPE, document)
    assert (found.provider_event_id, found.account, found.type) == ("evt_1Payload0001", "", "invoice.payment_failed")
    assert (found.kind, found.object_id, found.lane_key) == ("payment.failed", "in_1R8", "cus_A1")
    assert found.occurred_at == datetime.fromtimestamp(1795250001, UTC)
    assert (found.api_version, found.livemode, found.origin_key, found.park) == (
        "2026-10-28.endive", False, "meshline-7", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "lane"),
    [("customer.updated", "cus_A1"), ("charge.dispute.created", "dp_1"), ("charge.failed", "cus_A1")],
)
def test_lanes(name, lane):
    assert envelope(STRIPE, payload("stripe", name)).lane_key == lane


@pytest.mark.parametrize("name", names("stripe"))
def test_no_stored_stripe_body_is_parked(name):
    assert envelope(STRIPE, payload("stripe", name)).park == ""


@pytest.mark.parametrize(
    ("changes", "park"),
    [
        ({"created": -1}, "unreadable time"),
        ({"created": 10**12}, "unreadable time"),
        ({"created": None}, "unreadable time"),
        ({"created": True}, "unreadable time"),
        ({"data": None}, "no object id"),
        ({"data": {"object": {"id": "in\x00"}}}, "no object id"),
    ],
)
def test_events_only_a_person_may_read(changes, park):
    assert envelope(STRIPE, {**payload("stripe", "invoice.paid"), **changes}).park == park


@pytest.mark.parametrize(
    "raw", [b'"amount_due":1,"amount_due":2', b'"n":' + b"9" * 30, b'"a":"\\u0000"', b'"a":"\\ud800"']
)
def test_oddities_park(raw):
    parsed = strictjson.loads_object(b'{"id":"evt_1","type":"x","created":1795250000,' + raw + b"}")
    assert envelope(STRIPE, parsed.document, oddities=parsed.oddities).park


@pytest.mark.parametrize("provider", [STRIPE, NETSUITE, ZENDESK])
@pytest.mark.parametrize(
    "broken",
    [{"id": None}, {"type": None}, {"id": ""}, {"id": "x" * 256}, {"id": "a\x00b"}, {"id": "\ud800"}, {"id": {}},
     {"id": True}, {"type": "t" * 121}, {"type": ["x"]}],
)  # fmt: skip
def test_a_body_without_id_or_type_is_no_event(provider, broken):
    with pytest.raises(BadBody) as refused:
        envelope(provider, {"id": "e", "type": "t", "detail": {}, **broken})
    assert refused.value.status == 400


def test_unknown_types_and_members_are_kept():
    found = envelope(STRIPE, {"id": "evt_1", "type": "brand.new", "created": 1795250000, "surprise": [1]})
    assert (found.kind, found.lane_key, found.park) == ("unknown", "evt_1", "")


def test_a_thin_event_is_kept_as_unknown():
    document = {
        "id": "evt_65Thin", "object": "v2.core.event", "type": "v1.invoice.payment_failed",
        "created": "2026-11-21T08:33:20.000Z",
        "related_object": {"id": "in_1Test", "type": "invoice"}, "context": None, "livemode": False,
    }  # fmt: skip
    found = envelope(STRIPE, document)
    assert (found.kind, found.object_id, found.park) == ("unknown", "in_1Test", "")


def test_connected_accounts_are_kept_apart():
    document = {**payload("stripe", "invoice.paid"), "account": "acct_7"}
    assert envelope(STRIPE, document).account == "acct_7"


def test_a_script_post():
    found = envelope(NETSUITE, payload("netsuite", "contract.changed"))
    assert (found.provider_event_id, found.account, found.kind) == ("ns-0000-0002", "1234567_SB1", "contract.changed")
    assert (found.object_id, found.lane_key, found.park) == ("501", "1847", "")
    assert envelope(NETSUITE, payload("netsuite", "customer.changed")).lane_key == "1847"
    assert envelope(NETSUITE, payload("netsuite", "item.changed")).kind == "unknown"
    assert (
        envelope(NETSUITE, {"id": "e", "type": "contract.changed", "record": []}).park
        == "unreadable time; no record id"
    )


def test_a_ticket_event_goes_by_its_own_id():
    headers = {"x-zendesk-webhook-invocation-id": ("01INV",)}
    found = envelope(ZENDESK, payload("zendesk", "ticket.merged"), headers)
    assert (found.provider_event_id, found.account, found.kind) == ("01JD8EVENT0005", "12345", "ticket.gone")
    assert (found.object_id, found.lane_key, found.park) == ("35436", "35436", "")
    assert found.occurred_at == datetime(2026, 11, 21, 9, 30, 1, 123456, tzinfo=UTC)


def test_a_trigger_goes_by_its_invocation():
    headers = {"x-zendesk-webhook-invocation-id": ("01INV",), "x-zendesk-account-id": ("12345",)}
    found = envelope(ZENDESK, payload("zendesk", "trigger"), headers)
    assert (found.provider_event_id, found.account, found.type) == ("01INV", "12345", "trigger")
    assert (found.kind, found.lane_key, found.park) == ("ticket.changed", "35436", "")
    with pytest.raises(BadBody):
        envelope(ZENDESK, payload("zendesk", "trigger"))


def test_the_registry_gives_one_adapter_each():
    assert providers.get("stripe") is providers.get("stripe")
    with pytest.raises(KeyError):
        providers.get("nobody")
