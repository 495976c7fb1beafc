"""What the adapter reads and freezes, against the simulator; and that it keeps to the published contract."""

from datetime import UTC, datetime, timedelta

import pytest

from sync import client
from sync.errors import AuthError, PermanentError
from sync.providers import pipedrive
from sync.sandbox import keys
from sync.wiretypes import FrozenRequest
from tests.sync import pipedrive_contract
from tests.sync.crm import ACTION, LONG_AGO, crm, exchanged

__all__ = ["crm"]  # a fixture


# --- reads


def test_a_deal_with_its_fields_by_name(crm):
    found = crm.read(crm.deal(value=4900.5, fields={"Billing status": "Blocked"}))

    assert (found.amount_minor, found.currency, found.status) == (490050, "eur", "open")
    assert (found.package_code, found.subsidiary, found.payment_terms) == ("PKG-GROWTH", "Parent Company", "Net 30")
    assert (found.billing_status, found.csm_id, found.billing_owner_id) == ("Blocked", "12415240", "12415241")
    assert (found.external_id, found.missing_fields) == ("", ())


def test_organization_person_stages_and_ourselves(crm):
    made = crm.play(
        "create_deal", org={"name": "Núñez & Søn", "tax_id": None}, person={"emails": ["a@x.test", "b@x.test"]}
    )

    org = crm.adapter.organization(str(made["organization"]))
    person = crm.adapter.person(str(made["person"]))
    stages = crm.adapter.stages("5")

    assert (org.name, org.tax_id, org.country, org.street) == ("Núñez & Søn", "", "Finland", "Mannerheimintie 1")
    assert (person.primary_email, person.emails) == ("a@x.test", ("a@x.test", "b@x.test"))
    assert [stage.name for stage in stages if stage.id == "428"] == ["Contract Signed"]
    assert crm.adapter.me().company_id == str(keys.PIPEDRIVE_COMPANY_ID)


def test_what_is_not_there_is_none(crm):
    assert (crm.read("99"), crm.adapter.person("99"), crm.adapter.organization("99")) == (None, None, None)
    with pytest.raises(PermanentError) as refused:
        crm.read("4711/../1")
    assert refused.value.never_sent


def test_a_deleted_and_an_archived_deal_can_still_be_read(crm):
    deleted, archived = crm.deal(), crm.deal()
    crm.play("delete_deal", deal=deleted)
    crm.play("archive_deal", deal=archived)

    assert crm.read(deleted).is_deleted
    assert crm.read(archived).is_archived


def test_field_codes_are_looked_up_once_and_again_when_one_is_gone(crm, monkeypatch):
    deal = crm.deal()
    for _ in range(3):
        crm.read(deal)
    lists = [one for one in crm.exchanges if "dealFields" in one.path]
    crm.play("remove_field", name="Payment terms")
    monkeypatch.setattr(pipedrive, "FIELDS_AGAIN_SECONDS", 0.0)

    gone = crm.read(deal)
    crm.play("add_field", name="payment TERMS")
    back = crm.read(deal)

    assert len(lists) == 1
    assert gone.missing_fields == ("Payment terms",)
    assert (back.missing_fields, back.payment_terms) == ((), "")


def test_a_field_that_stays_away_does_not_cost_a_list_at_each_read(crm):
    deal = crm.deal()
    crm.play("remove_field", name="CSM")
    for _ in range(5):
        assert crm.read(deal).missing_fields == ("CSM",)
    assert sum("dealFields" in one.path for one in crm.exchanges) == 1


def test_changed_deals_come_in_pages_with_the_hidden_ones_in_lists_of_their_own(crm, monkeypatch):
    monkeypatch.setattr(pipedrive, "PAGE", 2)
    deals = [crm.deal() for _ in range(5)]
    crm.play("archive_deal", deal=deals[0])
    crm.play("delete_deal", deal=deals[1])

    def every(among):
        found, cursor = [], ""
        while True:
            page, cursor = crm.adapter.deals_changed(LONG_AGO, among=among, cursor=cursor, exchanges=crm.exchanges)
            found += page
            if not cursor:
                return [one.id for one in found]

    assert (every(""), every("archived"), every("deleted")) == (deals[2:], deals[:1], deals[1:2])
    assert crm.adapter.deals_changed(datetime.now(UTC) + timedelta(hours=1))[0] == ()


# --- writes


def test_a_change_says_only_what_is_ours_and_keeps_the_other_labels(crm):
    deal = crm.deal()
    hot, blocked = (crm.adapter.label_id(name) for name in ("Hot", "billing blocked"))
    crm.play("edit_deal", deal=deal, label_ids=[hot])

    crm.change(deal, {"external_id": "mesh-cus-1", "billing_status": "Blocked"}, add_labels=[blocked])
    flagged = crm.read(deal)
    crm.change(deal, {"billing_status": ""}, remove_labels=[blocked])
    cleared = crm.read(deal)

    assert (flagged.external_id, flagged.billing_status, flagged.label_ids) == ("mesh-cus-1", "Blocked", (hot, blocked))
    assert (cleared.external_id, cleared.billing_status, cleared.label_ids) == ("mesh-cus-1", "", (hot,))
    assert flagged.package_code == "PKG-GROWTH"
    assert crm.sandbox.get("/_books/pipedrive/effects-by-action") == {ACTION: 2}


@pytest.mark.parametrize(
    ("values", "code"),
    [({"billing_status": "Nonsense"}, "no_option"), ({"nothing": "x"}, "no_field"), ({}, "no_change")],
)
def test_what_cannot_be_said_is_refused_before_it_leaves(crm, values, code):
    with pytest.raises(PermanentError) as refused:
        crm.change(crm.deal(), values)
    assert (refused.value.code, refused.value.never_sent) == (code, True)
    assert crm.books()["writes"] == []


def test_a_note_carries_its_marker_and_is_found_by_it(crm):
    deal = crm.deal()
    mark = pipedrive.marker(ACTION)
    request = crm.adapter.add_note(deal, "Tax id <b>missing</b> & more\nCase 7", mark, action_id=ACTION, is_pinned=True)

    note = pipedrive.note_from(crm.perform(request))
    found = pipedrive.marked(crm.adapter.notes(deal, crm.exchanges), mark)
    changed = crm.perform(crm.adapter.change_note(note.id, "Solved", mark, action_id=ACTION))

    assert note.content == f"<p>Tax id &lt;b&gt;missing&lt;/b&gt; &amp; more</p><p>Case 7</p><p>{mark}</p>"
    assert found == note
    assert pipedrive.note_from(changed).content == f"<p>Solved</p><p>{mark}</p>"
    assert len(crm.adapter.notes(deal)) == 1


def test_notes_are_read_to_the_last_page(crm, monkeypatch):
    monkeypatch.setattr(pipedrive, "NOTES_PAGE", 2)
    deal = crm.deal()
    for number in range(5):
        crm.perform(crm.adapter.add_note(deal, f"note {number}", f"[meshline:{number}]", action_id=str(number)))

    found = crm.adapter.notes(deal, crm.exchanges)

    assert [one.content[3:9] for one in found] == [f"note {number}" for number in (4, 3, 2, 1, 0)]


def test_an_archived_deal_takes_no_change(crm):
    deal = crm.deal()
    crm.play("archive_deal", deal=deal)

    with pytest.raises(PermanentError) as refused:
        crm.change(deal, {"external_id": "x"})

    assert not isinstance(refused.value, AuthError)
    assert refused.value.code == "archived_deal"


# --- the published contract


def tour(crm):
    """Every kind of call once, refusals included."""
    made = crm.play("create_deal")
    deal = str(made["deal"])
    crm.adapter.person(str(made["person"]), crm.exchanges)
    crm.adapter.organization(str(made["organization"]), crm.exchanges)
    crm.adapter.stages("5", crm.exchanges)
    crm.adapter.stages(exchanges=crm.exchanges)
    crm.adapter.me(crm.exchanges)
    crm.adapter.all_fields("person", crm.exchanges)
    label = crm.adapter.label_id("Billing blocked", crm.exchanges)
    values = {"external_id": "mesh-1", "billing_status": "Billed", "csm": "12415240", "first_value_date": "2026-12-01"}
    crm.change(deal, values, add_labels=[label])
    note = pipedrive.note_from(
        crm.perform(crm.adapter.add_note(deal, "x", "[meshline:1]", action_id="1", is_pinned=True))
    )
    crm.perform(crm.adapter.change_note(note.id, "y", "[meshline:1]", action_id="1"))
    crm.adapter.notes(deal, crm.exchanges)
    for among in ("", "archived", "deleted"):
        crm.adapter.deals_changed(LONG_AGO, among=among, exchanges=crm.exchanges)
    crm.read("99")


def test_every_request_and_answer_keeps_to_the_published_contract(crm, monkeypatch):
    monkeypatch.setattr(pipedrive, "PAGE", 2)
    [crm.deal() for _ in range(3)]
    tour(crm)

    wrong = [one for exchange in crm.exchanges for one in pipedrive_contract.violations(exchange)]

    assert wrong == []
    assert len(crm.exchanges) > 15
    assert {one.method for one in crm.exchanges} == {"GET", "PATCH", "POST", "PUT"}


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("GET", "/api/v2/deal/4711", "", "no operation"),
        ("GET", "/api/v1/deals/4711", "", "no operation"),
        ("GET", "/api/v2/deals?updated_after=1", "", "no parameter updated_after"),
        ("GET", "/api/v2/deals?sort_by=name", "", "parameter sort_by"),
        ("PATCH", "/api/v2/deals/4711", '{"stage": 5}', "has stage"),
        ("PATCH", "/api/v2/deals/4711", '{"stage_id": "5"}', "is str, not number"),
        ("PATCH", "/api/v2/deals/4711", '{"label_ids": ["5"]}', "label_ids[] is str"),
        ("POST", "/api/v1/notes", '{"deal_id": 1}', "lacks content"),
        ("POST", "/api/v1/notes", '{"content": "x", "pinned_to_deal_flag": true}', "not one of"),
    ],
)
def test_the_check_itself_can_fail(method, path, body, says):
    exchange = exchanged(method, path, 500, body)
    assert any(says in one for one in pipedrive_contract.violations(exchange))


def test_requests_leave_by_the_one_client(crm, monkeypatch):
    sent = []
    real = client.send
    monkeypatch.setattr(client, "send", lambda request, **how: sent.append(request) or real(request, **how))

    tour(crm)

    assert len(sent) == len(crm.exchanges)
    assert all(isinstance(one, FrozenRequest) for one in sent)
