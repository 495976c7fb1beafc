"""The NetSuite simulator: both log-ins by vectors, records, jobs, queries, the account's concurrency."""

import json
import threading
import time
import uuid
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sync.sandbox import keys
from sync.sandbox.netsuite.auth import SignInError, TokenLogin, base_string, check_assertion, read_header, signature
from tests.sandbox.desk import Client

VECTORS = json.loads((Path(__file__).parent / "data" / "netsuite-auth-vectors.json").read_text())
CONTRACT = "/record/v1/customrecord_mesh_contract"


def public_pem(jwk):
    key = jwt.PyJWK(jwk).key
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def code_of(answer):
    return answer.json()["o:errorDetails"][0]["o:errorCode"]


@pytest.mark.parametrize("vector", VECTORS["oauth1_hmac_sha256"], ids=lambda vector: vector["name"])
def test_token_based_vectors(vector):
    oauth = read_header(vector["authorization"])
    login = TokenLogin(
        vector["realm"], vector["consumer_key"], vector["consumer_secret"], vector["token_id"], vector["token_secret"]
    )

    assert base_string(vector["method"], vector["url"], oauth) == vector["base_string"]
    made = signature(vector["method"], vector["url"], oauth, vector["consumer_secret"], vector["token_secret"])
    assert made == vector["signature"]
    login.check(vector["method"], vector["url"], vector["authorization"], float(vector["timestamp"]) + 299)
    with pytest.raises(SignInError, match="NonceUsed"):
        login.check(vector["method"], vector["url"], vector["authorization"], float(vector["timestamp"]))
    with pytest.raises(SignInError, match="InvalidTimestamp"):
        login.check(vector["method"], vector["url"], vector["authorization"], float(vector["timestamp"]) + 301)


@pytest.mark.parametrize("algorithm", ["es256", "ps256"])
def test_assertion_vectors(algorithm):
    vector = VECTORS["oauth2_client_assertion"][algorithm]
    certificates = {vector["header"]["kid"]: public_pem({**vector["public_jwk"], "alg": algorithm.upper()})}
    claims = vector["claims"]

    check_assertion(vector["assertion"], certificates, claims["iss"], claims["aud"], claims["iat"] + 1)

    with pytest.raises(SignInError, match="refused"):
        check_assertion(vector["assertion"], certificates, claims["iss"], "https://elsewhere.test", claims["iat"] + 1)
    with pytest.raises(SignInError, match="expired"):
        check_assertion(vector["assertion"], certificates, claims["iss"], claims["aud"], claims["exp"])
    with pytest.raises(SignInError, match="unknown certificate"):
        check_assertion(vector["assertion"], {}, claims["iss"], claims["aud"], claims["iat"] + 1)


@pytest.mark.parametrize(
    ("case", "change", "status"), [("an hour", {"exp": 3600}, 401), ("just less", {"exp": 3599}, 200)]
)
def test_assertions_live_less_than_an_hour(client, case, change, status):
    now = int(time.time())
    url = f"{client.url}/netsuite/services/rest/auth/oauth2/v1/token"
    claims = {"iss": keys.NETSUITE_CLIENT_ID, "scope": ["rest_webservices"], "aud": url, "iat": now}

    answer = client.ask_token({**claims, "exp": now + change["exp"]}, keys.NETSUITE_PRIVATE_KEY_PEM, "ES256")

    assert answer.status_code == status


def test_another_certificate_can_be_registered(client):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    client.play("netsuite", "set_options", certificate={"id": "rsa-1", "public_key": pem})
    now = int(time.time())
    url = f"{client.url}/netsuite/services/rest/auth/oauth2/v1/token"
    claims = {"iss": keys.NETSUITE_CLIENT_ID, "scope": "rest_webservices", "aud": url, "iat": now, "exp": now + 60}

    answer = client.ask_token(claims, private, "PS256", "rsa-1")

    assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer")


def test_an_expired_token_is_refused(client):
    assert client.netsuite("GET", "/record/v1/customer").status_code == 200
    client.play("netsuite", "expire_tokens")

    answer = client.netsuite("GET", "/record/v1/customer")

    assert (answer.status_code, code_of(answer)) == (401, "INVALID_LOGIN")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_upsert_creates_once_and_minds_no_case(client):
    first = client.netsuite("PUT", "/record/v1/customer/eid:mesh-cus-1", data={"companyName": "Acme"})
    second = client.netsuite("PUT", "/record/v1/customer/eid:MESH-CUS-1", data={"email": "a@b.test"})
    read = client.netsuite("GET", "/record/v1/customer/eid:mesh-cus-1").json()

    assert (first.status_code, first.content) == (204, b"")
    assert (
        first.headers["Location"]
        == second.headers["Location"]
        == f"{client.url}/netsuite/services/rest/record/v1/customer/1847"
    )
    assert (read["companyName"], read["email"]) == ("Acme", "a@b.test")
    assert len(client.writes("netsuite")) == 2


@pytest.mark.parametrize(("mode", "status", "stored"), [("Error", 400, False), ("Warning", 204, True)])
def test_misspelt_fields(client, mode, status, stored):
    client.play("netsuite", "create_contract", external_id="c-1", status="active")
    data = {"custrecord_mesh_statsu": "suspended"}

    answer = client.netsuite("PATCH", f"{CONTRACT}/eid:c-1", data=data, X_NetSuite_PropertyNameValidation=mode)

    assert answer.status_code == status
    assert bool(client.writes("netsuite")) is stored
    assert client.netsuite("GET", f"{CONTRACT}/eid:c-1").json()["custrecord_mesh_status"] == "active"
    if status == 400:
        assert code_of(answer) == "INVALID_CONTENT"
        assert answer.json()["o:errorDetails"][0]["o:errorPath"] == "custrecord_mesh_statsu"


def test_duplicates_are_user_errors(client):
    client.netsuite("PUT", "/record/v1/customer/eid:a", data={"companyName": "Acme"})

    same_name = client.netsuite("PUT", "/record/v1/customer/eid:b", data={"companyName": "Acme"})
    same_key = client.netsuite("POST", "/record/v1/customer", data={"companyName": "Other", "externalId": "A"})

    assert "unique customer ID" in same_name.json()["o:errorDetails"][0]["detail"]
    assert "already exists" in same_key.json()["o:errorDetails"][0]["detail"]
    assert len(client.writes("netsuite")) == 1


@pytest.mark.parametrize(("query", "lines"), [("", 2), ("?replace=item", 1)])
def test_lines_are_appended_unless_replaced(client, query, lines):
    customer = client.play("netsuite", "create_customer", name="Acme")["id"]
    data = {"entity": {"id": customer}, "item": {"items": [{"item": {"id": "86"}, "quantity": 1, "rate": 49.0}]}}

    for _ in range(2):
        client.netsuite("PUT", f"/record/v1/invoice/eid:inv-1{query}", data=data)
    invoice = client.netsuite("GET", "/record/v1/invoice/eid:inv-1?expandSubResources=true").json()

    assert (len(invoice["item"]["items"]), invoice["total"]) == (lines, 49.0 * lines)


def submit(client, key, **data):
    headers = {"Prefer": "respond-async", "X-NetSuite-Idempotency-Key": key}
    return client.netsuite("PUT", "/record/v1/customer/eid:mesh-1", data={"companyName": "Acme", **data}, **headers)


def ended(client, location):
    for _ in range(100):
        answer = client.netsuite("GET", f"{location.removeprefix('/services/rest')}/task/1/result")
        if answer.status_code != 404:
            return answer
        time.sleep(0.02)
    raise AssertionError("the job did not end")


def test_job_runs_once_for_its_key(client):
    client.play("netsuite", "set_options", job_delay_s=0.1)
    key = str(uuid.uuid4())

    first = submit(client, key)
    again = submit(client, key)
    pending = client.netsuite("GET", first.headers["Location"].removeprefix("/services/rest")).json()
    result = ended(client, first.headers["Location"])

    assert (first.status_code, first.headers["Preference-Applied"]) == (202, "respond-async")
    assert (again.status_code, code_of(again), again.json()["title"]) == (400, "IDEMPOTENCY_ERROR", "Conflict")
    assert again.headers["Location"] == first.headers["Location"]
    assert (pending["completed"], pending["progress"]) == (False, "pending")
    assert result.status_code == 204
    assert result.headers["Location"].endswith("/record/v1/customer/1847")
    assert [entry["key"] for entry in client.writes("netsuite")] == [key]


@pytest.mark.parametrize(("kind", "status", "effects"), [("job_rejected", 400, 0), ("job_lost", 404, 0)])
def test_jobs_go_wrong_as_dialled(client, kind, status, effects):
    client.play("netsuite", "set_options", job_delay_s=0.0)
    client.faults("netsuite", {"kind": kind, "method": "PUT"})

    first = submit(client, str(uuid.uuid4()))
    time.sleep(0.1)
    answer = client.netsuite("GET", first.headers["Location"].removeprefix("/services/rest") + "/task/1/result")

    assert (answer.status_code, len(client.writes("netsuite"))) == (status, effects)


def test_the_account_takes_five_at_a_time(client):
    client.bearer = client.token()
    client.faults("netsuite", {"kind": "latency", "ms": 300, "path": "/services/rest/record"})
    answers = []

    def call():
        mine = Client(client.url)
        mine.bearer = client.bearer
        answers.append(mine.netsuite("GET", "/record/v1/customer"))
        mine.close()

    threads = [threading.Thread(target=call) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 2
    assert refused[0].json()["o:errorCode"] == "CONCURRENCY_LIMIT_EXCEEDED"
    assert "Retry-After" not in refused[0].headers
    assert client.get("/_books/netsuite?only=requests")["requests"]["max_in_flight"] == 5


def suiteql(client, query, *params, page="limit=2&offset=0", prefer="transient"):
    data = {"q": query, "params": list(params)}
    return client.netsuite("POST", f"/query/v1/suiteql?{page}", data=data, Prefer=prefer)


def test_suiteql_gives_text_and_omits_nulls(client):
    for number in range(3):
        client.play("netsuite", "create_customer", name=f"C{number}", external_id=f"mesh-{number}")

    page = suiteql(
        client, "SELECT c.id, c.externalId, c.email, c.isInactive FROM customer c WHERE c.id > ? ORDER BY c.id", "0"
    )

    body = page.json()
    assert body["items"][0] == {"links": [], "id": "1847", "externalid": "mesh-0", "isinactive": "F"}
    assert (body["count"], body["hasMore"], body["totalResults"]) == (2, True, 3)
    assert body["links"][1]["href"].endswith("limit=2&offset=2")


def test_suiteql_knows_transactions_and_contracts(client):
    customer = client.play("netsuite", "create_customer", name="Acme")["id"]
    client.play("netsuite", "create_contract", customer=customer, subscription="sub_1")
    client.netsuite("POST", "/record/v1/invoice", data={"entity": {"id": customer}, "memo": "[meshline:act-3]"})

    invoices = suiteql(client, "SELECT t.id, t.entity FROM transaction t WHERE t.type = 'CustInvc' AND t.id > ?", "1")
    contracts = suiteql(
        client,
        "SELECT id FROM customrecord_mesh_contract WHERE custrecord_stripe_subscription_id = ? ORDER BY id",
        "sub_1",
    )

    assert [row["entity"] for row in invoices.json()["items"]] == [customer]
    assert [row["id"] for row in contracts.json()["items"]] == ["501"]
    assert client.get("/_books/netsuite/effects-by-action") == {"act-3": 1}


@pytest.mark.parametrize(
    ("case", "query", "page", "prefer"),
    [
        ("unknown column", "SELECT subsidiaryx FROM customer", "limit=2", "transient"),
        ("a write", "DELETE FROM customer", "limit=2", "transient"),
        ("with", "WITH a AS (SELECT 1) SELECT * FROM a", "limit=2", "transient"),
        ("offset", "SELECT id FROM customer", "limit=2&offset=3", "transient"),
        ("limit", "SELECT id FROM customer", "limit=1001", "transient"),
        ("no prefer", "SELECT id FROM customer", "limit=2", "none"),
    ],
)
def test_suiteql_refuses(client, case, query, page, prefer):
    assert suiteql(client, query, page=page, prefer=prefer).status_code == 400


def test_lost_answer_is_an_effect(client):
    client.play("netsuite", "create_contract", external_id="c-1")
    client.bearer = client.token()
    client.faults("netsuite", {"kind": "error_after", "method": "PATCH", "count": 1, "status": 503})
    data = {"custrecord_mesh_status": "suspended", "custrecord_mesh_action": "act-1"}

    answer = client.netsuite("PATCH", f"{CONTRACT}/eid:c-1", data=data)

    assert (answer.status_code, code_of(answer)) == (503, "UNEXPECTED_ERROR")
    assert client.get("/_books/netsuite/effects-by-action") == {"act-1": 1}
