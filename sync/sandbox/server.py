"""The server of the simulators: one port, a prefix for each provider, control paths beginning with an underscore."""

import argparse
import errno
import json
import os
import signal
import socket
import socketserver
import sys
import threading
from importlib import import_module
from pathlib import Path

from sync.sandbox import SIMULATORS
from sync.sandbox.control import CONTROL, ControlError
from sync.sandbox.courier import Courier
from sync.sandbox.damage import carry
from sync.sandbox.faults import Dial
from sync.sandbox.mail import Mail, smtp
from sync.sandbox.wire import BadRequest, Reply, Request, json_reply, read_request, write_reply
from sync.sandbox.world import Clock, Simulator, World

HOST = "127.0.0.1"
DEFAULT_PORT = 8200
IDLE_SECONDS = 300
# NetSuite answers with addresses relative to its host; without a host of its own they must still be found here.
ROOT_ALIASES = {"services": "netsuite"}


class PortTaken(Exception):
    """The port is in use; the message says which and how to choose another."""


class Sandbox(socketserver.ThreadingTCPServer):
    """All simulators of one seed behind one listening socket."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, port: int, seed: int, host: str = HOST) -> None:
        self.clock = Clock()
        self.dial = Dial(seed)
        self.courier = Courier(self.dial, seed)
        self.simulators: dict[str, Simulator] = {}
        try:
            super().__init__((host, port), Connection)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(
                f"Port {port} on {host} is in use. Choose another with --port N, or --port 0 for a free one."
            ) from error
        self.post = smtp.listen(int(self.server_address[1]), self.mail)
        self.reset(seed)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def mail(self) -> Mail:
        """The mail server of this world, whose messages come by a port of their own."""
        found = self.simulators["mail"]
        assert isinstance(found, Mail)
        return found

    def server_close(self) -> None:
        """Both ports."""
        super().server_close()
        if hasattr(self, "post"):
            self.post.shutdown()
            self.post.server_close()

    def reset(self, seed: int, *, keep_targets: bool = True) -> None:
        """An empty world of this seed; webhook targets stay as they are unless told otherwise."""
        if not keep_targets:
            self.courier.targets.clear()
        self.seed = seed
        self.clock.offset_s = 0.0
        self.dial.seed = seed
        self.dial.replace("*", [])
        self.courier.clear()
        fresh: dict[str, Simulator] = {}
        for name, dotted in SIMULATORS.items():
            module, _, attribute = dotted.rpartition(".")
            simulator: Simulator = getattr(import_module(module), attribute)(
                World(seed, self.clock, self.dial, self.courier)
            )
            fresh[name] = simulator
        self.simulators = fresh
        self.mail().port = self.post.port

    def serve(self, request: Request, *, is_first: bool) -> Reply:
        """Answer one request: control path or provider call."""
        head, _, rest = request.path[1:].partition("/")
        if head.startswith("_"):
            return self._control(head, rest, request)
        name = ROOT_ALIASES.get(head, head)
        simulator = self.simulators.get(name)
        if simulator is None:
            known = ", ".join(f"/{one}" for one in self.simulators)
            return json_reply(404, {"error": f"no simulator at /{head}; there are {known} and the control paths"})
        if name == head:
            request.prefix = f"/{head}"
            request.path = f"/{rest}"
        plan = self.dial.plan(name, request.method, request.path)
        if is_first and plan.connect_s:
            threading.Event().wait(plan.connect_s)
        return carry(simulator, request, plan)

    def _control(self, head: str, rest: str, request: Request) -> Reply:
        verb = CONTROL.get((request.method, head))
        if verb is None:
            known = ", ".join(f"{method} /{path}" for method, path in CONTROL)
            return json_reply(404, {"error": f"no control path {request.method} /{head}; there are {known}"})
        try:
            return json_reply(200, verb(self, rest, request))
        except ControlError as error:
            return json_reply(error.status, {"error": str(error)})

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is daily life; anything else is our own mistake and must be seen."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Connection(socketserver.BaseRequestHandler):
    """One keep-alive connection of a client."""

    server: Sandbox

    def handle(self) -> None:
        """Answer requests until one side has had enough."""
        connection: socket.socket = self.request
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(IDLE_SECONDS)
        is_first = True
        with connection.makefile("rb", 65_536) as stream:
            keep = True
            while keep:
                keep = self._exchange(connection, stream, is_first=is_first)
                is_first = False

    def _exchange(self, connection: socket.socket, stream: object, *, is_first: bool) -> bool:
        try:
            request = read_request(stream)  # type: ignore[arg-type]
        except BadRequest as error:
            write_reply(connection, json_reply(error.status, {"error": str(error)}), keep_alive=False)
            return False
        if request is None:
            return False
        keep_alive = request.headers.get("connection", "").lower() != "close"
        try:
            reply = self.server.serve(request, is_first=is_first)
        except Exception:  # noqa: BLE001 - the edge of the process:
            # a bug of the simulator must look like a broken provider and be printed.
            self.server.handle_error(connection, self.client_address)
            reply = json_reply(500, {"error": "the simulator itself failed, see its standard error"})
        return write_reply(connection, reply, keep_alive=keep_alive)


def start(port: int = 0, seed: int = 1) -> Sandbox:
    """A sandbox serving in a thread of this process; stop it with `shutdown()` and `server_close()`."""
    sandbox = Sandbox(port, seed)
    threading.Thread(target=sandbox.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return sandbox


def run(port: int, seed: int, faults: str = "", *, watch_parent: bool = False) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    sandbox = Sandbox(port, seed)
    if faults:
        load_faults(sandbox.dial, faults)
    threading.Thread(target=sandbox.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    print(f"sandbox ready on {sandbox.url}", flush=True)  # noqa: T201 - the line others wait for
    parent = os.getppid()
    while not stop.wait(0.5 if watch_parent else None):
        if os.getppid() != parent:
            break
    sandbox.shutdown()
    sandbox.server_close()


def load_faults(dial: Dial, file: str) -> None:
    """Rules from a file: what POST /_faults takes, or a list of it."""
    content = json.loads(Path(file).read_text(encoding="utf-8"))
    for entry in content if isinstance(content, list) else [content]:
        dial.replace(entry.get("provider", "*"), entry.get("rules", []))


def main(arguments: list[str] | None = None) -> int:
    """The command line of `python -m sync.sandbox`."""
    parser = argparse.ArgumentParser(prog="python -m sync.sandbox", description="Provider simulators on loopback")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", default="", help="JSON file with rules of the fault dial")
    parser.add_argument("--watch-parent", action="store_true", help="stop when the process that started this is gone")
    options = parser.parse_args(arguments)
    try:
        run(options.port, options.seed, options.faults, watch_parent=options.watch_parent)
    except (PortTaken, ValueError, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201 - a command line
        return 2
    return 0
