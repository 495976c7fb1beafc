"""The server itself: its control paths, the fault dial, the same seed giving the same world, and its command line."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from sync.sandbox.faults import BadRule, Dial
from sync.sandbox.server import Sandbox, start
from tests.sandbox.desk import Client

ROOT = Path(__file__).resolve().parents[2]


def story(client, seed):
    client.post("/_reset", seed=seed)
    client.faults("stripe", {"kind": "error_before", "path": "/v1/customers/cus_no", "probability": 0.5})
    customer = client.play("stripe", "create_customer", email="a@b.test")
    sub = client.play("stripe", "create_subscription", customer=customer["customer"], history=2)
    statuses = [client.stripe("GET", "/v1/customers/cus_no").status_code for _ in range(20)]
    contract = client.play("netsuite", "create_contract", external_id="c-1")
    return customer, sub, statuses, contract, client.play("zendesk", "create_ticket", subject="x")["events"]


def test_same_seed_same_behaviour(client):
    first, second, other = story(client, 7), story(client, 7), story(client, 8)

    assert first == second
    assert first != other
    assert set(first[2]) == {404, 500}


@pytest.mark.parametrize(
    ("rule", "hits"),
    [
        ({"count": 2}, [1, 1, 0, 0, 0, 0]),
        ({"nth": 3}, [0, 0, 1, 0, 0, 0]),
        ({"nth": [1, 4]}, [1, 0, 0, 1, 0, 0]),
        ({"every": 2}, [0, 1, 0, 1, 0, 1]),
        ({"after": 4}, [0, 0, 0, 0, 1, 1]),
        ({"after": 1, "count": 2}, [0, 1, 1, 0, 0, 0]),
    ],
)
def test_rules_hit_the_calls_they_name(rule, hits):
    dial = Dial(1)
    dial.replace("stripe", [{"kind": "rate_limit", "method": "POST", "path": "/v1/refunds", **rule}])

    found = [int(dial.plan("stripe", "POST", "/v1/refunds").rule is not None) for _ in hits]

    assert found == hits
    assert dial.plan("stripe", "GET", "/v1/refunds").rule is None
    assert dial.plan("zendesk", "POST", "/v1/refunds").rule is None


@pytest.mark.parametrize("rule", [{"kind": "nonsense"}, {"kind": "latency", "milliseconds": 5}])
def test_nonsense_rules_are_refused(rule):
    with pytest.raises(BadRule):
        Dial(1).replace("*", [rule])


@pytest.mark.parametrize(
    ("case", "rule", "status", "content_type", "effects"),
    [
        ("429", {"kind": "rate_limit", "retry_after": 3}, 429, "application/json", 0),
        ("500 before", {"kind": "error_before"}, 500, "application/json", 0),
        ("500 after", {"kind": "error_after", "status": 502}, 502, "application/json", 1),
        ("html instead", {"kind": "html"}, 200, "text/html; charset=utf-8", 1),
        ("html maintenance", {"kind": "html", "status": 503}, 503, "text/html; charset=utf-8", 0),
        ("key expired", {"kind": "expire_auth"}, 401, "application/json", 0),
        ("own answer", {"kind": "answer", "status": 418, "body": {"a": 1}}, 418, "application/json", 0),
    ],
)
def test_faults_before_and_after_the_effect(client, case, rule, status, content_type, effects):
    client.faults("stripe", {**rule, "method": "POST", "path": "/v1/customers"})

    answer = client.stripe("POST", "/v1/customers", data={"email": "a@b.test"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, content_type)
    assert answer.headers.get("Retry-After") == ("3" if status == 429 else None)
    assert len(client.writes("stripe")) == effects


def test_spoilt_answers(client):
    path = {"method": "POST", "path": "/v1/customers"}

    client.faults("stripe", {**path, "kind": "missing_id"})
    assert "id" not in client.stripe("POST", "/v1/customers", data={"email": "a@b.example"}).json()
    client.faults("stripe", {**path, "kind": "cut_json"})
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        client.stripe("POST", "/v1/customers", data={"email": "a@b.example"}).json()
    client.faults("stripe", {**path, "kind": "cut_json", "mode": "break"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.stripe("POST", "/v1/customers", data={"email": "a@b.example"})
    client.faults("stripe", {**path, "kind": "schema_drift", "rename": {"email": "mail"}})
    assert client.stripe("POST", "/v1/customers", data={"email": "a@b.example"}).json()["mail"] == "a@b.example"
    client.faults("stripe", {**path, "kind": "drop_before"})
    with pytest.raises(requests.ConnectionError):
        client.stripe("POST", "/v1/customers", data={"email": "a@b.example"})

    assert len(client.writes("stripe")) == 4


def test_a_drift_by_version_changes_the_shape(client):
    customer = client.play("stripe", "create_customer")["customer"]
    sub = client.play("stripe", "create_subscription", customer=customer)["subscription"]
    client.faults("stripe", {"kind": "schema_drift", "version": "2025-02-24.acacia"})

    assert "current_period_end" in client.stripe("GET", f"/v1/subscriptions/{sub}").json()


def test_a_slow_connection_delays_its_first_call_only(client):
    client.faults("zendesk", {"kind": "slow_connect", "ms": 150})
    fresh = Client(client.url)
    waits = []

    for _ in range(2):
        began = time.monotonic()
        fresh.zendesk("GET", "/tickets/1")
        waits.append(time.monotonic() - began > 0.14)

    fresh.close()
    assert waits == [True, False]


def test_a_dripping_answer_takes_its_time(client):
    client.faults("zendesk", {"kind": "drip", "interval_ms": 1})
    began = time.monotonic()

    client.zendesk("GET", "/tickets/1")

    assert time.monotonic() - began > 0.15


def test_control_mistakes_are_explained(client):
    def ask(method, path, **kwargs):
        return client.session.request(method, client.url + path, timeout=5, **kwargs)

    assert "fly" in ask("POST", "/_play/stripe/fly", json={}).json()["error"]
    assert ask("POST", "/_play/stripe/create_subscription", json={}).json() == {"error": "customer is missing"}
    assert ask("GET", "/_books/paypal").status_code == 404
    assert ask("POST", "/_faults", data="no json").status_code == 400
    assert ask("POST", "/_webhooks", json={"stripe": {"adress": "x"}}).status_code == 400
    assert "/stripe" in ask("GET", "/elsewhere").json()["error"]


def test_a_used_port_is_named(running):
    port = running.server_address[1]

    command = [sys.executable, "-m", "sync.sandbox", "--port", str(port)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=False)

    assert result.returncode == 2
    assert f"Port {port}" in result.stderr
    assert "--port" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_where_and_stops_quickly(tmp_path, number):
    rules = tmp_path / "faults.json"
    rules.write_text(json.dumps({"provider": "stripe", "rules": [{"kind": "rate_limit"}]}))
    command = [sys.executable, "-m", "sync.sandbox", "--port", "0", "--seed", "3", "--faults", str(rules)]

    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("sandbox ready on ").strip()
        client = Client(url)
        assert client.get("/_health")["seed"] == 3
        assert client.stripe("GET", "/v1/events").status_code == 429
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 1.5
        client.close()


def test_a_local_call_is_cheap():
    sandbox: Sandbox = start()
    client = Client(sandbox.url)
    customer = client.play("stripe", "create_customer")["customer"]
    client.stripe("GET", f"/v1/customers/{customer}")
    began = time.process_time()

    for _ in range(200):
        client.stripe("GET", f"/v1/customers/{customer}")

    # Both ends run in this process: the client library alone takes more than half of it.
    assert (time.process_time() - began) / 200 < 0.004
    client.close()
    sandbox.shutdown()
    sandbox.server_close()
