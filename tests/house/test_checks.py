"""What is wrong with the registries is said at the start, with what to do."""

import pytest

from gates.types import Risk
from meshline import checks
from sync import actions
from sync.actions.contract import Suspend


class Unfinished(Suspend):
    """A change of a contract that nobody could undo."""

    inverse = "contract.unsuspend"
    runbook = "nowhere"


class Renamed(Suspend):
    name = "contract.halt"


class Harmless(Suspend):
    """Even what moves nothing says that nothing undoes it, and what to do when it was wrong."""

    risk, inverse, runbook = Risk(), "", ""


class Final(Suspend):
    inverse, irreversible_because = "", "what was said is said"


class Undecided(Suspend):
    irreversible_because = "what was said is said"


def with_kind(monkeypatch, kind):
    monkeypatch.setitem(actions.ACTIONS, "contract.suspend", f"{__name__}.{kind}")
    return [(one.id, one.msg) for one in checks.kinds_complete()]


def test_the_product_as_it_is_has_no_errors():
    for check in (checks.names_resolve, checks.kinds_complete, checks.playbooks_owned, checks.simulators_apart):
        assert check() == []


def test_a_change_without_inverse_and_runbook_is_refused(monkeypatch):
    found = with_kind(monkeypatch, "Unfinished")

    assert found == [
        ("meshline.E007", "Action contract.suspend: its inverse 'contract.unsuspend' is no registered action"),
        ("meshline.E008", "Action contract.suspend: its runbook 'nowhere' is no page"),
    ]


def test_a_harmless_kind_says_it_as_well(monkeypatch):
    assert [one[0] for one in with_kind(monkeypatch, "Harmless")] == ["meshline.E007", "meshline.E008"]


def test_a_kind_that_nothing_undoes_says_why(monkeypatch):
    assert with_kind(monkeypatch, "Final") == []


def test_a_kind_says_one_of_the_two(monkeypatch):
    found = with_kind(monkeypatch, "Undecided")

    assert found == [
        ("meshline.E007", "Action contract.suspend: it declares neither an inverse nor why there is none, or both")
    ]


def test_a_kind_under_another_name_is_refused(monkeypatch):
    assert [one[0] for one in with_kind(monkeypatch, "Renamed")] == ["meshline.E006"]


def test_what_is_no_kind_is_refused(monkeypatch):
    assert [one[0] for one in with_kind(monkeypatch, "with_kind")] == ["meshline.E006"]


def test_a_kind_that_does_not_resolve_is_refused(monkeypatch):
    monkeypatch.setitem(actions.ACTIONS, "contract.halt", "sync.actions.contract.Halt")

    assert [one.id for one in checks.names_resolve()] == ["meshline.E001"]
    assert checks.kinds_complete() == []


def test_a_playbook_without_automation_is_refused(monkeypatch):
    monkeypatch.setattr(checks.presets, "AUTOMATIONS", [])

    assert {one.id for one in checks.playbooks_owned()} == {"meshline.E009"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from sync.sandbox import keys", True), ("import sync.sandbox.keys", True), ("from sync import sandbox", True),
        ("    from sync.sandbox.wire import x", True), ("from sync import drain", False), ("# sync.sandbox", False),
        ('"from sync.sandbox import keys"', False),
    ],
)  # fmt: skip
def test_what_counts_as_importing_a_simulator(line, found):
    assert bool(checks.IMPORTS_SIMULATOR.search(f"x = 1\n{line}\n")) is found


def test_every_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(checks.presets, "AUTOMATIONS", [])
    monkeypatch.setitem(actions.ACTIONS, "contract.suspend", f"{__name__}.Unfinished")

    for one in (*checks.kinds_complete(), *checks.playbooks_owned()):
        assert one.hint
        assert one.is_serious()


@pytest.mark.parametrize(
    "name",
    ["customer-suspended-wrongly", "unknown-outcome", "payment-failed-then-paid", "erp-job-rejected",
     "webhook-source-silent", "stop-and-resume", "key-rotation", "schema-drift", "refund-issued-wrongly",
     "ticket-changed-wrongly"],
)  # fmt: skip
def test_runbooks_are_there_and_are_lists_of_steps(name):
    page = checks.runbook(name).read_text("utf-8")

    assert page.startswith("<h2>")
    assert page.count("<li>") >= 5
