"""NetSuite: signing in both ways, records, jobs, and what confirms a write."""

import json
import threading
import time
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sync import providers
from sync.errors import AuthError, PermanentError, TransientError, UnconfirmedError, UnreadableAnswer
from sync.providers import netsuite, netsuite_auth
from sync.providers.netsuite import JobDone, JobLost, JobPending, NetSuite
from sync.wiretypes import FrozenRequest
from tests.sync.loopback import keeps_answering, serving
from tests.sync.payloads import payload

VECTORS = payload("netsuite", "auth_vectors")
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
CONTRACT = "/services/rest/record/v1/customrecord_mesh_contract/501"
PATCH = FrozenRequest("netsuite", "PATCH", CONTRACT, (), '{"custrecord_mesh_status":"suspended"}')
TOKEN = netsuite_auth.TOKEN_PATH
JOB = "/services/rest/async/v1/job/77"


def allow():
    """A guard that lets the write go."""


class Account:
    """A scripted account: tokens that are counted, and answers by method and path."""

    def __init__(self, **answers):
        self.answers = answers
        self.valid, self.issued, self.forms, self.refuse_all = set(), 0, [], False

    def __call__(self, peer):
        while request := peer.request():
            head, _, body = request.partition(b"\r\n\r\n")
            method, path = head.decode().split(" ")[:2]
            if path == TOKEN:
                self.forms.append(body.decode())
                self.issued += 1
                self.valid = {f"token{self.issued}"}
                peer.answer(200, json.dumps({"access_token": f"token{self.issued}", "expires_in": 3600}).encode())
                continue
            token = head.decode().partition("Authorization: Bearer ")[2].partition("\r\n")[0]
            if self.refuse_all or token not in self.valid:
                peer.answer(401, b'{"title":"Unauthorized","o:errorDetails":[{"o:errorCode":"INVALID_LOGIN"}]}')
                continue
            self.answer(peer, f"{method} {path}")

    def answer(self, peer, call):
        status, body, headers = self.answers["answers"].get(call, (404, b"{}", {}))
        peer.answer(status, body, "application/vnd.oracle.resource+json; type=singular", **headers)


@pytest.fixture
def adapter():
    return NetSuite()


@pytest.fixture
def signed_in(settings):
    def point(server, **changes):
        config = {
            "base_url": server.url, "auth": "oauth2", "client_id": "client", "certificate_id": "cert", "private_key": PEM,
            "algorithm": "ES256", "concurrency": 2, **changes,
        }  # fmt: skip
        provider = {**settings.MESHLINE_PROVIDERS["netsuite"], **config}
        settings.MESHLINE_PROVIDERS = {**settings.MESHLINE_PROVIDERS, "netsuite": provider}

    return point


def done(location=CONTRACT):
    return (204, b"", {"Location": location})


def test_the_assertion(adapter, signed_in):
    account = Account(answers={f"PATCH {CONTRACT}": done()})
    exchanges = []
    with serving(account) as server:
        signed_in(server)
        response = adapter.perform(PATCH, allow, exchanges)
        adapter.perform(PATCH, allow, exchanges)
    assert netsuite.location_id(response, "customrecord_mesh_contract") == "501"
    assert account.issued == 1
    fields = dict(pair.split("=") for pair in account.forms[0].split("&"))
    claims = jwt.decode(fields["client_assertion"], KEY.public_key(), ["ES256"], audience=server.url + TOKEN)
    assert (claims["iss"], claims["scope"]) == ("client", ["rest_webservices"])
    assert 0 < claims["exp"] - claims["iat"] < 3600
    assert jwt.get_unverified_header(fields["client_assertion"]) == {"alg": "ES256", "kid": "cert", "typ": "JWT"}
    assert "token1" not in repr(exchanges)


def test_a_refused_token_is_renewed_once_with_the_same_request(adapter, signed_in, monkeypatch):
    monkeypatch.setattr(netsuite_auth, "RENEW_AT_MOST_EVERY_SECONDS", 0)
    account = Account(answers={f"PATCH {CONTRACT}": done()})
    asked, exchanges = [], []
    with serving(account) as server:
        signed_in(server)
        adapter.perform(PATCH, allow)
        account.valid = set()
        assert adapter.perform(PATCH, lambda: asked.append(1), exchanges).status == 204
        writes = [request for request in server.requests if request.startswith(b"PATCH")]
    assert account.issued == 2
    assert len(asked) == 2
    assert [exchange.status for exchange in exchanges] == [401, 204]
    assert writes[1].partition(b"\r\n\r\n")[2] == writes[2].partition(b"\r\n\r\n")[2]


def test_a_token_refused_twice_is_an_auth_error(adapter, signed_in, monkeypatch):
    monkeypatch.setattr(netsuite_auth, "RENEW_AT_MOST_EVERY_SECONDS", 0)
    account = Account(answers={})
    account.refuse_all = True
    with serving(account) as server:
        signed_in(server)
        with pytest.raises(AuthError) as refused:
            adapter.perform(PATCH, allow)
        assert len(server.requests) == 4
    assert refused.value.code == "INVALID_LOGIN"


def test_a_fresh_token_that_is_refused_is_not_renewed(adapter, signed_in):
    account = Account(answers={})
    account.refuse_all = True
    with serving(account) as server:
        signed_in(server)
        for _ in range(3):
            with pytest.raises(AuthError):
                adapter.perform(PATCH, allow)
    assert account.issued == 1


def test_threads_share_one_token(adapter, signed_in):
    account = Account(answers={f"PATCH {CONTRACT}": done()})
    with serving(account) as server:
        signed_in(server, concurrency=8)
        threads = [threading.Thread(target=adapter.perform, args=(PATCH, allow)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert account.issued == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda peer: peer.answer(400, b'{"error":"invalid_grant"}'), AuthError),
        (lambda peer: peer.answer(401, b'{"error":"invalid_client"}'), AuthError),
        (lambda peer: peer.answer(500, b"{}"), TransientError),
        (lambda peer: peer.answer(429, b"{}"), TransientError),
        (lambda peer: peer.answer(200, b"<html>", "text/html"), TransientError),
        (lambda peer: peer.answer(200, b'{"access_token":7}'), TransientError),
        (lambda peer: peer.answer(200, b'{"access_token":"a\\r\\nb"}'), TransientError),
        (lambda peer: peer.sock.close(), TransientError),
    ],
)
def test_without_a_token_nothing_is_sent(adapter, signed_in, answer, kind):
    exchanges = []
    with serving(keeps_answering(answer)) as server:
        signed_in(server)
        with pytest.raises(kind) as refused:
            adapter.perform(PATCH, allow, exchanges)
        assert all(request.startswith(b"POST " + TOKEN.encode()) for request in server.requests)
    assert refused.value.never_sent
    assert not isinstance(refused.value, UnconfirmedError)
    assert [exchange.request_body for exchange in exchanges] == [""]


def test_a_key_that_cannot_sign(adapter, signed_in):
    with serving(Account(answers={})) as server:
        signed_in(server, private_key="no key")
        with pytest.raises(PermanentError) as refused:
            adapter.perform(PATCH, allow)
    assert (refused.value.code, refused.value.never_sent) == ("bad_key", True)


@pytest.mark.parametrize("name", ["es256", "ps256"])
def test_a_published_assertion_has_the_members_of_ours(name):
    vector = VECTORS["oauth2_client_assertion"][name]
    key = jwt.PyJWK(vector["public_jwk"], algorithm=name.upper())
    claims = jwt.decode(
        vector["assertion"], key, [name.upper()], audience=vector["claims"]["aud"], options={"verify_exp": False}
    )
    config = {
        "base_url": "https://x.example", "client_id": "c", "certificate_id": "k", "private_key": PEM, "algorithm": "ES256",
    }  # fmt: skip
    ours = netsuite_auth.assertion(config, claims["iat"])
    assert set(jwt.decode(ours, options={"verify_signature": False})) == set(claims)
    assert set(jwt.get_unverified_header(ours)) == set(jwt.get_unverified_header(vector["assertion"]))


@pytest.mark.parametrize("vector", VECTORS["oauth1_hmac_sha256"], ids=lambda vector: vector["name"])
def test_token_based_vectors(vector):
    config = {**vector, "account": vector["realm"]}
    made = netsuite_auth.token_based_header(
        config, vector["method"], vector["url"], nonce=vector["nonce"], timestamp=vector["timestamp"]
    )
    assert sorted(made.removeprefix("OAuth ").split(", ")) == sorted(
        vector["authorization"].removeprefix("OAuth ").split(", ")
    )


def test_every_try_is_signed_anew(adapter, signed_in):
    with serving(keeps_answering(lambda peer: peer.answer(401, b"{}"))) as server:
        signed_in(server, auth="tba", account="1234567-sb1", consumer_key="a", consumer_secret="b", token_id="c",
                  token_secret="d")  # fmt: skip
        for _ in range(2):
            with pytest.raises(AuthError):
                adapter.perform(PATCH, allow)
    nonces = [request.partition(b"oauth_nonce")[2][:40] for request in server.requests]
    assert len(set(nonces)) == len(server.requests) == 2
    assert b'realm="1234567_SB1"' in server.requests[0]


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
        signed_in(server, auth="tba", account="1", consumer_key="a", consumer_secret="b", token_id="c", token_secret="d",
                  concurrency=1)  # fmt: skip
        first = threading.Thread(target=adapter.perform, args=(PATCH, allow))
        first.start()
        busy.wait(2)
        with pytest.raises(TransientError) as refused:
            adapter.perform(PATCH, allow)
        first.join()
    assert (refused.value.code, refused.value.never_sent) == ("busy", True)


def test_the_registered_adapter():
    assert isinstance(providers.get("netsuite"), NetSuite)
