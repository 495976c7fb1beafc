"""What assistants may do by API: propose with a confidence, ask whether a text is true, and decide nothing."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User

from gates import assistants, policy, review
from gates.models import ReviewItem
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, LedgerRow
from sync import drain
from sync.claims.models import ClaimCheck
from tests import claim_cases
from tests.api.client import Caller, by_token, error, issue
from tests.console.conftest import signed_in
from tests.factories import ExternalIdFactory
from tests.people.cast import given, person

pytestmark = pytest.mark.django_db
SUSPENDED = "Your account was suspended, and 80.00 USD were refunded."


@pytest.fixture
def globex():
    """A customer of whom two actions are confirmed, with a contract on which a ticket is."""
    policy._held.clear()
    claim_cases.prepare()
    contract = claim_cases.Contract.objects.get(external_id=f"{claim_cases.GLOBEX}-con")
    ExternalIdFactory(system="zendesk", kind="ticket", value="77", customer=contract.customer, contract=contract)
    yield contract
    policy._held.clear()


def body(contract, text="Looked at it.", **more):
    return {
        "kind": "ticket.note",
        "contract": contract.external_id,
        "params": {"text": text},
        "reason": "a hint",
        **more,
    }


def test_a_person_decides_on_whatever_an_assistant_asks_for(globex):
    bot = by_token(assistants.GROUP)

    made = bot.post("actions/", body(globex, confidence=0.83))

    assert (made.status_code, made.json()["state"]) == (201, "in_review"), made.content
    item = ReviewItem.objects.get()
    assert (item.why, item.confidence, Action.objects.get(pk=made.json()["id"]).facts["confidence"]) == (
        "assistant_asked", 0.83, 0.83,
    )  # fmt: skip
    assert "assistant asked for this, 83% sure" in item.reason
    page = signed_in("Billing Resolver").get(f"/admin/gates/reviewitem/{item.pk}/change/").content.decode()
    assert "Confidence" in page
    assert "83%" in page
    for wrong in ({}, {"confidence": 1.2}, {"confidence": True}, {"confidence": "high"}):
        assert error(bot.post("actions/", body(globex, "Other.", **wrong)))[0] == 422
    assert error(by_token("Support").post("actions/", body(globex, "Other.", confidence=0.9)))[0] == 422
    assert Action.objects.filter(state="in_review", kind="ticket.note").count() == 1
    # Read again and judged anew it is still a person's.
    review.approve(item.pk, by=person("Billing Resolver"), **given(item))
    assert Action.objects.get(pk=item.action_id).state == "approved"


@pytest.mark.parametrize("further", [(), ("Support Manager", "Revenue Ops Lead"), "superuser"])
def test_an_assistant_decides_nothing_whatever_else_its_account_is(globex, further):
    bot = person(assistants.GROUP)
    if further == "superuser":
        User.objects.filter(pk=bot.pk).update(is_superuser=True)
    else:
        bot.groups.add(*Group.objects.filter(name__in=further))
    bot = User.objects.get(pk=bot.pk)
    assert assistants.is_assistant(bot)
    asked = Caller(bot, token=issue(bot)).post("actions/", body(globex, confidence=0.99)).json()
    item = ReviewItem.objects.get(action=asked["id"])

    said = given(item)
    with pytest.raises(Refused) as no:
        review.approve(item.pk, by=bot, **said)
    assert no.value.status == 403
    with pytest.raises(Refused) as no:
        review.reject(item.pk, by=bot, reason="no", version=said["version"])
    assert no.value.status == 403
    if further != "superuser":
        assert bot.get_all_permissions() == assistants.MAY


def test_a_draft_that_says_what_is_not_confirmed_does_not_leave(globex):
    bot = by_token(assistants.GROUP)
    told = bot.post("actions/", body(globex, f"Hello. {SUSPENDED} And 50.00 USD were refunded.", confidence=1))
    item = ReviewItem.objects.get(action=told.json()["id"])

    assert item.why == "claim_untrue"
    review.approve(item.pk, by=person("Billing Resolver"), **given(item))
    Action.objects.update(available_at=clock.now() - timedelta(minutes=1))  # a test's transaction stands still
    drain.once()

    action = Action.objects.get(pk=item.action_id)
    assert (action.state, action.sent_at) == ("in_review", None), "nobody's yes makes it true"
    (check,) = ClaimCheck.objects.filter(source="draft")
    assert (check.verdict, check.action_id, check.param) == ("contradicted", action.pk, "text")
    page = signed_in("Billing Resolver")
    shown = page.get(f"/admin/gates/reviewitem/{ReviewItem.objects.latest('pk').pk}/change/").content.decode()
    assert "What the text claims" in shown
    assert "<mark>" in shown
    assert f"#{check.pk}" in page.get("/admin/claims/").content.decode()
    assert "Contradicted" in page.get(f"/admin/claims/{check.pk}/").content.decode()
    # The same words about what is confirmed go once a person agrees.
    true = bot.post("actions/", body(globex, SUSPENDED, confidence=1)).json()
    assert ReviewItem.objects.get(action=true["id"]).why == "assistant_asked"


def test_a_text_is_verified_sentence_by_sentence_with_its_rows(globex):
    bot = by_token(assistants.GROUP)
    text = f"Hello Globex. {SUSPENDED} Your subscription was cancelled."

    answer = bot.post("claims/verify/", {"text": text, "ticket": "77", "draft": "d-9"})

    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert [one["verdict"] for one in said["sentences"]] == ["none", "verified", "unverified"]
    assert said["verdict"] == "unverified"
    first, second = said["sentences"][1]["claims"]
    assert (first["topic"], second["topic"], second["text"]) == ("suspend", "refund", "refunded")
    (row,) = second["rows"]
    assert (row["state"], row["amount_minor"], row["currency"]) == ("applied", 8000, "usd")
    assert LedgerRow.objects.get(pk=row["id"]).confirmation_id == row["confirmation_id"] != ""
    check = ClaimCheck.objects.get(pk=said["id"])
    assert (check.source, check.ticket, check.draft, check.by) == ("assistant", "77", "d-9", bot.user)
    assert "Globex" not in json.dumps(check.sentences)
    for wrong, code in (({}, 422), ({"text": "x"}, 422), ({"text": "x", "customer": "nobody"}, 404),
                        ({"text": "x" * 20_001, "ticket": "77"}, 422)):  # fmt: skip
        assert error(bot.post("claims/verify/", wrong))[0] == code
    assert error(by_token("Auditor").post("claims/verify/", {"text": text, "ticket": "77"}))[0] == 403
    page = signed_in("Support").post("/admin/claims/verify/", {"text": text, "ticket": "77"}).content.decode()
    assert "<mark>refunded</mark>" in page
    assert "confirmed by the provider" in page
    assert signed_in("Support").post("/admin/claims/verify/", {"text": text}).status_code == 422
