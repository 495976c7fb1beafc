"""The events of a run: customers whose payments fail and come, and a postman who delivers until it is acknowledged."""

import hmac
import http.client
import json
import random
import threading
import time
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sync.sandbox import keys
from tests.simulators import Sandbox

EVENTS_A_CUSTOMER = 10
SENDERS = 8
DUPLICATES, SWAPS = 0.05, 0.1
PATH = "/webhooks/stripe/"


@dataclass
class Postman:
    """Takes Stripe's events from the simulator and delivers them, doubled and swapped, until each is answered 200.

    One customer's events go through one sender, one after the other: their ids then say in which order they came.
    """

    port: int
    seed: int
    acknowledged: set[str] = field(default_factory=set)
    refused: dict[int, int] = field(default_factory=dict)
    deliveries: int = 0
    unanswered: int = 0

    def __post_init__(self) -> None:
        self.lines: list[deque[bytes]] = [deque() for _ in range(SENDERS)]
        self.taken = 0
        self.done = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._letterbox())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.threads = [threading.Thread(target=self._walk, args=(number,), daemon=True) for number in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    @property
    def url(self) -> str:
        """Where the simulator leaves its events."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/"

    def waiting(self) -> int:
        """Events that nobody acknowledged yet."""
        return sum(len(line) for line in self.lines)

    def stop(self) -> None:
        """Deliver what is left, then end."""
        self.done.set()
        for thread in self.threads:
            thread.join(60)
        self.server.shutdown()

    def _letterbox(self) -> type[BaseHTTPRequestHandler]:
        postman = self

        class Letterbox(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                made = json.loads(body)["data"]["object"]
                customer = str(made.get("customer") or made["id"])
                postman.lines[zlib.crc32(customer.encode()) % SENDERS].append(body)
                postman.taken += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
                """Nothing to say."""

        return Letterbox

    def _walk(self, number: int) -> None:
        line, rng = self.lines[number], random.Random(f"{self.seed}:{number}")
        link = Link(self.port)
        while line or not self.done.is_set():
            if not line:
                time.sleep(0.02)
                continue
            if len(line) > 1 and rng.random() < SWAPS:
                line[0], line[1] = line[1], line[0]
            body = line[0]
            for _ in range(2 if rng.random() < DUPLICATES else 1):
                self._until_answered(link, body)
            line.popleft()

    def _until_answered(self, link: "Link", body: bytes) -> None:
        while True:
            status = link.post(body)
            if status == 200:
                self.deliveries += 1
                self.acknowledged.add(json.loads(body)["id"])
                return
            if status is None:
                self.unanswered += 1
            else:
                self.refused[status] = self.refused.get(status, 0) + 1
            time.sleep(0.2)


class Link:
    """One keep-alive connection to the product."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> int | None:
        """The status, None without an answer."""
        stamp = b"%d" % time.time()
        mark = hmac.digest(keys.STRIPE_WEBHOOK_SECRET.encode(), stamp + b"." + body, "sha256").hex()
        headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={stamp.decode()},v1={mark}"}
        try:
            self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            self.connection.request("POST", PATH, body, headers)
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return None
        return answer.status


class Town:
    """The customers, and what happens to each of them and when."""

    def __init__(self, sandbox: Sandbox, *, customers: int, seed: int, window: int) -> None:
        self.sandbox, self.rng, self.window = sandbox, random.Random(seed), window
        sandbox.post("/_play/netsuite/set_options", {"concurrency": 20})
        with ThreadPoolExecutor(4) as pool:
            self.subscriptions = list(pool.map(self._settle_in, range(customers)))

    def _settle_in(self, number: int) -> str:
        play = self.sandbox.post
        stripe = play("/_play/stripe/create_customer", {"name": f"Customer {number}"})["customer"]
        sub = play("/_play/stripe/create_subscription", {"customer": stripe, "history": 1})["subscription"]
        erp = play("/_play/netsuite/create_customer", {"name": f"Customer {number}", "stripe_customer": stripe})["id"]
        play("/_play/netsuite/create_contract", {"customer": erp, "subscription": sub, "plan": "growth"})
        return str(sub)

    def days(self, seconds: float) -> list[tuple[float, str, str]]:
        """When what happens to whom: two failures, then six in ten pay, in time or after the suspension."""
        plan = []
        for sub in self.subscriptions:
            first = self.rng.uniform(0, seconds)
            plan += [(first, "fail", sub), (first + self.rng.uniform(0.5, 3), "fail", sub)]
            if self.rng.random() < 0.6:
                plan.append((first + self.rng.uniform(1, 2.5 * self.window), "pay", sub))
        return sorted(plan)

    def live(self, seconds: float, stopped: threading.Event) -> None:
        """Play it all at its time."""
        began = time.monotonic()
        for at, verb, sub in self.days(seconds):
            if stopped.wait(max(0.0, began + at - time.monotonic())):
                return
            if verb == "fail":
                self.sandbox.post(
                    "/_play/stripe/fail_payment", {"subscription": sub, "noise": True, "next_attempt_in": 2}
                )
            else:
                self.sandbox.post("/_play/stripe/pay_invoice", {"subscription": sub, "noise": True})
