"""The sum of a suggested refund, and what each standing of a dispute calls for."""

import itertools
from datetime import timedelta
from fractions import Fraction

import pytest

from gates import presets, presets_disputes
from gates.decide import decide
from gates.playbooks import disputes, withdraw_reason
from gates.playbooks.disputes import CHARGEBACK, INQUIRY, WARNING, Case, Paid, Payer, Terms, plan, standing_of, suggest
from gates.rules import typed
from gates.types import Facts, Gate, Payment, Policy, Verdict
from ledger import money
from tests.gates.shapes import NOW

DAY = timedelta(days=1)
OURS = ("low-confidence", *(one["name"] for one in presets_disputes.GATES))


def case(status: str = "warning_needs_response", amount: int = 3000, currency: str = "usd", **more) -> Case:
    kind, standing = standing_of(status)
    given = {"opened_at": NOW, "due_at": NOW + 7 * DAY, **more}
    return Case("dp_1", kind, standing, status, "ch_1", amount, currency, **given)


def paid(amount: int = 3000, refunded: int = 0, currency: str = "usd", used: int = 10, whole: int = 30, **more) -> Paid:
    return Paid(amount, refunded, currency, starts_at=NOW - used * DAY, ends_at=NOW + (whole - used) * DAY, **more)


def fit_gates() -> tuple[Gate, ...]:
    return tuple(
        Gate(one["name"], 1, tuple(one["rows"]), Verdict(one["result"]), one["message"], frozenset(one["applies_to"]))
        for one in presets.GATES
        if one["name"] in OURS
    )


def judged(found, payer, *, now_open: int = 1, state: str = "active", stage: str = "full", **more):
    proposal = disputes.refund(case(), found, payer)
    facts = Facts(now=NOW, external_id="c", contract_state=state, open_disputes=now_open, **more)
    return decide(proposal, facts, Policy(gates=fit_gates(), stage=stage))


@pytest.mark.parametrize(
    ("given", "of", "terms", "minor", "lines"),
    [
        (paid(), case(), Terms(), 2000, [3000, -1000]),
        (paid(refunded=500), case(), Terms(), 1500, [3000, -500, -1000]),
        (paid(), case(), Terms(fees={"usd": 300}), 1700, [3000, -300, -1000]),
        (paid(), case(), Terms(fees={"eur": 300}), 2000, [3000, -1000]),
        (paid(refunded=2500), case(), Terms(), 0, [3000, -2500, -500]),  # more was used than is left
        (paid(), case(amount=1200), Terms(), 1200, [3000, -1800]),
        (paid(), case(), Terms("whole"), 3000, [3000]),
        (paid(refunded=1000), case(), Terms("whole"), 2000, [3000, -1000]),
        (paid(used=40), case(), Terms(), 0, [3000, -3000]),  # the time was over
        (paid(used=-3), case(), Terms(), 3000, [3000]),  # it had not begun
        (Paid(3000, 0, "usd"), case(), Terms(), 3000, [3000]),  # nobody knows the time
        (paid(), case("actionable"), Terms(fees={"usd": 300}), 3000, [3000]),  # a warning wants all of it
        (paid(1001, used=1, whole=2), case(amount=1001), Terms(), 500, [1001, -501]),  # 500.5 to even
        (paid(1003, used=1, whole=2), case(amount=1003), Terms(), 502, [1003, -501]),  # 501.5 to even
        (paid(9999, currency="kwd"), case(amount=9999, currency="kwd"), Terms(), 6670, [9999, -3329]),
        (paid(15, currency="kwd"), case("actionable", 15, "kwd"), Terms(), 10, [15, -5]),
        (paid(1000, currency="jpy", used=1, whole=3), case(amount=1000, currency="jpy"), Terms(), 667, [1000, -333]),
    ],
)
def test_lines_add_up_to_what_is_given_back(given, of, terms, minor, lines) -> None:
    found = suggest(of, given, terms)

    assert (found.minor, [one.minor for one in found.lines]) == (minor, lines)
    assert sum(one.minor for one in found.lines) == found.minor
    assert "half to even" in found.rounded


def test_every_sum_is_exact_and_never_over_what_is_left() -> None:
    looked = 0
    amounts, currencies = (1, 7, 99, 4900, 10_001, 999_999), ("usd", "jpy", "kwd", "isk")
    for amount, part, currency, used in itertools.product(amounts, (0, 1, 3), currencies, (0, 1, 13, 29, 31)):
        refunded = amount * part // 4
        one = paid(amount, refunded, currency, used=used, whole=31)
        found = suggest(case(amount=amount, currency=currency), one, Terms())
        exact = max(Fraction(0), amount * Fraction(31 - used, 31) - refunded)
        step = money.STEPS.get(currency, 1)
        assert sum(line.minor for line in found.lines) == found.minor
        assert 0 <= found.minor <= one.left_minor
        assert found.minor % step == 0
        assert abs(found.minor - exact) <= Fraction(step, 2) or found.minor + step > one.left_minor
        looked += 1
    assert looked == 360


@pytest.mark.parametrize(
    ("status", "kind", "answer"),
    [
        ("warning_needs_response", INQUIRY, "refund"), ("warning_under_review", INQUIRY, "wait"),
        ("warning_closed", INQUIRY, "nothing"), ("needs_response", CHARGEBACK, "respond"),
        ("under_review", CHARGEBACK, "wait"), ("appeal_needs_response", CHARGEBACK, "respond"),
        ("appeal_under_review", CHARGEBACK, "wait"), ("won", CHARGEBACK, "nothing"), ("lost", CHARGEBACK, "nothing"),
        ("prevented", CHARGEBACK, "nothing"), ("charge_refunded", CHARGEBACK, "nothing"),
        ("actionable", WARNING, "refund"), ("not_actionable", WARNING, "nothing"),
        ("some_new_status", CHARGEBACK, "respond"), ("", CHARGEBACK, "respond"),
    ],
)  # fmt: skip
def test_each_status_calls_for_its_answer(status: str, kind: str, answer: str) -> None:
    found = plan(case(status), paid(), Payer(contract_state="active"), Terms())

    assert (standing_of(status)[0], found.answer) == (kind, answer)
    assert (found.suggestion is not None) == (answer == "refund")
    if answer in ("refund", "respond") and kind != WARNING:
        assert found.due_by == NOW + 5 * DAY
    if answer == "respond" or status in ("lost", "under_review"):
        assert "refund" in found.advice.casefold()


def test_what_the_bank_took_is_answered_and_never_refunded() -> None:
    taken = plan(case(), paid(is_charged_back=True, refunded=100), Payer(), Terms())
    assert (taken.answer, taken.suggestion) == ("respond", None)
    assert "do not refund" in taken.advice
    assert "1.00 USD was given back already" in taken.advice
    assert plan(case(), None, Payer(), Terms()).answer == "respond"
    assert plan(case(), paid(used=40), Payer(), Terms()).answer == "respond", "nothing to give back"
    assert plan(case(), paid(), Payer(is_refunded=True), Terms()).answer == "wait"
    assert plan(case(due_at=None), paid(), Payer(), Terms()).due_by is None


def test_only_the_plainest_case_goes_by_itself() -> None:
    sure = plan(case(), paid(), Payer(contract_state="active", subscription="active"), Terms())
    assert sure.confidence == 95
    assert judged(sure, Payer()).state == "approved"
    assert judged(sure, Payer(), stage="suggest").state == "in_review"
    assert judged(sure, Payer(), stage="shadow").state == "observed"

    def asks(decision) -> set[str]:
        assert decision.state == "in_review"
        return {one.rule for one in decision.failing}

    assert asks(judged(sure, Payer(prior=1))) == {"dispute-history"}
    assert asks(judged(sure, Payer(), now_open=2)) == {"dispute_asks"}
    assert asks(judged(sure, Payer(), state="past_due")) == {"dispute_asks"}
    assert asks(judged(sure, Payer(), state="")) == {"dispute_asks"}
    assert asks(judged(sure, Payer(), fraud_flag=True)) == {"dispute_asks"}
    doubtful = plan(case(), paid(), Payer(prior=2, contract_state="past_due"), Terms())
    assert doubtful.confidence == 55
    assert "low-confidence" in asks(judged(doubtful, Payer(prior=2)))
    large = plan(case(amount=90_000), paid(90_000), Payer(contract_state="active"), Terms())
    assert asks(judged(large, Payer())) == {"dispute-amount"}
    kroner = plan(case(currency="isk"), paid(3000, currency="isk"), Payer(contract_state="active"), Terms())
    assert asks(judged(kroner, Payer())) == {"dispute-amount"}, "no limit is set for it"


def test_a_charged_back_payment_stays_whoever_approves() -> None:
    sure = plan(case(), paid(), Payer(contract_state="active"), Terms())
    taken = Payment("ch_1", "succeeded", 3000, 0, "usd", is_customers=True, is_charged_back=True)
    facts = Facts(now=NOW, contract_state="active", open_disputes=1, payment=taken, executing=True,
                  synced_at={"payment": NOW, "billing": NOW})  # fmt: skip
    proposal = disputes.refund(case(), sure, Payer())
    decision = decide(proposal, facts, Policy(), approved_rules=frozenset({"refund_fits", "dispute_asks"}))
    assert (decision.state, {one.rule for one in decision.failing}) == ("in_review", {"refund_fits"})


def test_it_is_withdrawn_when_the_dispute_is_over() -> None:
    left = Payment("ch_1", "succeeded", 3000, 0, "usd", is_customers=True)
    gone = Payment("ch_1", "succeeded", 3000, 3000, "usd", is_customers=True)

    def why(payment, open_now, about="inquiry", executing=True) -> str:
        facts = Facts(now=NOW, payment=payment, open_disputes=open_now, executing=executing)
        return withdraw_reason(facts, f"payment:ch_1#{about}:dp_1", {}, disputes.REFUND)

    assert why(left, 1) == ""
    assert why(left, 0) == "the dispute is over"
    assert why(left, 0, "warning") == ""
    assert why(gone, 1) == "the payment is refunded already"
    assert why(left, 0, executing=False) == ""
    suspended = Facts(now=NOW, contract_state="suspended")
    assert withdraw_reason(suspended, "dispute:dp_1", {}, "contract.suspend") == "the contract is suspended"


def test_what_follows_an_end() -> None:
    def kinds(status, *, suspended=False, **payer) -> list[str]:
        given = {"has_ticket": True, **payer}
        return [one.kind for one in disputes.closed(case(status), Payer(**given), is_suspended_for_it=suspended)]

    assert kinds("lost", contract_state="active") == ["ticket.note", "contract.suspend"]
    assert kinds("lost", contract_state="suspended", has_ticket=False) == []
    assert kinds("won", contract_state="suspended", suspended=True) == ["ticket.note", "contract.restore"]
    assert kinds("won", contract_state="suspended") == ["ticket.note"], "it is suspended for another reason"
    assert kinds("warning_closed", contract_state="active") == ["ticket.note"]


def test_a_hard_fail_is_data_and_no_stage_passes_it() -> None:
    gate = next(one for one in fit_gates() if one.name == "hard-fail")
    for one in presets_disputes.GATES:
        for row in one["rows"]:
            typed.check_row(row)
    for kind in presets_disputes.HARD_FAILS:
        proposal = disputes.Proposal(kind, "t", "k", "because")
        decision = decide(proposal, Facts(now=NOW), Policy(gates=(gate,), stage="full"))
        assert (decision.state, decision.worst.rule) == ("in_review", "hard-fail")
        assert decision.worst.verdict is Verdict.BLOCK
