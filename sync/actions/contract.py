"""Changes of a contract's standing in the ERP: suspend, downgrade, restore.

They write fields of our own on the contract's record, never the ERP's own subscription status (what a plain change of
that does is not documented). A success is 204 without a body, so the record is read back before anything is believed.
"""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings

from gates.playbooks import dunning
from gates.types import Facts
from sync import providers
from sync.actions.base import Accepted, ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.params import Text
from sync.errors import PermanentError, UnconfirmedError
from sync.facts import Known
from sync.providers.base import Guard
from sync.providers.netsuite import JobDone, JobPending, NetSuite, job_path, location_id
from sync.wiretypes import FrozenRequest

SUSPENDED, ACTIVE = "suspended", "active"
INVOICE = Text(64, is_required=False, pattern=r"[A-Za-z0-9_-]+")


def erp() -> NetSuite:
    """The adapter, narrowed."""
    adapter = providers.get("netsuite")
    assert isinstance(adapter, NetSuite)
    return adapter


class ContractChange(ActionKind):
    """A change of our own fields on the ERP's contract record, marked with the action's id."""

    provider = "netsuite"
    needs = dunning.LIVE_BLOCKS

    @property
    def settle(self) -> timedelta:  # type: ignore[override]
        """A write whose answer was lost may still be committing: wait for the slowest known one first."""
        return timedelta(seconds=8 * settings.MESHLINE_RETRY_FIRST_WAIT_SECONDS)

    def undo(self, params: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
        """The restore is told what it restores from."""
        return {"undoes": self.name}

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """A contract that runs and has a record in the ERP."""
        if not known.refs.erp_record:
            return "the contract is not linked to a record in the ERP"
        return "" if known.state in ("active", "past_due") else f"the contract is {known.state.replace('_', ' ')}"

    @abstractmethod
    def wanted(self, work: Work) -> dict[str, str]:
        """Our fields and the values they shall have."""

    def freeze(self, work: Work) -> FrozenRequest:
        """A change of just these fields; a misspelt one is refused by the ERP instead of dropped."""
        action_field = str(erp().config["action_field"])
        return erp().patch_contract(work.known.refs.erp_record, {**self.wanted(work), action_field: work.id})

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Send, then read back: only a record that carries our mark and values confirms."""
        response = erp().perform(request, guard, work.exchanges)
        if response.status in (202, 400):
            return Accepted(job_path(response))
        if location_id(response) != work.known.refs.erp_record:
            raise response.unreadable("the answer names another record than the one that was to change")
        found = self.look_up(work)
        if isinstance(found, NotDone):
            raise UnconfirmedError(
                "accepted, but the record does not show it", provider=self.provider, code="not_shown"
            )
        return found

    def look_up(self, work: Work) -> Found:
        """Read the record: our mark says that this very action wrote last."""
        record = erp().contract(work.known.refs.erp_record, work.exchanges)
        if record is None:
            raise PermanentError("the contract's record is gone from the ERP", provider=self.provider, code="gone")
        if record.last_action_id != work.id:
            return NotDone()
        config, wanted = erp().config, self.wanted(work)
        shown = {str(config["status_field"]): record.status, str(config["plan_field"]): record.plan}
        if any(shown.get(name) != value for name, value in wanted.items()):
            raise UnconfirmedError(
                "the record shows other values than were sent", provider=self.provider, code="differs"
            )
        return Confirmation(f"{record.internal_id}", {"status": record.status, "plan": record.plan, "action": work.id})

    def poll(self, work: Work) -> Found:
        """A job is judged by the status of its result, then by the record itself."""
        state = erp().job_state(work.job_ref, work.exchanges)
        if isinstance(state, JobPending):
            return Accepted(work.job_ref)
        if isinstance(state, JobDone) and state.status >= 400:
            raise PermanentError("the ERP's job refused the change", provider=self.provider, status=state.status)
        return self.look_up(work)


class Suspend(ContractChange):
    """Take the service away because an invoice stays unpaid."""

    name, verb = "contract.suspend", "Suspend contract"
    risk = dunning.SUSPEND
    asks_for = {"invoice": INVOICE}
    inverse, runbook = "contract.restore", "customer-suspended-wrongly"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """One field."""
        return [{"system": "ERP", "field": "contract status", "now": facts.erp_status or ACTIVE, "after": SUSPENDED}]

    def wanted(self, work: Work) -> dict[str, str]:
        """Our status field."""
        return {str(erp().config["status_field"]): SUSPENDED}

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """To suspended; where a payment made it active while the write was in the air, through past due."""
        steps = {
            "past_due": (("suspend", "past_due", "suspended"),),
            "active": (("fall_behind", "active", "past_due"), ("suspend", "past_due", "suspended")),
        }
        return steps.get(work.known.state, ())


class Downgrade(ContractChange):
    """Move the contract to a smaller plan because an invoice stays unpaid."""

    name, verb = "contract.downgrade", "Downgrade contract"
    risk = dunning.SUSPEND
    inverse, runbook = "contract.restore", "customer-suspended-wrongly"
    asks_for = {"plan": Text(64), "invoice": INVOICE}

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Also not to the plan it has."""
        same = "the contract has this plan already" if params["plan"] == known.plan else ""
        return super().unfit(known, params) or same

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """One field."""
        return [{"system": "ERP", "field": "contract plan", "now": facts.plan or "-", "after": params["plan"]}]

    def wanted(self, work: Work) -> dict[str, str]:
        """Our plan field."""
        return {str(erp().config["plan_field"]): str(work.params["plan"])}

    def changes(self, work: Work) -> dict[str, Any]:
        """Remember the plan to go back to."""
        return {"plan": work.params["plan"], "plan_before": work.known.plan}


class Restore(ContractChange):
    """Give back what a suspension or downgrade took."""

    name, verb = "contract.restore", "Restore contract"
    risk = dunning.RESTORE
    inverse, runbook = "contract.suspend", "customer-suspended-wrongly"
    asks_for = {"undoes": Text(choices=("contract.suspend", "contract.downgrade"))}

    def inverse_of(self, params: Mapping[str, Any]) -> str:
        """What it undid, done again."""
        return str(params.get("undoes") or self.inverse)

    def undo(self, params: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
        """After a downgrade: to the plan the contract was on before it was restored."""
        return {"plan": facts.get("plan", "")} if params.get("undoes") == "contract.downgrade" else {}

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """What is to be undone stands."""
        if params["undoes"] == "contract.suspend" and known.state != "suspended":
            return f"the contract is {known.state.replace('_', ' ')}"
        if params["undoes"] == "contract.downgrade" and not known.plan_before:
            return "the contract was not downgraded"
        return "" if known.refs.erp_record else "the contract is not linked to a record in the ERP"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """One for each thing that is undone."""
        return f"contract:{known.refs.contract_external_id}:{params['undoes']}"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The field that was changed."""
        if params.get("undoes") == "contract.downgrade":
            return [{"system": "ERP", "field": "contract plan", "now": facts.plan, "after": "the plan before"}]
        return [{"system": "ERP", "field": "contract status", "now": facts.erp_status or SUSPENDED, "after": ACTIVE}]

    def wanted(self, work: Work) -> dict[str, str]:
        """The opposite of what it undoes."""
        if work.params.get("undoes") == "contract.downgrade":
            return {str(erp().config["plan_field"]): work.known.plan_before}
        return {str(erp().config["status_field"]): ACTIVE}

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """Back to active, from suspended only."""
        undoes = work.params.get("undoes", "contract.suspend")
        if undoes == "contract.suspend" and work.known.state == "suspended":
            return (("restore", "suspended", "active"),)
        return ()

    def changes(self, work: Work) -> dict[str, Any]:
        """The plan before, where the plan was changed."""
        if work.params.get("undoes") == "contract.downgrade":
            return {"plan": work.known.plan_before, "plan_before": ""}
        return {}
