"""NetSuite's script posts and Zendesk's webhooks, read through their contracts."""

from datetime import UTC, datetime

import pytest

from sync import contracts
from sync.contracts import Drift, members
from sync.contracts.netsuite import ContractSeen, ErpCustomerSeen
from sync.contracts.zendesk import Changed, TicketSeen, fingerprint
from tests.sync.payloads import payload


def read(source, document, type_=""):
    return contracts.read(source, type_ or document["type"], "", document)


def test_a_contract_record():
    seen = read("netsuite", payload("netsuite", "contract.changed"))
    assert seen == ContractSeen(
        internal_id="501",
        external_id="mesh-con-0001",
        customer_internal_id="1847",
        customer_external_id="",
        status="suspended",
        plan="gold",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        ends_at=datetime(2026, 12, 31, tzinfo=UTC),
        subscription_id="sub_9",
        stripe_customer_id="",
        name="Growth, yearly",
        last_action_id="42",
        occurred_at=datetime(2026, 11, 21, 9, 30, 2, tzinfo=UTC),
    )


def test_a_customer_record():
    seen = read("netsuite", payload("netsuite", "customer.changed"))
    assert isinstance(seen, ErpCustomerSeen)
    assert (seen.internal_id, seen.external_id, seen.stripe_customer_id) == ("1847", "mesh-cus-0001", "cus_A1")


def test_other_records_say_nothing():
    assert read("netsuite", payload("netsuite", "item.changed")) is None
    assert contracts.contract_for("netsuite", "item.changed").kind == "unknown"


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        {"id": "eid"},
        {"id": None},
        {"id": "501", "fields": []},
        {"id": "501", "fields": {"custrecord_mesh_status": ["active"]}},
        {"id": "501", "fields": {"custrecord_mesh_started": "31/12/2026"}},
        {"id": "501", "fields": {"custrecord_mesh_started": "0001-01-01"}},
        {"id": "501", "fields": {"custrecord_mesh_ends": "9999-12-31"}},
        {"id": "501", "fields": {"custrecord_mesh_ends": 5}},
    ],
)
def test_a_wrong_record_is_drift(record):
    document = {**payload("netsuite", "contract.changed"), "record": record}
    assert isinstance(read("netsuite", document), Drift)


CHANGED = {
    "status_changed": Changed("open", "pending"),
    "comment_added": Changed(comment=fingerprint("Thanks")),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("status_changed", "ticket.changed"),
        ("comment_added", "ticket.changed"),
        ("created", "ticket.changed"),
        ("merged", "ticket.gone"),
        ("soft_deleted", "ticket.gone"),
    ],
)
def test_ticket_events(name, kind):
    document = payload("zendesk", f"ticket.{name}")
    assert contracts.contract_for("zendesk", document["type"]).kind == kind
    assert read("zendesk", document) == TicketSeen(
        id="35436",
        external_id="mesh:acme:case:7f3a",
        status="pending",
        updated_at=datetime(2026, 11, 21, 9, 30, 1, tzinfo=UTC),
        actor_id="76872",
        tags=("meshline",),
        form_id="1",
        happened=name,
        changed=CHANGED.get(name, Changed()),
    )


def test_a_trigger_is_believed_only_about_which_ticket():
    seen = read("zendesk", payload("zendesk", "trigger"), "trigger")
    assert (seen.id, seen.status, seen.tags, seen.actor_id) == ("35436", "", (), "76872")


@pytest.mark.parametrize(
    "type_", ["zen:event-type:user.created", "zen:event-type:ticket.invented", "ticket.created", ""]
)
def test_other_events_are_unknown(type_):
    assert contracts.contract_for("zendesk", type_).kind == "unknown"
    assert contracts.read("zendesk", type_, "", {}) is None


@pytest.mark.parametrize("detail", [None, "x", {}, {"id": "abc"}, {"id": "1", "tags": "x"}, {"id": "1", "status": 5}])
def test_a_wrong_ticket_is_drift(detail):
    document = {**payload("zendesk", "ticket.created"), "detail": detail}
    assert isinstance(read("zendesk", document), Drift)


def test_an_unknown_source_has_no_contracts():
    assert contracts.contract_for("nobody", "x").kind == "unknown"
    assert contracts.read("nobody", "x", "", {}) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-21T09:30:00Z", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-21T10:30:00+01:00", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("2026-11-21T09:30:01.123456789Z", datetime(2026, 11, 21, 9, 30, 1, 123456, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-02-30", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("1960-01-01", None),
        ("soon", None),
        ("2" * 50_000, None),
    ],
)
def test_iso_times(text, found):
    assert members.parse_iso(text) == found
