"""Versions of ticket kinds: who may write them, what is refused with which sentence, one pilot at a time."""

import pytest

from gates.models import TicketKind
from gates.stop import Refused
from gates.tickets import kinds
from ledger.models import LedgerRow
from tests.people.cast import person, refused

DRAFT = kinds.Draft("Copies", ["copy"], [], "Support", "Hello {company}, ticket {ticket}.")


def saved(draft=DRAFT, name="copies", version=0, **more):
    return kinds.save_version(
        name, draft, by=more.pop("by", None) or person("Product Ops"), version=version, reason="x"
    )


def wrong(**changes):
    columns = {name: getattr(DRAFT, name) for name in DRAFT.__slots__}
    with pytest.raises(Refused) as no:
        saved(kinds.Draft(**{**columns, **changes}))
    return no.value.status, no.value.code, no.value.message


def test_a_kind_is_versions_and_every_fault_names_its_field(db):
    TicketKind.objects.all().delete()
    one = saved()
    assert (one.version, [kind.name for kind in kinds.in_force()]) == (1, ["copies"])
    assert refused(kinds.save_version, "copies", DRAFT, by=person("Support"), version=1, reason="x") == (
        403,
        "permission",
    )
    assert refused(kinds.save_version, "copies", DRAFT, by=person("Product Ops"), version=0, reason="x") == (
        409,
        "stale",
    )
    assert refused(kinds.save_version, "Copies!", DRAFT, by=person("Product Ops"), version=0, reason="x") == (
        422,
        "name",
    )
    assert saved(version=1).version == 2
    rows = LedgerRow.objects.filter(subject_kind="ticket_kind").values_list("outcome", flat=True)
    assert sorted(rows) == ["changed", "changed", "refused"]

    TicketKind.objects.all().delete()
    status, field, said = wrong(reply="Hello {compny}")
    assert (status, field) == (422, "reply")
    assert "{compny} is not known; did you mean {company}" in said
    assert "Known are {company}, {ticket}" in said
    assert wrong(reply="Hello {")[1] == "reply"
    assert wrong(tags=[], forms=[])[1] == "tags"
    assert wrong(tags=["Big Tag"])[1] == "tags"
    assert wrong(forms=["x"])[1] == "forms"
    assert wrong(stage="auto")[1] == "stage"
    assert wrong(owner_group="Nobody")[1] == "owner_group"
    assert wrong(stage="pilot", reply="")[1] == "reply"
    assert TicketKind.objects.count() == 0


def test_one_kind_at_a_time_is_the_pilot_and_no_tag_is_of_two(db):
    TicketKind.objects.all().delete()
    saved(kinds.Draft("Copies", ["copy"], [], "Support", "Hello.", stage="pilot"))
    other = kinds.Draft("Seats", ["seats"], [], "Support", "Hello.", stage="pilot")
    with pytest.raises(Refused, match="copies is the pilot; there is one at a time"):
        saved(other, name="seats")
    with pytest.raises(Refused, match="copy is a sign of the kind copies already"):
        saved(kinds.Draft("Seats", ["copy"], [], "Support"), name="seats")
    saved(DRAFT, version=1)
    assert saved(other, name="seats").stage == "pilot"


@pytest.fixture(autouse=True)
def _fresh():
    kinds.forget()
    yield
    kinds.forget()
