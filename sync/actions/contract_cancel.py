"""The ERP's part of a cancellation: our status and end of the contract, once the subscription behind it is over."""

from collections.abc import Mapping
from typing import Any

from gates.playbooks import cancellations
from gates.rules.cancel import CONTRACT
from gates.types import Facts
from sync.actions.base import Confirmation, Found, Preview, Work
from sync.actions.contract import ContractChange, erp
from sync.actions.subscription import LIVE
from sync.facts import Known
from sync.wiretypes import FrozenRequest

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
        """Status and end."""
        end = facts.period_end.date().isoformat() if facts.cancel_pending and facts.period_end else "the day it is over"
        return [
            {"system": "ERP", "field": "contract status", "now": facts.erp_status or "-", "after": CANCELLED},
            {"system": "ERP", "field": "contract ends", "now": "-", "after": end},
        ]

    def wanted(self, work: Work) -> dict[str, str]:
        """Our status field; the end is a date beside it, which no reading back depends on."""
        return {str(erp().config["status_field"]): CANCELLED}

    def freeze(self, work: Work) -> FrozenRequest:
        """Status, end and our mark."""
        config = erp().config
        ends = work.facts.period_end if work.facts.cancel_pending and work.facts.period_end else work.facts.now
        ends = min(ends, work.facts.now)
        fields = {
            **self.wanted(work), str(config["ends_field"]): ends.date().isoformat(),
            str(config["action_field"]): work.id,
        }  # fmt: skip
        return erp().patch_contract(work.known.refs.erp_record, fields)

    def look_up(self, work: Work) -> Found:
        """As every change of a contract, with the day it ends."""
        found = super().look_up(work)
        if isinstance(found, Confirmation):
            record = erp().contract(work.known.refs.erp_record, work.exchanges)
            ends = record.ends_at.date().isoformat() if record and record.ends_at else ""
            return Confirmation(found.id, {**found.said, "ends": ends})
        return found

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """Over, where billing's own event did not say so before."""
        return tuple(("cancel", state, CANCELLED) for state in LIVE)
