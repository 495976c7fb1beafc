"""What must hold before anything of a demo starts, its database included: one demo a folder, and two free ports.

Called by manage.py before the settings are read, because reading them starts the embedded database.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from meshline import env, supervise
from sync.sandbox import keys

COMMAND = "demo"
HOST = "127.0.0.1"
PORT, SANDBOX_PORT = 8000, 8200
ROOT = Path(__file__).resolve().parent.parent.parent
# The demo brings its own database and nothing else: what is configured for a real installation stays untouched.
FORCED = {
    "MESHLINE_DEV": "1",
    "MESHLINE_ALLOW_LOOPBACK": "1",
    "MESHLINE_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
    "DATABASE_URL": "",
    "MESHLINE_OWNER_DATABASE_URL": "",
    "MESHLINE_DIRECT_DATABASE_URL": "",
}


class Refused(Exception):
    """The demo cannot start; the sentence says why and what to do."""


@contextmanager
def clear(arguments: Sequence[str]) -> Iterator[None]:
    """Hold the folder's one place for a demo while it runs; for every other command do nothing. Raises Refused."""
    if arguments[:1] != [COMMAND] or {"-h", "--help"} & set(arguments):
        yield
        return
    env.read_file(ROOT / ".env")
    os.environ.update(FORCED)
    port, sandbox_port = ports(arguments[1:])
    # The people of the story act in this very process: it, too, must know no provider but the simulators.
    known = keys.environment(f"http://{HOST}:{sandbox_port}")
    os.environ.update({f"{name}_FILE": "" for name in known} | known)
    os.environ["MESHLINE_LOG_LEVEL"] = "WARNING"  # of this process, whose lines are read by people; logs are files
    try:
        with supervise.only_one(local_dir(), COMMAND):
            require_free(port, "--port", beside=sandbox_port)
            require_free(sandbox_port, "--sandbox-port", beside=port)
            yield
    except supervise.AlreadyRunning as running:
        raise Refused(
            f"A demo already runs in this folder, as process {running.pid or 'unknown'}. Stop it with Ctrl-C there, or "
            "give the second one a folder and ports of its own: "
            "MESHLINE_LOCAL_DIR=.local/second uv run manage.py demo --port 8001 --sandbox-port 8201"
        ) from None


def ports(arguments: Sequence[str]) -> tuple[int, int]:
    """The two ports asked for; what else is wrong with the arguments the command itself will say."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--port", default=str(PORT))
    parser.add_argument("--sandbox-port", default=str(SANDBOX_PORT))
    known, _ = parser.parse_known_args(arguments)
    return number(known.port, "--port"), number(known.sandbox_port, "--sandbox-port")


def number(text: str, option: str) -> int:
    """A port."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise Refused(f"{option} must be a port from 1 to 65535, not {text!r}")
    return int(text)


def require_free(port: int, option: str, *, beside: int) -> None:
    """Raise Refused when the port is taken, by another program or by the demo's own other half."""
    if port == beside:
        raise Refused(f"--port and --sandbox-port are both {port}; the web and the simulators need one each")
    if not is_free(port):
        other = next(one for one in (*range(port + 1, 65536), *range(1024, port)) if one != beside and is_free(one))
        raise Refused(f"Port {port} on {HOST} is in use. Choose another: uv run manage.py demo {option} {other}")


def is_free(port: int) -> bool:
    """Whether we could listen there."""
    try:
        supervise.require_free_port(HOST, port)
    except supervise.PortTaken:
        return False
    return True


def local_dir() -> Path:
    """The folder of everything that belongs to this checkout alone."""
    return Path(os.environ.get("MESHLINE_LOCAL_DIR", "").strip() or ROOT / ".local").resolve()
