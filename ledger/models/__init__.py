"""The records: what happened, what is intended, what was decided."""

from ledger.models.action import Action
from ledger.models.context import ContextRecord
from ledger.models.contract import Contract
from ledger.models.customer import Customer
from ledger.models.event import Event, EventBody
from ledger.models.external_id import ExternalId
from ledger.models.ledger_row import LedgerCheck, LedgerRow, LedgerSeal

__all__ = [
    "Action",
    "ContextRecord",
    "Contract",
    "Customer",
    "Event",
    "EventBody",
    "ExternalId",
    "LedgerCheck",
    "LedgerRow",
    "LedgerSeal",
]
