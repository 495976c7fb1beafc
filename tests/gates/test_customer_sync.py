"""The decision of the customer sync: every row of the table, every edge, and what holds for all facts."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.playbooks import customer_sync as playbook
from gates.rules import customer_sync as rules
from gates.rules.customer_sync import CONFIGURATION, REASONS, Absent, Outcome, Payer, SyncFacts, decide

X, Y, Z = Payer("cus_x"), Payer("cus_y"), Payer("cus_z")
MINE = {"erp_account": "acct", "erp_customer": "7"}
BLANK = SyncFacts("acct", "7", "ap@acme.example", by_email=())
LINKED = SyncFacts("acct", "7", "ap@acme.example", stored_id="cus_x", known_id="cus_x", is_written_back=True, found=X)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # the table
        (BLANK, (Outcome.CREATE, "", "")),
        (replace(BLANK, by_email=(X,)), (Outcome.LINK, "", "cus_x")),
        (replace(BLANK, by_email=(X, Y)), (Outcome.REVIEW, "several_matches", "")),
        (replace(LINKED, by_email=(X,), differs=True), (Outcome.UPDATE, "", "cus_x")),
        (replace(LINKED, by_email=(X,), differs=False), (Outcome.UNCHANGED, "", "cus_x")),
        (replace(LINKED, by_email=(), differs=True), (Outcome.UPDATE, "", "cus_x")),
        (replace(LINKED, by_email=(Y,), differs=True), (Outcome.UPDATE, "", "cus_x")),
        (replace(LINKED, found=replace(X, is_deleted=True), by_email=()), (Outcome.REVIEW, "deleted", "cus_x")),
        (replace(LINKED, found=Absent(in_other_mode=True)), (Outcome.ERROR, "other_mode", "cus_x")),
        (replace(LINKED, found=Absent()), (Outcome.ERROR, "other_account", "cus_x")),
        (replace(BLANK, email="", by_email=None), (Outcome.REVIEW, "missing_email", "")),
        # E2, E1
        (replace(BLANK, email="a@x.example; b@x.example"), (Outcome.REVIEW, "several_addresses", "")),
        (replace(BLANK, email="a@x.example,b@x.example"), (Outcome.REVIEW, "several_addresses", "")),
        (replace(LINKED, email="a@x.example b@x.example"), (Outcome.REVIEW, "several_addresses", "cus_x")),
        (replace(BLANK, email="nonsense"), (Outcome.ERROR, "bad_email", "")),
        (replace(BLANK, email=" ap@ACME.example "), (Outcome.CREATE, "", "")),
        # E3
        (replace(BLANK, email_holder="8"), (Outcome.REVIEW, "shared_email", "")),
        (replace(BLANK, by_email=(replace(X, holder="8"),)), (Outcome.REVIEW, "linked_elsewhere", "cus_x")),
        (
            replace(BLANK, by_email=(replace(X, erp_account="acct", erp_customer="8"),)),
            (Outcome.REVIEW, "linked_elsewhere", "cus_x"),
        ),
        (replace(BLANK, by_email=(replace(X, holder="8"),), is_shared_payer=True), (Outcome.LINK, "", "cus_x")),
        (replace(LINKED, found=replace(X, holder="8")), (Outcome.REVIEW, "linked_elsewhere", "cus_x")),
        # another account of the ERP may have the same number
        (replace(BLANK, by_email=(replace(X, erp_account="other", erp_customer="8"),)), (Outcome.LINK, "", "cus_x")),
        # E4: half done is healed, by our books or by its own word
        (replace(BLANK, known_id="cus_x", found=X), (Outcome.WRITE_BACK, "", "cus_x")),
        (
            replace(BLANK, known_id="cus_x", found=replace(X, is_deleted=True)),
            (Outcome.REVIEW, "deleted", "cus_x"),
        ),
        (replace(BLANK, by_email=(replace(X, **MINE), Y)), (Outcome.LINK, "", "cus_x")),
        # E6
        (replace(LINKED, is_settled=True, found=None), (Outcome.UNCHANGED, "", "cus_x")),
        # E7
        (replace(BLANK, is_inactive=True), (Outcome.SKIP, "inactive", "")),
        (replace(LINKED, is_inactive=True, differs=True), (Outcome.SKIP, "inactive", "cus_x")),
        # E8, and P4: only from blank
        (replace(LINKED, stored_id="cus_y", found=Y), (Outcome.REVIEW, "id_changed", "cus_y")),
        (replace(LINKED, stored_id="", by_email=(Y,)), (Outcome.LINK, "", "cus_y")),
        (replace(LINKED, stored_id="", by_email=()), (Outcome.CREATE, "", "")),
        (replace(LINKED, stored_id="", email=""), (Outcome.REVIEW, "missing_email", "")),
        # E16
        (
            replace(LINKED, stored_id="", by_email=(Y,), old_subscriptions=2),
            (Outcome.REVIEW, "old_still_billed", "cus_x"),
        ),
        (
            replace(LINKED, stored_id="", by_email=(), old_subscriptions=1),
            (Outcome.REVIEW, "old_still_billed", "cus_x"),
        ),
        (replace(LINKED, stored_id="", by_email=(X,), old_subscriptions=1), (Outcome.LINK, "", "cus_x")),
        # P7, A11: an id that was typed in needs no address
        (replace(LINKED, known_id="", is_written_back=False, email="", differs=True), (Outcome.UPDATE, "", "cus_x")),
        # several accounts
        (replace(BLANK, is_connected=False), (Outcome.ERROR, "account_not_connected", "")),
        (replace(LINKED, is_same_account=False), (Outcome.ERROR, "moved_account", "cus_x")),
        (replace(BLANK, is_under_way=True), (Outcome.SKIP, "under_way", "")),
        # E10
        (replace(BLANK, faults=("missing_name",)), (Outcome.ERROR, "missing_name", "")),
        (replace(LINKED, faults=("too_long",)), (Outcome.ERROR, "too_long", "cus_x")),
    ],
)
def test_row_of_the_table(facts: SyncFacts, expected: tuple[Any, ...]) -> None:
    found = decide(facts)

    assert (found.outcome, found.code, found.billing_id) == expected


def test_what_goes_with_a_decision() -> None:
    flagged = decide(replace(LINKED, by_email=(X, Y), differs=True))
    asked = decide(replace(BLANK, by_email=(X, Y)))
    moved = decide(replace(LINKED, stored_id="", by_email=(Y,)))

    assert (flagged.notes, flagged.candidates) == (("email_also_on",), (Y,))
    assert asked.candidates == (X, Y)
    assert asked.sentence
    assert str(asked.error_class) == "duplicate"
    assert moved.is_new_generation
    assert not decide(BLANK).is_new_generation
    assert all(decide(replace(LINKED, found=Absent(mode))).is_configuration for mode in (True, False))
    assert {code for code in CONFIGURATION if code not in REASONS} == set()


payers = st.builds(
    Payer,
    id=st.sampled_from(["cus_x", "cus_y", "cus_z"]),
    is_deleted=st.booleans(),
    erp_account=st.sampled_from(["", "acct", "other"]),
    erp_customer=st.sampled_from(["", "7", "8"]),
    holder=st.sampled_from(["", "8"]),
)
facts_of = st.builds(
    SyncFacts,
    account=st.just("acct"),
    internal_id=st.just("7"),
    email=st.sampled_from(["", "a@x.example", "a@x.example;b@x.example", "no"]),
    is_inactive=st.booleans(),
    stored_id=st.sampled_from(["", "cus_x", "cus_y"]),
    known_id=st.sampled_from(["", "cus_x"]),
    is_written_back=st.booleans(),
    is_connected=st.booleans(),
    is_same_account=st.booleans(),
    is_under_way=st.booleans(),
    found=st.one_of(st.none(), payers, st.builds(Absent, in_other_mode=st.booleans())),
    by_email=st.one_of(st.none(), st.lists(payers, max_size=3, unique_by=lambda one: one.id).map(tuple)),
    email_holder=st.sampled_from(["", "8"]),
    old_subscriptions=st.integers(0, 2),
    differs=st.sampled_from([None, True, False]),
    faults=st.sampled_from([(), ("missing_name",)]),
)


@settings(max_examples=300, deadline=None)
@given(facts_of)
def test_what_holds_whatever_the_facts(facts: SyncFacts) -> None:
    found = decide(facts)

    if found.outcome is Outcome.CREATE:
        assert not facts.stored_id
        assert not facts.by_email
        assert not (facts.known_id and not facts.is_written_back), "half done is written back, never made again"
    if found.outcome in (Outcome.CREATE, Outcome.LINK, Outcome.UPDATE, Outcome.WRITE_BACK):
        assert not facts.is_inactive
        assert not facts.is_under_way
        assert facts.is_connected
    if facts.stored_id and found.billing_id and found.outcome is Outcome.UPDATE:
        assert found.billing_id == facts.stored_id, "an address never moves a link"
    if found.outcome is Outcome.LINK:
        assert not facts.stored_id
        assert next(one for one in facts.by_email or () if one.id == found.billing_id).holder == ""
    if found.outcome in (Outcome.REVIEW, Outcome.ERROR):
        assert found.code in REASONS
        assert found.sentence
    assert decide(facts) == found


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("Ap@Acme.example", ("Ap@Acme.example", "Ap@acme.example", "ap@acme.example")),
        (" ap@acme.example ", ("ap@acme.example",)),
        ("", ()),
    ],
)
def test_spellings_to_ask_for(typed: str, asked: tuple[str, ...]) -> None:
    assert rules.spellings(typed) == asked


def test_the_id_follows_the_confirmed_customer() -> None:
    params = {"account": "acct", "customer": "7", "columns": ["name"], "sources": {}, "generation": 1, "link": True}
    said = {"id": "cus_x", "hash": "h", "page": True, "live": True}
    (then,) = playbook.after_applied(playbook.CREATE, "erp-customer:acct:7", params, said)

    assert (then.kind, then.params["billing_id"], then.params["hash"]) == (playbook.LINK, "cus_x", "h")
    assert then.params["page"] is True
    assert playbook.after_applied(playbook.LINK, "k", {**params, "link": True}, {"id": "7"}) == ()
    assert playbook.after_applied(playbook.UPDATE, "k", {**params, "link": False}, {"id": "cus_x"}) == ()
