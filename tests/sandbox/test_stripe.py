"""The Stripe simulator: keys, shapes, refunds, lists, and what a lost answer leaves behind."""

import threading
from typing import Any

import pytest
import requests

from tests.sandbox.desk import Client


@pytest.fixture
def account(client: Client) -> dict[str, Any]:
    customer = client.play("stripe", "create_customer", email="ap@acme.test", name="Acme")["customer"]
    sub = client.play(
        "stripe", "create_subscription", customer=customer, mrr=4900, history=1, metadata={"plan": "gold"}
    )
    charge = client.stripe("GET", f"/v1/charges?customer={customer}").json()["data"][0]["id"]
    return {"customer": customer, "charge": charge, **sub}


def test_same_key_and_parameters_replay_the_first_answer(client, account):
    form = {"charge": account["charge"], "amount": 500, "metadata[meshline_action]": "act-1"}

    first = client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k1")
    second = client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k1")

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Original-Request"] == first.headers["Request-Id"] != second.headers["Request-Id"]
    assert client.get("/_books/stripe/effects-by-action") == {"act-1": 1}


def test_same_key_with_other_parameters_is_refused(client, account):
    client.stripe("POST", "/v1/refunds", data={"charge": account["charge"], "amount": 500}, Idempotency_Key="k1")

    answer = client.stripe(
        "POST", "/v1/refunds", data={"charge": account["charge"], "amount": 501}, Idempotency_Key="k1"
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "idempotency_error"
    assert len(client.writes("stripe")) == 1


def test_key_in_flight_is_a_conflict_and_can_be_repeated(client, account):
    client.faults("stripe", {"kind": "latency", "method": "POST", "ms": 300, "count": 1})
    form = {"charge": account["charge"], "amount": 500}
    other = Client(client.url)
    answers: list[requests.Response] = []
    slow = threading.Thread(
        target=lambda: answers.append(other.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k"))
    )
    slow.start()
    while not client.get("/_faults")["rules"][0]["fired"]:
        pass

    clash = client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k")
    slow.join()
    other.close()
    replay = client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k")

    assert (clash.status_code, clash.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert replay.json() == answers[0].json()
    assert len(client.writes("stripe")) == 1


def test_refused_parameters_do_not_use_up_a_key(client, account):
    bad = client.stripe("POST", "/v1/refunds", data={"charge": account["charge"], "amount": "x"}, Idempotency_Key="k1")
    good = client.stripe("POST", "/v1/refunds", data={"charge": account["charge"], "amount": "5"}, Idempotency_Key="k1")

    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "parameter_invalid_integer")
    assert good.status_code == 200


@pytest.mark.parametrize(("kind", "effects"), [("error_before", 0), ("error_after", 1)])
def test_a_stored_500_is_replayed(client, account, kind, effects):
    client.faults("stripe", {"kind": kind, "method": "POST", "count": 1, "stored": True})
    form = {"charge": account["charge"]}

    answers = [client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k1") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(client.writes("stripe")) == effects


def test_a_key_is_forgotten_after_a_day(client, account):
    form = {"charge": account["charge"], "amount": 500}
    client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k1")
    client.post("/_clock", advance_s=24 * 3600 + 1)

    again = client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k1")

    assert "Idempotent-Replayed" not in again.headers
    assert len(client.writes("stripe")) == 2


def test_lost_answer_is_an_effect(client, account):
    client.faults("stripe", {"kind": "lost_answer", "method": "POST", "path": "/v1/refunds", "count": 1})
    form = {"charge": account["charge"], "metadata[meshline_action]": "act-7"}

    with pytest.raises(requests.ConnectionError):
        client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k1")
    again = client.stripe("POST", "/v1/refunds", data=form, Idempotency_Key="k1")

    assert again.headers["Idempotent-Replayed"] == "true"
    assert client.get("/_books/stripe/effects-by-action") == {"act-7": 1}


def test_refunds_never_exceed_the_charge(client, account):
    too_much = client.stripe("POST", "/v1/refunds", data={"charge": account["charge"], "amount": 4901})
    client.stripe("POST", "/v1/refunds", data={"charge": account["charge"], "amount": 4900})
    done = client.stripe("POST", "/v1/refunds", data={"charge": account["charge"]})

    assert too_much.json()["error"]["code"] == "amount_too_large"
    assert done.json()["error"]["code"] == "charge_already_refunded"


@pytest.mark.parametrize("version", ["2025-02-24.acacia", "2025-08-27.basil", "2025-11-17.clover", "2026-08-26.dahlia"])
def test_shapes_follow_the_version(client, account, version):
    is_old = version.endswith("acacia")
    failed = client.play("stripe", "fail_payment", subscription=account["subscription"], next_attempt_in=60)

    invoice = client.stripe("GET", f"/v1/invoices/{failed['invoice']}?expand[]=payments", Stripe_Version=version).json()
    sub = client.stripe("GET", f"/v1/subscriptions/{account['subscription']}", Stripe_Version=version).json()
    charge = client.stripe("GET", f"/v1/charges/{failed['charge']}", Stripe_Version=version).json()

    where = invoice["subscription"] if is_old else invoice["parent"]["subscription_details"]["subscription"]
    assert where == account["subscription"]
    assert ("paid" in invoice, "parent" in invoice, "payments" in invoice) == (is_old, not is_old, not is_old)
    assert ("current_period_end" in sub, "invoice" in charge) == (is_old, is_old)
    assert ("current_period_end" in sub["items"]["data"][0]) is not is_old
    assert (sub["status"], invoice["attempt_count"]) == ("past_due", 1)
    assert not [name for name in (*invoice, *sub, *charge) if name.startswith("_")]


def test_lists_page_from_newest_to_oldest(client, account):
    for _ in range(3):
        client.play("stripe", "fail_payment", subscription=account["subscription"], new=True)

    path = f"/v1/invoices?subscription={account['subscription']}&limit=2"
    first = client.stripe("GET", path).json()
    second = client.stripe("GET", f"{path}&starting_after={first['data'][-1]['id']}").json()

    seen = [row["created"] for row in first["data"] + second["data"]]
    assert (first["has_more"], second["has_more"], len(seen)) == (True, False, 4)
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    "query", ["types[]=invoice.paid", "types[0]=invoice.paid", "types%5B0%5D=invoice.paid", "type=invoice.p*"]
)
def test_every_bracket_style_is_read(client, account, query):
    client.play("stripe", "pay_invoice", subscription=account["subscription"])

    found = client.stripe("GET", f"/v1/events?{query}").json()["data"]

    assert {event["type"] for event in found} <= {"invoice.paid", "invoice.payment_succeeded"}
    assert found


def test_paying_by_api_is_declined_until_the_card_is_good(client, account):
    failed = client.play("stripe", "fail_payment", subscription=account["subscription"])
    declined = client.stripe("POST", f"/v1/invoices/{failed['invoice']}/pay")
    client.play("stripe", "set_card", customer=account["customer"], declines=False)
    paid = client.stripe("POST", f"/v1/invoices/{failed['invoice']}/pay")
    again = client.stripe("POST", f"/v1/invoices/{failed['invoice']}/pay")

    assert (declined.status_code, declined.json()["error"]["code"]) == (402, "card_declined")
    assert (paid.json()["status"], paid.json()["attempt_count"]) == ("paid", 1)
    assert again.json()["error"]["message"] == "Invoice is already paid"
    assert client.stripe("GET", f"/v1/subscriptions/{account['subscription']}").json()["status"] == "active"


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [("/v1/invoices/in_no", None, 404), ("/v1/nothing", None, 404), ("/v1/invoices", "sk_test_wrong", 401)],
)
def test_errors_are_stripes(client, path, key, status):
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    answer = client.stripe("GET", path, **headers)

    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"].startswith("req_")


def test_official_client_works_against_it(client, account):
    stripe = pytest.importorskip("stripe")
    from_sdk = stripe.StripeClient(
        "sk_test_meshline_sandbox", base_addresses={"api": f"{client.url}/stripe"}, max_network_retries=0
    )

    invoices = list(from_sdk.v1.invoices.list({"subscription": account["subscription"]}).auto_paging_iter())
    refund = from_sdk.v1.refunds.create(
        {"charge": account["charge"], "metadata": {"meshline_action": "a"}}, {"idempotency_key": "k"}
    )

    assert len(invoices) == 1
    assert (refund.status, refund.amount) == ("succeeded", 4900)
    assert client.get("/_books/stripe/effects-by-action") == {"a": 1}


def test_a_refund_may_begin_pending_and_ends_once(client, account):
    client.play("stripe", "set_refunds", customer=account["customer"], status="pending")
    refund = client.stripe("POST", "/v1/refunds", data={"charge": account["charge"], "amount": 900}).json()
    charge = client.stripe("GET", f"/v1/charges/{account['charge']}").json()
    assert (refund["status"], refund["pending_reason"], charge["amount_refunded"]) == ("pending", "processing", 900)

    client.play("stripe", "finish_refund", refund=refund["id"], status="failed")

    ended = client.stripe("GET", f"/v1/refunds/{refund['id']}").json()
    charge = client.stripe("GET", f"/v1/charges/{account['charge']}").json()
    assert (ended["status"], ended["failure_reason"]) == ("failed", "expired_or_canceled_card")
    assert charge["amount_refunded"] == 0
    with pytest.raises(AssertionError, match="is failed"):
        client.play("stripe", "finish_refund", refund=refund["id"], status="succeeded")


@pytest.mark.parametrize(("status", "refundable"), [("warning_needs_response", True), ("needs_response", False)])
def test_an_inquiry_leaves_its_charge_refundable(client, account, status, refundable):
    client.play("stripe", "open_dispute", charge=account["charge"], status=status)

    answer = client.stripe("POST", "/v1/refunds", data={"charge": account["charge"], "amount": 900})

    assert (answer.status_code == 200) is refundable
    assert refundable or answer.json()["error"]["code"] == "charge_disputed"


@pytest.mark.parametrize(
    ("currency", "amount", "taken"),
    [("kwd", 1230, True), ("kwd", 1234, False), ("isk", 200, True), ("isk", 150, False)],
)
def test_amounts_come_in_the_smallest_steps_of_their_currency(client, account, currency, amount, taken):
    made = client.play("stripe", "create_subscription", customer=account["customer"], mrr=49_000, currency=currency)
    paid = client.play("stripe", "pay_invoice", subscription=made["subscription"])

    answer = client.stripe("POST", "/v1/refunds", data={"charge": paid["charge"], "amount": amount})

    assert (answer.status_code == 200) is taken
