"""The mail adapter without a world: what is frozen, what is inert, and what each way of failing means."""

import smtplib
import socket
import threading
from datetime import UTC, datetime

import pytest

from sync.actions.mail import inert, mark_of, post, subject_of, text_of
from sync.errors import AuthError, PermanentError, SignatureError, TransientError, UnconfirmedError, WriteHalted

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def server(settings):
    """A port that answers each client with these lines and then hangs up."""
    lines: list[str] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                for line in lines:
                    client.sendall(f"{line}\r\n".encode())
                    if line.startswith("354"):
                        while stream.readline() not in (b".\r\n", b""):
                            pass
                    elif line[3:4] != "-" and not stream.readline():
                        break

    threading.Thread(target=serve, daemon=True).start()
    settings.MESHLINE_PROVIDERS = {
        **settings.MESHLINE_PROVIDERS,
        "mail": {
            "host": "127.0.0.1", "port": listening.getsockname()[1], "user": "", "password": "", "tls": "none",
            "timeout": 5, "from": "a@x.example", "backend": "django.core.mail.backends.smtp.EmailBackend",
        },
    }  # fmt: skip
    yield lines
    listening.close()


def letter(**more):
    return post().message("id-1", **{"to": "b@x.example", "subject": "Hi", "text": "Hello", "now": NOW, **more})


def deliver(lines, said, guard=lambda: None):
    lines[:] = said
    exchanges = []
    try:
        return post().deliver(letter(), guard, exchanges), exchanges
    except Exception as error:  # noqa: BLE001 - the error is what is looked at
        return error, exchanges


OPEN = ["220 hi", "250 hello"]
SENT = [*OPEN, "250 ok", "250 ok", "354 go"]


@pytest.mark.parametrize(
    ("said", "kind", "status", "exchanged"),
    [
        ([*SENT, "250 kept", "221 bye"], str, 250, 1),
        ([], TransientError, None, 1),
        (["554 go away"], TransientError, None, 1),
        ([*OPEN, "550 no sender"], PermanentError, 550, 1),
        ([*OPEN, "250 ok", "550 5.1.1 <b@x.example>: no such box", "250 reset"], PermanentError, 550, 1),
        ([*OPEN, "250 ok", "451 later", "250 reset"], TransientError, 451, 1),
        ([*SENT, "451 later", "250 reset"], TransientError, 451, 1),
        ([*SENT, "554 spam", "250 reset"], PermanentError, 554, 1),
        (SENT, UnconfirmedError, None, 1),
    ],
)  # fmt: skip
def test_each_way_of_answering_has_its_meaning(server, said, kind, status, exchanged):
    found, exchanges = deliver(server, said)

    assert type(found) is kind, found
    assert [one.status for one in exchanges] == [status] * exchanged
    if kind is not str:
        assert found.never_sent is (kind is not UnconfirmedError)
        assert "b@x.example" not in found.message


def test_the_stop_is_looked_at_after_connecting_and_before_the_first_word_of_it(server):
    def halted():
        raise WriteHalted("the emergency stop is on", provider="mail", code="stopped")

    found, exchanges = deliver(server, OPEN, halted)

    assert (type(found), exchanges) == (WriteHalted, [])


def test_a_refused_sign_in_is_our_trouble(server, settings):
    settings.MESHLINE_PROVIDERS["mail"].update(user="me", password="x")
    found, _ = deliver(server, ["220 hi", "250-hello", "250 AUTH PLAIN", "535 no", "221 bye"])

    assert (type(found), found.status) == (AuthError, 401)
    assert isinstance(found.__cause__, smtplib.SMTPAuthenticationError)


def test_headers_cannot_be_smuggled(server):
    assert letter() == letter()
    assert '"message_id":"<meshline.id-1@x.example>"' in letter().body
    for bad in ({"subject": "Hi\r\nBcc: c@x.example"}, {"to": "b@x.example\nCc: c@x.example"}, {"subject": "a\nb"}):
        with pytest.raises(PermanentError) as no:
            letter(**bad)
        assert no.value.code == "bad_header"
    two = letter(text="Hello\r\n.\r\nMAIL FROM:<c@x.example>\r\nBcc: d@x.example")
    found, _ = deliver(server, [*SENT, "250 kept", "221 bye"])
    assert found == "<meshline.id-1@x.example>"
    assert "Bcc" in two.body


def test_somebody_elses_words_are_text_and_nothing_else():
    assert inert("a\r\nBcc: b\x00\u202ec\u200bd") == "a Bcc: b c d"
    assert inert("see http://x.example or www.x.example") == "see http: x.example or www x.example"
    assert inert("x" * 300) == "x" * 119 + "…"
    assert inert(" a \n\n b\u2028c", lines=True) == "a\n\nb c"
    assert subject_of("Acme\nBcc: x") == "Your onboarding: where Acme Bcc: x stands"
    assert text_of("", {"done": ["A\nB"]}).startswith("Hello there,")
    assert "- A B\n" in text_of("Acme", {"done": ["A\nB"], "note": "hi"})
    assert mark_of(" A@x.example ") == mark_of("a@X.example")


def test_nothing_is_delivered_to_us():
    with pytest.raises(SignatureError):
        post().verify({}, b"", NOW, ["secret"])
    assert post().webhook_secrets() == ()
