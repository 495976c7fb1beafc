"""From rows of the ERP to decisions: what is asked for each row, in threads, and the facts that it is decided on."""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gates.rules import customer_sync as rules
from gates.rules.customer_sync import Absent, Outcome, Payer, SyncDecision, SyncFacts
from sync.customer_sync import fields, links, portal, reading
from sync.customer_sync.fields import ErpCustomer
from sync.customer_sync.links import Held
from sync.errors import AuthError, PermanentError, ProviderError, TransientError, UnconfirmedError
from sync.providers import stripe_accounts, stripe_customers
from sync.providers.stripe_customers import BillingCustomer, NoCustomer
from sync.wiretypes import Exchange

READ_TRIES = 5
FIRST_WAIT_SECONDS, MOST_WAIT_SECONDS = 0.5, 8.0
Got = TypeVar("Got")


@dataclass(frozen=True, slots=True)
class Way:
    """By which profile and for which account rows are decided.

    `billing_accounts` maps a subsidiary to an account, `first` is the account of all others, and `connected` are those
    that have a key.
    """

    account: str
    columns: tuple[str, ...]
    sources: Mapping[str, str]
    shared_payer_field: str = ""
    billing_accounts: Mapping[str, str] = field(default_factory=dict)
    first: str = "default"
    connected: tuple[str, ...] = ("default",)
    first_wait: float = FIRST_WAIT_SECONDS
    rereads: bool = False  # ask about every row, whatever was confirmed before

    def billing_account(self, customer: ErpCustomer) -> str:
        """The billing account of a customer, by its subsidiary."""
        return self.billing_accounts.get(customer.subsidiary, self.billing_accounts.get("*", self.first))


@dataclass(slots=True)
class Planned:
    """One row on its way to its outcome."""

    source: ErpCustomer
    held: Held | None
    billing_account: str
    is_shared_payer: bool = False
    is_under_way: bool = False
    is_erased: bool = False
    whole: ErpCustomer | None = None
    found: BillingCustomer | NoCustomer | None = None
    matches: tuple[BillingCustomer, ...] | None = None
    subscriptions: dict[str, int] = field(default_factory=dict)
    changed: dict[str, Any] | None = None
    is_settled: bool = False
    was_asked: bool = False
    is_of: str = ""  # another account of ours that knows the ERP's id
    error: ProviderError | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    decision: SyncDecision | None = None

    @property
    def internal_id(self) -> int:
        """The ERP's number of it."""
        return int(self.source.internal_id)

    @property
    def known_id(self) -> str:
        """The billing customer our books hold."""
        return self.held.billing_id if self.held else ""

    @property
    def is_written_back(self) -> bool:
        """Whether the ERP was seen with it."""
        return bool(self.held and self.held.written_back_at)

    @property
    def is_quiet(self) -> bool:
        """Whether it is exactly as it was confirmed last, so that nothing here has to be looked at or written anew."""
        told = self.is_settled and not self.was_asked and self.decision is not None
        return told and self.decision is not None and self.decision.outcome is Outcome.UNCHANGED


def plan(
    rows: Sequence[tuple[ErpCustomer, bool]], way: Way, under_way: Iterable[int], pool: ThreadPoolExecutor, most: int
) -> list[Planned]:
    """Decide the first of these rows: (customer, whether it may share a billing customer), in their order.

    As many as come before more than `most` would have to be asked about. Reads providers; no transaction is open.
    `under_way` are internal ids with an unfinished change. A row whose reads failed carries the error instead.
    """
    numbers = [int(source.internal_id) for source, _ in rows]
    held, busy, gone = links.load(way.account, numbers), set(under_way), links.erased(numbers)
    planned: list[Planned] = []
    asked: list[Planned] = []
    for source, shared in rows:
        number = int(source.internal_id)
        one = Planned(source, held.get(number), way.billing_account(source), shared, number in busy, number in gone)
        if not _needs_nobody(one, way):
            if len(asked) == most:
                break
            asked.append(one)
        planned.append(one)
    for _ in pool.map(lambda one: _ask(one, way), asked):
        pass
    _decide(planned, way)
    return planned


def _needs_nobody(one: Planned, way: Way) -> bool:
    """Whether the row alone tells: busy, forgotten, inactive, misplaced, or exactly what was confirmed last."""
    if one.is_under_way or one.is_erased or one.source.is_inactive or not _is_placed(one, way):
        return True
    if _is_same_row(one, way) and one.held is not None and one.held.modified == one.source.modified != "":
        one.is_settled = not way.rereads
    return one.is_settled


def _is_placed(one: Planned, way: Way) -> bool:
    return one.billing_account in way.connected and _is_same_account(one)


def _is_same_account(one: Planned) -> bool:
    """Whether our books' link is of the account that its subsidiary goes by now.

    One that was imported may not say, and one that was blanked on purpose begins anew wherever that is.
    """
    if not one.known_id or one.held is None or (one.is_written_back and not one.source.stored_id):
        return True
    return one.held.billing_account in ("", one.billing_account)


def _is_same_row(one: Planned, way: Way) -> bool:
    held = one.held
    same = held is not None and held.billing_id == one.source.stored_id != "" and bool(held.content)
    return same and held is not None and held.row == fields.row_hash(one.source, way.columns)


def _ask(one: Planned, way: Way) -> None:
    """Everything that has to be read for one row."""
    one.was_asked = True
    try:
        with stripe_accounts.acting_for(one.billing_account):
            _ask_what_is_open(one, way)
    except ProviderError as error:
        one.error = error


def _ask_what_is_open(one: Planned, way: Way) -> None:
    if one.source.stored_id:
        _ask_stored(one, way)
    elif one.known_id and not one.is_written_back:
        one.found = _again(one, way, lambda: reading.billing(one.known_id, one.exchanges))
    else:
        _ask_by_email(one, way)


def _ask_stored(one: Planned, way: Way) -> None:
    """The cheapest question first: unchanged but for its stamp, or not to be worked with at all, needs only one."""
    stored = one.source.stored_id
    is_ours = not one.known_id or one.known_id == stored
    if is_ours and _is_same_row(one, way):
        one.whole = _whole(one, way)
        content = fields.hash_of(fields.mapped(one.whole, way.columns), way.columns)
        if one.held is not None and content == one.held.content and not way.rereads:
            one.is_settled = True
            return
    try:
        one.found = _again(one, way, lambda: reading.billing(stored, one.exchanges))
    except PermanentError as error:
        if error.code != "bad_id":
            raise
        one.found = NoCustomer()
    if isinstance(one.found, NoCustomer) and not one.found.in_other_mode:
        one.is_of = _foreign(one, way, stored)
    if not isinstance(one.found, BillingCustomer) or one.found.is_deleted or not is_ours:
        return
    one.whole = one.whole or _whole(one, way)
    one.changed = fields.differing(fields.mapped(one.whole, way.columns), one.found.fields)
    is_new_address = one.held is None or one.held.email_key != links.email_key(one.source.email)
    if is_new_address and len(rules.addresses(one.source.email)) == 1:
        one.matches = tuple(_again(one, way, lambda: reading.by_email(one.source.email, one.exchanges)))


def _whole(one: Planned, way: Way) -> ErpCustomer:
    found = _again(one, way, lambda: reading.record(one.source.internal_id, way.sources, one.exchanges))
    if found is None:
        raise PermanentError("the customer is gone from the ERP", provider="netsuite", code="gone")
    return found


def _foreign(one: Planned, way: Way, stored: str) -> str:
    """Which other account of ours knows this id; "" where none does. For telling a person: it is not used."""
    for account in way.connected:
        if account == one.billing_account:
            continue
        with stripe_accounts.acting_for(account):
            try:
                found = _again(one, way, lambda: reading.billing(stored, one.exchanges))
            except ProviderError:  # not even the reason is known then: the plain sentence says enough
                continue
        if isinstance(found, BillingCustomer):
            return account
    return ""


def _ask_by_email(one: Planned, way: Way) -> None:
    found = rules.addresses(one.source.email)
    if len(found) != 1 or not rules.is_address(found[0]):
        return
    one.matches = tuple(_again(one, way, lambda: reading.by_email(one.source.email, one.exchanges)))
    wanted = [each.id for each in one.matches] if len(one.matches) > 1 else []
    if one.known_id and [each.id for each in one.matches] != [one.known_id]:
        wanted.append(one.known_id)
    for billing_id in dict.fromkeys(wanted):
        one.subscriptions[billing_id] = _again(one, way, lambda named=billing_id: _running(one, named))  # type: ignore[misc]


def _running(one: Planned, billing_id: str) -> int:
    """Subscriptions of a candidate, or of the customer it was linked to: that one may be in another account."""
    held = one.held.billing_account if one.held and billing_id == one.known_id else ""
    with stripe_accounts.acting_for(held or one.billing_account):
        return reading.running_subscriptions(billing_id, one.exchanges)


def _again(one: Planned, way: Way, ask: Callable[[], Got]) -> Got:
    """Read with a few tries: a limit or a hiccup of a second is no error of the record."""
    wait = way.first_wait
    for tries in range(1, READ_TRIES + 1):
        try:
            return ask()
        except AuthError:
            raise
        except (TransientError, UnconfirmedError) as error:
            if tries == READ_TRIES:
                raise
            told = error.retry_after.total_seconds() if error.retry_after else 0.0
            time.sleep(min(MOST_WAIT_SECONDS, max(told, wait * (0.5 + random.random()))))
            wait *= 2
    raise AssertionError("the last try returns or raises")


# --- facts


def _decide(planned: Sequence[Planned], way: Way) -> None:
    """Everything that was read, with what our books say of whose it is."""
    seen = [each for one in planned for each in _payers(one)]
    holders = links.holders(way.account, (each.id for each in seen))
    keys = {one.internal_id: links.email_key(one.source.email) for one in planned if one.matches is not None}
    taken = links.email_holders(way.account, keys.values())
    claimed: dict[tuple[str, str], int] = {}  # an address is one customer's in each billing account
    for one in planned:
        if one.error is not None:
            continue
        holder = _email_holder(one, keys.get(one.internal_id, ""), taken, claimed)
        one.decision = rules.decide(_facts(one, way, holders, holder))
        if one.decision.outcome in (Outcome.CREATE, Outcome.LINK):
            claimed.setdefault((one.billing_account, keys.get(one.internal_id, "")), one.internal_id)


def _payers(one: Planned) -> list[BillingCustomer]:
    found = [one.found] if isinstance(one.found, BillingCustomer) else []
    return [*found, *(one.matches or ())]


def _email_holder(
    one: Planned, key: str, taken: Mapping[str, list[links.Holder]], claimed: Mapping[tuple[str, str], int]
) -> str:
    """Another customer of the ERP with the same address that has a billing customer in the same account, or gets one.

    In this very chunk, that is.
    """
    if not key:
        return ""
    others = [
        holder for holder, has_billing, account in taken.get(key, [])
        if has_billing and holder != one.internal_id and account in ("", one.billing_account)
    ]  # fmt: skip
    first = claimed.get((one.billing_account, key))
    if first is not None and first != one.internal_id:
        others.append(first)
    return str(others[0]) if others else ""


def _facts(one: Planned, way: Way, holders: Mapping[str, set[str]], email_holder: str) -> SyncFacts:
    old = one.known_id if one.is_written_back and not one.source.stored_id else ""
    return SyncFacts(
        account=way.account,
        internal_id=one.source.internal_id,
        email=one.source.email,
        is_inactive=one.source.is_inactive,
        is_erased=one.is_erased,
        stored_id=one.source.stored_id,
        known_id=one.known_id,
        is_written_back=one.is_written_back,
        is_connected=one.billing_account in way.connected,
        is_same_account=_is_same_account(one),
        is_under_way=one.is_under_way,
        is_settled=one.is_settled,
        is_shared_payer=one.is_shared_payer,
        found=_found(one, holders),
        by_email=None if one.matches is None else tuple(_payer(each, one, holders) for each in one.matches),
        email_holder=email_holder,
        old_subscriptions=one.subscriptions.get(old, 0),
        differs=_differs(one, way),
        lacks_page=_lacks_page(one),
        faults=() if one.is_settled else fields.fault_codes(one.whole or one.source, way.columns),
    )


def _lacks_page(one: Planned) -> bool:
    """Whether the customer has a working link to the billing page that the ERP was not seen with."""
    held = one.held
    return held is not None and held.link not in (None, held.page) and portal.is_on()


def _found(one: Planned, holders: Mapping[str, set[str]]) -> Payer | Absent | None:
    if isinstance(one.found, BillingCustomer):
        return _payer(one.found, one, holders)
    return Absent(one.found.in_other_mode, one.is_of) if one.found is not None else None


def _payer(found: BillingCustomer, one: Planned, holders: Mapping[str, set[str]]) -> Payer:
    held_by = holders.get(found.id, set())
    others = sorted(held_by - {one.source.internal_id})
    return Payer(
        found.id, found.created, found.is_live, found.is_deleted,
        stripe_customers.label_of(found, stripe_customers.ERP_ACCOUNT),
        stripe_customers.label_of(found, stripe_customers.ERP_CUSTOMER),
        others[0] if others and one.source.internal_id not in held_by else "",
        one.subscriptions.get(found.id),
    )  # fmt: skip


def _differs(one: Planned, way: Way) -> bool | None:
    if one.changed is None or not isinstance(one.found, BillingCustomer):
        return None
    back = (
        stripe_customers.label_of(one.found, stripe_customers.ERP_CUSTOMER),
        stripe_customers.label_of(one.found, stripe_customers.ERP_ACCOUNT),
    )
    return bool(one.changed) or back != (one.source.internal_id, way.account)
