"""The client over TLS, as in production: verified, guarded between handshake and request, and never held up."""

import ipaddress
import ssl
import time
from datetime import timedelta

import pytest
import requests.adapters
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ledger import clock
from sync import client, sockets
from sync.errors import TransientError, UnconfirmedError, WriteHalted
from sync.wiretypes import FrozenRequest
from tests.sync.loopback import keeps_answering, serving

WRITE = FrozenRequest("stripe", "POST", "/v1/refunds", (), "amount=500")


def allow():
    """A guard that lets the write go."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that only the tests trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(clock.now() - timedelta(days=1)).not_valid_after(clock.now() + timedelta(days=1))
    signed = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + signed.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def trusted(monkeypatch, certificate):
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(certificate))
    return certificate


def over_tls(certificate, behave):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def wrapped(peer):
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        behave(peer)

    return wrapped


def write(server, guard=allow, host="localhost"):
    base_url = server.url.replace("http://127.0.0.1", f"https://{host}")
    return client.send(WRITE, auth_headers={}, base_url=base_url, is_write=True, guard=guard)


def test_a_write_over_tls(trusted):
    seen = []
    with serving(over_tls(trusted, keeps_answering(lambda peer: peer.answer(200, b'{"id":"re_1"}')))) as server:
        for _ in range(2):
            assert write(server, lambda: seen.append(len(server.requests))).json() == {"id": "re_1"}
    assert (seen, server.accepted) == ([0, 1], 1)


def test_a_halted_write_sends_nothing_but_the_handshake(trusted):
    def halt():
        raise WriteHalted("stopped")

    with serving(over_tls(trusted, keeps_answering(lambda peer: peer.answer()))) as server:
        with pytest.raises(WriteHalted):
            write(server, halt)
        time.sleep(0.05)
    assert (server.accepted, server.requests) == (1, [])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_that_is_not_trusted_or_for_another_name(certificate, host, request):
    if host == "127.0.0.1":
        request.getfixturevalue("trusted")
    behave = over_tls(certificate, keeps_answering(lambda peer: peer.answer()))
    with serving(behave) as server, pytest.raises(TransientError) as refused:
        write(server, host=host)
    assert (refused.value.code, refused.value.never_sent) == ("tls", True)
    assert server.requests == []


def test_a_dripping_answer_over_tls_ends(trusted, monkeypatch):
    monkeypatch.setattr(sockets, "EXCHANGE_SECONDS", 0.5)

    def drip(peer):
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n")
        while not peer.wait(0.05):
            peer.sock.sendall(b" ")

    with serving(over_tls(trusted, keeps_answering(drip))) as server, pytest.raises(UnconfirmedError) as lost:
        write(server)
    assert lost.value.code == "deadline"


def test_a_handshake_that_drips_ends(trusted, monkeypatch):
    monkeypatch.setattr(sockets, "EXCHANGE_SECONDS", 0.5)

    def drip(peer):
        peer.sock.recv(65536)
        while not peer.wait(0.05):
            peer.sock.sendall(b"\x16")

    began = time.monotonic()
    with serving(drip) as server, pytest.raises(TransientError) as failed:
        write(server)
    assert failed.value.never_sent
    assert time.monotonic() - began < 2
