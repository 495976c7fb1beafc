"""Connections and the field mapping as people see them: who may what, what is shown, what is hidden, how it looks."""

import pytest
from django.urls import reverse
from django_q.models import OrmQ

from ledger import clock
from ledger.models import LedgerRow
from sync import mappings
from sync.connections import door
from sync.connections.models import ConnectionCheck
from sync.mappings import authoring
from sync.mappings.models import MappingVersion
from tests import factories as f
from tests.console.conftest import signed_in
from tests.console.test_browser import browser, console, faults, look_at  # noqa: F401  fixtures
from tests.factories import User
from tests.people.test_mapping_versions import EMAIL, GOOD, place_of

CONNECTIONS, MAPPING = "/admin/connections/", "/admin/mapping/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def engineer(shipped):
    """Writes mappings and checks connections."""
    return signed_in("Automation Engineer")


@pytest.fixture
def lead(shipped):
    """Puts mappings in force."""
    return signed_in("Revenue Ops Lead")


def text(answer):
    return answer.content.decode()


def begun(client):
    answer = client.post(f"{MAPPING}1/begin/", {"reason": "addresses are kept in the CRM"})
    assert answer.status_code == 302, text(answer)
    return MappingVersion.objects.get(state="draft")


def row_form(one, **more):
    return {**GOOD, "validator": "none", "why": "", "version": one.state_version, **more}


def deal_of(name="Initrode", email="ap@initrode.example"):
    contract = f.ContractFactory()
    f.ExternalIdFactory(system="pipedrive", kind="deal", customer=contract.customer, contract=contract)
    source = {"organization.name": name, "person.primary_email": email, "deal.currency": "eur", "organization.id": "1"}
    blocks = {f"deal:{contract.pk}": {"source": source, "gone_fields": ["Tax ID"]}}
    return f.ContextFactory(customer=contract.customer, blocks=blocks, updated_at=clock.now())


# Connections


def test_cards_say_how_each_connection_does_and_show_no_secret(engineer, support, settings):
    ConnectionCheck.objects.create(
        provider="stripe", ok=True, checked_at=clock.now(), ms=42, said="it answered", pinged_at=clock.now(),
        found={"skew_s": 3, "limits": [["requests of the minute", "9 of 10 left"]], "account": "<b>acct</b>"},
        ping={"ok": False, "said": "our own address answered 401 and 401 instead of 200"},
    )  # fmt: skip
    shown = text(engineer.get(CONNECTIONS))

    for told in (
        "Stripe", "NetSuite", "Zendesk", "Pipedrive", "Slack", "3 s ahead of ours", "9 of 10 left", "it answered",
        "MESHLINE_STRIPE_API_KEY", "Check connection now", "The test delivery failed", "&lt;b&gt;acct",
    ):  # fmt: skip
        assert told in shown, told
    for name, config in settings.MESHLINE_PROVIDERS.items():
        for key in ("api_key", "api_token", "private_key", "bot_token", "client_secret"):
            assert not config.get(key) or config[key] not in shown, (name, key)
    read_only = text(support.get(CONNECTIONS))
    assert "Check connection now" not in read_only
    assert "may check a connection" in read_only


def test_check_is_queued_and_shown_as_pending_until_it_is_there(engineer, support):
    assert engineer.get(f"{CONNECTIONS}stripe/check/").status_code == 302
    assert OrmQ.objects.count() == 0
    answer = engineer.post(f"{CONNECTIONS}stripe/check/", follow=True)
    assert "A worker asks Stripe now" in text(answer)
    assert "Is being checked" in text(answer)
    assert OrmQ.objects.count() == 1
    assert engineer.post(f"{CONNECTIONS}stripe/check/").status_code == 409
    assert engineer.post(f"{CONNECTIONS}nobody/check/").status_code == 404
    assert engineer.post(f"{CONNECTIONS}stripe/erase/").status_code == 404
    assert support.post(f"{CONNECTIONS}stripe/check/").status_code == 403
    assert support.post(f"{CONNECTIONS}stripe/test/").status_code == 403
    refusal = LedgerRow.objects.filter(outcome="refused").latest("id")
    assert (refusal.subject_id, refusal.decision) == ("stripe", door.PING)


def test_what_is_not_configured_says_what_to_set(engineer, nobody, settings):
    settings.MESHLINE_PROVIDERS = {
        name: one for name, one in settings.MESHLINE_PROVIDERS.items() if name != "slack"
    } | {"zendesk": {**settings.MESHLINE_PROVIDERS["zendesk"], "api_token": ""}}  # fmt: skip
    shown = text(engineer.get(CONNECTIONS))

    assert "Not used here" in shown
    assert "<code>MESHLINE_SLACK_BOT_TOKEN</code>" in shown
    assert "MESHLINE_ZENDESK_API_TOKEN is not set." in shown
    assert engineer.post(f"{CONNECTIONS}slack/check/").status_code == 422
    assert nobody.get(CONNECTIONS).status_code == 403


# The field mapping


def test_version_in_force_is_a_table_and_who_may_only_read_gets_no_buttons(support, nobody):
    deal_of()
    answer = support.get(MAPPING)

    for told in (EMAIL, "person.primary_email", "with a new record only", "a person decides", "campaign_id",
                 "Tax ID: no such field there any more", "Pipedrive → NetSuite", "As it was shipped"):  # fmt: skip
        assert told in text(answer), told
    assert "Begin a new version" not in text(answer)
    assert nobody.get(MAPPING).status_code == 403
    assert support.get(f"{MAPPING}7/").status_code == 404
    assert support.get(f"{MAPPING}99999999999/").status_code == 404


def test_change_goes_through_a_form_a_test_and_another_person(engineer, lead, support):
    deal_of()
    one = begun(engineer)
    here = f"{MAPPING}{one.number}/"
    form = f"{here}rows/{place_of(one)}/"
    assert "several names or symbols" not in text(engineer.get(form))
    assert engineer.post(form, row_form(one, source="organization.name")).status_code == 302
    one.refresh_from_db()
    draft = text(engineer.get(here))
    assert "from: organization.name, validator: none, on conflict: a person decides" in draft
    assert "Your account needs the permission sync.activate_mapping." in draft

    seen, hidden = text(engineer.post(f"{here}test/")), text(support.post(f"{here}test/"))
    assert "ap@initrode.example" in seen
    assert "Initrode" in seen
    assert "initrode" not in hidden.lower()
    assert "19 characters" in hidden
    assert engineer.post(f"{here}activate/", {"version": one.state_version, "reason": "x"}).status_code == 403
    assert lead.post(f"{here}activate/", {"version": one.state_version, "reason": ""}).status_code == 422
    assert lead.post(f"{here}activate/", {"version": 0, "reason": "x"}).status_code == 409
    assert lead.get(f"{here}activate/").status_code == 302
    done = lead.post(f"{here}activate/", {"version": one.state_version, "reason": "agreed"}, follow=True)

    assert "Version 2 is in force from now on." in text(done)
    assert authoring.now().number == 2
    assert text(lead.get(f"{MAPPING}1/")).count("Not in force") == 1
    assert "Begin a new version like this one" in text(engineer.get(f"{MAPPING}1/"))


@pytest.mark.parametrize(
    ("more", "field", "told"),
    [
        ({"transform": "shout"}, "transform", "transform must be one of"),
        ({"source": "deal.secret<script>"}, "source", "there is no value"),
        ({"field": "e\x00 mail"}, "field", "letters, digits and _"),
        ({"when": "always"}, "when", "because netsuite owns the field itself"),
        ({"requirement": ""}, "requirement", "1 to 80 characters"),
        ({"field": "phone"}, "field", "is filled twice"),
        ({"version": "x"}, "version", "did not say which version you saw"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_kept(engineer, more, field, told):
    one = begun(engineer)

    answer = engineer.post(f"{MAPPING}2/rows/{place_of(one)}/", row_form(one, **more))

    assert answer.status_code == 422
    assert told in text(answer)
    assert "<script>" not in text(answer).split("</head>")[1].replace('<script src="', "")
    wrong = [one.name for one in answer.context["fields"] if one.error]
    assert wrong == [field]
    assert MappingVersion.objects.get(number=2).fields["rows"] == one.fields["rows"]


def test_rows_are_added_and_taken_out_and_a_draft_is_given_up(engineer, support):
    one = begun(engineer)
    new = row_form(one, field="comments2", source="deal.id")
    assert support.post(f"{MAPPING}2/rows/0/", new).status_code == 403
    assert support.get(f"{MAPPING}2/rows/0/").status_code == 403
    assert engineer.post(f"{MAPPING}2/rows/0/", new).status_code == 302
    one.refresh_from_db()
    count = len(mappings.shipped().rows)
    assert one.fields["rows"][count]["to"] == "netsuite.customer.comments2"
    assert engineer.get(f"{MAPPING}2/rows/99/").status_code == 404

    assert engineer.post(f"{MAPPING}2/rows/1/", {"do": "drop", "version": one.state_version}).status_code == 302
    one.refresh_from_db()
    assert len(one.fields["rows"]) == count
    assert engineer.post(f"{MAPPING}2/withdraw/", {"version": one.state_version, "reason": "no"}).status_code == 302
    assert MappingVersion.objects.get(number=2).state == "retired"
    assert engineer.post(f"{MAPPING}2/rows/1/", row_form(one)).status_code in (409, 422)
    assert engineer.get(f"{MAPPING}2/rows/1/").status_code == 302


def test_pages_cost_the_same_however_much_there_is(engineer, django_assert_max_num_queries):
    begun(engineer)
    for _ in range(20):
        deal_of()
        f.EventFactory(state="parked", verdict="schema drift: data.object.total missing")

    with django_assert_max_num_queries(22):
        assert engineer.get(f"{MAPPING}2/").status_code == 200
    with django_assert_max_num_queries(14):
        assert engineer.get(CONNECTIONS).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_pages_are_accessible_quiet_and_fit(console, client):  # noqa: F811
    user = User.objects.get(username="miguel")
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    by = User.objects.get(pk=user.pk)
    client.force_login(by)  # a change of rights ends sessions
    deal_of()
    one = authoring.begin(by=by, reason="addresses are kept in the CRM")
    authoring.drop_row(one.number, place_of(one), by=by, version=one.state_version)
    ConnectionCheck.objects.create(provider="stripe", ok=False, checked_at=clock.now(), said="no answer", ms=3)
    page, here = console(), reverse("admin:mapping_version", args=[one.number])

    addresses = {"connections": CONNECTIONS, "mapping": MAPPING, "row": f"{here}rows/1/", "new row": f"{here}rows/0/"}
    seen = {name: look_at(page, name, address) for name, address in addresses.items()}
    page.goto(here)
    page.click("button:has-text('Test on the last')")
    page.wait_for_selector("#test")
    seen["tested draft"] = look_at(page, "tested draft")

    assert faults(seen) == {}
