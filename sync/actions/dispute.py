"""Giving back what a bank asks about: a refund like any other, proposed with its sum and one dispute in its key."""

from collections.abc import Mapping
from typing import Any

from gates.playbooks import disputes
from sync.actions.params import Text
from sync.actions.refund import Refund
from sync.facts import Known


class DisputeRefund(Refund):
    """Refund a payment that a bank asks about or warns of, before it takes the money itself.

    It is read live right before it is sent: once the bank has taken the money nothing goes out, whoever approved.
    """

    name, verb = disputes.REFUND, "Refund disputed payment"
    risk = disputes.GIVE_BACK
    needs = disputes.LIVE_BLOCKS
    runbook = "dispute"
    is_offered = False
    about_customer = True
    asks_for = {
        **Refund.asks_for,
        "dispute": Text(255, pattern=r"[A-Za-z]+_[A-Za-z0-9_]+"),
        "about": Text(choices=(disputes.INQUIRY, disputes.WARNING)),
    }

    def lane(self, customer_id: int, business_key: str) -> str:
        """The payment's own, which every other refund of it keeps to as well."""
        return super().lane(customer_id, business_key.partition("#")[0])

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The charge and the dispute: it is given back once because of one."""
        return f"{super().business_key(known, params)}#{params['about']}:{params['dispute']}"
