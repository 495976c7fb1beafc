"""What can still be refunded of a customer's newest payments, read live for the page on which a refund is asked for."""

from dataclasses import dataclass, field

from django.conf import settings

from gates.stop import Refused
from ledger.models import Contract
from sync import correlate
from sync.actions.refund import biller
from sync.errors import ProviderError
from sync.proposals import live
from sync.providers import stripe_accounts, stripe_refunds
from sync.providers.stripe_refunds import PaidCharge


@dataclass(slots=True)
class Left:
    """The newest payments; `said` is why none can be shown, "" where they are."""

    payments: list[PaidCharge] = field(default_factory=list)
    said: str = ""


def of(contract: Contract) -> Left:
    """Within the budget of a page; a provider that cannot be read is said, and keeps nobody from asking by id."""
    known = correlate.load([contract.pk])[contract.pk]
    customer, account = known.refs.billing_customer, known.billing_account
    if not customer:
        return Left(said="The customer is not linked to the payment provider, so no payment can be refunded.")

    def read() -> list[PaidCharge]:
        with stripe_accounts.acting_for(account):
            return stripe_refunds.recent(biller(), customer)

    try:
        live.refuse_paused({"stripe"})
        found = live.pool().submit(read).result(timeout=settings.MESHLINE_READ_BUDGET_SECONDS)
    except (Refused, ProviderError, TimeoutError):
        return Left(said="The payments cannot be read now; a payment can be named by its id all the same.")
    return Left(found, "" if found else "No collected payment of this customer is known.")
