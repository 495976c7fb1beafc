"""The field mapping is changed by two people, version by version; the product goes by the one in force."""

import pytest
from django.db import IntegrityError, transaction

from gates.stop import Refused
from ledger import clock, verify
from ledger.models import LedgerRow
from meshline.subjects import SUBJECTS, UNCHAINED
from sync import mappings
from sync.errors import PermanentError
from sync.mappings import active, authoring, owners, rehearsal
from sync.mappings.authoring import RowFields
from sync.mappings.models import FrozenMappingError, MappingVersion
from tests import factories as f
from tests.people.cast import last_row, person, refusals, refused
from tests.sync.test_mappings import CUSTOMER, frozen

pytestmark = pytest.mark.django_db

EMAIL = "netsuite.customer.email"
GOOD = {
    "source": "person.primary_email", "record": "netsuite.customer", "field": "email", "owner": "netsuite",
    "when": "create", "transform": "text", "validator": "", "conflict": "review", "requirement": "deal to customer",
}  # fmt: skip


@pytest.fixture
def writer(db):
    return person("Automation Engineer")


@pytest.fixture
def lead(db):
    return person("Revenue Ops Lead")


def said(**more):
    return RowFields(**{**GOOD, **more})


def place_of(one, to=EMAIL):
    return next(place for place, row in enumerate(one.fields["rows"], 1) if row["to"] == to)


def drafted(writer, **more):
    one = authoring.begin(by=writer, reason="addresses are kept in the CRM")
    return authoring.save_row(one.number, place_of(one), said(**more), by=writer, version=one.state_version)


def story(number):
    rows = LedgerRow.objects.filter(subject_kind="mapping", subject_id=str(number)).order_by("id")
    return list(rows.values_list("decision", "prior_state", "post_state", "state_version"))


def sent(**given):
    return mappings.fill("netsuite", "customer", mappings.Given(given), is_new=True)


def test_shipped_one_is_version_1_in_force_and_installing_again_changes_nothing(writer):
    active.ship()

    one = MappingVersion.objects.get()
    assert (one.number, one.state, one.author) == (1, "active", None)
    assert active.refresh() == mappings.shipped()


def test_release_with_another_mapping_makes_a_version_only_where_nobody_changed_the_last(writer, lead, monkeypatch):
    newer = mappings.document() | {"rows": mappings.document()["rows"][:-1]}
    monkeypatch.setattr(mappings, "document", lambda: newer)
    active.ship()
    assert list(MappingVersion.objects.values_list("number", "state")) == [(2, "active"), (1, "retired")]

    one = drafted(writer)
    authoring.activate(one.number, by=lead, version=one.state_version, reason="agreed")
    monkeypatch.setattr(mappings, "document", lambda: newer | {"rows": newer["rows"][:-1]})
    active.ship()
    assert authoring.now().number == 3


def test_draft_changes_nothing_until_another_person_puts_it_in_force(writer, lead):
    one = drafted(writer, transform="company_name", validator="")
    active.refresh()
    assert sent(**{"person.primary_email": ""})[1] == (("email", "is missing"),)

    assert refused(authoring.activate, 2, by=writer, version=one.state_version, reason="mine") == (403, "permission")
    boss = person(is_superuser=True, email=writer.email)
    assert refused(authoring.activate, 2, by=boss, version=one.state_version, reason="me too") == (403, "four_eyes")
    done = authoring.activate(2, by=lead, version=one.state_version, reason="looked at it")

    assert (done.state, done.activated_by, active.refresh().version) == ("active", lead, 2)
    assert sent(**{"person.primary_email": ""}) == ({}, ())
    assert story(2)[-1] == ("activate", "draft", "active", 3)
    assert story(1) == [("replace", "active", "retired", 1)]
    row = last_row()
    assert row.inputs["rows_changed"] == [EMAIL]
    assert (row.inputs["cases"], row.inputs["cases_wrong"]) == (len(rehearsal.checking.cases()), 1)
    assert done.agreed == ["several e-mail addresses, none primary"]
    assert [one[1] for one in refusals()] == ["permission", "four_eyes"]
    assert verify.verify(SUBJECTS, UNCHAINED).is_intact


def test_old_version_comes_back_as_a_new_one(writer, lead):
    one = drafted(writer)
    authoring.activate(2, by=lead, version=one.state_version, reason="agreed")
    again = authoring.begin(by=writer, reason="it was better before", like=1)

    authoring.activate(3, by=lead, version=again.state_version, reason="yes")

    assert active.refresh().rows == mappings.shipped().rows
    assert (again.based_on, authoring.now().number) == (1, 3)
    assert list(MappingVersion.objects.filter(state="retired").values_list("number", flat=True)) == [2, 1]


def test_only_one_draft_and_only_what_was_seen_is_changed(writer, lead):
    one = drafted(writer)

    assert refused(authoring.begin, by=person("Automation Engineer"), reason="me too") == (409, "open")
    assert refused(authoring.save_row, 2, 1, said(), by=writer, version=0) == (409, "stale")
    assert refused(authoring.save_row, 1, 1, said(), by=writer, version=0) == (409, "state")
    assert refused(authoring.save_row, 2, 99, said(), by=writer, version=one.state_version) == (404, "row")
    assert refused(authoring.drop_row, 2, 0, by=writer, version=one.state_version) == (404, "row")
    assert refused(authoring.withdraw, 77, by=writer, version=1, reason="x") == (404, "unknown")
    assert refused(authoring.activate, 2, by=lead, version=one.state_version, reason=" ") == (422, "reason")
    with pytest.raises(IntegrityError), transaction.atomic():
        MappingVersion.objects.create(number=9, fields=one.fields, reason="second draft")

    gone = authoring.withdraw(2, by=writer, version=one.state_version, reason="not needed")
    assert (gone.state, authoring.now().number) == ("retired", 1)
    assert refused(authoring.activate, 2, by=lead, version=gone.state_version, reason="yes") == (409, "state")
    gone.fields = {**gone.fields, "rows": []}
    with pytest.raises(FrozenMappingError):
        gone.save()


def test_unchanged_draft_is_not_put_in_force(writer, lead):
    one = authoring.begin(by=writer, reason="nothing yet")

    assert refused(authoring.activate, 2, by=lead, version=one.state_version, reason="yes") == (422, "rows")


@pytest.mark.parametrize("group", ["Support", "Billing Resolver", "Product Ops", "Auditor"])
def test_only_who_may_writes_or_agrees(writer, group):
    one, other = drafted(writer), person(group)

    assert refused(authoring.begin, by=other, reason="x") == (403, "permission")
    assert refused(authoring.save_row, 2, 1, said(), by=other, version=one.state_version) == (403, "permission")
    assert refused(authoring.activate, 2, by=other, version=one.state_version, reason="x") == (403, "permission")


@pytest.mark.parametrize(
    ("wrong", "field", "told"),
    [
        ({"transform": "shout"}, "transform", "transform must be one of"),
        ({"validator": "hope"}, "validator", "validator must be one of"),
        ({"owner": "salesforce"}, "owner", "owner must be one of"),
        ({"when": "often"}, "when", "when must be one of"),
        ({"when": "always"}, "when", "because netsuite owns the field itself"),
        ({"conflict": "coin"}, "conflict", "conflict must be one of"),
        ({"source": "deal.secret"}, "from", "there is no value"),
        ({"source": "\x00"}, "from", "there is no value"),
        ({"record": "netsuite.employee"}, "record", "record: must be one of"),
        ({"field": "e mail"}, "field", "letters, digits and _"),
        ({"field": "x" * 200}, "field", "at most 80"),
        ({"field": "phone"}, "to", "is filled twice"),
        ({"field": "campaign_id"}, "to", "stays where it is"),
        ({"requirement": ""}, "requirement", "1 to 80 characters"),
        ({"requirement": "a\nb"}, "requirement", "in one line"),
        ({"why": "x" * 301}, "why", "1 to 300 characters"),
    ],
)
def test_row_that_cannot_be_sent_is_refused_by_field_and_rule(writer, wrong, field, told):
    one = authoring.begin(by=writer, reason="trying")

    with pytest.raises(Refused) as no:
        authoring.save_row(2, place_of(one), said(**wrong), by=writer, version=one.state_version)

    assert (no.value.status, no.value.code) == (422, field)
    assert told in no.value.message
    assert MappingVersion.objects.get(number=2).state_version == one.state_version


def test_what_a_version_leaves_out_may_not_be_written_any_more(writer, lead):
    owners.refuse(frozen("PUT", CUSTOMER, {"email": "a@b.example"}))
    one = authoring.begin(by=writer, reason="no addresses in the books")
    one = authoring.drop_row(2, place_of(one), by=writer, version=one.state_version)
    authoring.activate(2, by=lead, version=one.state_version, reason="agreed")
    active.refresh()

    with pytest.raises(PermanentError, match=r"field email \(mapping 2\): is not on the list") as no:
        owners.refuse(frozen("PUT", CUSTOMER, {"email": "a@b.example"}))
    assert (no.value.code, no.value.never_sent) == ("field_owned", True)


def test_version_this_release_cannot_read_sends_nothing(writer):
    MappingVersion.objects.update(fields={"rows": [{"from": "deal.id"}]})

    assert "cannot be read by this release" in active.refresh().fault
    assert sent(**{"deal.id": "1"})[1][0][0] == "field mapping"
    with pytest.raises(PermanentError, match="cannot be read by this release"):
        owners.refuse(frozen("PATCH", CUSTOMER, {"custentity_mesh_action": "1"}))


def test_one_judgement_goes_by_one_version(writer, lead):
    active.refresh()
    one = drafted(writer)

    with mappings.one_version() as before:
        authoring.activate(2, by=lead, version=one.state_version, reason="agreed")
        active.refresh()
        assert mappings.artifact() is before
    assert mappings.artifact().version == 2


def test_trial_says_what_would_be_sent_otherwise_of_stored_deals(writer):
    source = {"organization.id": "7", "organization.name": "Acme", "person.primary_email": "ap@acme.example",
              "deal.currency": "eur", "deal.amount": 100}  # fmt: skip
    contract = f.ContractFactory()
    f.ExternalIdFactory(system="pipedrive", kind="deal", value="1", customer=contract.customer, contract=contract)
    blocks = {f"deal:{contract.pk}": {"source": source, "gone_fields": ["Tax ID"]}}
    f.ContextFactory(customer=contract.customer, blocks=blocks, updated_at=clock.now())

    result = rehearsal.run(active.of(drafted(writer, source="organization.name")), active.refresh())

    assert (result.payloads, result.changed) == (1, 1)
    assert [(one.to, one.was, one.becomes) for one in result.sample] == [(EMAIL, "ap@acme.example", "Acme")]
    assert rehearsal.gone_fields(rehearsal.stored()) == {"Tax ID": 1}
    assert "acme" not in str(result.counts())
