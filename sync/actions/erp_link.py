"""The id of the billing customer written back to the ERP: fields of our own, read back before it is believed."""

from collections.abc import Mapping, Sequence
from typing import Any

from gates.playbooks import customer_sync as playbook
from gates.types import Facts
from sync.actions.base import Accepted, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.billing_customer import AGE_TO_LOOK_AGAIN, age_seconds
from sync.actions.contract import erp
from sync.actions.erp_write import ErpWrite
from sync.customer_sync import fields, links, portal, reading
from sync.errors import PermanentError, UnconfirmedError
from sync.facts import Known
from sync.providers import netsuite_customers as customers
from sync.providers import netsuite_records as records
from sync.providers.base import Guard
from sync.providers.netsuite import job_path
from sync.wiretypes import FrozenRequest


class Link(ErpWrite):
    """A patch of two fields and our mark. Said twice it says the same, and a read tells whether it was heard."""

    name, verb = playbook.LINK, "Write billing id to the ERP"
    risk = playbook.RISK
    about_customer = True
    irreversible_because = "a link is moved by clearing the field in the ERP and syncing again"
    runbook = "billing-customer-wrong"

    def lane(self, customer_id: int, business_key: str) -> str:
        """One after the other with the write to the billing system."""
        return f"customer:{customer_id}:customer_sync"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The customer of the ERP."""
        return playbook.business_key(str(params["account"]), str(params["customer"]))

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The id, and that the customer gets a billing page."""
        field = f"customer {params['customer']}"
        rows = [{"system": "ERP", "field": f"{field}: billing id", "now": "-", "after": params["billing_id"]}]
        if params.get(portal.PAGE):
            rows.append({"system": "ERP", "field": f"{field}: billing page", "now": "-", "after": "a link"})
        return rows

    def freeze(self, work: Work) -> FrozenRequest:
        """Our fields and nothing else. After a while it is looked first whether somebody else filled them."""
        if age_seconds(work) > AGE_TO_LOOK_AGAIN:
            found = self._read(work)
            if found.stored_id not in ("", str(work.params["billing_id"])):
                raise PermanentError("the ERP names another billing customer by now", provider=self.provider,
                                     code="id_changed")  # fmt: skip
        names = reading.names()
        wanted = {names.billing_id: str(work.params["billing_id"]), names.action: work.id}
        if work.secret:
            wanted[names.portal] = portal.PLACEHOLDER
        return customers.link(str(work.params["customer"]), wanted)

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Send it with the address of the billing page in its place, then read back."""
        response = records.perform(erp(), portal.filled(request, work), guard, work.exchanges)
        if response.status in (202, 400):
            return Accepted(job_path(response))
        found = self.look_up(work)
        if isinstance(found, NotDone):
            raise UnconfirmedError(
                "accepted, but the record does not show it", provider=self.provider, code="not_shown"
            )
        return found

    def look_up(self, work: Work) -> Found:
        """The record: the id that was to be written, by whichever of our tries."""
        found, wanted = self._read(work), str(work.params["billing_id"])
        if found.stored_id != wanted:
            if found.stored_id and found.last_action != work.id:
                raise PermanentError(
                    "the ERP names another billing customer by now", provider=self.provider, code="id_changed"
                )
            return NotDone()
        page = work.secret.get("link")
        if page and found.page != work.secret["hash"]:
            return NotDone()
        columns = work.params["columns"]
        made = fields.mapped(found, columns)
        is_same = fields.hash_of(made, columns) == work.params.get("hash")
        said = {
            "billing_id": wanted, "action": work.id, "row": fields.row_hash(found, columns),
            "modified": found.modified if is_same else "", "page": page,
        }  # fmt: skip
        return Confirmation(found.internal_id, said)

    def prepare(self, works: Sequence[Work]) -> None:
        """The address that only the bytes on the wire hold."""
        portal.prepare(works)

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """The ERP was seen with the id: from now on a blank there was blanked on purpose."""
        links.written_back([(work, answer) for work, answer in done])

    def _read(self, work: Work) -> fields.ErpCustomer:
        found = reading.record(str(work.params["customer"]), work.params["sources"], work.exchanges)
        if found is None:
            raise PermanentError("the customer is gone from the ERP", provider=self.provider, code="gone")
        return found
