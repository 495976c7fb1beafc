"""One factory for each model: the smallest row that is valid. A test names only the fields it is about."""

import hashlib
import uuid
from datetime import timedelta
from typing import Any

import factory
from django.contrib.auth.models import Group, User
from factory.django import DjangoModelFactory

from gates.models import Approval, Automation, Comment, GateVersion, ReviewItem, StopSwitch
from ledger import clock
from ledger.identity import lane_of, mint_external_id
from ledger.models import Action, ContextRecord, Contract, Customer, Event, EventBody, ExternalId, LedgerRow
from sync.models import (
    Attempt,
    ContextCheck,
    Delta,
    Dispute,
    DrainSlot,
    Erasure,
    JobRun,
    ProviderState,
    ReconcileRun,
    Refusal,
)


class UserFactory(DjangoModelFactory):
    """A person who may sign in to the console; `groups` names the groups they are in."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda one: f"{one.username}@meshline.example")
    is_staff = True

    @factory.post_generation
    def groups(self, create: bool, names: Any, **kwargs: Any) -> None:
        if create and names:
            self.groups.set(Group.objects.filter(name__in=names))


class CustomerFactory(DjangoModelFactory):
    class Meta:
        model = Customer

    external_id = factory.LazyFunction(lambda: mint_external_id("cus"))
    name = factory.Sequence(lambda n: f"Customer {n}")


class ContractFactory(DjangoModelFactory):
    class Meta:
        model = Contract

    external_id = factory.LazyFunction(lambda: mint_external_id("con"))
    customer = factory.SubFactory(CustomerFactory)
    state = "active"


class ExternalIdFactory(DjangoModelFactory):
    class Meta:
        model = ExternalId

    system = "stripe"
    kind = "customer"
    value = factory.Sequence(lambda n: f"cus_{n:08d}")
    customer = factory.SubFactory(CustomerFactory)
    linked_by = "system"


class ContextFactory(DjangoModelFactory):
    class Meta:
        model = ContextRecord

    customer = factory.SubFactory(CustomerFactory)


class EventFactory(DjangoModelFactory):
    class Meta:
        model = Event

    source = "stripe"
    provider_event_id = factory.Sequence(lambda n: f"evt_{n:08d}")
    type = "invoice.payment_failed"
    kind = "payment.failed"
    object_id = factory.Sequence(lambda n: f"in_{n:08d}")
    lane = factory.LazyAttribute(lambda one: lane_of(f"stripe:{one.object_id}"))
    body_sha = factory.LazyAttribute(lambda one: hashlib.sha256(one.provider_event_id.encode()).digest())


class EventBodyFactory(DjangoModelFactory):
    class Meta:
        model = EventBody

    event_id = factory.LazyFunction(lambda: EventFactory().pk)
    raw = b'{"id": "evt_1"}'
    sha = factory.LazyAttribute(lambda one: hashlib.sha256(one.raw).digest())


class ActionFactory(DjangoModelFactory):
    class Meta:
        model = Action

    kind = "contract.suspend"
    provider = "netsuite"
    customer = factory.SubFactory(CustomerFactory)
    target = factory.Sequence(lambda n: f"contract:in_{n:08d}")
    business_key = factory.Sequence(lambda n: f"invoice:in_{n:08d}")
    preview_hash = factory.Sequence(lambda n: hashlib.sha256(str(n).encode()).hexdigest())
    lane = factory.LazyAttribute(lambda one: lane_of(str(one.target)))


class ReviewItemFactory(DjangoModelFactory):
    """An item about an action in review; `action=None` and an event make one about an event."""

    class Meta:
        model = ReviewItem

    action = factory.SubFactory(ActionFactory, state="in_review")
    customer = factory.LazyAttribute(lambda one: one.action.customer if one.action else None)
    kind = factory.LazyAttribute(lambda one: one.action.kind if one.action else "event")
    correlation_id = factory.LazyAttribute(lambda one: one.action.correlation_id if one.action else uuid.uuid4())
    provider = factory.LazyAttribute(lambda one: one.action.provider if one.action else "")
    automation = factory.LazyAttribute(lambda one: one.action.automation if one.action else "")
    error_code = factory.LazyAttribute(lambda one: one.action.error_code if one.action else "")
    tier = factory.LazyAttribute(lambda one: one.customer.tier if one.customer else "")
    sentence = "Suspend the contract because an invoice stays unpaid."
    why = "open-dispute"
    owner_group = "Billing Resolver"
    due_at = factory.LazyFunction(lambda: clock.now() + timedelta(hours=24))


class CommentFactory(DjangoModelFactory):
    class Meta:
        model = Comment

    item = factory.SubFactory(ReviewItemFactory)
    author = factory.SubFactory(UserFactory)
    text = "Looked at it."


class ApprovalFactory(DjangoModelFactory):
    class Meta:
        model = Approval

    action = factory.SubFactory(ActionFactory, state="in_review")
    by = factory.SubFactory(UserFactory)
    preview_hash = factory.LazyAttribute(lambda one: one.action.preview_hash)
    reason = "Checked."


class AutomationFactory(DjangoModelFactory):
    class Meta:
        model = Automation
        django_get_or_create = ("name",)

    name = factory.Sequence(lambda n: f"automation{n}")
    title = factory.LazyAttribute(lambda one: one.name.capitalize())
    owner_group = "Billing Resolver"
    fallback_group = "Support Manager"
    source = "billing"
    destination = "ERP contract status"


class GateVersionFactory(DjangoModelFactory):
    class Meta:
        model = GateVersion

    name = factory.Sequence(lambda n: f"gate-{n}")
    version = 1
    title = factory.LazyAttribute(lambda one: one.name)
    rows = [{"field": "open_disputes", "op": "over", "value": 0}]
    result = "review"
    message = "a person decides"


class StopSwitchFactory(DjangoModelFactory):
    class Meta:
        model = StopSwitch
        django_get_or_create = ("scope",)

    scope = "all"


class LedgerRowFactory(DjangoModelFactory):
    class Meta:
        model = LedgerRow

    subject_kind = "action"
    subject_id = factory.LazyFunction(lambda: str(uuid.uuid4()))
    decision = "hold"
    actor = "system"
    prior_state = "proposed"
    post_state = "held"


class AttemptFactory(DjangoModelFactory):
    class Meta:
        model = Attempt

    provider = "stripe"
    method = "GET"
    path = "/v1/invoices"
    began_at = factory.LazyFunction(clock.now)
    ms = 120
    status = 200


class RefusalFactory(DjangoModelFactory):
    class Meta:
        model = Refusal

    source = "stripe"
    reason = "the signature does not fit the body"
    status = 401
    body_sha = "0" * 64
    body_head = b"{}"
    body_bytes = 2


class ProviderStateFactory(DjangoModelFactory):
    class Meta:
        model = ProviderState
        django_get_or_create = ("provider",)

    provider = "stripe"


class DrainSlotFactory(DjangoModelFactory):
    class Meta:
        model = DrainSlot
        django_get_or_create = ("slot",)

    slot = factory.Sequence(int)


class JobRunFactory(DjangoModelFactory):
    class Meta:
        model = JobRun

    job = "sweep"
    planned_at = factory.Sequence(lambda n: clock.now() - timedelta(minutes=n))


class ContextCheckFactory(DjangoModelFactory):
    class Meta:
        model = ContextCheck

    began_at = factory.LazyFunction(clock.now)
    started_by = "system:test"
    fields = factory.LazyFunction(lambda: {"billing.subscription_status": [2, 1]})


class ErasureFactory(DjangoModelFactory):
    class Meta:
        model = Erasure

    customer = factory.SubFactory(CustomerFactory)
    asked_by = factory.SubFactory(UserFactory)
    due_at = factory.LazyFunction(lambda: clock.now() + timedelta(hours=24))


class ReconcileRunFactory(DjangoModelFactory):
    """A run that ended well; one that goes on has `finished_at=None`."""

    class Meta:
        model = ReconcileRun

    check_name = "customers"
    started_by = "system:schedule"
    outcome = "agree"
    finished_at = factory.LazyFunction(clock.now)


class DeltaFactory(DjangoModelFactory):
    class Meta:
        model = Delta

    check_name = "customers"
    kind = "field_differs"
    field = "companyName"
    key = factory.Sequence(lambda n: f"mesh-cus-{n:04d}")
    state_version = 1
    left_value, right_value = "Northwind Oy", "Northwind Robotics Oy"
    refs = [["pipedrive", "deal", "4711"], ["netsuite", "customer", "1847"]]
    ids = factory.LazyAttribute(lambda one: [one.key, *(ref[2] for ref in one.refs)])
    owner_system = "netsuite"
    owner_group = "Billing Resolver"


class DisputeFactory(DjangoModelFactory):
    """An inquiry that waits, with the sum of its refund."""

    class Meta:
        model = Dispute

    provider = "stripe"
    external_id = factory.Sequence(lambda n: f"dp_{n:06d}")
    state, kind, status = "waiting", "inquiry", "warning_needs_response"
    charge = factory.Sequence(lambda n: f"ch_{n:06d}")
    amount_minor, currency, reason = 4900, "usd", "product_not_received"
    opened_at = factory.LazyFunction(clock.now)
    evidence_due_at = factory.LazyFunction(lambda: clock.now() + timedelta(days=7))
    told_at = factory.LazyFunction(clock.now)
    advice = "Give back 32.67 USD: the bank only asks so far."
    lines = [["Collected", 4900], ["Time used before the dispute, 10.0 of 30 days", -1633]]
    rounded = "rounded once, at the end, half to even, to 0.01 USD"
    suggested_minor, confidence = 3267, 95
    correlation_id = factory.LazyFunction(uuid.uuid4)
