"""Plain HTTP/1.1 for the simulators: reading a request by hand and writing an answer, with its intended damage."""

import json
import os
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote

Json = dict[str, Any]

LINE_BYTES = 65_536
BODY_BYTES = 110 * 1024 * 1024
REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 400: "Bad Request", 401: "Unauthorized",
    402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
    411: "Length Required", 413: "Content Too Large", 422: "Unprocessable Content", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


class BadRequest(Exception):
    """The bytes on the socket are no HTTP request that we serve."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Request:
    """One request as read; `path` is decoded and lies below the provider's prefix."""

    method: str
    target: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    prefix: str = ""

    @property
    def raw_path(self) -> str:
        """The path as it was on the request line."""
        return self.target.partition("?")[0]

    @property
    def origin(self) -> str:
        """Scheme and host as the client sees them: signatures and links are made over them."""
        return f"http://{self.headers.get('host', '127.0.0.1')}"

    def query_pairs(self) -> list[tuple[str, str]]:
        """The query, decoded, in order."""
        return parse_qsl(self.query, keep_blank_values=True) if self.query else []

    def query_map(self) -> dict[str, str]:
        """The query, decoded, last value of a name."""
        return dict(self.query_pairs())


@dataclass(slots=True)
class Reply:
    """One answer; the last four members damage it on its way out."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: str = ""
    cut_to: int | None = None
    drip_ms: float = 0.0
    hold_s: float = 0.0

    def data(self) -> Any:
        """The JSON of the body."""
        return json.loads(self.body) if self.body else None


def json_reply(status: int, data: Any, headers: dict[str, str] | None = None) -> Reply:
    """An answer with compact JSON."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})


def read_request(stream: BinaryIO) -> Request | None:
    """The next request of a connection, None when the client has gone."""
    line = stream.readline(LINE_BYTES)
    while line in (b"\r\n", b"\n"):
        line = stream.readline(LINE_BYTES)
    if not line:
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest(400, "not an HTTP/1.1 request line")
    headers = _read_headers(stream)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        raise BadRequest(411, "the sandbox wants Content-Length")
    length = headers.get("content-length", "0")
    if not length.isdigit():
        raise BadRequest(400, "unreadable Content-Length")
    if int(length) > BODY_BYTES:
        raise BadRequest(413, "body too large")
    body = stream.read(int(length)) if length != "0" else b""
    if len(body) < int(length):
        return None
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    path, _, query = words[1].partition("?")
    return Request(words[0], words[1], unquote(path) if "%" in path else path, query, headers, body)


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(200):
        line = stream.readline(LINE_BYTES)
        if line in (b"\r\n", b"\n", b""):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise BadRequest(400, "unreadable header line")
        key = name.strip().lower()
        text = value.strip()
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    raise BadRequest(400, "too many headers")


def write_reply(connection: socket.socket, reply: Reply, *, keep_alive: bool) -> bool:
    """Send the answer, or what the faults left of it; False when the connection must be closed."""
    if reply.hold_s:
        time.sleep(reply.hold_s)
    if reply.hang_up:
        if reply.hang_up == "rst":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(connection.detach())  # now: an orderly shutdown first would spoil the reset
        return False
    payload = _head(reply, keep_alive=keep_alive) + reply.body
    if reply.cut_to is not None:
        connection.sendall(payload[: len(payload) - len(reply.body) + reply.cut_to])
        return False
    if reply.drip_ms:
        for position in range(len(payload)):
            connection.sendall(payload[position : position + 1])
            time.sleep(reply.drip_ms / 1000)
    else:
        connection.sendall(payload)
    return keep_alive


def _head(reply: Reply, *, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if reply.status != 204:
        lines.append(f"Content-Length: {len(reply.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
