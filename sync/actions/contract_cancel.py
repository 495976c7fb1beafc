"""The ERP's part of a cancellation: our status of the contract, once the subscription behind it is over."""

from collections.abc import Mapping
from typing import Any

from gates.playbooks import cancellations
from gates.rules.cancel import CONTRACT
from gates.types import Facts
from sync.actions.base import Preview, Work
from sync.actions.contract import ContractChange, erp
from sync.actions.subscription import LIVE
from sync.facts import Known

CANCELLED = "cancelled"


class CancelContract(ContractChange):
    """Say in the ERP that the contract is over. Follows from a confirmed end at billing; also asked for by itself."""

    name, verb = CONTRACT, "Cancel contract"
    risk = cancellations.CANCEL
    needs = reads_to_ask = cancellations.NEEDS
    irreversible_because = "the subscription behind it is over; going on takes a new subscription and a new contract"
    runbook = "cancelled-wrongly"

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """A contract with a record in the ERP that does not say so yet."""
        if not known.refs.erp_record:
            return "the contract is not linked to a record in the ERP"
        if known.blocks.get("entitlement", {}).get("status") == CANCELLED:
            return "the ERP shows the contract as cancelled already"
        return ""

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The contract."""
        return f"contract:{known.refs.contract_external_id}"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """One field; the days of a contract are the ERP's own to keep."""
        return [{"system": "ERP", "field": "contract status", "now": facts.erp_status or "-", "after": CANCELLED}]

    def wanted(self, work: Work) -> dict[str, str]:
        """Our status field."""
        return {str(erp().config["status_field"]): CANCELLED}

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """Over, where billing's own event did not say so before."""
        return tuple(("cancel", state, CANCELLED) for state in LIVE)
