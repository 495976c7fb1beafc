"""NetSuite: records, jobs, what confirms a write, and how many calls are in the air."""

import json
import threading
import time
from datetime import UTC, datetime
from functools import partial

import pytest

from sync import providers
from sync.errors import PermanentError, TransientError, UnreadableAnswer
from sync.providers import netsuite
from sync.providers.netsuite import JobDone, JobLost, JobPending, NetSuite
from tests.sync.loopback import keeps_answering, serving
from tests.sync.netsuite_account import CONTRACT, LEGACY, PATCH, Account, allow, done, pointed_at

JOB = "/services/rest/async/v1/job/77"


@pytest.fixture
def adapter():
    return NetSuite()


@pytest.fixture
def signed_in(settings):
    return partial(pointed_at, settings)


# --- writes


def test_frozen_writes(adapter):
    patch = adapter.patch_contract("501", {"custrecord_mesh_status": "suspended", "custrecord_mesh_action": None})
    assert (patch.method, patch.path) == ("PATCH", CONTRACT)
    assert ("X-NetSuite-PropertyNameValidation", "Error") in patch.headers
    assert patch.body == '{"custrecord_mesh_action":null,"custrecord_mesh_status":"suspended"}'
    upsert = adapter.upsert_customer("mesh-cus-1", {"companyName": "Ünion", "terms": {"id": "2"}})
    assert (upsert.method, upsert.path) == ("PUT", "/services/rest/record/v1/customer/eid:mesh-cus-1")
    assert not any(name in ("Prefer", "X-NetSuite-Idempotency-Key") for name, _ in upsert.headers)
    keyed = adapter.upsert_customer("mesh-cus-1", {}, async_key="0d1f")
    assert dict(keyed.headers)["Prefer"] == "respond-async"
    assert dict(keyed.headers)["X-NetSuite-Idempotency-Key"] == "0d1f"


@pytest.mark.parametrize(
    "record_id", ["", "eid:", "50 1", "501/x", "eid:a|b", "eid:a/../b", "abc", "../1", "1?x=1", "١"]
)
def test_record_ids_that_are_none(adapter, record_id):
    with pytest.raises(PermanentError, match="record id"):
        adapter.patch_contract(record_id, {})


@pytest.mark.parametrize("field", ["", "a b", "1x", "a'--", "a/b", "x" * 101])
def test_field_ids_that_are_none(adapter, field):
    with pytest.raises(ValueError, match="field id"):
        adapter.patch_contract("501", {field: "x"})


@pytest.mark.parametrize(
    ("location", "found"),
    [
        (CONTRACT, "501"),
        ("https://x.suitetalk.api.netsuite.com" + CONTRACT, "501"),
        ("http://127.0.0.1:1/netsuite" + CONTRACT.replace("mesh_contract", "MESH_CONTRACT"), "501"),
        (CONTRACT + "/", ""),
        (CONTRACT.replace("501", "eid:x"), ""),
        ("/services/rest/record/v1/customer/501", ""),
        ("/services/rest/async/v1/job/1", ""),
    ],
)
def test_where_a_record_was_written(adapter, signed_in, location, found):
    with serving(Account(answers={f"PATCH {CONTRACT}": done(location)})) as server:
        signed_in(server)
        response = adapter.perform(PATCH, allow)
    if found:
        assert netsuite.location_id(response, "customrecord_mesh_contract") == found
    else:
        with pytest.raises(UnreadableAnswer):
            netsuite.location_id(response, "customrecord_mesh_contract")


def test_a_write_without_a_location_confirms_nothing(adapter, signed_in):
    with serving(Account(answers={f"PATCH {CONTRACT}": (204, b"", {})})) as server:
        signed_in(server)
        with pytest.raises(UnreadableAnswer):
            adapter.perform(PATCH, allow)


# --- jobs

ERROR = b'{"title":"Conflict","status":400,"o:errorDetails":[{"detail":"Duplicate","o:errorCode":"IDEMPOTENCY_ERROR"}]}'


def test_a_repeated_key_points_at_its_job(adapter, signed_in):
    answers = {f"PATCH {CONTRACT}": (400, ERROR, {"Location": JOB})}
    with serving(Account(answers=answers)) as server:
        signed_in(server)
        response = adapter.perform(PATCH, allow)
    assert (response.status, response.headers["location"]) == (400, JOB)
    assert netsuite.job_path(response) == JOB


def test_a_repeated_key_without_its_job_is_unconfirmed(adapter, signed_in):
    with serving(Account(answers={f"PATCH {CONTRACT}": (400, ERROR, {})})) as server:
        signed_in(server)
        with pytest.raises(UnreadableAnswer):
            adapter.perform(PATCH, allow)


def job(**changes):
    tasks = {"items": [{"links": [{"rel": "self", "href": f"http://x{JOB}/task/1"}]}]}
    answers = {
        f"GET {JOB}": (200, b'{"id":"77","completed":true,"progress":"whatever"}', {}),
        f"GET {JOB}/task": (200, json.dumps(tasks).encode(), {}),
        f"GET {JOB}/task/1/result": (204, b"", {"Location": "/services/rest/record/v1/customer/1847"}),
    }
    return {**answers, **{f"GET {JOB}{path}": answer for path, answer in changes.items()}}


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        (job(), JobDone(204, "/services/rest/record/v1/customer/1847", b"")),
        (job(**{"": (200, b'{"completed":false,"progress":"succeeded"}', {})}), JobPending()),
        (job(**{"": (200, b'{"progress":"succeeded"}', {})}), JobPending()),
        (job(**{"": (404, b"{}", {})}), JobLost()),
        (job(**{"/task": (200, b'{"items":[]}', {})}), JobLost()),
        (job(**{"/task/1/result": (404, b"{}", {})}), JobLost()),
        (job(**{"/task/1/result": (400, b'{"status":400}', {})}), JobDone(400, "", b'{"status":400}')),
    ],
)
@pytest.mark.parametrize("location", [JOB, f"https://elsewhere.example{JOB}"])
def test_jobs(adapter, signed_in, answers, state, location):
    with serving(Account(answers=answers)) as server:
        signed_in(server)
        assert adapter.job_state(location) == state


@pytest.mark.parametrize("location", ["", "/services/rest/record/v1/customer/1", "https://evil.example/"])
def test_an_address_that_is_no_job(adapter, location):
    assert adapter.job_state(location) == JobLost()


def test_a_finished_job_tells_its_record():
    assert netsuite.location_id(JobDone(204, "/services/rest/record/v1/customer/1847", b""), "customer") == "1847"
    with pytest.raises(UnreadableAnswer):
        netsuite.location_id(JobDone(204, "", b""))


# --- reads

RECORD = {
    "id": "501", "externalId": "mesh-con-1", "name": "Growth", "custrecord_mesh_status": "active",
    "custrecord_mesh_plan": {"id": "gold", "refName": "Gold"}, "custrecord_mesh_customer": {"id": "1847"},
    "custrecord_stripe_subscription_id": "sub_9", "custrecord_mesh_started": "2026-01-01", "custrecord_mesh_action": 42,
}  # fmt: skip


def test_a_contract_is_found_by_its_subscription(adapter, signed_in):
    query = "POST /services/rest/query/v1/suiteql?limit=2&offset=0"
    answers = {query: (200, b'{"items":[{"ID":"501"}]}', {}), f"GET {CONTRACT}": (200, json.dumps(RECORD).encode(), {})}
    exchanges = []
    with serving(Account(answers=answers)) as server:
        signed_in(server)
        found = adapter.contract_by_subscription("sub_9", exchanges)
        sent = next(request for request in server.requests if b"suiteql" in request)
    assert (found.internal_id, found.external_id, found.customer_internal_id) == ("501", "mesh-con-1", "1847")
    assert (found.status, found.plan, found.last_action_id) == ("active", "gold", "42")
    assert (found.started_at, found.ends_at) == (datetime(2026, 1, 1, tzinfo=UTC), None)
    assert b"Prefer: transient" in sent
    body = json.loads(sent.partition(b"\r\n\r\n")[2])
    assert body["params"] == ["sub_9"]
    assert "sub_9" not in body["q"]
    assert [(exchange.method, exchange.is_write) for exchange in exchanges] == [("POST", False), ("GET", False)]


@pytest.mark.parametrize(
    ("rows", "outcome"), [("[]", None), ('[{"id":"1"},{"id":"2"}]', "ambiguous"), ('"x"', "drift")]
)
def test_other_answers_to_the_search(adapter, signed_in, rows, outcome):
    query = "POST /services/rest/query/v1/suiteql?limit=2&offset=0"
    with serving(Account(answers={query: (200, b'{"items":%s}' % rows.encode(), {})})) as server:
        signed_in(server)
        if outcome is None:
            assert adapter.contract_by_subscription("sub_9") is None
        else:
            with pytest.raises(PermanentError) as refused:
                adapter.contract_by_subscription("sub_9")
            assert refused.value.code == outcome


def test_a_customer(adapter, signed_in):
    record = {"id": "1847", "externalId": "mesh-cus-1", "companyName": "Northwind", "isInactive": False}
    path = "GET /services/rest/record/v1/customer/eid:mesh-cus-1"
    with serving(Account(answers={path: (200, json.dumps(record).encode(), {})})) as server:
        signed_in(server)
        found = adapter.customer("eid:mesh-cus-1")
        assert adapter.customer("1") is None
    assert (found.internal_id, found.name, found.is_inactive) == ("1847", "Northwind", False)


def test_no_free_slot_is_not_sent(adapter, signed_in, monkeypatch):
    monkeypatch.setattr(netsuite, "WAIT_FOR_SLOT_SECONDS", 0.05)
    busy = threading.Event()

    def slow(peer):
        peer.request()
        busy.set()
        time.sleep(0.3)
        peer.answer(204, b"", Location=CONTRACT)

    with serving(slow) as server:
        signed_in(server, **LEGACY, concurrency=1)
        first = threading.Thread(target=adapter.perform, args=(PATCH, allow))
        first.start()
        busy.wait(2)
        with pytest.raises(TransientError) as refused:
            adapter.perform(PATCH, allow)
        first.join()
    assert (refused.value.code, refused.value.never_sent) == ("busy", True)


def test_the_registered_adapter():
    assert isinstance(providers.get("netsuite"), NetSuite)


def test_waiting_for_a_slot(adapter, signed_in):
    present, most = [], []
    lock = threading.Lock()

    def slow(peer):
        with lock:
            present.append(1)
            most.append(len(present))
        time.sleep(0.05)
        with lock:
            present.pop()
        peer.answer(204, b"", Location=CONTRACT)

    with serving(keeps_answering(slow)) as server:
        signed_in(server, **LEGACY)
        threads = [threading.Thread(target=adapter.perform, args=(PATCH, allow)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(most), max(most)) == (6, 2)
