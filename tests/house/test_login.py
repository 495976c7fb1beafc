"""Signing in: counted over all processes, the same answer for everybody, and next stays at home."""

import threading
import time

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from gates import presets
from ledger import clock
from meshline import stepup, throttle
from meshline.models import SignInCount
from tests.house import seats
from tests.house.seats import PASSWORD, STEP_UP, account, fail, is_in, sign_in

pytestmark = pytest.mark.django_db
ana, at, quick_hasher = seats.ana, seats.at, seats.quick_hasher


# --- one answer ------------------------------------------------------------------------------------------------------


def test_the_right_password_opens_the_console(ana):
    client = Client()

    answer = sign_in(client)

    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert is_in(client)


def said(answer):
    """What a person reads, without the token of the form and the name that was typed."""
    page = answer.content.decode()
    begin = page.index('<p class="refused"')
    return answer.status_code, page[begin : page.index("</p>", begin)]


def test_unknown_wrong_switched_off_and_without_access_are_one_answer(ana):
    account("off", "Support", is_active=False)
    account("outsider", is_staff=False)

    answers = {
        said(sign_in(Client(), name, password, peer=f"203.0.113.{n}"))
        for n, (name, password) in enumerate(
            [("nobody", "x"), ("ana", "wrong"), ("off", PASSWORD), ("outsider", PASSWORD), ("ANA", "wrong")]
        )
    }

    assert len(answers) == 1
    assert next(iter(answers))[0] == 200


def test_the_hasher_and_the_database_work_as_much_for_a_stranger_as_for_an_account(ana, monkeypatch):
    account("off", "Support", is_active=False)
    account("outsider", is_staff=False)
    work = []
    encode = PBKDF2PasswordHasher.encode

    def counted(self, password, salt, iterations=None):
        work.append(iterations or self.iterations)
        return encode(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)
    done = {}
    for n, name in enumerate(("nobody", "ana", "off", "outsider")):
        work.clear()
        with CaptureQueriesContext(connection) as asked:
            sign_in(Client(), name, "wrong", peer=f"203.0.113.{n}")
        done[name] = (tuple(work), len(asked))

    assert set(done.values()) == {done["nobody"]}, done
    assert len(done["nobody"][0]) == 1


def test_they_take_the_same_time(monkeypatch):
    presets.install_groups()
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 100_000)
    account("ana", "Support Manager")
    spans = {"ana": [], "nobody": []}
    for n in range(4):
        for name, took in spans.items():
            begun = time.perf_counter()
            sign_in(Client(), name, "wrong", peer=f"203.0.113.{n}")
            took.append(time.perf_counter() - begun)

    known, unknown = min(spans["ana"]), min(spans["nobody"])
    assert 0.5 < known / unknown < 2, spans


# --- throttled -------------------------------------------------------------------------------------------------------


def test_the_sixth_try_of_one_account_from_one_address_is_not_looked_at(ana):
    assert fail(5) == [200] * 5

    answer = sign_in(Client())

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 15 * 60 + 1
    assert "Too many tries. Wait 15 minutes" in answer.content.decode()


def test_an_unknown_account_is_throttled_alike(ana):
    assert fail(6, "nobody", peer="203.0.113.1") == fail(6, "ana", peer="203.0.113.2") == [200] * 5 + [429]


def test_the_real_user_gets_in_while_a_stranger_guesses(ana):
    fail(40, peer="198.51.100.1")

    assert sign_in(Client(), peer="203.0.113.7").status_code == 302, "from elsewhere, even with a new browser"


def test_a_browser_that_was_here_before_gets_in_during_an_attack_from_everywhere(ana):
    known = Client()
    sign_in(known)
    known.post("/admin/logout/")
    for n in range(throttle.ACCOUNT.most // 5 + 1):
        fail(5, peer=f"198.51.100.{n}")
    assert sign_in(Client(), peer="192.0.2.1").status_code == 429, "a new browser has to wait"

    assert sign_in(known, peer="198.51.100.1").status_code == 302


def test_a_browser_known_to_one_account_is_a_stranger_to_another_and_a_forged_mark_is_none(ana):
    account("ben", "Support")
    known = Client()
    sign_in(known)
    known.post("/admin/logout/")

    assert fail(6, "ben", client=known) == [200] * 5 + [429]
    forged = Client()
    forged.cookies[throttle.COOKIE] = known.cookies[throttle.COOKIE].value[:-2] + "xx"
    assert fail(6, client=forged, peer="192.0.2.9")[-1] == 429


def test_a_known_browser_does_not_guess_for_ever_either(ana):
    known = Client()
    sign_in(known)
    known.post("/admin/logout/")

    assert fail(11, client=known) == [200] * 10 + [429]


def test_nobody_is_locked_out_for_ever_and_trying_on_does_not_prolong_it(ana, at):
    fail(5)
    for second in range(60, 900, 120):
        at(second)
        assert sign_in(Client()).status_code == 429

    at(901)

    assert sign_in(Client()).status_code == 302


def test_one_address_that_tries_many_names_is_stopped_and_leaves_few_rows(ana):
    statuses = [sign_in(Client(), f"name{n}", "x").status_code for n in range(40)]

    assert statuses == [200] * 30 + [429] * 10
    assert SignInCount.objects.count() == 1 + 2 * 30


def test_a_right_password_is_no_try_against_its_address(ana):
    for _ in range(35):
        assert sign_in(Client()).status_code == 302


def test_counts_name_nobody_and_are_forgotten(ana, at):
    fail(1)
    keys = list(SignInCount.objects.values_list("key", flat=True))
    assert all(len(key) == 64 and "ana" not in key and "203" not in key for key in keys)
    assert throttle.forget() == 0

    at(90_000)

    assert throttle.forget() == len(keys) == 3


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("203.0.113.7", "203.0.113.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"), ("", "unknown"), ("nonsense", "unknown"),
    ],
)  # fmt: skip
def test_an_address_is_read_as_what_one_person_has(given, read):
    assert throttle.address(RequestFactory().get("/", REMOTE_ADDR=given)) == read


def test_behind_a_proxy_the_last_hop_counts_and_not_what_the_sender_wrote(settings):
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="1.1.1.1, 198.51.100.4")
    assert throttle.address(request) == "10.0.0.1"

    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    assert throttle.address(request) == "198.51.100.4"


@pytest.mark.django_db(transaction=True)
def test_tries_at_the_same_instant_all_count():
    limit = throttle.Limit("race", 50)
    gate = threading.Barrier(8)

    def count():
        gate.wait(10)
        for _ in range(10):
            throttle._count(limit, "x", clock.now())
        connection.close()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)

    assert SignInCount.objects.get(key=throttle.key_of(limit, "x")).tries == 80


# --- where it leads --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:evil.test"],
)
def test_next_stays_at_home(ana, target):
    assert sign_in(Client(), next=target)["Location"].startswith("/admin/")
    request = RequestFactory().get("/")
    assert stepup.own(request, target) == ""
    client = Client()
    client.force_login(ana)
    assert client.get(STEP_UP, {"next": target})["Location"] == "/admin/"


def test_next_leads_on_at_home(ana):
    assert sign_in(Client(), next="/admin/stop/")["Location"] == "/admin/stop/"
