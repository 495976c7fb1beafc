"""`smoke`: a deal and a payment of its own making, timed step by step, and the signals that follow from the rows."""

import json
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from gates import automations, policy
from gates.models import ReviewItem
from ledger.models import Action
from sync import residents, signals
from sync.smoke import fixtures, run
from sync.smoke.calls import NotReady
from sync.smoke.result import NOT_READY, Waiter
from tests.flows.world import World

# The command plays all of them; here those that differ most.
TRIED = (
    "plain", "several e-mails", "special characters", "very long name", "letters and accents apart", "Germany",
    "missing tax id", "no billing owner",
)  # fmt: skip


def working(crm: World) -> Waiter:
    """Work until something is true: these tests have no worker beside them."""

    def wait(is_true: Callable[[], bool], seconds: float) -> bool:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            crm.settle()
            if is_true():
                return True
            time.sleep(0.02)
        return is_true()

    return wait


def test_deals_of_all_kinds_and_a_failed_payment_are_followed_to_their_end(
    crm: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = [one for one in fixtures.VARIANTS if one.name in TRIED]
    monkeypatch.setattr(run, "VARIANTS", variants)

    result = run.play(run.Asked(fixtures=True, patience=120.0), working(crm))

    assert [(part.name, step) for part in result.parts for step in part.steps if step.why] == []
    assert len(result.parts) == len(variants) + 1
    wrong = sum(1 for one in variants if one.item)
    customers = crm.sandbox.books("netsuite")["objects"]["customer"].values()
    ours = [one for one in customers if one["companyName"].startswith(f"Meshline smoke {result.run}")]
    assert len(ours) == len(variants) - wrong + 1, "one for each good deal, and the payer"
    assert ReviewItem.objects.filter(why="ready_for_billing").count() == wrong
    assert Action.objects.get(kind="contract.suspend").state == "superseded"
    subscriptions = crm.sandbox.books("stripe")["objects"]["subscriptions"].values()
    assert [one["status"] for one in subscriptions] == ["canceled"]
    assert any(line.startswith("  CRM: deal") for line in result.lines())
    assert json.loads(json.dumps(result.as_json()))["run"] == result.run

    found = signals.read(7)
    assert found.customers is not None
    assert found.invoices is not None
    assert (found.customers.done, found.customers.planned) == (len(variants) - wrong, len(variants))
    assert (found.invoices.done, found.invoices.share) == (len(variants) - wrong, 1.0)
    assert found.customers.p95 is not None
    assert 0 <= found.customers.p95 < 60 * 5
    assert (found.duplicates, found.open) == (0, ReviewItem.objects.exclude(state="resolved").count())
    assert sum(day.customers.done for day in found.days) == found.customers.done
    assert sum(day.opened for day in found.days) == wrong
    said = found.metrics()
    assert all(f"# TYPE {name} " in said for name in signals.NAMES if name != "reconciliation_failure_rate")
    assert set(signals.NAMES) <= set(found.as_json())
    out = StringIO()
    call_command("smoke", "--report", "--json", stdout=out)
    assert json.loads(out.getvalue())["duplicate_customer_count"] == 0


def test_automation_that_does_not_act_is_said_and_nothing_is_written(crm: World) -> None:
    automations.step_to("onboarding", "shadow", by=User.objects.get(username="lead-onboarding"), reason="test")
    policy._held.clear()

    result = run.play(run.Asked(only="deal", patience=60.0), working(crm))

    assert result.exit_code == NOT_READY
    assert any("stage shadow" in note for note in result.notes)
    assert [step.state for step in result.steps()][:2] == ["ok", "ok"]
    assert list(crm.sandbox.books("netsuite")["objects"]["customer"]) == []


@pytest.mark.parametrize(
    ("provider", "change", "options", "sentence"),
    [
        ("netsuite", {"base_url": ""}, [], "netsuite is not configured"),
        ("pipedrive", {"base_url": "https://acme.pipedrive.com"}, ["--only", "deal"], "live mode"),
        ("netsuite", {}, ["--patience", "0"], "--patience"),
        ("netsuite", {}, ["--report", "--days", "0"], "--days"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_made(
    crm: World, settings: Any, monkeypatch: pytest.MonkeyPatch, provider: str, change: Any, options: Any, sentence: str
) -> None:
    monkeypatch.setattr(residents, "live", lambda: 1)
    known = settings.MESHLINE_PROVIDERS
    settings.MESHLINE_PROVIDERS = {**known, provider: {**known[provider], **change}}

    with pytest.raises(CommandError, match=sentence) as raised:
        call_command("smoke", *options)

    assert raised.value.returncode == 2
    assert crm.writes("pipedrive") == []


def test_stripe_in_live_mode_is_skipped_aloud(crm: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.smoke.modes.live", lambda names: ["stripe"] if names == ("stripe",) else [])

    result = run.play(run.Asked(only="payment"), working(crm))

    assert result.exit_code == NOT_READY
    assert any(note.startswith("SKIPPED") for note in result.notes)
    assert crm.writes("stripe") == []
    monkeypatch.setattr("sync.smoke.modes.live", lambda names: ["netsuite"])
    with pytest.raises(NotReady):
        run.check(run.Asked(), ["deal"])
