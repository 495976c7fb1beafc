"""One customer over all systems: who says what, whose word counts, whether they agree, and asking for a change."""

from datetime import timedelta

from django.urls import reverse
from django.utils.html import strip_tags

from ledger.models import ContextRecord
from tests import factories as f
from tests.console import items

MOST_QUERIES = 17


def page_of(customer):
    return reverse("admin:ledger_customer_change", args=[customer.pk])


def table(client, contract):
    """Field -> (agree, what each system says) as the page shows it."""
    page = client.get(page_of(contract.customer)).context["page"]
    data = next(one for one in page.main if one.title == "Side by side").data
    rows = [row for group in data["groups"] for row in group["rows"]]
    return {
        row["name"]: (
            strip_tags(row["agree"]).strip(),
            dict(zip(data["systems"], (strip_tags(str(one)) for one in row["values"]), strict=True)),
            row["owner"],
        )
        for row in rows
    }


def test_systems_stand_side_by_side_with_the_owner_of_each_field(resolver):
    rows = table(resolver, items.customer())

    agree, said, owner = rows["Standing"]
    assert (agree, owner) == ("DIFF 2 of 3", "Stripe")
    assert (said["Meshline"], said["Stripe"], said["NetSuite"]) == ("past due", "past due", "active")
    assert rows["Plan"][0] == "yes 2 of 2"
    assert rows["Plan"][2] == "NetSuite"
    assert rows["Ends"][0] == "yes 2 of 2"


def test_a_link_that_names_another_record_than_the_one_read_is_shown_as_different(resolver):
    rows = table(resolver, items.customer())

    assert rows["ERP record"][0] == "yes 2 of 2"
    assert rows["Ticket"][0] == "DIFF 1 of 2"


def test_what_only_one_system_says_is_not_called_agreement(resolver):
    contract = items.customer()
    ContextRecord.objects.all().delete()

    rows = table(resolver, contract)

    assert rows["Plan"][0] == "one says so"
    assert rows["Standing"][0] == "one says so"
    assert rows["ERP record"][0] == "one says so"


def test_words_of_several_systems_for_the_same_standing_agree(resolver):
    contract = items.customer()
    context = ContextRecord.objects.get(customer=contract.customer)
    context.blocks[f"billing:{contract.pk}"]["subscription_status"] = "unpaid"
    context.blocks[f"entitlement:{contract.pk}"]["status"] = "past_due"
    context.save()

    assert table(resolver, contract)["Standing"][0] == "yes 3 of 3"


def test_the_page_is_drawn_in_a_fixed_number_of_queries(resolver, monkeypatch):
    contract = items.customer()
    for number in range(15):
        items.item(contract=contract, business_key=f"invoice:in_{number}", target=f"t{number}")
        f.ContractFactory(customer=contract.customer)
    resolver.get(page_of(contract.customer))

    with items.counted(monkeypatch) as seen:
        assert resolver.get(page_of(contract.customer)).status_code == 200

    assert len(seen) <= MOST_QUERIES, "\n".join(seen)


def test_personal_data_is_masked_without_the_right(support, resolver):
    contract = items.customer()

    masked, full = (client.get(page_of(contract.customer)).content.decode() for client in (support, resolver))

    assert items.EMAIL not in masked
    assert "a***@initech.example" in masked
    assert items.EMAIL in full


def test_the_contract_that_is_behind_is_the_one_in_the_snapshot(resolver):
    contract = items.customer()
    f.ContractFactory(customer=contract.customer, state="active", plan="newer")

    page = resolver.get(page_of(contract.customer)).context["page"]

    known = next(one for one in page.side if one.title == "Entitlement snapshot")
    assert "growth" in str(dict(known.data["pairs"])["Plan"])


def test_old_sources_are_amber_and_can_be_read_again(support):
    contract = items.customer(read_ago=timedelta(hours=2))

    shown = support.get(page_of(contract.customer)).content.decode()

    assert "too old" in shown
    assert reverse("admin:customer_refresh", args=[contract.customer_id]) in shown


def test_asking_is_offered_for_each_running_contract_to_who_may(support, client, shipped):
    contract = items.customer()
    over = f.ContractFactory(customer=contract.customer, state="cancelled")
    auditor = f.UserFactory(groups=["Auditor"])
    client.force_login(auditor)

    shown = support.get(page_of(contract.customer)).content.decode()

    assert reverse("admin:propose", args=[contract.pk]) in shown
    assert reverse("admin:propose", args=[over.pk]) not in shown
    assert reverse("admin:propose", args=[contract.pk]) not in client.get(page_of(contract.customer)).content.decode()


def test_a_customer_nobody_knows_anything_of_has_its_page(resolver):
    answer = resolver.get(page_of(f.CustomerFactory(name="", email="")))

    assert answer.status_code == 200
    assert "nothing to compare yet" in answer.content.decode()


def test_the_list_says_where_each_customer_stands(resolver):
    contract = items.customer()
    items.item(contract=contract)
    f.CustomerFactory(name="Nobody knows")

    shown = resolver.get(reverse("admin:ledger_customer_changelist"))
    behind = resolver.get(reverse("admin:ledger_customer_changelist") + "?contract=past_due")

    rows = {one.name: one.shown_more for one in shown.context["cl"].result_list}
    assert rows["Initech Labs"][:2] == (["past_due"], 1)
    assert rows["Initech Labs"][2] is not None
    assert rows["Nobody knows"] == ([], 0, None)
    assert [one.name for one in behind.context["cl"].result_list] == ["Initech Labs"]
