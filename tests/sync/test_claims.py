"""Sixty texts on one ledger, who may ask, what is kept of a text, and what a text that leaves may say."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gates import assistants, claims
from gates.claims import wording as shipped
from gates.claims.wording import BadWording
from gates.incidents import desk, queue, rounds, scope
from gates.models import OutreachTemplate
from gates.presets_incidents import MESSAGES
from gates.stop import Refused
from ledger.models import LedgerRow
from sync import actions
from sync.claims import checking, drafts, wording
from sync.claims.models import ClaimCheck
from sync.incidents import sending
from tests import claim_cases
from tests.claim_texts import ACME, CASES, GLOBEX
from tests.people.cast import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger():
    claim_cases.prepare()
    return person("Support")


def test_sixty_claims_are_judged_right_and_no_word_is_kept(ledger):
    assert len(CASES) == 60
    assistant = person(assistants.GROUP)

    found = {text: checking.verify(text, by=assistant, customer=ACME) for text, _ in CASES}

    wrong = [(text, found[text].check.verdict, due) for text, due in CASES if found[text].check.verdict != due]
    assert wrong == []
    rows = set(LedgerRow.objects.filter(post_state="applied").exclude(confirmation_id="").values_list("pk", flat=True))
    told = [one for each in found.values() for part in each.judged for one in part.claims]
    proved = [one for one in told if one.verdict == "verified"]
    assert proved
    assert all(one.rows and set(one.rows) <= rows for one in proved)
    kept = json.dumps(list(ClaimCheck.objects.values()), default=str)
    assert not [word for word in ("Acme", "Globex", "globex.example", "card", "Good news") if word in kept]
    assert set(ClaimCheck.objects.values_list("source", flat=True)) == {"assistant"}


def test_whom_it_is_about_and_who_may_ask(ledger):
    said = "The refund of 80.00 USD was issued, and your account was suspended."
    ticket = f"4{claim_cases.Customer.objects.get(external_id=GLOBEX).pk}"

    assert checking.verify(said, by=ledger, customer=GLOBEX).check.verdict == "verified"
    assert checking.verify(said, by=ledger, ticket=ticket, draft="d-1").check.draft == "d-1"
    assert checking.verify(said, by=ledger, contract=f"{GLOBEX}-con").check.verdict == "verified"
    with CaptureQueriesContext(
        connection,
    ) as seen:
        checking.verify("Hello. " * 200 + said, by=ledger, customer=GLOBEX)
    assert len(seen) < 9
    for refused, field in (
        ({}, "customer"), ({"customer": "nobody"}, "customer"), ({"ticket": "1"}, "ticket"),
        ({"customer": ACME, "ticket": ticket}, "customer"),
    ):  # fmt: skip
        with pytest.raises(Refused) as caught:
            checking.verify(said, by=ledger, **refused)
        assert caught.value.code == field
    with pytest.raises(Refused, match="text: 1 to 20,000"):
        checking.verify(" ", by=ledger, customer=ACME)
    with pytest.raises(Refused) as caught:
        checking.verify(said, by=person("Auditor"), customer=ACME)
    assert caught.value.status == 403


def test_only_the_providers_confirmation_in_the_ledger_proves_anything(ledger):
    acme = claim_cases.Customer.objects.get(external_id=ACME)
    ours = acme.actions.get(amount_minor=9_900)
    type(ours).objects.filter(pk=ours.pk).update(mode="shadow")  # what was only observed is not under way either

    said = "Your refund of 99.00 EUR was issued."
    assert checking.verify(said, by=ledger, customer=ACME).check.verdict == "contradicted"
    type(ours).objects.filter(amount_minor=3_000).update(state="applied")  # the record alone says nothing
    assert checking.verify("A refund of 30.00 GBP was issued.", by=ledger, customer=ACME).check.verdict == "premature"


def test_texts_that_leave_are_found_and_read():
    kinds = {name: drafts.texts_of(name) for name in actions.ACTIONS}

    for kind in ("ticket.note", "deal.note", "ticket.reply", "refund.note"):
        assert "text" in kinds[kind]
    assert {"subject", "body"} <= set(kinds["outreach.mail"]) == set(kinds["outreach.ticket"])
    assert "note" in kinds["mail.progress"]
    assert kinds["alert"] == kinds["ticket.handoff"] == ()


def test_wording_is_data(tmp_path, settings):
    named = {kind for one in shipped.shipped().topics.values() for kind in (*one.kinds, *one.undone_by)}
    assert named <= set(actions.ACTIONS)
    more = tmp_path / "words.json"
    more.write_text(json.dumps({"topics": {"refund": {"done": ["zurueckgezahlt"]}, "gift": {"nouns": ["voucher"]}}}))

    using = wording.of_file(str(more))

    (one,) = claims.read("50.00 USD zurueckgezahlt, and the voucher was sent.", using)
    assert [each.topic for each in one.claims] == ["refund", "gift"]
    assert claims.read("50.00 USD zurueckgezahlt.")[0].claims == ()
    for bad, words in (("{", "no JSON"), ('{"x": 1}', "some of"), ('{"future": [1]}', "each a text"),
                       ('{"topics": {"refund": {"idioms": ["("]}}}', "idioms")):  # fmt: skip
        more.write_text(bad)
        with pytest.raises(BadWording, match=words):
            wording.of_file(str(more))


def test_an_update_is_approved_only_where_it_is_true_for_every_reader(ledger):
    ops = person("Product Ops")
    for one in MESSAGES:
        OutreachTemplate.objects.get_or_create(name=one["name"], version=1, defaults=one)
    incident = desk.declare("Double charges", "major", scope.parse(["tier is starter"]), by=ops)

    def approved(text):
        incident.refresh_from_db()
        say = {"template": "incident-update", "channel": "ticket", "text": text}
        update = rounds.begin(incident.pk, by=ops, version=incident.state_version, **say)
        asked = rounds.ask(update.pk, by=ops, version=update.state_version)
        try:
            return sending.approve(asked.pk, by=ops, version=asked.state_version, digest=queue.digest(asked)).state
        except Refused as refusal:
            rounds.drop(asked.pk, by=ops, version=asked.state_version)
            return refusal.message

    assert "“We refunded 80.00 USD to you.” is not confirmed by the ledger for 1 of 2 customers" in approved(
        "We refunded 80.00 USD to you."
    )
    assert "for 2 of 2 customers" in approved("All of you will be refunded.\n\nYour plan was cancelled.")
    assert approved("You were refunded. We are on it.") == "approved"


def test_a_message_elsewhere_marks_what_nothing_confirms(ledger):
    acme = claim_cases.Customer.objects.get(external_id=ACME)

    assert drafts.marked("Add note: refund of 50.00 USD issued.", acme.pk).endswith("issued.")
    for text, customer in (("Add note: refund of 51.00 USD issued.", acme.pk), ("Refund issued.", None)):
        assert drafts.marked(text, customer) == f"{text} [not confirmed by the ledger]"
    assert drafts.marked("Suspend contract: invoice in_1 failed.", acme.pk) == "Suspend contract: invoice in_1 failed."
