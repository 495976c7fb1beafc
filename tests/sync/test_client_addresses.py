"""Where requests may go: https to a provider's host, at a public address that was checked once and is the one used."""

import socket
import threading
import time

import pytest

from sync import client, sockets
from sync.errors import PermanentError, ProviderError, TransientError
from tests.sync.loopback import keeps_answering, serving

AUTH = {"Authorization": "Bearer sk_secret"}


@pytest.mark.parametrize(
    "url",
    [
        "http://api.stripe.com", "ftp://api.stripe.com", "api.stripe.com", "", "https://",
        "https://user@api.stripe.com", "https://user:pw@api.stripe.com", "https://api.stripe.com?x=1", "https://api.stripe.com#x",
        "https://api.stripe.com@evil.example", "https://api.stripe.com\\@evil.example", "https://2130706433",
        "https://0x7f000001", "https://0x7f.0.0.1", "https://0177.0.0.1", "https://127.1", "https://10.0.0.1",
        "https://8.8.8.8", "https://[::1]", "https://[::ffff:127.0.0.1]", "https://localhost", "https://x.localhost",
        "https://api", "https://api.stripe.com.", "https://bücher.example", "https://１２７.0.0.1",
        "https://api.stripe.com:port", "https://api.stripe.com/../x y", "https://169.254.169.254",
        "http://127.0.0.1:80",
        "https://%31%32%37.0.0.1", "https://api_stripe.com", "https://-a.example",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(url):
    with pytest.raises(PermanentError) as refused:
        client.check_base_url(url, allow_loopback=False)
    assert refused.value.never_sent


@pytest.mark.parametrize("url", ["https://api.stripe.com", "https://1234567-sb1.suitetalk.api.netsuite.com",
                                 "https://acme.zendesk.com/", "https://API.stripe.com:8443/v1"])  # fmt: skip
def test_addresses_of_providers(url):
    assert client.check_base_url(url, allow_loopback=False) is False
    assert client.check_base_url(url, allow_loopback=True) is False


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8900/stripe", "http://localhost:1", "http://[::1]:80", "https://127.0.0.1"]
)
def test_loopback_needs_leave(url):
    assert client.check_base_url(url, allow_loopback=True) is True
    with pytest.raises(PermanentError):
        client.check_base_url(url, allow_loopback=False)


def test_the_setting_gives_the_leave(settings):
    settings.MESHLINE_ALLOW_LOOPBACK = False
    with serving(keeps_answering(lambda peer: peer.answer())) as server, pytest.raises(PermanentError):
        client.read("stripe", "/v1/x", auth_headers={}, base_url=server.url)
    assert server.accepted == 0


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "255.255.255.255",
        "0.0.0.0", "224.0.0.1",  # noqa: S104
        "192.0.0.8", "198.18.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::7f00:1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2002:a9fe:a9fe::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_a_host_that_resolves_inside_is_refused(address, monkeypatch):
    resolves_to(monkeypatch, "93.184.216.34", address)
    with pytest.raises(PermanentError) as refused:
        client.read("stripe", "/v1/x", auth_headers={}, base_url="https://rebind.example.com")
    assert (refused.value.code, refused.value.never_sent) == ("address_refused", True)


def resolves_to(monkeypatch, *addresses):
    def look_up(host, port, **how):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_the_checked_address_is_the_one_connected_to(monkeypatch):
    looked_up, connected = [], []

    def look_up(host, port, **how):
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    def connect(self, family, kind, proto, address, until):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(sockets.GuardedConnection, "_connect_to", connect)
    with pytest.raises(TransientError) as failed:
        client.read("stripe", "/v1/x", auth_headers={}, base_url="https://api.example.com")
    assert failed.value.never_sent
    assert looked_up == ["api.example.com"]
    assert connected == [("93.184.216.34", 443)]


def test_a_look_up_that_hangs_ends(monkeypatch):
    monkeypatch.setattr(sockets, "CONNECT_SECONDS", 0.3)
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: release.wait(5) and [])
    began = time.monotonic()
    with pytest.raises(TransientError) as failed:
        client.read("stripe", "/v1/x", auth_headers={}, base_url="https://slow.example.com")
    release.set()
    assert failed.value.never_sent
    assert failed.value.code == "timeout"
    assert time.monotonic() - began < 2


def test_a_name_nobody_has(monkeypatch):
    def look_up(*args, **how):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(TransientError) as failed:
        client.read("stripe", "/v1/x", auth_headers={}, base_url="https://gone.example.com")
    assert failed.value.never_sent


def test_tls_is_verified():
    def not_tls(peer):
        peer.sock.recv(100)
        peer.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with serving(not_tls) as server, pytest.raises(ProviderError) as failed:
        client.read("stripe", "/v1/x", auth_headers=AUTH, base_url=server.url.replace("http:", "https:"))
    assert failed.value.never_sent
    assert b"sk_secret" not in server.received
