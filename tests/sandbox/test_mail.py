"""The mail sink: it keeps what it is given, and is as rude as the dial says."""

import smtplib

import pytest

HEADERS = ("From: a@x.example", "To: b@x.example", "Message-ID: <meshline.abc-1@x.example>", "Subject: Hi")
LETTER = "\r\n".join([*HEADERS, "", "Line", "..", ""])


@pytest.fixture
def port(sandbox):
    return sandbox.books("mail")["objects"]["smtp_port"]


def send(port, text=LETTER):
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        return client.sendmail("a@x.example", ["b@x.example"], text)


def kept(sandbox):
    return list(sandbox.books("mail")["objects"]["messages"].values())


def test_it_keeps_what_it_took(sandbox, port):
    assert send(port) == {}

    (one,) = kept(sandbox)
    assert (one["recipients"], one["subject"], one["text"].splitlines()) == (["b@x.example"], "Hi", ["Line", ".."])
    assert sandbox.get("/_books/mail/effects-by-action") == {"abc-1": 1}
    sandbox.reset()
    assert (kept(sandbox), sandbox.books("mail")["objects"]["smtp_port"]) == ([], port)


def test_the_dial_refuses_and_hangs_up(sandbox, port):
    rules = [
        ("error_before", {"status": 550}, 0),
        ("rate_limit", {}, 0),
        ("drop_before", {}, 0),
        ("lost_answer", {}, 1),
    ]
    for kind, more, effects in rules:
        sandbox.reset()
        sandbox.faults({"provider": "mail", "rules": [{"kind": kind, "count": 1, **more}]})
        with pytest.raises(smtplib.SMTPException) as no:
            send(port)
        assert isinstance(no.value, smtplib.SMTPDataError) is (kind in ("error_before", "rate_limit"))
        assert len(kept(sandbox)) == effects
        assert send(port) == {}
