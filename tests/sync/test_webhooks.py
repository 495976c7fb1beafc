"""The receiver as it stands on the network: the Django view, and the front as granian serves it."""

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from ledger.models import Event
from sync import refusals
from tests.sync.deliveries import SECRET_NAMES, SECRETS, sample, sign

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent
MIB = 1024 * 1024


def headers_now(raw):
    return {name: value for name, [value] in sign("stripe", raw, at=datetime.now(UTC)).items()}


def usual(**members):
    return json.dumps(sample("stripe", **members)).encode()


@pytest.mark.parametrize("path", ["/webhooks/stripe/", "/webhooks/stripe"])
def test_view_stores_without_a_csrf_token(client, path):
    raw = usual()

    answer = client.post(path, raw, content_type="application/json", headers=headers_now(raw))

    assert (answer.status_code, Event.objects.count()) == (200, 1)


def test_view_refuses_what_the_receiver_refuses(client, monkeypatch):
    monkeypatch.setattr(refusals, "_notebook", refusals._Notebook())
    raw = usual()

    statuses = [
        client.get("/webhooks/stripe/").status_code,
        client.post("/webhooks/stripe/", raw, content_type="application/json").status_code,
        client.post("/webhooks/nobody/", raw, content_type="application/json").status_code,
        client.post("/webhooks/stripe/", b" " * (MIB + 1), content_type="application/json").status_code,
        client.post("/webhooks/stripe/", b" " * (MIB + 9), content_type="application/json").status_code,
    ]

    assert statuses == [405, 401, 404, 413, 413]
    assert Event.objects.count() == 0


class Served:
    """A granian with the front on the test database."""

    def __init__(self, folder, database=""):
        login = connection.settings_dict
        user, password, host = (quote(str(login[part]), safe="") for part in ("USER", "PASSWORD", "HOST"))
        environment = os.environ | {
            "DATABASE_URL": database or f"postgres://{user}:{password}@{host}:{login['PORT'] or 5432}/{login['NAME']}",
            SECRET_NAMES["stripe"]: SECRETS["stripe"],
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = [
            "--interface",
            "rsgi",
            "--port",
            str(self.port),
            "--http",
            "1",
            "--no-ws",
            "meshline.front:application",
        ]
        self.log_path = folder / "granian.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "granian", *words], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        give_up_at = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None
                assert time.monotonic() < give_up_at
                time.sleep(0.05)
            else:
                return

    def open(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def ask(self, method, path, *lines, body=b"", length=None):
        """Send a request written by hand; the answer's status and whole text."""
        with self.open() as link:
            link.sendall(request(method, path, *lines, body=body, length=length))
            return read_answer(link)

    def deliver(self, raw, *lines):
        signed = [f"{name}: {value}" for name, value in headers_now(raw).items()]
        return self.ask("POST", "/webhooks/stripe/", *signed, *lines, body=raw)[0]


def request(method, path, *lines, body=b"", length=None):
    length = len(body) if length is None else length
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", "Connection: close", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def read_answer(link):
    text = b""
    while part := link.recv(65536):
        text += part
    return int(text[9:12]), text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("front")


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker, folder):
    served = Served(folder)
    yield served
    served.process.terminate()
    served.process.wait(15)


def test_front_stores_what_is_signed(server):
    raw = usual()

    assert [server.deliver(raw) for _ in range(2)] == [200, 200]
    assert Event.objects.get().deliveries == 2


def test_front_commits_many_senders_together_and_loses_none(server):
    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(lambda number: server.deliver(usual(id=f"evt_{number % 150}")), range(300)))

    assert statuses == [200] * 300
    assert set(Event.objects.values_list("deliveries", flat=True)) == {2}
    assert Event.objects.count() == 150


def test_front_sees_doubled_headers(server):
    raw = usual()

    assert server.deliver(raw, "Stripe-Signature: v1=" + "0" * 64) == 401
    assert server.deliver(raw, "stripe_signature: v1=" + "0" * 64) == 200
    assert server.deliver(raw, f"Stripe-Signature: {headers_now(raw)['stripe-signature']}") == 401


def test_front_refuses_long_bodies_before_they_are_there(server):
    announced = request("POST", "/webhooks/stripe/", length=10**12)
    with server.open() as link:
        link.sendall(announced + b" " * 100)
        assert link.recv(12) == b"HTTP/1.1 413"

    assert server.ask("POST", "/webhooks/stripe/", body=b" " * (MIB + 1))[0] == 413
    assert server.ask("POST", "/webhooks/stripe/", body=b" " * (8 * MIB))[0] == 413
    assert server.ask("POST", "/webhooks/stripe/", body=b" " * MIB)[0] == 401


def test_front_counts_chunks(server):
    head = "POST /webhooks/stripe/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    raw, chunk = usual(), b"10000\r\n" + b" " * 65536 + b"\r\n"
    signed = "".join(f"{name}: {value}\r\n" for name, value in headers_now(raw).items())
    with server.open() as link:
        link.sendall(head.encode() + signed.encode() + b"\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw))
        assert read_answer(link)[0] == 200
    with server.open() as link:
        link.sendall(head.encode() + b"\r\n" + chunk * 170 + b"0\r\n\r\n")
        assert read_answer(link)[0] == 413


def test_front_survives_odd_requests(server):
    asked = [
        ("GET", "/webhooks/stripe/", 405), ("PUT", "/webhooks/stripe/", 405), ("POST", "/webhooks/nobody/", 404),
        ("POST", "/webhooks/%ff%00/", 404), ("POST", "/webhooks/", 404), ("POST", "/webhooks/../stripe/", 404),
        ("POST", "/webhooks/stripe/x/", 404), ("POST", "/webhooks/" + "s" * 5000 + "/", 404), ("GET", "/%ff/", 404),
    ]  # fmt: skip

    assert [(method, path, server.ask(method, path)[0]) for method, path, _ in asked] == asked


def test_a_hundred_slow_senders_stop_neither_deliveries_nor_pages(server):
    with ExitStack() as stack:
        for _ in range(100):
            link = stack.enter_context(server.open())
            link.sendall(request("POST", "/webhooks/stripe/", length=500) + b"{")
        began = time.monotonic()
        statuses = [server.deliver(usual(id=f"evt_{number}")) for number in range(10)]
        page = server.ask("GET", "/admin/login/")

    assert (statuses, page[0]) == ([200] * 10, 200)
    assert time.monotonic() - began < 4
    assert b"csrfmiddlewaretoken" in page[1]


def test_front_writes_refusals_down_within_seconds(server):
    from_unknown = [server.ask("POST", "/webhooks/stripe/", body=b"{}")[0] for _ in range(30)]
    time.sleep(refusals.FLUSH_SECONDS + 0.5)

    with connection.cursor() as cursor:
        cursor.execute("select sum(refused), sum(kept) from sync_refusalcount where source = 'stripe'")
        refused, kept = cursor.fetchone()
    assert (set(from_unknown), refused >= 30, kept <= 20) == ({401}, True, True)


def test_front_hands_pages_to_django_whole(server):
    with server.open() as link:
        link.sendall(request("HEAD", "/admin/login/"))
        status, head = read_answer(link)

    assert status == 200
    assert head.endswith(b"\r\n\r\n")
    assert head.lower().count(b"content-length") == 1
    posted = server.ask("POST", "/admin/login/", "Content-Type: application/x-www-form-urlencoded", body=b"username=a")
    assert posted[0] == 403
    assert "Traceback" not in server.log_path.read_text()
