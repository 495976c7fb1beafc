"""Signing in at NetSuite: one token a process, renewed once; or a signature of each try."""

import threading
from functools import partial

import jwt
import pytest

from sync.errors import AuthError, PermanentError, TransientError, UnconfirmedError
from sync.providers import netsuite, netsuite_auth
from sync.providers.netsuite import NetSuite
from sync.providers.netsuite_auth import TOKEN_PATH
from tests.sync.loopback import keeps_answering, serving
from tests.sync.netsuite_account import CONTRACT, KEY, LEGACY, PATCH, PEM, Account, allow, done, pointed_at
from tests.sync.payloads import payload

VECTORS = payload("netsuite", "auth_vectors")


@pytest.fixture
def adapter():
    return NetSuite()


@pytest.fixture
def signed_in(settings):
    return partial(pointed_at, settings)


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
    claims = jwt.decode(fields["client_assertion"], KEY.public_key(), ["ES256"], audience=server.url + TOKEN_PATH)
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
        assert all(request.startswith(b"POST " + TOKEN_PATH.encode()) for request in server.requests)
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
        "base_url": "https://x.example", "client_id": "c", "certificate_id": "k", "private_key": PEM,
        "algorithm": "ES256",
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
        signed_in(server, **LEGACY)
        for _ in range(2):
            with pytest.raises(AuthError):
                adapter.perform(PATCH, allow)
    nonces = [request.partition(b"oauth_nonce")[2][:40] for request in server.requests]
    assert len(set(nonces)) == len(server.requests) == 2
    assert b'realm="1234567_SB1"' in server.requests[0]
