"""A customer of the ERP at the billing system: made once, then kept in line with what the ERP says.

The request is made of the ERP's record as it is at that moment. What nobody may lose is in the request itself: the
reference back to the ERP, the action's mark, and the hash of the fields it was made of.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from gates.playbooks import customer_sync as playbook
from gates.types import Facts
from ledger import clock
from sync import correlate
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.refund import biller
from sync.customer_sync import fields, links, portal, reading
from sync.errors import PermanentError
from sync.facts import Known
from sync.providers import stripe_customers as customers
from sync.providers.base import Guard
from sync.providers.stripe import MARK
from sync.providers.stripe_customers import BillingCustomer
from sync.wiretypes import FrozenRequest

AGE_TO_LOOK_AGAIN = 60.0  # seconds after which what was found when it was planned is asked for once more
KEY_DIGITS = 64


class BillingCustomerChange(ActionKind):
    """A write of one customer to the billing system."""

    provider = "stripe"
    risk = playbook.RISK
    about_customer = True
    runbook = "billing-customer-wrong"

    def lane(self, customer_id: int, business_key: str) -> str:
        """One after the other with the write back to the ERP."""
        return f"customer:{customer_id}:customer_sync"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The customer of the ERP."""
        return playbook.business_key(str(params["account"]), str(params["customer"]))

    def source(self, work: Work) -> fields.ErpCustomer:
        """The ERP's record as it is now. Raises PermanentError where it can no longer be synced."""
        found = reading.record(str(work.params["customer"]), work.params["sources"], work.exchanges)
        if found is None:
            raise PermanentError("the customer is gone from the ERP", provider="netsuite", code="gone")
        faults = fields.fault_codes(found, work.params["columns"])
        if faults:
            raise PermanentError(f"a field cannot be sent: {faults[0]}", provider=self.provider, code=faults[0])
        return found

    def labels(self, work: Work, content: str) -> dict[str, str]:
        """What the billing customer says of where it comes from."""
        params = work.params
        return {
            customers.ERP_CUSTOMER: str(params["customer"]), customers.ERP_ACCOUNT: str(params["account"]),
            customers.EXTERNAL_ID: work.known.refs.external_id, MARK: work.id, customers.HASH: content,
        }  # fmt: skip

    def confirmed(self, found: BillingCustomer, work: Work) -> Confirmation:
        """The billing system's own word."""
        said = {"action": work.id, "live": found.is_live, "hash": customers.label_of(found, customers.HASH)}
        return Confirmation(found.id, said, (("stripe", "customer", found.id),))

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Send it; a repeat is looked for first, since the key may be forgotten by now."""
        if work.is_repeat and work.tries > 1:
            found = self.look_up(work)
            if isinstance(found, Confirmation):
                return found
        response = biller().perform(request, guard, work.exchanges)
        written = customers.from_answer(response)
        if not customers.is_by(written, work.id) and customers.label_of(written, customers.ERP_CUSTOMER) != str(
            work.params["customer"]
        ):
            raise response.unreadable("the answer shows another customer than the one that was written")
        return self.confirmed(written, work)

    def follow(self, work: Work, answer: Confirmation) -> Mapping[str, Any]:
        """The link to the customer's billing page, made now that the id is known to be theirs."""
        if not work.params.get("link"):
            return {}
        customer = work.known.refs.customer_id
        correlate.remember([(customer, ("stripe", "customer", answer.id), None)], links.ACTOR)
        return portal.link_for(customer, answer.id)

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """Our books hold the billing customer from now on, written back or not."""
        links.billed([(work, answer) for work, answer in done])


class Create(BillingCustomerChange):
    """A new billing customer, once for each customer of the ERP and generation of its link."""

    name, verb = playbook.CREATE, "Create billing customer"
    irreversible_because = "a billing customer with a history is closed by finance, never deleted"

    def key(self, action_id: Any, params: Mapping[str, Any]) -> str:
        """The same however often and by whom it is asked, until the link is cleared or the request was refused."""
        parts = (
            params["account"], params["billing_account"], params["customer"], "customer-create", params["generation"],
            params["attempt"],
        )  # fmt: skip
        digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
        return f"meshline-{digest}"[: len("meshline-") + KEY_DIGITS]

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """One new customer, and its id in the ERP."""
        return [
            {"system": "Billing", "field": "customer", "now": "-", "after": "new"},
            {"system": "ERP", "field": f"customer {params['customer']}: billing id", "now": "-", "after": "its id"},
        ]

    def freeze(self, work: Work) -> FrozenRequest:
        """The fields as the ERP has them now. Raises PermanentError where somebody linked it meanwhile."""
        source = self.source(work)
        if source.stored_id:
            raise PermanentError("the ERP names a billing customer by now", provider="netsuite", code="id_changed")
        if age_seconds(work) > AGE_TO_LOOK_AGAIN and reading.by_email(source.email, work.exchanges):
            raise PermanentError("its address is taken by now", provider=self.provider, code="several_matches")
        made = fields.mapped(source, work.params["columns"])
        content = fields.hash_of(made, work.params["columns"])
        return customers.create(biller(), made, self.labels(work, content), work.key)

    def look_up(self, work: Work) -> Found:
        """By the address it was sent with and our mark; one that an earlier try of the same link made counts too."""
        address = _form(work).get("email", "")
        for one in customers.by_email(biller(), [address] if address else [], work.exchanges):
            is_ours = customers.label_of(one, customers.EXTERNAL_ID) == work.known.refs.external_id
            if customers.is_by(one, work.id) or (is_ours and _is_same(one, work)):
                return self.confirmed(one, work)
        return NotDone()


class Update(BillingCustomerChange):
    """What differs is changed; also how one that exists is taken over."""

    name, verb = playbook.UPDATE, "Update billing customer"
    irreversible_because = "the ERP owns these fields; they are corrected there and synced again"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """The names of the fields; their values are personal."""
        changed = ", ".join(params.get("changed", ())) or "reference to the ERP"
        rows = [{"system": "Billing", "field": f"customer {params['billing_id']}", "now": "-", "after": changed}]
        if params.get("link"):
            field = f"customer {params['customer']}: billing id"
            rows.append({"system": "ERP", "field": field, "now": "-", "after": params["billing_id"]})
        return rows

    def freeze(self, work: Work) -> FrozenRequest:
        """Only the fields that differ now, and the reference back."""
        source = self.source(work)
        if work.params.get("link") and source.stored_id not in ("", str(work.params["billing_id"])):
            raise PermanentError("the ERP names a billing customer by now", provider="netsuite", code="id_changed")
        there = reading.billing(str(work.params["billing_id"]), work.exchanges)
        if not isinstance(there, BillingCustomer) or there.is_deleted:
            raise PermanentError("the billing customer is gone", provider=self.provider, code="deleted")
        made = fields.mapped(source, work.params["columns"])
        content = fields.hash_of(made, work.params["columns"])
        changed = fields.differing(made, there.fields)
        return customers.update(biller(), there.id, changed, self.labels(work, content), work.key)

    def look_up(self, work: Work) -> Found:
        """The customer itself; our mark says that this very action wrote last."""
        found = reading.billing(str(work.params["billing_id"]), work.exchanges)
        if isinstance(found, BillingCustomer) and customers.is_by(found, work.id):
            return self.confirmed(found, work)
        return NotDone()


def age_seconds(work: Work) -> float:
    """How long ago it was planned: its id begins with the time."""
    planned = (uuid.UUID(work.id).int >> 80) / 1000
    return float(clock.now().timestamp() - planned)


def _form(work: Work) -> dict[str, str]:
    body = work.request.body if work.request else ""
    return {name: values[-1] for name, values in parse_qs(body).items()}


def _is_same(found: BillingCustomer, work: Work) -> bool:
    """It was made of the same fields for the same customer of the ERP: an earlier action's answer was lost."""
    names = (customers.ERP_CUSTOMER, customers.ERP_ACCOUNT, customers.HASH)
    sent = _form(work)
    return all(customers.label_of(found, name) == sent.get(f"metadata[{name}]") for name in names)
