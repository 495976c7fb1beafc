"""After a case has gone through all of it: sealed, proved away from here, and rebuilt from the ledger alone."""

import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from gates import policy
from ledger import offline_check, sets
from ledger.models import LedgerRow
from meshline.subjects import BEGUN_ANYWHERE, SUBJECTS
from sync import rebuild
from tests.flows.test_crash import fail_long_ago
from tests.flows.world import World


@pytest.fixture
def played(world: World, settings: Any) -> World:
    """A suspension, confirmed, with its ticket."""
    settings.MESHLINE_UNDO_SECONDS = 0
    policy._held.clear()
    fail_long_ago(world)
    world.until("contract.suspend", "applied")
    world.until("ticket.tag", "applied")
    return world


def differing() -> list[rebuild.Difference]:
    return [told for one in rebuild.replay(SUBJECTS, BEGUN_ANYWHERE) for told in one.differences]


def test_a_case_is_rebuilt_sealed_and_proved_elsewhere(played: World, tmp_path: Path) -> None:
    assert differing() == []
    contract = played.contract()

    sets.run("update ledger_contract set state = 'active' where id = %(id)b", {"id": contract.pk})
    planted = differing()
    sets.run("update ledger_contract set state = 'suspended' where id = %(id)b", {"id": contract.pk})

    assert [(one.kind, one.id, one.by_table) for one in planted] == [
        ("contract", str(contract.pk), f"active, version {contract.state_version}")
    ]
    assert differing() == []
    rows = LedgerRow.objects.count()
    seals, ledger = tmp_path / "seals.json", tmp_path / "ledger.csv"
    for words in (("seal_ledger",), ("export_seals", str(seals)), ("export_ledger", str(ledger))):
        call_command(*words, stdout=StringIO())
    call_command("verify_ledger", "--against", str(seals), stdout=StringIO())
    command = [sys.executable, "-I", "-S", offline_check.__file__, str(seals), str(ledger)]
    said = subprocess.run(command, capture_output=True, text=True, env={}, check=True).stdout
    assert said == f"as sealed: {rows} rows, seals looked at: 1\n"
