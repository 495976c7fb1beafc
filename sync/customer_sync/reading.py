"""Everything the customer sync asks of the ERP and of the billing system. Runs in threads: plain data, no ORM."""

from collections.abc import Mapping, Sequence

from django.conf import settings

from gates.rules.customer_sync import spellings
from sync.actions.contract import erp
from sync.actions.refund import biller
from sync.customer_sync import fields
from sync.customer_sync.fields import ErpCustomer, Names
from sync.providers import netsuite_customers, netsuite_records, stripe_customers
from sync.providers.stripe_customers import BillingCustomer, NoCustomer
from sync.wiretypes import Exchange


def names() -> Names:
    """Our own fields of the ERP's customer, in small letters."""
    config = settings.MESHLINE_PROVIDERS["netsuite"]
    return Names(
        str(config["stripe_customer_field"]).lower(), str(config["portal_field"]).lower(),
        netsuite_records.CUSTOMER_ACTION,
    )  # fmt: skip


def record(internal_id: str, sources: Mapping[str, str], exchanges: list[Exchange]) -> ErpCustomer | None:
    """A whole customer of the ERP; None if it is gone. Raises ProviderError."""
    found = netsuite_customers.record(erp(), internal_id, exchanges)
    return fields.from_record(found, names(), sources) if found else None


def billing(billing_id: str, exchanges: list[Exchange]) -> BillingCustomer | NoCustomer:
    """A billing customer as it is now. Raises ProviderError."""
    return stripe_customers.customer(biller(), billing_id, exchanges)


def by_email(email: str, exchanges: list[Exchange]) -> Sequence[BillingCustomer]:
    """Everybody at the billing system with this address, in each spelling it may have there. Raises ProviderError."""
    return stripe_customers.by_email(biller(), spellings(email), exchanges)


def running_subscriptions(billing_id: str, exchanges: list[Exchange]) -> int:
    """How many subscriptions of a billing customer run. Raises ProviderError."""
    return stripe_customers.running_subscriptions(biller(), billing_id, exchanges)
