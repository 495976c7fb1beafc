"""H12: a person who is forgotten is in no table and no log afterwards, and no redelivery brings them back."""

import pytest
from django.db import connection

from ledger import sets, verify
from ledger.models import Customer, Event
from meshline.subjects import SUBJECTS, UNCHAINED
from sync import refresh
from sync.erasure import erasing
from sync.models import Attempt
from sync.reconcile import runs
from tests.factories import CommentFactory, ReviewItemFactory, UserFactory
from tests.flows.syncing import run
from tests.flows.world import World, acting
from tests.people.cast import refused

PEOPLE = 20
GONE = 10
TABLES = """select c.relname, a.attname, t.typname from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 join pg_type t on t.oid = a.atttypid
   where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
     and not a.attisdropped and t.typname in ('text', 'varchar', 'json', 'jsonb', 'bytea')"""


def finds(word):
    """Every column of the whole database in which a word stands, as (table, column)."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for table, column, kind in cursor.fetchall():
            text, wanted = f'lower("{column}"::text)', word.lower()
            if kind == "bytea":
                text, wanted = f"encode(\"{column}\", 'hex')", word.encode().hex()
            cursor.execute(f'select count(*) from "{table}" where position(%s in {text}) > 0', [wanted])
            if cursor.fetchone()[0]:
                found.append((table, column))
    return found


def totals():
    """The sums of money by currency, as actions and as the ledger have them."""
    asked = "select currency, coalesce(sum(amount_minor), 0)::bigint from {} group by 1 order by 1"
    places = ("ledger_action", "ledger_ledgerrow where action_id is not null")
    return [sets.run(asked.format(where)) for where in places]


def person(world, n):
    """A customer of their own name and address, known to billing and to the ERP, with a payment that failed."""
    stripe = world.play("stripe", "create_customer", name=f"Zoë Person{n}x", email=f"zoe{n}x@private.example")
    one = world.play("stripe", "create_subscription", customer=stripe["customer"], mrr=4900, history=1)
    erp = world.play("netsuite", "create_customer", name=f"Zoë Person{n}x", stripe_customer=stripe["customer"])
    world.play(
        "netsuite", "create_contract", customer=erp["id"], subscription=one["subscription"], plan="growth",
        started="2022-09-01",
    )  # fmt: skip
    world.play("stripe", "fail_payment", subscription=one["subscription"])
    return stripe["customer"]


@pytest.fixture
def lead(world: World):
    return UserFactory(groups=["Revenue Ops Lead"])


def test_ten_of_twenty_are_forgotten_and_do_not_come_back(world: World, lead, capfd) -> None:
    ids = [person(world, n) for n in range(PEOPLE)]
    world.settle(4)
    assert Customer.objects.exclude(name="").count() == PEOPLE
    gone = list(Customer.objects.order_by("name")[:GONE])
    item = ReviewItemFactory(action=None, customer=gone[0])
    CommentFactory(item=item, text=f"called {gone[0].name}, who will pay")
    first = list(Event.objects.filter(source="stripe", customer__in=gone).values_list("provider_event_id", flat=True))
    before = totals()

    for one in gone:
        assert finds(one.name)  # the search can find
        said, report = erasing.ask(one.external_id, by=lead, reason="request 17", also=[one.name.removeprefix("Zoë ")])
        assert (report.left, report.waits_for) == ({}, 0)
        said.refresh_from_db()
        assert (said.state, said.words) == ("done", [])

    logged = "".join(capfd.readouterr())
    for one in gone:
        address = Customer.objects.get(pk=one.pk)
        assert (address.name, address.email) == ("", "")
        number = one.name.removeprefix("Zoë ")
        assert finds(number) == []
        assert number not in logged
        assert finds(number.replace("Person", "zoe") + "@private") == []
    assert Customer.objects.exclude(name="").count() == PEOPLE - GONE
    assert totals() == before
    assert verify.verify(SUBJECTS, UNCHAINED).is_intact

    for customer in ids:
        world.play("stripe", "update_customer", customer=customer, phone="+358401234567")
    for event in first:
        world.play("stripe", "redeliver", event=event, times=2)
    world.settle()
    erasing.run()

    for one in gone:
        assert finds(one.name.removeprefix("Zoë ")) == []

    acting("customer_sync")  # walks over everybody at the other systems read those who are gone, too
    assert run().counts["skipped"] == GONE
    runs.to_the_end(runs.begin("subscriptions", runs.SHELL, in_background=False))
    assert refused(refresh.ask, gone[0].pk, by=lead) == (409, "erased")
    assert Attempt.objects.filter(provider="netsuite", is_write=False).exists()
    for one in gone:
        assert finds(one.name.removeprefix("Zoë ")) == []
