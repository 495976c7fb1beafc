"""Webhooks of all simulators: signatures, retries, versions, held and spoilt deliveries."""

import base64
import hashlib
import hmac
import json
import time

import pytest
import stripe

from sync.sandbox import keys
from sync.sandbox.stripe.simulator import Stripe
from sync.sandbox.world import Simulator
from sync.sandbox.zendesk.simulator import Zendesk

STRIPE_VECTOR_BODY = (
    '{"id":"evt_1TestVector000001","object":"event","api_version":"2026-10-28.endive","created":1795250000,'
    '"type":"invoice.payment_failed","livemode":false,"pending_webhooks":1,"request":{"id":null,"idempotency_key":null},'
    '"data":{"object":{"id":"in_1Test","object":"invoice","attempt_count":1}}}'
)
ZENDESK_TEST_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3RpbmdfcHVycG9zZXM="


def subscribe(client):
    customer = client.play("stripe", "create_customer", email="a@b.test")["customer"]
    return client.play("stripe", "create_subscription", customer=customer)["subscription"]


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (STRIPE_VECTOR_BODY, "2aef56ac342105304b2d3dfec801f8234340375e9905b61d860b862ff4f11cd2"),
        (
            STRIPE_VECTOR_BODY.replace("in_1Test", "in_1Tést"),
            "7986247ac12aa4d553e2286afa02ce654e0f92d403788e6cc205042a63c7ea69",
        ),
    ],
)
def test_stripe_signature_vectors(running, monkeypatch, body, signature):
    monkeypatch.setattr(time, "time", lambda: 1795250000.0)
    simulator: Simulator = running.simulators["stripe"]
    assert isinstance(simulator, Stripe)

    headers = simulator.sign(body.encode(), ["whsec_meshline_test_vector_0001"], {})

    assert headers["Stripe-Signature"] == f"t=1795250000,v1={signature}"


def test_zendesk_signature_vector(running, monkeypatch):
    body = b'{"ticket_id":"35436","external_id":"meshline-case-7f3a","status":"Open"}'
    monkeypatch.setattr(time, "time", lambda: 1795253400.0)
    simulator: Simulator = running.simulators["zendesk"]
    assert isinstance(simulator, Zendesk)

    headers = simulator.sign(body, [ZENDESK_TEST_SECRET], {})

    assert headers["X-Zendesk-Webhook-Signature-Timestamp"] == "2026-11-21T09:30:00Z"
    assert headers["X-Zendesk-Webhook-Signature"] == "9WJJea0T0xCvb+mt009ZC4xuQpo/ACKTM2wUWws7ns8="


def test_official_library_verifies_both_secrets_while_rotating(client, receiver):
    client.post("/_webhooks", stripe={"secrets": ["whsec_old", "whsec_new"]})
    subscribe(client)

    headers, body = receiver.wait(1)[0]

    for secret in ("whsec_old", "whsec_new"):
        assert stripe.WebhookSignature.verify_header(body.decode(), headers["stripe-signature"], secret, 300)


def test_a_failed_payment_tells_of_invoice_and_subscription(client, receiver):
    sub = subscribe(client)
    client.play("stripe", "fail_payment", subscription=sub)
    client.play("stripe", "fail_payment", subscription=sub)
    client.play("stripe", "pay_invoice", subscription=sub)

    assert receiver.types(8)[2:] == [
        "invoice.payment_failed",
        "customer.subscription.updated",
        "invoice.payment_failed",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]
    last = json.loads(receiver.deliveries[-1][1])
    assert last["data"]["object"]["status"] == "active"
    assert last["data"]["previous_attributes"] == {"status": "past_due"}


def test_events_keep_the_shape_of_the_endpoint(client, receiver):
    client.play("stripe", "set_version", api_version="2025-02-24.acacia")
    sub = subscribe(client)
    failed = client.play("stripe", "fail_payment", subscription=sub)

    body = json.loads(receiver.wait(4)[2][1])
    fetched = client.stripe("GET", f"/v1/events/{failed['events'][0]}").json()

    assert body["api_version"] == "2025-02-24.acacia"
    assert body["data"]["object"]["subscription"] == sub
    assert fetched["data"] == body["data"]


def test_an_api_call_names_its_key_in_the_event(client, receiver):
    client.stripe("POST", "/v1/customers", data={"email": "x@y.test"}, Idempotency_Key="meshline-5")

    event = json.loads(receiver.wait(1)[0][1])

    assert event["request"]["idempotency_key"] == "meshline-5"
    assert client.get("/_books/stripe/effects-by-action") == {"5": 1}


def test_a_refused_delivery_is_tried_again_with_a_fresh_signature(client, receiver):
    receiver.statuses = [500, 503]
    client.play("stripe", "create_customer", email="a@b.test")

    deliveries = receiver.wait(3)

    assert len({body for _, body in deliveries}) == 1
    assert int(deliveries[2][0]["stripe-signature"][2:12]) >= int(deliveries[0][0]["stripe-signature"][2:12])
    client.post("/_webhooks/flush")
    assert [entry["status"] for entry in client.get("/_webhooks/log")["deliveries"]] == [500, 503, 200]


@pytest.mark.parametrize(("status", "tries"), [(500, 1), (409, 2)])
def test_zendesk_gives_up_where_it_does(client, receiver, status, tries):
    receiver.statuses = [status]
    client.play("zendesk", "agent_comment", ticket=ticket_of(client))
    time.sleep(0.1)
    client.post("/_webhooks/flush")

    # created and comment_added of the first call, comment_added of the second; the first delivery was refused
    assert len(receiver.deliveries) == 2 + tries


def ticket_of(client):
    return client.play("zendesk", "create_ticket", subject="Hi", body="Hello")["ticket"]


def test_held_events_are_released_in_the_order_asked_for(client, receiver):
    client.post("/_webhooks", stripe={"hold": True})
    sub = subscribe(client)
    failed = client.play("stripe", "fail_payment", subscription=sub)["events"][0]
    paid = client.play("stripe", "pay_invoice", subscription=sub)["events"][0]

    released = client.post("/_webhooks/release", provider="stripe", order=[paid, failed])["released"]

    assert released == [paid, failed]
    assert receiver.types(2) == ["invoice.paid", "invoice.payment_failed"]


def test_webhook_faults_duplicate_swap_drop_and_forge(client, receiver):
    client.faults(
        "stripe",
        {"kind": "hook_duplicate", "type": "customer.created", "times": 2},
        {"kind": "hook_reorder", "type": "invoice.paid", "window_ms": 3000},
        {"kind": "hook_drop", "type": "customer.subscription.created"},
        {"kind": "hook_bad_signature", "type": "invoice.payment_failed"},
    )
    sub = subscribe(client)
    client.play("stripe", "fail_payment", subscription=sub)
    client.play("stripe", "pay_invoice", subscription=sub)

    types = receiver.types(9)

    assert types.count("customer.created") == 3
    assert types.count("customer.subscription.created") == 0
    assert types.index("invoice.payment_succeeded") < types.index("invoice.paid")
    forged = [pair for pair in receiver.deliveries if json.loads(pair[1])["type"] == "invoice.payment_failed"]
    good = [is_signed(headers, body) for headers, body in forged]
    assert sorted(good) == [False, True]


def is_signed(headers, body):
    try:
        return stripe.WebhookSignature.verify_header(
            body.decode(), headers["stripe-signature"], keys.STRIPE_WEBHOOK_SECRET, 300
        )
    except stripe.SignatureVerificationError:
        return False


def test_redelivery_keeps_the_event(client, receiver):
    event = client.play("stripe", "create_customer", email="a@b.test")["events"][0]
    client.play("stripe", "redeliver", event=event, times=2)

    bodies = {body for _, body in receiver.wait(3)}

    assert len(bodies) == 1


def test_netsuite_script_posts_changes_signed_and_echoes_our_writes(client, receiver):
    customer = client.play(
        "netsuite", "create_customer", name="Acme", external_id="mesh-cus-1", stripe_customer="cus_1"
    )
    client.play(
        "netsuite", "create_contract", customer=customer["id"], external_id="c-1", subscription="sub_1", plan="gold"
    )
    patch = {"custrecord_mesh_status": "suspended", "custrecord_mesh_action": "act-9"}
    client.netsuite("PATCH", "/record/v1/customrecord_mesh_contract/eid:c-1", data=patch)

    headers, body = receiver.wait(3)[2]
    event = json.loads(body)

    stamp, mark = headers["x-meshline-signature"].split(",")
    signed = hmac.new(
        keys.NETSUITE_WEBHOOK_SECRET.encode(), f"{stamp[2:]}.".encode() + body, hashlib.sha256
    ).hexdigest()
    assert mark == f"v1={signed}"
    assert receiver.types(3) == ["customer.created", "contract.created", "contract.changed"]
    record, fields = event["record"], event["record"]["fields"]
    assert (record["type"], record["id"], record["externalId"]) == ("customrecord_mesh_contract", "501", "c-1")
    assert fields["custrecord_mesh_customer"]["id"] == customer["id"]
    assert (fields["custrecord_mesh_status"], fields["custrecord_mesh_action"]) == ("suspended", "act-9")
    assert fields["custentity_nm_stripe_customer_id"] == "cus_1"


def test_zendesk_sends_one_envelope_for_each_ticket_event(client, receiver):
    ticket = ticket_of(client)
    data = {"ticket": {"status": "pending", "tags": ["a"], "comment": {"body": "x", "public": False}}}
    client.zendesk("PUT", f"/tickets/{ticket}", data=data)

    events = [json.loads(body) for _, body in receiver.wait(5)[2:]]

    assert [event["type"].removeprefix("zen:event-type:ticket.") for event in events] == [
        "status_changed",
        "tags_changed",
        "comment_added",
    ]
    assert events[0]["event"]["current"] == "PENDING"
    assert {event["detail"]["actor_id"] for event in events} == {str(keys.ZENDESK_AGENT_ID)}
    headers, body = receiver.deliveries[0]
    signed = headers["x-zendesk-webhook-signature-timestamp"].encode() + body
    mark = base64.b64encode(hmac.new(keys.ZENDESK_WEBHOOK_SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["x-zendesk-webhook-signature"] == mark


def test_a_quote_breaks_a_triggers_json(client, receiver):
    template = '{"ticket_id":"{{ticket.id}}","title":"{{ticket.title}}"}'
    client.post("/_webhooks", zendesk={"options": {"style": "trigger", "template": template}})
    client.play("zendesk", "create_ticket", subject='He said "no"')

    with pytest.raises(ValueError, match="delimiter"):
        json.loads(receiver.wait(1)[0][1])
