"""Connections that check where they go, ask before they write, and can be cut from outside.

The HTTP library decides when to connect and when to send; these classes put three promises between the two:
the address was checked and is the one connected to, a write asks its guard after connecting and before its first
byte, and no exchange outlives its deadline however slowly the other side drips.
"""

from __future__ import annotations

import ipaddress
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse, IncompleteRead
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from sync.errors import WriteHalted

CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 10.0
EXCHANGE_SECONDS = 20.0
IDLE_SECONDS = 15.0  # an older connection is not trusted with a write: its peer may be about to close it
TICK_SECONDS = 0.1

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_SPECIAL = [ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24")]  # Python lists them in part
_EMBEDS_IPV4_AT_END = [ipaddress.ip_network("::/96"), ipaddress.ip_network("64:ff9b::/96")]


class AddressRefusedError(Exception):
    """A host resolves to an address that no provider lives at."""


class Flight:
    """One exchange on the wire: its guard, its deadline, and whether a byte of it may have left."""

    def __init__(self, guard: Callable[[], None] | None, *, allow_loopback: bool, seconds: float) -> None:
        self.guard = guard
        self.allow_loopback = allow_loopback
        self.deadline = time.monotonic() + seconds
        self.has_sent = False
        self.is_cut = False
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None

    def hold(self, sock: socket.socket) -> None:
        """Keep a second handle on the connection: the first changes hands when TLS begins and when a body is read."""
        with self._lock:
            if self.is_cut:
                raise TimeoutError("exchange is over its time")
            if self._handle is None:
                self._handle = socket.socket(fileno=os.dup(sock.fileno()))

    def cut(self) -> None:
        """Shut the connection down, from another thread; whoever waits on it wakes."""
        with self._lock:
            self.is_cut = True
            if self._handle is not None:
                with suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Close the second handle."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None


class Reaper:
    """One thread a process that cuts exchanges over their deadline. Starts with the first; begins anew after a fork."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """In a forked child neither the thread nor the parent's exchanges exist."""
        self._lock = threading.Lock()
        self._flights: set[Flight] = set()
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, flight: Flight) -> None:
        """Cut this exchange when its deadline passes."""
        with self._lock:
            self._flights.add(flight)
            self._busy.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="exchange-reaper", daemon=True)
                self._thread.start()

    def release(self, flight: Flight) -> None:
        """The exchange is over."""
        with self._lock:
            self._flights.discard(flight)
        flight.let_go()

    def _run(self) -> None:
        while True:
            self._busy.wait()
            with self._lock:
                moment = time.monotonic()
                overdue = [flight for flight in self._flights if flight.deadline <= moment and not flight.is_cut]
                if not self._flights:
                    self._busy.clear()
            for flight in overdue:
                flight.cut()
            time.sleep(TICK_SECONDS)


_reaper = Reaper()
os.register_at_fork(after_in_child=_reaper.forget)
_here = threading.local()


@contextmanager
def flying(flight: Flight) -> Iterator[None]:
    """Make `flight` the exchange of this thread: the connection classes find it here."""
    _here.flight = flight
    _reaper.watch(flight)
    try:
        yield
    finally:
        _here.flight = None
        _reaper.release(flight)


def is_allowed(address: IpAddress, *, allow_loopback: bool) -> bool:
    """Only public unicast addresses, also behind every form that carries another address inside."""
    if allow_loopback:
        return address.is_loopback
    return _is_public(address) and all(_is_public(inner) for inner in _embedded(address))


def _is_public(address: IpAddress) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)


def _embedded(address: IpAddress) -> list[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _EMBEDS_IPV4_AT_END):
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [found for found in inner if found is not None]


def resolve(host: str, port: int, *, allow_loopback: bool, seconds: float) -> list[tuple[Any, ...]]:
    """Look a host up once, within `seconds`; every address it has must be allowed."""
    found = _look_up(host, port) if allow_loopback else _look_up_within(host, port, seconds)
    if isinstance(found, OSError):
        raise found
    for *_, address in found:
        if not is_allowed(ipaddress.ip_address(address[0].partition("%")[0]), allow_loopback=allow_loopback):
            raise AddressRefusedError(f"{host} resolves to {address[0]}")
    return found


def _look_up(host: str, port: int) -> list[tuple[Any, ...]] | OSError:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        return error
    except UnicodeError as error:
        return OSError(str(error))


def _look_up_within(host: str, port: int, seconds: float) -> list[tuple[Any, ...]] | OSError:
    """The C library's look-up cannot be given a time limit; a thread can be left behind."""
    answers: queue.SimpleQueue[list[tuple[Any, ...]] | OSError] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_look_up(host, port)), name="look-up", daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return TimeoutError(f"look-up of {host} took over {seconds:.0f} s")


class _LastLine:
    """A socket's file that remembers the line it gave last."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.line = b""

    def readline(self, *limit: int) -> bytes:
        self.line = self.file.readline(*limit)
        return self.line

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class WholeHeadResponse(HTTPResponse):
    """An answer whose head ended with its empty line: the standard one takes half a header for a whole answer."""

    fp: Any

    def begin(self) -> None:
        """Read the head; IncompleteRead if the connection ended within it."""
        watched = self.fp = _LastLine(self.fp)
        super().begin()
        if watched.line not in (b"\r\n", b"\n"):
            raise IncompleteRead(watched.line)
        if self.fp is watched:
            self.fp = watched.file


class GuardedConnection(HTTPConnection):
    """A connection of the present flight."""

    response_class = WholeHeadResponse
    _used_at = 0.0

    def _new_conn(self) -> socket.socket:
        flight: Flight = _here.flight
        until = time.monotonic() + CONNECT_SECONDS
        try:
            found = resolve(self._dns_host, self.port, allow_loopback=flight.allow_loopback, seconds=CONNECT_SECONDS)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        problem = OSError("no address")
        for family, kind, proto, _, address in found:
            try:
                sock = self._connect_to(family, kind, proto, address, until)
            except OSError as error:
                problem = error
                continue
            flight.hold(sock)
            return sock
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(self, f"no connection within {CONNECT_SECONDS:.0f} s") from problem
        raise NewConnectionError(self, f"no connection: {problem}") from problem

    def _connect_to(self, family: int, kind: int, proto: int, address: Any, until: float) -> socket.socket:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no time left to connect")
        sock = socket.socket(family, kind, proto)
        try:
            for option in self.socket_options or []:
                sock.setsockopt(*option)
            sock.settimeout(left)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock

    @property
    def is_connected(self) -> bool:
        """Whether a kept connection may be used again: alive, and not idle for long."""
        return super().is_connected and time.monotonic() - self._used_at < IDLE_SECONDS

    def send(self, data: Any) -> None:
        """Connect, ask the guard of a write, and only then let the first byte go."""
        flight: Flight = _here.flight
        if not flight.has_sent:
            self._begin(flight)
        elif self.sock is None:
            raise ConnectionResetError("an exchange never goes on over a second connection")
        super().send(data)

    def _begin(self, flight: Flight) -> None:
        if self.sock is None:
            self.connect()
        sock: socket.socket = self.sock
        flight.hold(sock)
        sock.settimeout(SILENCE_SECONDS)
        if flight.guard is not None:
            _ask(flight.guard)
        self._used_at = time.monotonic()
        if flight.is_cut or self._used_at >= flight.deadline:
            raise TimeoutError("exchange is over its time")
        flight.has_sent = True


def _ask(guard: Callable[[], None]) -> None:
    """A guard that cannot be asked counts as a no."""
    try:
        guard()
    except WriteHalted:
        raise
    except Exception as error:
        raise WriteHalted("the guard could not be asked", code="guard_failed") from error


class GuardedTlsConnection(GuardedConnection, HTTPSConnection):
    """The same over TLS: the name stays what the certificate is checked against, whatever address was chosen."""


class GuardedPool(HTTPConnectionPool):
    """Keeps guarded connections."""

    ConnectionCls = GuardedConnection


class GuardedTlsPool(HTTPSConnectionPool):
    """Keeps guarded TLS connections."""

    ConnectionCls = GuardedTlsConnection
