"""What follows a refund, pure."""

from dataclasses import replace

import pytest

from gates import playbooks
from gates.playbooks import refunds
from gates.types import Facts
from tests.gates.shapes import NOW

SAID = {
    "id": "re_1", "action": "a-1", "charge": "ch_1", "amount_minor": 300, "currency": "kwd", "status": "succeeded",
    "erp_customer": "1847", "ticket": "35436",
}  # fmt: skip


def follow(kind: str = refunds.REFUND, **other: str) -> list[str]:
    made = playbooks.after_applied(kind, "payment:ch_1", {}, {}, {**SAID, **other})
    return [one.kind for one in made]


def test_a_refund_is_followed_where_its_books_and_its_ticket_are() -> None:
    memo, note = playbooks.after_applied(refunds.REFUND, "payment:ch_1", {}, {}, SAID)

    assert (memo.kind, memo.amount_minor, memo.risk.money) == (refunds.MEMO, None, False), "it moves no money itself"
    assert (memo.params["amount_minor"], memo.params["currency"]) == (300, "kwd")
    assert memo.business_key != note.business_key
    assert (note.kind, note.params["ticket"], note.params["refund_action"]) == (refunds.NOTE, "35436", "a-1")
    assert follow(ticket="") == [refunds.MEMO]
    assert follow(erp_customer="") == [refunds.NOTE]
    assert follow(refunds.MEMO) == follow(refunds.NOTE) == []
    assert follow("dispute.refund") == [refunds.MEMO]


@pytest.mark.parametrize(
    ("status", "is_wanted"),
    [("", True), ("succeeded", True), ("pending", True), ("failed", False), ("canceled", False), ("gone", False)],
)
def test_a_follow_up_is_wanted_while_the_refund_stands(status: str, is_wanted: bool) -> None:
    facts = replace(Facts(now=NOW), refund_status=status)

    for kind in refunds.FOLLOW_UPS:
        assert (playbooks.withdraw_reason(facts, "refund:re_1:memo", {}, kind) == "") is is_wanted
    assert playbooks.withdraw_reason(facts, "payment:ch_1", {}, refunds.REFUND) == ""
