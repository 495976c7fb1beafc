"""Reading what judgement needs from the providers. Runs in threads: plain data in and out, no ORM."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ledger import clock
from sync import facts
from sync.actions.contract import erp
from sync.actions.refund import biller
from sync.actions.ticket import desk
from sync.disputes import reading as disputes
from sync.facts import Known
from sync.onboarding import reading
from sync.providers import stripe_accounts
from sync.refunds import reading as refunds
from sync.tickets import reading as tickets
from sync.wiretypes import ContractRecord, Exchange

PROVIDER_OF = {
    "billing": "stripe", "payment": "stripe", "entitlement": "netsuite", "support": "zendesk", "deal": "pipedrive",
    "account": "netsuite", "refund": "stripe", "asking": "zendesk",
}  # fmt: skip
NOTHING: Mapping[str, Any] = {}
NAMED = {"payment": "payment", "refund": "refund", "asking": "ticket"}  # block -> the parameter that says which one


def stale(
    known: Known, needs: Sequence[str], now: datetime, limit: timedelta, params: Mapping[str, Any] = NOTHING
) -> list[str]:
    """The needed blocks that were not read within the limit and can be read at all; `params` are the action's."""
    wanted = [name for name in needs if name not in NAMED or params.get(NAMED[name])]
    return [
        name for name in wanted if _readable(known, name, params) and _older(known.blocks.get(name, {}), now, limit)
    ]


def _older(block: dict[str, Any], now: datetime, limit: timedelta) -> bool:
    # A webhook's copy of a record counts for display, never as a live read: only our own reads carry this mark.
    return not block.get("live") or now - facts.when(block["synced_at"]) > limit


def _readable(known: Known, name: str, params: Mapping[str, Any] = NOTHING) -> bool:
    refs = known.refs
    by = {"billing": refs.billing_customer, "payment": refs.billing_customer, "entitlement": refs.erp_record}
    by |= {"refund": refs.billing_customer, "asking": "desk"}
    return bool({**by, "support": params.get("ticket") or refs.ticket, "deal": refs.deal, "account": refs.deal}[name])


def read(
    known: Known, names: Sequence[str], exchanges: list[Exchange], params: Mapping[str, Any] = NOTHING
) -> dict[str, Any]:
    """Read these blocks now; `params` are those of the action, which name the payment where one is in question.

    Raises ProviderError; what was read before it is lost, nothing is half-believed.
    """
    with stripe_accounts.acting_for(str(params.get("billing_account") or known.billing_account)):
        return _read(known, names, exchanges, params)


def _read(known: Known, names: Sequence[str], exchanges: list[Exchange], params: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    readers: dict[str, Callable[[Known, list[Exchange]], dict[str, Any]]] = {
        "billing": _billing, "entitlement": _entitlement,
        "support": lambda known, made: _support(str(params.get("ticket") or known.refs.ticket), made),
        "payment": lambda _, made: _payment(str(params.get("payment", "")), made),
        "refund": lambda _, made: refunds.refund_block(str(params.get("refund", "")), made),
        "asking": lambda _, made: refunds.asking_block(str(params.get("ticket", "")), made),
        "deal": lambda known, made: reading.deal(known.refs.deal, made),
        "account": lambda known, made: reading.account(known, found.get("deal") or known.blocks.get("deal", {}), made),
    }  # fmt: skip
    for name in names:  # in their order: what the ERP is asked follows from what the CRM said
        found[name] = {**readers[name](known, exchanges), "live": True}
    return found


def contract_of(subscription: str, exchanges: list[Exchange]) -> ContractRecord | None:
    """The ERP's contract for a subscription that nobody here has met."""
    return erp().contract_by_subscription(subscription, exchanges)


ABOUT: Mapping[str, Callable[[Any, list[Exchange]], Any]] = {
    "netsuite": contract_of, "pipedrive": reading.about, "stripe": disputes.about, "zendesk": tickets.about,
}  # fmt: skip


def about(provider: str, value: Any, exchanges: list[Exchange]) -> Any:
    """What a provider says of what an event is about. Raises ProviderError."""
    return (refunds.ASKED.get(type(value)) or ABOUT[provider])(value, exchanges)


def _billing(known: Known, exchanges: list[Exchange]) -> dict[str, Any]:
    customer, subscription = known.refs.billing_customer, known.refs.subscription or None
    return facts.billing_block(biller().billing(customer, subscription, exchanges))


def _payment(payment: str, exchanges: list[Exchange]) -> dict[str, Any]:
    found = biller().payment(payment, exchanges)
    return facts.payment_block(found) if found else {"synced_at": _now(), "payment": payment, "charge": ""}


def _entitlement(known: Known, exchanges: list[Exchange]) -> dict[str, Any]:
    record = erp().contract(known.refs.erp_record, exchanges)
    if record is None:
        return {"synced_at": _now(), "record": "", "status": "gone", "plan": ""}
    return facts.entitlement_block(record)


def _support(number: str, exchanges: list[Exchange]) -> dict[str, Any]:
    ticket = desk().ticket(number, exchanges)
    return facts.support_block(ticket) if ticket else {"synced_at": _now(), "ticket": "", "status": "gone"}


def _now() -> str:
    moment: datetime = clock.now()
    return moment.isoformat()
