"""The one HTTP client against a misbehaving loopback server: what left, what is known, and when it ends."""

import os
import socket
import threading
import time

import pytest

from sync import client, sockets
from sync.errors import TransientError, UnconfirmedError, UnreadableAnswer, WriteHalted
from sync.wiretypes import FrozenRequest
from tests.sync.loopback import keeps_answering, serving

WRITE = FrozenRequest("stripe", "POST", "/v1/refunds", (("Idempotency-Key", "meshline-1"),), "amount=500")
READ = FrozenRequest("stripe", "GET", "/v1/invoices?customer=cus_1&limit=10", (), "")
AUTH = {"Authorization": "Bearer sk_secret"}


def allow():
    """A guard that lets the write go."""


def write(server, guard=allow, request=WRITE):
    return client.send(request, auth_headers=AUTH, base_url=server.url, is_write=True, guard=guard)


def read(server):
    return client.send(READ, auth_headers=AUTH, base_url=server.url, is_write=False)


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(sockets, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(sockets, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(sockets, "EXCHANGE_SECONDS", 0.6)
    monkeypatch.setattr(sockets, "TICK_SECONDS", 0.02)


def test_the_request_arrives_as_it_was_frozen():
    with serving(keeps_answering(lambda peer: peer.answer(200, b'{"id":"re_1"}', Request_Id="req_7"))) as server:
        response = write(server)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/refunds HTTP/1.1"
    assert "Idempotency-Key: meshline-1" in lines
    assert "Authorization: Bearer sk_secret" in lines
    assert "Content-Length: 10" in lines
    assert body == b"amount=500"
    assert (response.status, response.json()) == (200, {"id": "re_1"})
    assert response.exchange.request_id == "req_7"
    assert (response.exchange.request_body, response.exchange.response_body) == ("amount=500", '{"id":"re_1"}')


@pytest.mark.parametrize(
    "path",
    [
        "/services/rest/record/v1/customer/eid:mesh-7b1c/!transform/invoice",
        "/services/rest/record/v1/customer?q=email%20IS%20%22a%2Bb%40example.com%22&limit=5",
        "/v1/invoices?created%5Bgte%5D=1",
    ],
)
def test_the_path_is_not_rewritten(path):
    with serving(keeps_answering(lambda peer: peer.answer())) as server:
        client.read("netsuite", path, auth_headers={}, base_url=server.url + "/netsuite/")
    assert server.requests[0].startswith(f"GET /netsuite{path} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    "path",
    ["v1/x", "//evil.example/x", "/v1/x y", "/v1/ü", "/v1/x\r\nA: b", "/v1/[a]", "/v1/%2f", "/v1/../x", "/v1/%2E%2E/x",
     "/v1/x#y", "/v1\\x"],
)  # fmt: skip
def test_a_path_that_would_be_rewritten_is_refused(path):
    with serving(keeps_answering(lambda peer: peer.answer())) as server, pytest.raises(ValueError, match="encoded"):
        client.read("stripe", path, auth_headers={}, base_url=server.url)
    assert server.accepted == 0


def test_credentials_are_no_part_of_what_is_stored():
    with serving(keeps_answering(lambda peer: peer.answer())) as server:
        exchange = write(server).exchange
        secret = client.send(WRITE, auth_headers=AUTH, base_url=server.url, is_write=False, is_private=True).exchange
    assert "sk_secret" not in repr(exchange)
    assert (secret.request_body, secret.response_body) == ("", "")
    smuggled = FrozenRequest("stripe", "POST", "/v1/x", (("authorization", "x"),), "")
    with pytest.raises(ValueError, match="credentials"):
        client.send(smuggled, auth_headers={}, base_url="https://api.stripe.com", is_write=True, guard=allow)


def test_a_write_needs_a_guard_and_a_read_changes_nothing():
    with pytest.raises(ValueError, match="guard"):
        client.send(WRITE, auth_headers={}, base_url="https://api.stripe.com", is_write=True)
    put = FrozenRequest("zendesk", "PUT", "/x", (), "")
    with pytest.raises(ValueError, match="guard"):
        client.send(put, auth_headers={}, base_url="https://x.zendesk.com", is_write=False)


# --- the guard


def test_the_guard_is_asked_after_connecting_and_before_the_first_byte():
    seen = {}

    def guard():
        time.sleep(0.1)
        seen.update(accepted=server.accepted, received=server.received)

    with serving(keeps_answering(lambda peer: peer.answer())) as server:
        write(server, guard)
    assert seen == {"accepted": 1, "received": b""}


@pytest.mark.parametrize("problem", [WriteHalted("stopped"), RuntimeError("no database"), OSError("no database")])
def test_a_halted_write_sends_nothing_and_closes(problem):
    def guard():
        raise problem

    closed = threading.Event()

    def behave(peer):
        assert peer.request() == b""
        closed.set()

    with serving(behave) as server:
        with pytest.raises(WriteHalted) as halted:
            write(server, guard)
        assert closed.wait(2)
    assert server.accepted == 1
    assert server.received == b""
    assert halted.value.never_sent


def test_the_guard_is_asked_on_a_kept_connection_too():
    asked = []
    with serving(keeps_answering(lambda peer: peer.answer())) as server:
        for number in range(3):
            write(server, lambda number=number: asked.append(number))
    assert (asked, server.accepted) == ([0, 1, 2], 1)


def test_reads_are_not_guarded():
    def guard():
        raise WriteHalted

    with serving(keeps_answering(lambda peer: peer.answer())) as server:
        assert client.send(READ, auth_headers={}, base_url=server.url, is_write=False, guard=guard).status == 200


# --- what is known after a failure


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TransientError) as failed:
        client.send(WRITE, auth_headers={}, base_url=url, is_write=True, guard=allow)
    assert failed.value.never_sent
    assert failed.value.exchange.status is None
    assert failed.value.exchange.error == "TransientError"


def reset(peer):
    peer.reset()
    peer.sock.close()


def cut_head(peer):
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-")
    peer.sock.close()


def cut_body(peer):
    peer.sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id":"re_1"')
    peer.sock.close()


def cut_chunks(peer):
    peer.sock.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n')
    peer.sock.close()


def garbage(peer):
    peer.sock.sendall(b"\x00\x01\x02 not http\r\n\r\n")
    peer.sock.close()


def endless_headers(peer):
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(5000)))
    peer.wait(2)


def oversize(peer):
    peer.answer(200, b" " * (client.MAX_ANSWER_BYTES + 1))


def hang(peer):
    peer.wait(5)


FAULTS = [reset, cut_head, cut_body, cut_chunks, garbage, endless_headers, oversize, hang]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_whose_answer_is_lost_is_unconfirmed(fault, hurried):
    with serving(keeps_answering(fault)) as server, pytest.raises(UnconfirmedError) as lost:
        write(server)
    assert len(server.requests) == 1
    assert not lost.value.never_sent
    assert lost.value.exchange.error in ("UnconfirmedError", "UnreadableAnswer")
    assert isinstance(lost.value, UnreadableAnswer) == (fault is oversize)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_read_whose_answer_is_lost_is_transient(fault, hurried):
    with serving(keeps_answering(fault)) as server, pytest.raises(TransientError) as lost:
        read(server)
    assert len(server.requests) == 1
    assert not lost.value.never_sent


def test_what_came_before_a_cut_is_kept():
    with serving(keeps_answering(cut_body)) as server, pytest.raises(UnconfirmedError) as lost:
        write(server)
    assert (lost.value.exchange.status, lost.value.exchange.response_body) == (200, '{"id":"re_1"')


def drip_head(peer):
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\n")
    while not peer.wait(0.1):
        peer.sock.sendall(b"X-Slow: y\r\n")


def drip_line(peer):
    while not peer.wait(0.1):
        peer.sock.sendall(b"H")


def drip_body(peer):
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
    while not peer.wait(0.1):
        peer.sock.sendall(b" ")


def drip_until_closed(peer):
    peer.sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n{}")
    while not peer.wait(0.1):
        peer.sock.sendall(b" ")


def drip_continue(peer):
    while not peer.wait(0.1):
        peer.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("drip", [drip_head, drip_line, drip_body, drip_until_closed, drip_continue])
def test_a_dripping_answer_ends_at_the_deadline(drip, hurried):
    began = time.monotonic()
    with serving(keeps_answering(drip)) as server, pytest.raises(UnconfirmedError) as lost:
        write(server)
    assert 0.5 < time.monotonic() - began < 2
    assert lost.value.code == "deadline"


def test_a_peer_that_does_not_read_ends_at_the_deadline(hurried):
    big = FrozenRequest("stripe", "POST", "/v1/files", (), "x" * 50_000_000)
    with serving(lambda peer: peer.wait(5)) as server, pytest.raises(UnconfirmedError):
        write(server, request=big)


def test_a_slow_guard_past_the_deadline_sends_nothing(hurried):
    with serving(keeps_answering(lambda peer: peer.answer())) as server, pytest.raises(TransientError) as late:
        write(server, lambda: time.sleep(0.9))
    assert late.value.never_sent
    assert server.received == b""


def test_a_redirect_is_an_answer_and_is_not_followed():
    def redirect(peer):
        peer.answer(307, b"", Location=f"{server.url}/elsewhere")

    with serving(keeps_answering(redirect)) as server:
        assert write(server).status == 307
    assert len(server.requests) == 1


def test_cookies_are_not_kept(monkeypatch):
    with serving(keeps_answering(lambda peer: peer.answer(Set_Cookie="session=1; Path=/"))) as server:
        read(server)
        read(server)
    assert b"cookie" not in server.requests[1].lower()


def test_the_environment_has_no_say(monkeypatch, tmp_path):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with serving(keeps_answering(lambda peer: peer.answer())) as server:
        client.read("stripe", "/v1/x", auth_headers={}, base_url=server.url)
    assert b"authorization" not in server.requests[0].lower()


def test_bodies_are_cut_and_storable():
    body = b'{"a":"' + b"x" * 100_000 + b'\x00"}'
    with serving(keeps_answering(lambda peer: peer.answer(200, b"\x00\xff" + body))) as server:
        exchange = read(server).exchange
    assert len(exchange.response_body) <= client.MAX_STORED_BYTES
    assert "\x00" not in exchange.response_body


# --- kept connections


def test_a_connection_the_peer_has_closed_is_not_used_again():
    def once(peer):
        peer.request()
        peer.answer()

    with serving(once) as server:
        write(server)
        time.sleep(0.05)
        write(server)
    assert (server.accepted, len(server.requests)) == (2, 2)


def test_a_write_is_never_sent_twice_when_a_kept_connection_dies_under_it():
    def behave(peer):
        peer.request()
        peer.answer()
        peer.request()
        reset(peer)

    with serving(behave) as server:
        write(server)
        with pytest.raises(UnconfirmedError):
            write(server)
    assert len(server.requests) == 2


def test_an_idle_connection_is_not_trusted(monkeypatch):
    with serving(keeps_answering(lambda peer: peer.answer())) as server:
        read(server)
        monkeypatch.setattr(sockets, "IDLE_SECONDS", 0.0)
        read(server)
    assert server.accepted == 2


def test_no_descriptor_is_left_behind(hurried):
    with serving(keeps_answering(lambda peer: peer.answer())) as server:
        read(server)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            read(server)
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_forked_child_has_its_own_connections_and_reaper(hurried):
    with serving(keeps_answering(drip_body)) as server, serving(keeps_answering(lambda peer: peer.answer())) as other:
        read(other)
        code = _in_child(lambda: _ends_in_time(server) and read(other).status == 200)
        assert read(other).status == 200
    assert code == 0
    assert other.accepted == 2


def _ends_in_time(server):
    began = time.monotonic()
    with pytest.raises(TransientError):
        read(server)
    return time.monotonic() - began < 3


def _in_child(work):
    pid = os.fork()
    if pid == 0:
        done = False
        try:
            done = work()
        finally:
            os._exit(0 if done else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
