"""Who may call: sessions with their CSRF token, tokens with their person's permissions, nobody else."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from gates import presets
from gates.models import ApiToken, ReviewItem, StopSwitch
from ledger import clock
from ledger.models import LedgerRow
from meshline.api import access
from tests.api.client import Caller, by_session, by_token, error, issue
from tests.people.cast import given, item_in, person

pytestmark = pytest.mark.django_db


def decide(item, **other):
    sent = given(item, **other)
    return {"reason": sent["reason"], "state_version": sent["version"], "preview_hash": sent["preview_hash"]}


@pytest.fixture(autouse=True)
def running(db):
    StopSwitch.objects.get_or_create(scope="all")


def test_without_a_session_or_token_nothing_is_said():
    answer = Client().get("/api/v1/customers/")

    assert error(answer) == (401, "not_signed_in", "")
    assert answer["WWW-Authenticate"] == 'Bearer realm="meshline"'
    assert "X-Meshline-Stopped" not in answer


def test_a_token_has_its_persons_permissions_and_no_more():
    assert by_token("Support").get("customers/").status_code == 200
    assert error(by_token(None).get("customers/")) == (403, "permission", "")
    item = item_in()
    refused = by_token("Support").post(f"review-items/{item.pk}/approve/", decide(item))
    assert refused.status_code == 403
    assert LedgerRow.objects.get(outcome="refused").decision == "approve"


@pytest.mark.parametrize("case", ["unknown", "revoked", "expired", "inactive", "no staff", "scheme", "spaces", "bytes"])
def test_a_token_that_does_not_hold(case):
    user = person("Support")
    secret = issue(user)
    token = ApiToken.objects.get()
    header = {"scheme": f"Token {secret}", "spaces": f"Bearer {secret} x", "bytes": "Bearer mesh_\xff"}.get(case)
    if case == "unknown":
        header = f"Bearer {secret}x"
    elif case == "revoked":
        token.revoke()
    elif case == "expired":
        ApiToken.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    elif case in ("inactive", "no staff"):
        type(user).objects.update(**{"is_active" if case == "inactive" else "is_staff": False})

    answer = Client().get("/api/v1/customers/", headers={"Authorization": header or f"Bearer {secret}"})

    assert answer.status_code == (403 if case == "no staff" else 401)
    assert secret[-20:] not in answer.content.decode()


def test_only_a_digest_and_four_characters_are_stored():
    secret = issue(person())

    stored = ApiToken.objects.values().get()
    assert secret.startswith("mesh_")
    assert len(secret) > 40
    assert stored["last_four"] == secret[-4:]
    assert not [value for value in stored.values() if isinstance(value, str) and value in secret and len(value) > 4]
    assert ApiToken not in admin.site._registry


def test_the_command_prints_the_secret_once_and_takes_it_back():
    user = person("Support")
    out = StringIO()

    call_command("api_token", user.username, "--days", "30", "--label", "ci", stdout=out)

    secret = next(line for line in out.getvalue().split() if line.startswith("mesh_"))
    caller = Caller(user, token=secret)
    assert caller.get("customers/").status_code == 200
    listed = StringIO()
    call_command("api_token", user.username, stdout=listed)
    assert secret not in listed.getvalue()
    assert f"…{secret[-4:]} valid" in listed.getvalue()
    call_command("api_token", user.username, "--revoke", str(ApiToken.objects.get().pk), stdout=StringIO())
    assert caller.get("customers/").status_code == 401


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody-here", "--days", "1"], "no user named"),
        (["{}", "--days", "0"], "1 to 365"),
        (["{}", "--days", "366"], "1 to 365"),
        (["{}", "--days", "1", "--label", "x" * 81], "at most 80"),
        (["{}", "--revoke", "99"], "has no token 99"),
    ],
)
def test_wrong_use_of_the_command(arguments, said):
    user = person("Support")

    with pytest.raises(CommandError, match=said) as wrong:
        call_command("api_token", *(one.format(user.username) for one in arguments), stdout=StringIO())

    assert wrong.value.returncode == 2
    assert not ApiToken.objects.exists()


def test_a_session_needs_the_csrf_token_to_change_anything():
    item = item_in()
    caller = Caller(person("Support"), strict=True)

    assert caller.get(f"review-items/{item.pk}/").status_code == 200
    refused = caller.post(f"review-items/{item.pk}/claim/")
    assert error(refused)[0] == 403
    assert "CSRF" in refused.json()["error"]["message"]
    assert ReviewItem.objects.get().state == "open"


def test_a_token_needs_no_csrf_token():
    item = item_in()
    user = person("Support")
    caller = Caller(user, token=issue(user), strict=True)

    assert caller.post(f"review-items/{item.pk}/claim/").status_code == 200
    assert ReviewItem.objects.get().owner == user


def test_get_changes_nothing():
    item = item_in()

    answer = by_session().get(f"review-items/{item.pk}/approve/")

    assert error(answer) == (405, "method", "")
    assert not LedgerRow.objects.exists()


def test_a_token_cannot_confirm_a_password():
    StopSwitch.objects.filter(scope="all").update(state="stopped")
    item = item_in("in_review", "review_two")
    caller = by_token()

    approve = caller.post(f"review-items/{item.pk}/approve/", decide(item))
    by_action = caller.post(f"actions/{item.action_id}/approve/", decide(item))
    resume = caller.post("stop/resume/", {"step": "ask", "reason": "fine again"})

    assert {error(one)[:2] for one in (approve, by_action, resume)} == {(403, "step_up")}
    assert "use the page" in approve.json()["error"]["message"]
    assert StopSwitch.objects.get().state == "stopped"
    assert not item.action.approvals.exists()


def test_a_token_may_approve_what_one_person_decides():
    item = item_in()

    assert by_token("Billing Resolver").post(f"review-items/{item.pk}/approve/", decide(item)).status_code == 200


def test_calls_of_a_token_are_counted_across_processes(monkeypatch):
    monkeypatch.setattr(access, "TOKEN_CALLS_A_MINUTE", 2)
    caller, other = by_token("Support"), by_token("Support")

    answers = [caller.get("customers/").status_code for _ in range(4)]

    assert answers == [200, 200, 429, 429]
    assert 0 < int(caller.get("customers/")["Retry-After"]) <= 60
    assert other.get("customers/").status_code == 200
    ApiToken.objects.update(minute=0)
    assert caller.get("customers/").status_code == 200


def test_refused_calls_are_counted_too(monkeypatch):
    monkeypatch.setattr(access, "TOKEN_CALLS_A_MINUTE", 2)
    caller = by_token(None)

    assert [caller.get("customers/").status_code for _ in range(3)] == [403, 403, 429]


def test_someone_switched_off_has_no_session_left():
    caller = by_session("Support")
    type(caller.user).objects.update(is_active=False)

    assert caller.get("customers/").status_code == 401


def test_no_group_may_make_or_change_tokens():
    assert not [one for group in presets.GROUPS.values() for one in group if "apitoken" in one]
