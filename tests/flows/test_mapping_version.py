"""A changed mapping in force: what is sent follows it, and every write says under which version it was made."""

from django.contrib.auth.models import User

from ledger.models import Action, LedgerRow
from sync.mappings import authoring
from tests.flows.deals import books, sign
from tests.flows.world import World


def test_writes_follow_the_version_in_force_and_say_which_it_was(crm: World) -> None:
    one = User.objects.create_superuser("one", "1@meshline.example", "x")
    two = User.objects.create_superuser("two", "2@meshline.example", "x")
    draft = authoring.begin(by=one, reason="no telephone numbers in the books")
    rows = [row["to"] for row in draft.fields["rows"]]
    place = rows.index("netsuite.customer.phone") + 1
    draft = authoring.drop_row(draft.number, place, by=one, version=draft.state_version)
    authoring.activate(draft.number, by=two, version=draft.state_version, reason="agreed")
    sign(crm)

    crm.until("deal.note", "applied")

    (customer,) = books(crm, "customer")
    assert "phone" not in customer
    assert customer["email"]
    made = Action.objects.get(kind="customer.create")
    assert made.request is not None
    assert (made.request["mapping"], made.facts["mapping"]) == (draft.number, draft.number)
    sent = LedgerRow.objects.filter(action_id=made.pk, post_state="sending").latest("id")
    assert (sent.inputs["mapping"], sent.inputs["deal"]["mapping"]) == (draft.number, draft.number)
