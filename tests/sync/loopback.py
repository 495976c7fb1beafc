"""A raw loopback server for tests of the wire: one function decides what each connection gets."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behaviour = Callable[["Peer"], None]


class Peer:
    """One accepted connection and what was read from it."""

    def __init__(self, sock: socket.socket, number: int, server: "Server") -> None:
        self.sock, self.number, self.server = sock, number, server
        self._rest = b""

    def request(self) -> bytes:
        """Read one request whole; b"" when the client has closed."""
        data = self._rest
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                return b""
            data += more
            self.server.received += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            more = self.sock.recv(65536)
            body += more
            self.server.received += more
        self._rest = body[length:]
        self.server.requests.append(head + b"\r\n\r\n" + body[:length])
        return self.server.requests[-1]

    def answer(
        self, status: int = 200, body: bytes = b"{}", content_type: str = "application/json", **headers: str
    ) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", f"Content-Type: {content_type}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def wait(self, seconds: float) -> bool:
        """Sleep until the test ends; True when it did."""
        return self.server.stopped.wait(seconds)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


class Server:
    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.received = b""
        self.accepted = 0
        self.stopped = threading.Event()
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self.stopped.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self.sockets.append(sock)
            threading.Thread(target=self._serve, args=(Peer(sock, self.accepted, self),), daemon=True).start()

    def _serve(self, peer: Peer) -> None:
        with suppress(OSError):
            self.behaviour(peer)
        peer.sock.close()

    def close(self) -> None:
        self.stopped.set()
        self.listener.close()
        for sock in self.sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Server]:
    server = Server(behaviour)
    try:
        yield server
    finally:
        server.close()


def keeps_answering(*answers: Callable[[Peer], None]) -> Behaviour:
    """Each request in turn gets the next answer, over any connection; the last one is repeated."""
    left = list(answers)

    def behave(peer: Peer) -> None:
        while peer.request():
            (left.pop(0) if len(left) > 1 else left[0])(peer)

    return behave
