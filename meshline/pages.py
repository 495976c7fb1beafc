"""Django's own WSGI callable, served in threads behind the front."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from granian.rsgi import ProtocolClosed

from meshline import bodies

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_WAITING = 200
SLOWEST_READER_SECONDS = 60.0
PLAIN = ("content-type", "text/plain; charset=utf-8")
CLOSE = ("connection", "close")
TOO_MANY = (503, [PLAIN, CLOSE, ("retry-after", "5")], b"too many requests at once")
OWN_HEADERS = frozenset(("content-length", "transfer-encoding", "connection", "keep-alive"))
ENVIRON: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}

Page = tuple[int, list[tuple[str, str]], bytes]


class Pages:
    """Runs requests through Django, at most `threads` at a time; a request gets its thread once its body is there."""

    def __init__(self, application: WSGIHandler, threads: int) -> None:
        self.application = application
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="page")
        self.open = 0

    async def serve(self, scope: Any, transport: Any) -> None:
        """Answer one request."""
        if self.open >= MAX_WAITING:
            transport.response_bytes(*TOO_MANY)
            return
        self.open += 1
        try:
            body = await bodies.read(scope, transport, MAX_BODY_BYTES)
            loop = asyncio.get_running_loop()
            reader = Reader(loop, transport)
            page = await loop.run_in_executor(self.pool, self.call, environ_of(scope, body), reader)
            if page is not None:
                transport.response_bytes(*page)
        except bodies.TooLong:
            transport.response_bytes(413, [PLAIN, CLOSE], b"body is too long")
            await bodies.drain(transport)
        except bodies.TooMany:
            transport.response_bytes(*TOO_MANY)
        except bodies.TooSlow:
            transport.response_bytes(408, [PLAIN, CLOSE], b"body took too long")
        except (bodies.Gone, ProtocolClosed, TimeoutError):
            return
        finally:
            self.open -= 1

    def call(self, environ: dict[str, Any], reader: "Reader") -> Page | None:
        """On a page's thread: the whole page; one that is streamed goes to the reader piece by piece, and is None."""
        begun: list[Any] = []
        written: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
        ) -> Callable[[bytes], object]:
            begun[:] = status, headers
            return written.append

        parts: Iterable[bytes] = self.application(environ, start_response)
        try:
            if is_endless(parts, begun[1]):
                reader.take(*head_of(*begun), parts)
                return None
            body = b"".join((*written, *parts))
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        return *head_of(*begun), body


class Reader:
    """The other end of a page that is streamed: the page's thread waits until each piece was taken.

    What is made stays on that thread, with its connection to the database, and no more of it than one piece is held.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: Any) -> None:
        self.loop, self.transport = loop, transport

    def take(self, status: int, headers: list[tuple[str, str]], pieces: Iterable[bytes]) -> None:
        """Send all of it. Raises ProtocolClosed when nobody listens any more, TimeoutError when nobody takes it."""
        stream = self._on_loop(self._begin(status, headers))
        for piece in pieces:
            self._on_loop(self._send(stream, piece))

    def _on_loop(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(SLOWEST_READER_SECONDS)

    async def _begin(self, status: int, headers: list[tuple[str, str]]) -> Any:
        return self.transport.response_stream(status, headers)

    async def _send(self, stream: Any, piece: bytes) -> None:
        await stream.send_bytes(piece)


def is_endless(parts: Any, headers: list[tuple[str, str]]) -> bool:
    """Whether a page is made while it is sent: one whose length nobody knows beforehand."""
    return bool(getattr(parts, "streaming", False)) and not any(name.lower() == "content-length" for name, _ in headers)


def head_of(status: str, headers: list[tuple[str, str]]) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers as the server wants them."""
    return int(status[:3]), [(name.lower(), value) for name, value in headers if name.lower() not in OWN_HEADERS]


def environ_of(scope: Any, body: bytes) -> dict[str, Any]:
    """A request in the words of PEP 3333."""
    host, _, port = scope.server.rpartition(":")
    environ = {
        **ENVIRON,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "REMOTE_ADDR": address_of(scope),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": NO_ERRORS,
    }
    for name, value in scope.headers.items():
        # X_Y and X-Y would be one name here, so that a sender could write a header that only our proxy may.
        if "_" in name or name == "content-length":
            continue
        key = "CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")
        joiner = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{joiner}{value}" if key in environ else value
    return environ


def address_of(scope: Any) -> str:
    """The peer's address without its port."""
    host: str = scope.client.rpartition(":")[0]
    return host.strip("[]")


class _Discard:
    """Django logs by itself; nothing of a request goes to the server's error stream."""

    def write(self, text: str) -> None:
        """Drop it."""

    def flush(self) -> None:
        """Nothing is held."""


NO_ERRORS = _Discard()
