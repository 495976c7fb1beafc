"""What the simulator tests share: a client of each provider, and a receiver that keeps what it was sent."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import requests

from sync.sandbox import keys


class Client:
    """HTTP to a sandbox: its control paths and the three providers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.bearer = ""

    def close(self) -> None:
        self.session.close()

    def get(self, path: str) -> Any:
        return self.session.get(self.url + path, timeout=30).json()

    def post(self, path: str, **data: Any) -> Any:
        answer = self.session.post(self.url + path, json=data, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def play(self, provider: str, verb: str, **params: Any) -> Any:
        return self.post(f"/_play/{provider}/{verb}", **params)

    def faults(self, provider: str, *rules: dict[str, Any]) -> Any:
        return self.post("/_faults", provider=provider, rules=list(rules))

    def writes(self, provider: str) -> list[dict[str, Any]]:
        return self.get(f"/_books/{provider}?only=writes")["writes"]

    def stripe(self, method: str, path: str, *, data: Any = None, **headers: str) -> requests.Response:
        sent = {"Authorization": f"Bearer {keys.STRIPE_API_KEY}"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.session.request(method, f"{self.url}/stripe{path}", data=data, headers=sent, timeout=30)

    def netsuite(self, method: str, path: str, *, data: Any = None, **headers: str) -> requests.Response:
        self.bearer = self.bearer or self.token()
        sent = {"Authorization": f"Bearer {self.bearer}", "X-NetSuite-PropertyNameValidation": "Error"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        url = f"{self.url}/netsuite/services/rest{path}"
        return self.session.request(method, url, json=data, headers=sent, timeout=10)

    def token(self) -> str:
        url = f"{self.url}/netsuite/services/rest/auth/oauth2/v1/token"
        now = int(time.time())
        claims = {
            "iss": keys.NETSUITE_CLIENT_ID,
            "scope": ["rest_webservices"],
            "aud": url,
            "iat": now,
            "exp": now + 300,
        }
        return str(self.ask_token(claims, keys.NETSUITE_PRIVATE_KEY_PEM, "ES256").json()["access_token"])

    def ask_token(self, claims: dict[str, Any], private_key: Any, algorithm: str, kid: str = "") -> requests.Response:
        headers = {"kid": kid or keys.NETSUITE_CERTIFICATE_ID}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode(claims, private_key, algorithm=algorithm, headers=headers),
        }
        url = f"{self.url}/netsuite/services/rest/auth/oauth2/v1/token"
        return self.session.post(url, data=form, timeout=30)

    def zendesk(self, method: str, path: str, *, data: Any = None, **headers: str) -> requests.Response:
        pair = f"{keys.ZENDESK_EMAIL}/token:{keys.ZENDESK_API_TOKEN}".encode()
        sent = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.session.request(method, f"{self.url}/zendesk/api/v2{path}", json=data, headers=sent, timeout=30)

    def pipedrive(self, method: str, path: str, *, data: Any = None, **headers: str) -> requests.Response:
        sent = {"x-api-token": keys.PIPEDRIVE_API_TOKEN}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.session.request(method, f"{self.url}/pipedrive{path}", json=data, headers=sent, timeout=30)


class Receiver(ThreadingHTTPServer):
    """Keeps every delivery; answers with the statuses it was given, then with 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Delivery)
        self.deliveries: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/webhooks/"

    def wait(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        deadline = time.monotonic() + 30
        while len(self.deliveries) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(self.deliveries) >= count
        return self.deliveries

    def types(self, count: int) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.wait(count)]


class Delivery(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.deliveries.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        return


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield receiver
    receiver.shutdown()
    receiver.server_close()
