"""Gates that people edit: every field, every operator, and what is refused."""

import pytest

from gates import presets
from gates.rules import typed
from gates.types import FOLLOWS, Risk
from ledger.money import Money
from tests.gates.shapes import Verdict, make_facts, make_gate, make_proposal, row

VALUES = {int: 5, bool: True, str: "growth", Money: {"usd": 5}}


# What a proposal and its facts may not know: it asks a person.
UNKNOWN = ("confidence", "tenure_months", "amount_minor", "amount", "amount_30d", "prior_disputes")


@pytest.mark.parametrize(
    ("op", "value", "limit", "fires"),
    [
        ("is", 5, 5, True), ("is", 5, 6, False),
        ("is_not", 5, 6, True), ("is_not", 5, 5, False),
        ("over", 5, 4, True), ("over", 5, 5, False), ("over", 4, 5, False),
        ("at_least", 5, 5, True), ("at_least", 4, 5, False),
        ("under", 4, 5, True), ("under", 5, 5, False),
    ],
)  # fmt: skip
def test_operators_on_numbers(op, value, limit, fires):
    found = typed.evaluate(make_gate(row("open_disputes", op, limit)), make_proposal(), make_facts(open_disputes=value))

    assert found.verdict is (Verdict.REVIEW if fires else Verdict.PASS)


@pytest.mark.parametrize(
    ("op", "limit", "fires"),
    [
        ("is", "growth", True), ("is", "starter", False), ("is_not", "starter", True), ("is_not", "growth", False),
        ("one_of", ["starter", "growth"], True), ("one_of", ["starter"], False), ("one_of", [], False),
    ],
)  # fmt: skip
def test_operators_on_texts(op, limit, fires):
    found = typed.evaluate(make_gate(row("tier", op, limit)), make_proposal(), make_facts(tier="growth"))

    assert found.verdict is (Verdict.REVIEW if fires else Verdict.PASS)


@pytest.mark.parametrize(
    ("field", "proposal", "facts", "value"),
    [
        ("open_disputes", {}, {"open_disputes": 2}, 2),
        ("fraud_flag", {}, {"fraud_flag": True}, True),
        ("tenure_months", {}, {"tenure_months": 30}, 30),
        ("amount_minor", {"amount_minor": 900}, {}, 900),
        ("amount", {"amount_minor": 900, "currency": "usd"}, {}, {"usd": 899}),
        ("amount_30d", {"currency": "usd"}, {"amount_30d_minor": 900}, {"usd": 899}),
        ("currency", {"currency": "jpy"}, {}, "jpy"),
        ("tier", {}, {"tier": "enterprise"}, "enterprise"),
        ("contract_state", {}, {"contract_state": "past_due"}, "past_due"),
        ("erp_status", {}, {"erp_status": "active"}, "active"),
        ("irreversible", {"risk": Risk(irreversible=True)}, {}, True),
        ("money", {"risk": Risk(money=True)}, {}, True),
        ("contract", {"risk": Risk(contract=True)}, {}, True),
        ("customer_visible", {"risk": Risk(customer_visible=True)}, {}, True),
        ("reverses", {"risk": Risk(reverses=True)}, {}, True),
        ("has_owner", {}, {"has_owner": False}, False),
        ("confidence", {"confidence": 0.799}, {}, 79),
        ("confidence", {}, {"confidence": 1.0}, 100),
        ("says_confidence", {}, {"confidence": 0.5}, True),
        ("automation", {}, {"automation": "dunning"}, "dunning"),
        ("assistant", {}, {"assistant": True}, True),
        ("kind", {"kind": "contract.restore"}, {}, "contract.restore"),
        ("agreed", {"params": {FOLLOWS: "an action"}}, {}, True),
        ("prior_disputes", {"params": {"prior_disputes": 1}}, {}, 1),
    ],
)
def test_every_field_is_read_from_where_it_stands(field, proposal, facts, value):
    gate = make_gate(row(field, "over" if isinstance(value, dict) else "is", value))

    assert typed.evaluate(gate, make_proposal(**proposal), make_facts(**facts)).verdict is Verdict.REVIEW
    assert typed.evaluate(gate, make_proposal(risk=Risk()), make_facts()).verdict is (
        Verdict.REVIEW if field in UNKNOWN else Verdict.PASS
    ), "what nobody knows asks a person"


def test_the_table_above_has_every_field():
    marks = test_every_field_is_read_from_where_it_stands.pytestmark
    tested = {case[0] for mark in marks for case in mark.args[1]}

    assert tested == set(typed.FIELDS)


def test_all_rows_must_hold():
    gate = make_gate(row("open_disputes", "over", 0), row("tier", "is", "enterprise"), result=Verdict.BLOCK)

    both = typed.evaluate(gate, make_proposal(), make_facts(open_disputes=1, tier="enterprise"))
    one = typed.evaluate(gate, make_proposal(), make_facts(open_disputes=1, tier="starter"))

    assert (both.verdict, both.reason, one.verdict) == (Verdict.BLOCK, "gate says so", Verdict.PASS)


def test_a_gate_looks_only_at_its_kinds():
    gate = make_gate(applies_to=["contract.restore"], version=4)

    assert typed.evaluate(gate, make_proposal("contract.restore"), make_facts()).verdict is Verdict.REVIEW
    passed = typed.evaluate(gate, make_proposal("contract.suspend"), make_facts())
    assert (passed.verdict, passed.version) == (Verdict.PASS, 4)


@pytest.mark.parametrize("field", typed.FIELDS)
@pytest.mark.parametrize("op", typed.OPERATORS)
def test_rows_are_taken_exactly_where_operator_and_type_fit(field, op):
    kind = typed.FIELDS[field][0]
    good = row(field, op, ["a"] if op == "one_of" else VALUES[kind])

    if kind in typed.OPERATORS[op][0]:
        typed.check_row(good)
    else:
        with pytest.raises(typed.BadRow, match=r"^op: "):
            typed.check_row(good)


@pytest.mark.parametrize(
    ("case", "bad", "said"),
    [
        ("unknown field", row("shoe_size", "is", 1), "field: 'shoe_size' is not known"),
        ("no field", {"op": "is", "value": 1}, "field: None is not known"),
        ("unknown operator", row("tier", "matches", "x"), "op: 'matches' does not fit tier"),
        ("text for a number", row("open_disputes", "over", "0"), "value: open_disputes needs a value of type int"),
        (
            "truth for a number",
            row("open_disputes", "over", value=True),
            "value: open_disputes needs a value of type int",
        ),
        ("fraction for a number", row("amount_minor", "over", 1.5), "value: amount_minor needs a value of type int"),
        ("number for a truth", row("fraud_flag", "is", 1), "value: fraud_flag needs a value of type bool"),
        ("nothing", row("tier", "is", None), "value: tier needs a value of type str"),
        ("text for a list", row("tier", "one_of", "growth"), "value: tier one_of needs a list of texts"),
        ("one limit for all", row("amount_30d", "over", 5), "value: amount_30d needs a limit for each currency"),
        ("no limit", row("amount_30d", "over", {}), "value: amount_30d needs a limit for each currency"),
        ("no currency", row("amount", "over", {"xyz": 5}), "value: amount: 'xyz' is not a known currency"),
        ("upper case", row("amount", "over", {"USD": 5}), "value: amount: 'USD' is not a known currency"),
        ("below 0", row("amount", "over", {"usd": -1}), "value: amount: the limit for usd must be minor units"),
        ("beyond 64 bits", row("amount", "over", {"usd": 2**63}), "value: amount: the limit for usd must be"),
        ("fraction", row("amount", "over", {"usd": 0.5}), "value: amount: the limit for usd must be minor units"),
        ("truth", row("amount", "over", {"usd": True}), "value: amount: the limit for usd must be minor units"),
        ("numbers in a list", row("tier", "one_of", [1]), "value: tier one_of needs a list of texts"),
    ],
)
def test_wrong_rows_are_refused_with_what_is_wrong(case, bad, said):
    with pytest.raises(typed.BadRow) as refused:
        typed.check_row(bad)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("gate", presets.GATES, ids=lambda gate: gate["name"])
def test_shipped_gates_are_good(gate):
    for one in gate["rows"]:
        typed.check_row(one)
    assert Verdict(gate["result"]) is not Verdict.PASS
