"""Replaying the ledger gives the present state of everything, and names what stands elsewhere."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from gates.models import Automation, GateVersion, StopSwitch
from ledger import book, sets
from ledger.models import Action, Contract, Customer
from meshline.subjects import BEGUN_ANYWHERE, NOT_REPLAYED, SUBJECTS, UNCHAINED
from sync import rebuild
from tests.factories import CustomerFactory
from tests.ledger.test_verify import story

pytestmark = pytest.mark.django_db


def replayed():
    return {one.kind: one for one in rebuild.replay(SUBJECTS, BEGUN_ANYWHERE)}


def differing():
    return [told for one in replayed().values() for told in one.differences]


def test_every_published_subject_is_replayed_or_named():
    assert set(replayed()) | set(NOT_REPLAYED) == set(SUBJECTS) | set(UNCHAINED)
    assert NOT_REPLAYED == ("event", "item")


def test_what_the_product_did_is_rebuilt():
    story()
    CustomerFactory()

    found = replayed()

    assert [one.differing for one in found.values()] == [0] * len(found)
    told = {kind: (one.subjects, one.rows) for kind, one in found.items() if one.subjects}
    assert told == {"action": (2, 6), "contract": (1, 3), "stop": (1, 1), "rollout": (1, 1)}


def planted():
    """One difference after the other: what was done, kind, by the ledger, by the table."""
    one, two = Action.objects.order_by("created_at").values_list("pk", flat=True)
    contract = Contract.objects.get().pk
    idle = CustomerFactory().pk
    switch = StopSwitch.objects.get(scope="all")
    Automation.objects.get(name="dunning")
    missing = {"subject_kind": "customer", "subject_id": "987", "prior_state": "pending", "post_state": "ready",
               "decision": "qualify", "state_version": 1}  # fmt: skip
    sql = "update {} set {} where id = '{}'"
    return [
        (sql.format("ledger_action", "state = 'unknown'", one), "action", "applied, version 4", "unknown, version 4"),
        (sql.format("ledger_action", "state_version = 9", two), "action", "superseded, version 2",
         "superseded, version 9"),
        (sql.format("ledger_contract", "state = 'active'", contract), "contract", "suspended, version 3",
         "active, version 3"),
        (sql.format("ledger_customer", "state = 'synced'", idle), "customer", None, "synced, version 0"),
        (sql.format("gates_stopswitch", "state = 'running'", switch.pk), "stop", "stopped, version 1",
         "running, version 1"),
        ("update gates_automation set state = 'full' where name = 'dunning'", "rollout", "suggest, version 1",
         "full, version 1"),
        (missing, "customer", "ready, version 1", None),
    ]  # fmt: skip


def test_each_planted_difference_is_the_only_one_found():
    story()
    missed = []
    for change, *said in planted():
        sets.run("savepoint before")
        book.write_rows([change]) if isinstance(change, dict) else sets.run(change)
        found = [[one.kind, one.by_ledger, one.by_table] for one in differing()]
        sets.run("rollback to savepoint before")
        if found != [said]:
            missed.append((change, found))

    assert missed == []
    assert differing() == []


def test_a_gate_is_replayed_where_rows_tell_of_it():
    gate = GateVersion.objects.order_by("id").first()
    assert replayed()["gate"].subjects == 0
    row = {"subject_kind": "gate", "subject_id": gate.subject, "decision": "retire", "prior_state": "live",
           "post_state": "live", "state_version": gate.state_version + 1}  # fmt: skip

    book.write_rows([row])

    assert [(one.kind, one.id) for one in differing()] == [("gate", gate.subject)]


def test_the_command_lists_what_differs_and_rebuilds_nothing():
    story()
    Customer.objects.get()
    texts = [StringIO(), StringIO(), StringIO()]
    call_command("rebuild_state", "--check", stdout=texts[0])
    sets.run("update ledger_contract set state = 'active'")

    for place, words in ((1, ()), (2, ("--json",))):
        with pytest.raises(SystemExit) as trouble:
            call_command("rebuild_state", "--check", *words, stdout=texts[place])
        assert trouble.value.code == 1
    with pytest.raises(CommandError, match="nothing is rebuilt automatically") as wrong:
        call_command("rebuild_state")

    assert wrong.value.returncode == 2
    assert texts[0].getvalue() == "5 subjects rebuilt from 11 rows, 0 differ\n"
    contract = Contract.objects.get()
    assert texts[1].getvalue().startswith(f"contract {contract.pk}: by the ledger suspended, version 3 (row ")
    said = json.loads(texts[2].getvalue())
    assert (said["differing"], said["rebuilt"], said["not_replayed"]) == (1, 5, ["event", "item"])
    assert said["differences"][0]["by_table"] == "active, version 3"
    assert contract.state == "active"
