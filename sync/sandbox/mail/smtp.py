"""The port mail comes in by: as much of SMTP as a client needs to hand over one message, and not a word more."""

import socket
import socketserver
import threading
from collections.abc import Callable
from typing import BinaryIO

from sync.sandbox.mail.simulator import Mail

HOST = "127.0.0.1"
BESIDE = 25  # its port is the simulators' own plus this, where that one is free
LINE_BYTES, MESSAGE_BYTES, IDLE_SECONDS = 2000, 5 * 1024 * 1024, 60


class Listener(socketserver.ThreadingTCPServer):
    """Takes messages for whichever mail simulator there is now: a reset makes a new one."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, current: Callable[[], Mail]) -> None:
        self.current = current
        super().__init__((HOST, port), Conversation)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


def listen(http_port: int, current: Callable[[], Mail]) -> Listener:
    """Listen beside the simulators' own port, or on any that is free where that one is taken; in a thread."""
    beside = http_port + BESIDE
    try:
        listener = Listener(beside if beside < 65_536 else 0, current)
    except OSError:
        listener = Listener(0, current)
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return listener


class Conversation(socketserver.BaseRequestHandler):
    """One client from the greeting to its goodbye."""

    server: Listener
    sender: str
    recipients: list[str]

    def handle(self) -> None:
        """Answer line by line until the client has gone or the dial hangs up."""
        connection: socket.socket = self.request
        connection.settimeout(IDLE_SECONDS)
        self.sender, self.recipients = "", []
        with connection.makefile("rb") as stream:
            self.say("220 sandbox ESMTP, nothing leaves")
            try:
                while line := stream.readline(LINE_BYTES):
                    if not self.answer(line.decode("ascii", "replace").strip(), stream):
                        return
            except OSError:
                return

    def say(self, line: str) -> None:
        """One line to the client."""
        self.request.sendall(f"{line}\r\n".encode())

    def answer(self, line: str, stream: BinaryIO) -> bool:
        """Answer one command; False when the conversation is over."""
        verb = line[:4].upper()
        if verb in ("EHLO", "HELO"):
            self.say("250-sandbox\r\n250-8BITMIME\r\n250 SIZE 5242880" if verb == "EHLO" else "250 sandbox")
        elif verb == "MAIL":
            self.sender, self.recipients = _address(line), []
            self.say("250 2.1.0 ok")
        elif verb == "RCPT":
            self.recipients.append(_address(line))
            self.say("250 2.1.5 ok")
        elif verb == "DATA":
            return self.take(stream)
        elif verb in ("RSET", "NOOP"):
            self.sender, self.recipients = ("", []) if verb == "RSET" else (self.sender, self.recipients)
            self.say("250 2.0.0 ok")
        elif verb == "QUIT":
            self.say("221 2.0.0 bye")
            return False
        else:
            self.say("502 5.5.1 not known here")
        return True

    def take(self, stream: BinaryIO) -> bool:
        """The message up to its single dot, then the verdict."""
        if not self.recipients:
            self.say("503 5.5.1 no recipient")
            return True
        self.say("354 end with a single dot")
        raw = bytearray()
        while (line := stream.readline(LINE_BYTES)) not in (b".\r\n", b""):
            raw += line[1:] if line.startswith(b".") else line
            if len(raw) > MESSAGE_BYTES:
                return False
        verdict = self.server.current().take(self.sender, list(self.recipients), bytes(raw))
        if verdict.line:
            self.say(verdict.line)
        return bool(verdict.line)


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]
