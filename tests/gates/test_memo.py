"""The dunning memo: whatever the order and however often, the same events end in the same memo."""

from datetime import timedelta
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates import memo
from gates.memo import PaymentSeen, fold
from tests.gates.shapes import HOUR, NOW


def failed(invoice="in_1", hours=0.0, attempt=1, next_in=24.0, **more):
    next_attempt = NOW + next_in * HOUR if next_in is not None else None
    return PaymentSeen(invoice, "failed", NOW + hours * HOUR, next_attempt, attempt, amount_due=4900, **more)


def paid(invoice="in_1", hours=1.0):
    return PaymentSeen(invoice, "paid", NOW + hours * HOUR)


def closed(invoice="in_1", hours=1.0):
    return PaymentSeen(invoice, "closed", NOW + hours * HOUR)


def fold_all(events):
    return reduce(fold, events, {})


SEEN = st.builds(
    PaymentSeen,
    invoice_id=st.sampled_from(["in_1", "in_2", "in_3"]),
    outcome=st.sampled_from(["failed", "failed", "paid", "closed"]),
    at=st.integers(0, 20).map(lambda n: NOW + timedelta(seconds=n)),
    next_attempt_at=st.none() | st.integers(1, 5).map(lambda n: NOW + n * HOUR),
    attempt_count=st.integers(0, 4),
    number=st.sampled_from(["", "M-1", "M-2"]),
    amount_due=st.none() | st.integers(0, 3),
    currency=st.sampled_from(["", "usd", "eur"]),
    late=st.booleans(),
)


@settings(max_examples=80)
@given(st.lists(SEEN, max_size=8), st.randoms(use_true_random=False))
def test_any_order_with_any_repeats_ends_in_the_same_memo(events, random):
    shuffled = [*events, *random.choices(events, k=3)] if events else []
    random.shuffle(shuffled)

    assert fold_all(shuffled) == fold_all(events)


@settings(max_examples=40)
@given(st.lists(SEEN, max_size=6), SEEN)
def test_folding_twice_changes_nothing(events, seen):
    once = fold(fold_all(events), seen)

    assert fold(once, seen) == once


@settings(max_examples=40)
@given(st.lists(SEEN, max_size=6), SEEN)
def test_folding_leaves_its_input_alone(events, seen):
    before = fold_all(events)
    copy = {key: dict(entry) for key, entry in before.items()}

    fold(before, seen)

    assert before == copy


@settings(max_examples=40)
@given(st.lists(SEEN, max_size=6), SEEN)
def test_what_is_settled_is_never_owed_again(events, seen):
    before = fold_all(events)
    settled = {key for key, entry in before.items() if not memo.owes(entry)}

    after = fold(before, seen)

    assert not any(memo.owes(after[key]) for key in settled if "first_failed" in before[key])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_first_failure_and_newest_attempt_are_kept(order):
    events = [
        failed(hours=0, attempt=1, next_in=24),
        failed(hours=24, attempt=2, next_in=72),
        failed(hours=5, attempt=1),
    ]

    entry = fold_all([events[n] for n in order])["in_1"]

    assert memo.failed_at(entry) == NOW
    assert memo.next_attempt(entry) == NOW + 72 * HOUR


def test_no_further_attempt_is_none():
    assert memo.next_attempt(fold({}, failed(next_in=None))["in_1"]) is None
    assert memo.failed_at(fold({}, paid())["in_1"]) is None


@pytest.mark.parametrize(
    ("case", "events", "owed"),
    [
        ("nothing", [], []),
        ("failed", [failed()], ["in_1"]),
        ("paid", [failed(), paid()], []),
        ("paid before we heard that it had failed", [paid(), failed()], []),
        ("closed", [failed(), closed()], []),
        ("paid only", [paid()], []),
        ("two, the first failure first", [failed("in_2", 5), failed("in_1", 9)], ["in_2", "in_1"]),
        ("one of two paid", [failed("in_1"), failed("in_2"), paid("in_1")], ["in_2"]),
    ],
)
def test_owed(case, events, owed):
    assert memo.owed(fold_all(events)) == owed


def test_old_settled_invoices_are_dropped_and_owed_ones_kept():
    events = [failed("owed", -900)] + [one for n in range(40) for one in (failed(f"in_{n}", n), paid(f"in_{n}", n + 1))]

    kept = fold_all(events)

    assert len(kept) == memo.KEEP_SETTLED + 1
    assert memo.owed(kept) == ["owed"]
    assert "in_39" in kept
    assert "in_0" not in kept
