"""Any order of the same events, with any repeats, ends in one state and one set of actions."""

import hmac
import itertools
import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from gates import memo
from gates.memo import PaymentSeen
from ledger import clock
from ledger.models import Action, Contract, Event
from sync import drain, inbox, receive
from sync.inbox import Delivery
from sync.sandbox import keys
from tests.factories import ContractFactory, ExternalIdFactory
from tests.flows.world import acting
from tests.simulators import ROOT

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = 86_400
numbers = itertools.count(1)
TEMPLATE = json.loads((ROOT / "tests/payloads/stripe/invoice.payment_failed.json").read_text())


# --- the pure fold


def seen_events() -> st.SearchStrategy[list[PaymentSeen]]:
    """Events of three invoices whose times collide often."""
    return st.lists(
        st.builds(
            lambda invoice, outcome, at, ahead, count, number, late: PaymentSeen(
                f"in_{invoice}", outcome, START + timedelta(seconds=at),
                START + timedelta(seconds=ahead) if ahead else None, count, f"N-{number}", number * 100, "usd", late,
            ),
            st.integers(1, 3), st.sampled_from(["failed", "paid", "closed"]), st.integers(0, 4), st.integers(0, 3),
            st.integers(1, 3), st.integers(1, 2), st.booleans(),
        ),
        max_size=9,
    )  # fmt: skip


def folded(events: list[PaymentSeen], start: dict[str, Any] | None = None) -> dict[str, Any]:
    result: dict[str, Any] = start or {}
    for one in events:
        result = memo.fold(result, one)
    return result


@given(seen_events(), st.randoms(use_true_random=False))
def test_fold_gives_the_same_memo_in_any_order(events: list[PaymentSeen], random: Any) -> None:
    mixed = list(events)
    random.shuffle(mixed)

    assert folded(mixed) == folded(events)


@given(seen_events(), seen_events())
def test_fold_is_idempotent_and_splits_anywhere(first: list[PaymentSeen], second: list[PaymentSeen]) -> None:
    whole = folded(first + second)

    assert folded(first, whole) == whole
    assert folded(second, folded(first)) == whole
    assert folded(second + first + second) == whole


@given(seen_events())
def test_a_settled_invoice_is_never_owed_again(events: list[PaymentSeen]) -> None:
    result = folded(events)

    settled = {one.invoice_id for one in events if one.outcome != "failed"}
    assert settled.isdisjoint(memo.owed(result))


# --- the same with the database


@pytest.fixture
def deciding(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The automation acts in full, but nobody carries anything out: only decisions are looked at."""
    settings.MESHLINE_SAFETY_WINDOW_SECONDS = 3 * DAY
    monkeypatch.setattr(drain.Drain, "actions", lambda self: 0)
    acting("dunning")


def signed(body: bytes) -> dict[str, tuple[str, ...]]:
    """The headers Stripe would send."""
    stamp = b"%d" % time.time()
    mark = hmac.digest(keys.STRIPE_WEBHOOK_SECRET.encode(), stamp + b"." + body, "sha256").hex()
    return {"stripe-signature": (f"t={stamp.decode()},v1={mark}",), "content-type": ("application/json",)}


def story(customer: str, at: int) -> list[bytes]:
    """Failed, paid, a second failure, one that comes a week late, closed: bodies of one subscription's invoices."""
    make = partial(body, customer, at)
    return [
        make("fail1", "invoice.payment_failed", "in_a", created=-5 * DAY, attempt=1, ahead=-2 * DAY),
        make("fail2", "invoice.payment_failed", "in_a", created=-2 * DAY, attempt=2, ahead=DAY),
        make("late", "invoice.payment_failed", "in_b", created=-9 * DAY, attempt=1, ahead=None),
        make("fresh", "invoice.payment_failed", "in_b", created=-DAY, attempt=2, ahead=2 * DAY),
        make("paid", "invoice.paid", "in_c", created=-3600, attempt=1, ahead=None),
        make("fail3", "invoice.payment_failed", "in_c", created=-7200, attempt=1, ahead=DAY),
        make("closed", "invoice.voided", "in_d", created=-60, attempt=1, ahead=None),
        make("fail4", "invoice.payment_failed", "in_d", created=-120, attempt=1, ahead=DAY),
        make("old", "invoice.payment_failed", "in_e", created=-4 * DAY, attempt=1, ahead=None),
        make("young", "invoice.payment_failed", "in_e", created=-DAY, attempt=2, ahead=None),
    ]


def body(
    customer: str, now: int, name: str, kind: str, invoice: str, *, created: int, attempt: int, ahead: int | None
) -> bytes:
    """An event from the template; ids are this example's own."""
    event = json.loads(json.dumps(TEMPLATE))
    event |= {"id": f"evt_{customer}_{name}", "type": kind, "created": now + created}
    given_invoice = event["data"]["object"]
    given_invoice |= {
        "id": f"{invoice}_{customer}", "customer": f"cus_{customer}", "attempt_count": attempt, "status": "open",
        "next_payment_attempt": now + ahead if ahead else None,
    }  # fmt: skip
    given_invoice["parent"]["subscription_details"]["subscription"] = f"sub_{customer}"
    return json.dumps(event).encode()


def deliver(bodies: list[bytes]) -> None:
    """Through verification and naming into the inbox, as the receiver does it; then decide."""
    for raw in bodies:
        judged = receive.judge("stripe", signed(raw), raw=raw, now=clock.now(), address="127.0.0.1")
        assert isinstance(judged, Delivery)
        inbox.store([judged])
    drain.once()


def known_customer() -> str:
    """A customer whose contract is linked and running."""
    name = f"{next(numbers):06d}"
    contract = ContractFactory(state="active")
    ExternalIdFactory(kind="customer", value=f"cus_{name}", customer=contract.customer)
    ExternalIdFactory(kind="subscription", value=f"sub_{name}", customer=contract.customer, contract=contract)
    return name


def end_of(customer: str) -> tuple[Any, ...]:
    """Everything that must not depend on the order."""
    contract = Contract.objects.get(links__value=f"sub_{customer}")
    rows = Action.objects.filter(contract=contract)
    made = {(one.kind, one.target, one.business_key, str(one.state)) for one in rows}
    waits = {one.business_key: one.available_at for one in rows.filter(state="held")}
    assert len(made) == len(rows)
    return (
        str(contract.state), plain(contract.dunning, customer), plain(sorted(made), customer), plain(waits, customer),
    )  # fmt: skip


def plain(value: Any, customer: str) -> str:
    return json.dumps(value, sort_keys=True, default=str).replace(customer, "X")


def orders() -> st.SearchStrategy[list[int]]:
    """Every event at least once, some twice, in any order."""
    places = list(range(10))
    return st.lists(st.sampled_from(places), max_size=4).flatmap(lambda more: st.permutations(places + more))


def test_any_order_with_repeats_has_one_end(deciding: None) -> None:
    moment = int(time.time())
    first = known_customer()
    deliver(story(first, moment))
    expected = end_of(first)

    @how(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(orders(), st.integers(1, 10))
    def check(order: list[int], at_a_time: int) -> None:
        customer = known_customer()
        bodies = story(customer, moment)
        for start in range(0, len(order), at_a_time):
            deliver([bodies[place] for place in order[start : start + at_a_time]])
        assert end_of(customer) == expected

    check()
    assert not Event.objects.exclude(state__in=("processed", "ignored")).exists()


def test_what_the_end_is(deciding: None) -> None:
    """Owed twice: one waits for its window, one for a person because it came late; what was settled is withdrawn."""
    customer = known_customer()
    deliver(story(customer, int(time.time())))

    suspends = {
        one.business_key.split(":")[1][:4]: str(one.state) for one in Action.objects.filter(kind="contract.suspend")
    }
    assert suspends == {
        "in_a": "held", "in_b": "in_review", "in_c": "superseded", "in_d": "superseded", "in_e": "approved",
    }  # fmt: skip
    assert Contract.objects.get().state == "past_due"
