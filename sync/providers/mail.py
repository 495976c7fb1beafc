"""Mail through Django's back end: one message a call, its id made from the action. Nothing can be asked of it later.

SMTP has no key and no look-up: a server that took the message and whose word was lost may have sent it, so a person
decides. Nothing is delivered to us.
"""

from __future__ import annotations

import json
import re
import smtplib
import time
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import structlog
from django.core.mail import EmailMessage, get_connection
from django.core.mail.message import BadHeaderError

from ledger import clock
from sync.errors import (
    AuthError,
    PermanentError,
    ProviderError,
    SignatureError,
    TransientError,
    UnconfirmedError,
    WriteHalted,
)
from sync.providers.base import JSON_TYPE, Exchanges, Guard, Headers, Provider, bad_body, compact_json, printable
from sync.wiretypes import Envelope, Exchange, FrozenRequest, Response

log = structlog.get_logger(__name__)

NAME, METHOD, PATH = "mail", "SEND", "/message"
MEMBERS = ("from", "to", "subject", "text", "message_id", "date")
TAKEN = 250
ADDRESS = re.compile(r"[^\s<>\"]+@[^\s<>\"]+")
WAIT_CODES = range(400, 500)  # a server's "later"


class Mail(Provider):
    """One mail server."""

    name = NAME
    webhook_secrets_name = ""

    def verify(self, headers: Headers, raw: bytes, now: datetime, secrets: Sequence[str]) -> None:
        """Nobody delivers anything here. Always SignatureError."""
        raise SignatureError("mail delivers nothing")

    def envelope(self, document: dict[str, Any], headers: Headers, raw: bytes, oddities: frozenset[str]) -> Envelope:
        """Never reached. Always BadBody."""
        bad_body("mail delivers nothing")

    def authorize(self, request: FrozenRequest) -> dict[str, str]:
        """The back end signs in by itself."""
        return {}

    def explain(self, response: Response) -> tuple[str, str]:
        """A server's answer is judged where it comes."""
        return "", ""

    def message(self, action_id: str, to: str, subject: str, text: str, now: datetime) -> FrozenRequest:
        """Freeze a message: the very bytes follow from these members. Header injection cannot be frozen."""
        sender = str(self.config["from"])
        body = {
            "from": sender, "to": to, "subject": subject, "text": text, "date": format_datetime(now),
            "message_id": f"<meshline.{action_id}@{sender.rpartition('@')[2]}>",
        }  # fmt: skip
        try:
            _built(body).message()
        except (BadHeaderError, ValueError) as error:
            raise self._no(PermanentError, f"the message cannot be written: {error}", "bad_header") from error
        return FrozenRequest(NAME, METHOD, PATH, (JSON_TYPE,), compact_json(body))

    def deliver(self, request: FrozenRequest, guard: Guard, exchanges: Exchanges) -> str:
        """Hand one frozen message to the server; returns its id. Raises by what is known of it:

        TransientError or AuthError, nothing left; PermanentError, refused for good; UnconfirmedError, perhaps sent.
        """
        message, began, started = _built(json.loads(request.body)), clock.now(), time.monotonic()
        failure: ProviderError | None = None
        status: int | None = None
        try:
            self._hand_over(message, guard)
            status = TAKEN
        except WriteHalted:
            raise
        except ProviderError as error:
            failure, status = error, error.status
        ms = round((time.monotonic() - started) * 1000)
        word = type(failure).__name__ if failure else ""
        exchange = Exchange(
            provider=NAME, method=METHOD, path=PATH, is_write=True, began_at=began, ms=ms, status=status, error=word,
            request_body=request.body, response_body="", request_id="",
        )  # fmt: skip
        exchanges.append(exchange)
        log.info("exchange", provider=NAME, method=METHOD, status=status, ms=ms, is_write=True, error=word)
        if failure is not None:
            failure.exchange = exchange
            raise failure
        return str(message.extra_headers["Message-ID"])

    def _hand_over(self, message: EmailMessage, guard: Guard) -> None:
        """Connect, look at the stop, send; nothing of the message leaves before the look."""
        config = self.config
        connection = get_connection(
            str(config["backend"]), fail_silently=False, host=config["host"], port=config["port"],
            username=config["user"], password=config["password"], use_tls=config["tls"] == "starttls",
            use_ssl=config["tls"] == "tls", timeout=config["timeout"],
        )  # fmt: skip
        try:
            self._sign_in(connection)
            guard()
            if connection.send_messages([message]) != 1:
                raise self._no(PermanentError, "the message has no recipient", "no_recipient")
        except (smtplib.SMTPException, OSError) as error:
            raise self._judged(error) from error
        finally:
            _hang_up(connection)

    def _sign_in(self, connection: Any) -> None:
        try:
            connection.open()
        except smtplib.SMTPAuthenticationError as error:
            raise self._no(AuthError, "the server refused our sign-in", "auth", 401) from error
        except (smtplib.SMTPException, OSError) as error:
            raise self._no(TransientError, f"no connection ({type(error).__name__})", "connection") from error

    def _judged(self, error: Exception) -> ProviderError:
        """What a server that was spoken to leaves behind: a word of its own is certain, silence is not."""
        code, said = _word_of(error)
        if code is None:
            doubt = f"the server's answer was lost ({type(error).__name__})"
            return UnconfirmedError(doubt, provider=NAME, code="answer_lost")
        kind = TransientError if code in WAIT_CODES else PermanentError
        return self._no(kind, f"the server said {code} {said}", f"smtp_{code}", code)

    def _no(self, kind: type[ProviderError], message: str, code: str, status: int | None = None) -> ProviderError:
        return kind(printable(message)[:300], provider=NAME, code=code, status=status, never_sent=True)


def _built(body: dict[str, str]) -> EmailMessage:
    """The message of frozen members: plain text, nothing in it is a link, a file or a second recipient."""
    headers = {"Message-ID": body["message_id"], "Date": body["date"], "Auto-Submitted": "auto-generated"}
    return EmailMessage(body["subject"], body["text"], body["from"], [body["to"]], headers=headers)


def _word_of(error: Exception) -> tuple[int | None, str]:
    """The server's own code and words, without the addresses it repeats; (None, "") where it said nothing."""
    code: Any
    said: Any
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()), (None, b""))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, said = error.smtp_code, error.smtp_error
    else:
        return None, ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return (code if isinstance(code, int) and code > 0 else None), ADDRESS.sub("(address)", text)[:200]


def _hang_up(connection: Any) -> None:
    """Say goodbye; what happens to the goodbye says nothing about the message."""
    try:
        connection.close()
    except (smtplib.SMTPException, OSError) as error:
        log.info("mail_goodbye_failed", error=type(error).__name__)
