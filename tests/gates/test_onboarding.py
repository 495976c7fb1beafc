"""What a signed deal must say, what follows from it, and what withdraws it: pure, without a database."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from gates import playbooks
from gates.decide import decide
from gates.playbooks import onboarding
from gates.rules import onboarding as rules
from gates.rules import tax
from gates.rules.onboarding import Signed, lacks
from gates.types import Deal, Facts, Policy

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
GOOD = Signed(
    organization_id="130", organization_name="Northwind Robotics Oy", tax_id="FI12345678", country="Finland",
    email="ap@northwind.example", emails=1, subsidiary="Nordics", terms="Net 30", currency="eur", amount_minor=490_000,
    package="PKG-GROWTH", csm="12", billing_owner="13", first_value_on=date(2026, 12, 15),
)  # fmt: skip
DEAL = Deal("4711", organization_id="130", amount_minor=490_000, currency="eur", package="PKG-GROWTH")
READ = {"deal": NOW, "account": NOW}


def test_whole_deal_lacks_nothing():
    assert lacks(GOOD) == ()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"organization_id": ""}, ("organization", "is missing")),
        ({"organization_name": "  "}, ("organization", "is missing")),
        ({"email": "", "emails": 0}, ("e-mail", "is missing")),
        ({"email": "", "emails": 2}, ("e-mail", "has several entries and none is marked as primary")),
        ({"email": "nobody"}, ("e-mail", "is not an address mail can be sent to")),
        ({"email": "a@b..example"}, ("e-mail", "is not an address mail can be sent to")),
        ({"email": "a b@c.example"}, ("e-mail", "is not an address mail can be sent to")),
        ({"tax_id": " "}, ("tax registration", "is missing")),
        ({"tax_id": "FI1234567"}, ("tax registration", "does not have the form that FI uses")),
        ({"tax_id": "unknown"}, ("tax registration", "is not a registration number")),
        ({"subsidiary": ""}, ("subsidiary", "is missing")),
        ({"terms": ""}, ("payment terms", "is missing")),
        ({"currency": ""}, ("currency", "is missing")),
        ({"currency": "xxx"}, ("currency", "is not a currency we know")),
        ({"amount_minor": None}, ("amount", "is missing or cannot be written in its currency")),
        ({"amount_minor": 0}, ("amount", "must be above zero")),
        ({"package": ""}, ("package", "is missing")),
        ({"billing_owner": ""}, ("billing owner", "is missing")),
        ({"csm": ""}, ("customer success manager", "is missing")),
        ({"first_value_on": None}, ("first-value date", "is missing")),
        ({"gone_fields": ("Tax ID",)}, ("CRM field Tax ID", "does not exist any more")),
    ],
)  # fmt: skip
def test_each_lack_is_named_once_and_alone(change, found):
    assert lacks(replace(GOOD, **change)) == (found,)


def test_no_value_of_a_deal_is_in_what_the_ledger_keeps():
    bad = replace(GOOD, email="Secret.Person@", tax_id="SECRET-1", currency="zzz")

    assert "secret" not in rules.in_words(lacks(bad)).lower()


@pytest.mark.parametrize(
    ("number", "country", "code"),
    [
        ("FI12345678", "Finland", "FI"), ("12345678", "Suomi", "FI"), ("de 123.456.789", "United States", "DE"),
        ("EL123456789", "Greece", "GR"), ("GB 123 4567 89", "UK", "GB"), ("CHE-123.456.789 MWST", "Schweiz", "CH"),
        ("12-3456789", "USA", "US"), ("NL123456789B01", "the Netherlands", "NL"), ("A-4471-22", "Kenya", ""),
        ("27AAPFU0939F1ZV", "India", "IN"), ("T1234567890123", "Japan", "JP"), ("51 824 753 556", "Australia", "AU"),
    ],
)  # fmt: skip
def test_registrations_as_they_are_written_are_taken(number, country, code):
    assert tax.fault(number, country) == ""
    assert tax.country_of(number, country) == code


@pytest.mark.parametrize(
    ("number", "country"),
    [("123", "Germany"), ("DE12345678", "Germany"), ("IT123", "Italy"), ("1" * 80, "Kenya"), ("12345678", "DE")],
)
def test_registrations_of_another_form_are_not(number, country):
    assert tax.fault(number, country)


def facts(deal=DEAL, **more):
    return Facts(now=NOW, external_id="mesh-cus-1", deal=deal, synced_at=READ, **more)


def create(deal=DEAL):
    return onboarding.customer(deal)[0]


def test_ready_deal_is_approved_and_an_unready_one_asks_whoever_approved():
    bad = replace(DEAL, lacks=(("billing owner", "is missing"),))

    assert decide(create(), facts(), Policy()).verb == "approve"
    for approved in (frozenset(), frozenset({"ready_for_billing"})):
        found = decide(create(bad), facts(bad, executing=True), Policy(), approved_rules=approved)
        assert found.verb == "ask"
        assert found.worst.reason == "billing owner is missing"


def test_customer_in_conflict_asks_and_a_person_may_agree():
    asked = decide(create(), facts(customer_state="conflict"), Policy())
    agreed = decide(
        create(), facts(customer_state="conflict"), Policy(), approved_rules=frozenset({"customer_settled"})
    )

    assert (asked.verb, asked.worst.rule) == ("ask", "customer_settled")
    assert agreed.verb == "approve"


def test_candidate_of_the_same_name_and_address_asks():
    found = decide(create(), facts(replace(DEAL, twin="1847")), Policy())

    assert (found.verb, found.worst.rule) == ("ask", "possible_duplicate")


def test_invoice_waits_for_its_customer():
    proposal = onboarding.invoice("4711")

    early = decide(proposal, facts(executing=True), Policy())
    assert (early.verb, early.worst.reason) == ("ask", "the customer is not in the ERP yet")
    assert decide(proposal, facts(executing=True, erp_customer_id="1847"), Policy()).verb == "approve"


@pytest.mark.parametrize(
    ("state", "made", "told", "kinds"),
    [
        ("draft", {}, True, ["customer.create"]),
        ("signed", {"customer.create": ("in_review",)}, True, []),
        ("signed", {"customer.create": ("failed",)}, True, []),
        ("signed", {"customer.create": ("superseded",)}, False, ["customer.create"]),
        ("signed", {"customer.create": ("rejected",)}, False, []),
        ("signed", {"customer.create": ("rejected",)}, True, ["customer.create"]),
        ("signed", {"customer.create": ("observed",)}, True, []),
        ("ready", {"customer.create": ("applied",), "invoice.create": ("applied",)}, True, []),
        ("ready", {"customer.create": ("applied",), "invoice.create": ("superseded",)}, True, ["invoice.create"]),
    ],
)
def test_nothing_is_planned_twice(state, made, told, kinds):
    found = onboarding.judge(DEAL, state, made, told=told)

    assert [one.kind for one in found.proposals] == kinds


def test_unready_deal_says_so_itself():
    found = onboarding.judge(replace(DEAL, lacks=(("e-mail", "is missing"),)), "draft", {}, told=True)

    assert [one.kind for one in found.proposals] == ["customer.create", "deal.annotate", "deal.note"]
    assert "e-mail is missing" in found.proposals[2].params["text"]
    assert found.verbs == ("sign",)
    assert onboarding.judge(DEAL, "draft", {}, told=True).verbs == ("sign", "qualify")


@pytest.mark.parametrize("standing", sorted(onboarding.STANDINGS))
def test_deal_that_is_not_signed_any_more_withdraws_what_waits(standing):
    gone = replace(DEAL, standing=standing)

    found = onboarding.judge(gone, "signed", {"customer.create": ("in_review",)}, told=True)
    assert found.withdraw
    assert found.proposals == ()
    assert playbooks.withdraw_reason(facts(gone), "deal:4711:customer", {}, "customer.create")
    assert onboarding.judge(gone, "signed", {}, told=True).withdraw == ""


def test_invoice_follows_the_customer_and_the_deal_is_told_after_the_invoice():
    said = {"id": "90211", "number": "INV90211", "customer": "1847"}

    first = playbooks.after_applied("customer.create", "deal:4711:customer#2", {"deal": "4711"}, {}, {"id": "1847"})
    then = playbooks.after_applied("invoice.create", "deal:4711:invoice", {"deal": "4711"}, {}, said)

    assert [(one.kind, one.business_key) for one in first] == [("invoice.create", "deal:4711:invoice")]
    assert [one.kind for one in then] == ["deal.annotate", "deal.note"]
    assert "INV90211" in then[1].params["text"]
    assert playbooks.after_applied("deal.note", "deal:4711:note:invoiced", {"deal": "4711"}, {}, said) == ()
