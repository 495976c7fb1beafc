"""The check of the ledger finds what was changed, removed, added or cut off, and says where it begins."""

import json
from io import StringIO

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from gates import automations, stop
from ledger import book, verify
from ledger.book import Move
from ledger.models import Action, LedgerRow
from meshline.subjects import SUBJECTS, UNCHAINED
from tests.factories import ContractFactory, CustomerFactory, EventFactory
from tests.ledger.test_book import proposed


def story():
    """Two actions, a contract, a stop and a rollout, moved as the product moves them; returns the actions' ids."""
    customer = CustomerFactory()
    contract = ContractFactory(customer=customer, state="draft")
    states = ["draft", "active", "past_due", "suspended"]
    for version, verb in enumerate(["activate", "fall_behind", "suspend"]):
        book.move([Move("contract", contract.pk, verb, states[version], states[version + 1], version)])
    made = []
    for target in ("one", "two"):
        event = EventFactory()
        made += book.propose([proposed(customer, event, target=target, business_key=target)])
    one, two = (Action.objects.get(pk=key) for key in made)
    sending = Move("action", one.pk, "send", "approved", "sending", 2)
    book.move([book.step(one, "approve", "approved", "system"), sending])
    book.move([Move("action", one.pk, "confirm", "sending", "applied", 3)])
    book.move([book.step(two, "supersede", "superseded", "system")])
    admin = User.objects.create_superuser("lead", "lead@meshline.example", "x")
    stop.engage("all", by=admin, reason="drill")
    automations.place("dunning", "suggest", why="test")
    with pytest.raises(stop.Refused):
        stop.engage("all", by=User.objects.create(username="nobody"), reason="drill")
    return made


def run(**given):
    return verify.verify(SUBJECTS, UNCHAINED, **given)


@pytest.mark.django_db
def test_an_untouched_ledger_is_intact():
    story()

    report = run()

    assert report == verify.Report(LedgerRow.objects.count(), (), None)
    assert report.is_intact


@pytest.mark.django_db
def test_an_empty_ledger_is_intact():
    assert run() == verify.Report(0, (), None)


@pytest.mark.django_db
@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_pages_of_any_size_see_the_same(page, monkeypatch):
    monkeypatch.setattr(verify, "PAGE", page)
    story()
    sizes = []

    report = run(progress=sizes.append)

    assert report.is_intact
    assert sizes[-1] == LedgerRow.objects.count()
    assert max(b - a for a, b in zip([0, *sizes], sizes, strict=False)) <= page


@pytest.mark.django_db
def test_a_range_looks_at_its_rows_and_what_stood_before_them():
    story()
    first, *_, last = LedgerRow.objects.order_by("id").values_list("pk", flat=True)

    assert run(first=first + 3, last=last - 1).rows == LedgerRow.objects.count() - 4
    assert run(first=first + 3).is_intact


TAMPER = [
    (
        "a step changed",
        "update ledger_ledgerrow set post_state = 'past_due' where decision = 'activate'",
        "contract has no step draft -> past_due",
        "activate",
    ),
    (
        "a row taken out of the middle",
        "delete from ledger_ledgerrow where decision = 'send'",
        "it begins in sending, but row",
        "confirm",
    ),
    (
        "a pair taken out, so that the states still meet",
        "delete from ledger_ledgerrow where decision in ('hold', 'approve')",
        "action {one} begins with approved, version 3",
        "send",
    ),
    (
        "a row put in",
        """insert into ledger_ledgerrow (subject_kind, subject_id, action_id, decision, actor, prior_state, post_state,
           state_version, recorded_at, reasons, inputs, rule_version, mode, key, confirmation_id, outcome, error_code,
           currency)
           values ('action', '{one}', '{one}', 'compensate', 'x', 'applied', 'compensated', 9, now(), '[]', '{{}}', '',
           'live', '', '', '', '', '')""",
        "version 9 follows version 4 of row",
        "compensate",
    ),
    (
        "a version changed",
        "update ledger_ledgerrow set state_version = 7 where decision = 'suspend'",
        "version 7 follows version 2 of row",
        "suspend",
    ),
    (
        "the end cut off",
        "delete from ledger_ledgerrow where decision = 'confirm'",
        "action {one} is applied, version 4, but its last row says sending, version 3",
        "send",
    ),
    (
        "all of an action cut off",
        "delete from ledger_ledgerrow where action_id = '{two}'",
        "action {two} is superseded, version 2, but no row says so",
        None,
    ),
    (
        "the stop's row changed",
        "delete from ledger_ledgerrow where subject_kind = 'stop' and outcome <> 'refused'",
        "stop all is stopped, version 1, but no row says so",
        None,
    ),
    (
        "a remark that moves",
        "update ledger_ledgerrow set state_version = 0 where decision = 'to_suggest'",
        "a remark moves its subject",
        "to_suggest",
    ),
]


@pytest.mark.django_db(transaction=True)
def test_what_a_superuser_did_is_found(owner_connection):
    """Each change alone, thrown away after it was found: the check runs in the owner's own transaction."""
    one, two = story()
    missed = []
    for case, statement, said, decision in TAMPER:
        report = tampered(owner_connection, statement.format(one=one, two=two))
        row = report.broken.row if report.broken else None
        named = LedgerRow.objects.filter(pk=row).values_list("decision", flat=True).first() if row else None
        fits = report.broken is not None and report.broken.problem.startswith(said.format(one=one, two=two))
        if not fits or (decision != "compensate" and named != decision):
            missed.append((case, report.broken, named))

    assert missed == []
    assert run().is_intact


def tampered(session, statement):
    """The report on a ledger that was changed with its triggers lifted, all of it undone."""
    swap = pytest.MonkeyPatch()
    session.autocommit = False
    try:
        session.execute("alter table ledger_ledgerrow disable trigger user")
        session.execute(statement)
        session.execute("alter table ledger_ledgerrow enable trigger user")
        swap.setattr(verify.sets, "run", lambda sql, params=None: run_on(session, sql, params))
        return run()
    finally:
        swap.undo()
        session.rollback()
        session.autocommit = True


def run_on(session, sql, params):
    with psycopg.Cursor(session) as cursor:
        cursor.execute(sql.encode(), params, binary=True)
        return cursor.fetchall() if cursor.description else []


ROWS = "ledger_ledgerrow"
FAULTS = [
    (f"alter table {ROWS} disable trigger row_append_only", f"trigger row_append_only on {ROWS} is disabled"),
    (f"alter table {ROWS} enable replica trigger row_edges", f"trigger row_edges on {ROWS} is disabled"),
    ("drop trigger seal_no_truncate on ledger_ledgerseal", "trigger seal_no_truncate on ledger_ledgerseal is missing"),
    (
        f"""drop trigger row_append_only on {ROWS}; create trigger row_append_only before update on {ROWS}
            for each row execute function meshline_refuse_change()""",
        f"trigger row_append_only on {ROWS} is missing or is another one",
    ),
    ("grant update on ledger_ledgerrow to meshline_app", "role meshline_app holds UPDATE on ledger_ledgerrow"),
    ("grant update (actor) on ledger_ledgerrow to meshline_app", "role meshline_app holds UPDATE on ledger_ledgerrow"),
    ("grant delete on ledger_ledgerseal to public", "role meshline_app holds DELETE on ledger_ledgerseal"),
    ("grant truncate on ledger_ledgerrow to meshline_app", "role meshline_app holds TRUNCATE on ledger_ledgerrow"),
    ("grant insert on ledger_edge to meshline_app", "role meshline_app holds INSERT on ledger_edge"),
    ("insert into ledger_edge values ('action', 'held', 'sending')", "ledger_edge differs from the state graph of act"),
    ("delete from ledger_edge where subject_kind = 'stop'", "ledger_edge differs from the state graph of stop"),
    ("insert into ledger_edge values ('ghost', 'a', 'b')", "ledger_edge knows steps of 'ghost', which no record has"),
]


@pytest.mark.django_db(transaction=True)
def test_a_guard_that_was_lifted_is_named(owner_connection):
    """Looked at as the app role, within the owner's transaction."""
    missed = []
    owner_connection.autocommit = False
    for statement, said in FAULTS:
        swap = pytest.MonkeyPatch()
        try:
            owner_connection.execute(statement)
            swap.setattr(verify.sets, "run", lambda sql, params=None: as_app(owner_connection, sql, params))
            faults = run().guard
        finally:
            swap.undo()
            owner_connection.rollback()
        if not any(one.startswith(said) for one in faults):
            missed.append((statement, faults))

    assert missed == []


@pytest.mark.django_db(transaction=True)
def test_working_as_the_owner_is_named(owner_connection, monkeypatch):
    monkeypatch.setattr(verify.sets, "run", lambda sql, params=None: run_on(owner_connection, sql, params))

    faults = run().guard

    assert "role meshline_owner owns ledger_ledgerrow" in faults
    assert "role meshline_owner holds TRUNCATE on ledger_ledgerseal" in faults


def as_app(session, sql, params):
    """Ask with the app's name in place of the session's: the catalogue knows what that role may do."""
    return run_on(session, sql.replace("current_user", "'meshline_app'::name"), params)


@pytest.mark.django_db
class TestCommand:
    def call(self, *given):
        out = StringIO()
        call_command("verify_ledger", *given, stdout=out)
        return out.getvalue()

    def test_says_intact(self):
        story()

        assert self.call() == f"intact, {LedgerRow.objects.count()} rows\n"
        assert json.loads(self.call("--json")) == {
            "intact": True, "rows": LedgerRow.objects.count(), "guard": [], "broken": None, "seals": 0, "sealed": 0,
        }  # fmt: skip

    def test_exits_1_and_names_the_first_broken_row(self, monkeypatch):
        broken = verify.Report(9, ("trigger x is disabled",), verify.Finding("it begins in held", 7))
        monkeypatch.setattr(verify, "verify", lambda *args, **kwargs: broken)

        with pytest.raises(CommandError) as trouble:
            self.call()

        assert trouble.value.returncode == 1

    @pytest.mark.parametrize("given", [("--from", "0"), ("--from", "5", "--to", "4")])
    def test_a_range_that_is_none_is_wrong_use(self, given):
        with pytest.raises(CommandError) as wrong:
            self.call(*given)

        assert wrong.value.returncode == 2
