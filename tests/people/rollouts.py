"""An automation that has earned its next step, by stored rows: what tests take one piece away from."""

from datetime import timedelta

from django.contrib.auth.models import User

from gates.models import Approval, Automation, AutomationVersion, PreviewReview, Runbook, SignOff
from ledger import clock
from ledger.models import Action
from sync.reconcile import checks
from tests.factories import CustomerFactory, ReconcileRunFactory
from tests.people.cast import answers, person

DAY = timedelta(days=1)
NEEDED = {"shadow": 9, "suggest": 16, "canary": 2, "ten": 2, "half": 2}  # days, with room for the first one
STATES = {"shadow": "observed", "suggest": "applied", "canary": "applied", "ten": "applied", "half": "applied"}


def actions(name, count, **more):
    """This many decisions of an automation, in one statement."""
    customer = more.pop("customer", None) or CustomerFactory(tier="growth")
    given = {"kind": "contract.suspend", "provider": "netsuite", "state": "applied", **more}
    given.setdefault("facts", {"tier": customer.tier, "ticket_kind": ""})
    given.setdefault("answers", answers("pass"))
    return Action.objects.bulk_create(
        Action(
            automation=name, customer=customer, target=f"contract:{n}", business_key=f"invoice:{name}-{n}-{id(given)}",
            preview_hash=f"{n:064x}", lane=f"customer:{customer.pk}", **given,
        )
        for n in range(count)
    )  # fmt: skip


def agreed(made, by):
    """A person approved each of these."""
    Approval.objects.bulk_create(
        Approval(action=one, by=by, preview_hash=one.preview_hash, reason="looked at it", rules=["rollout_stage"])
        for one in made
    )


def reviewed(made, by, verdict="agree"):
    """A person looked at the preview of each of these."""
    one = Automation.objects.get(name=made[0].automation)
    PreviewReview.objects.bulk_create(
        PreviewReview(automation=one, action=each, preview_hash=each.preview_hash, verdict=verdict, reason="so", by=by)
        for each in made
    )


def owned(name="dunning"):
    """It has an owner who is there, a fallback with somebody in it, and a version that the owner signed."""
    owner = User.objects.filter(username="owner").first() or person("Billing Resolver", username="owner")
    person("Support Manager")
    Automation.objects.filter(name=name).update(owner=owner)
    one = Automation.objects.get(name=name)
    SignOff.objects.filter(automation=one).delete()
    SignOff.objects.create(automation=one, version=one.version, by=owner, reason="looked at all of it")
    return owner


def earned(stage, name="dunning"):
    """Everything that the step up from this stage needs, stored. Returns who may take it."""
    owner, lead = owned(name), person("Revenue Ops Lead")
    Automation.objects.filter(name=name).update(state=stage, stage_since=clock.now() - NEEDED[stage] * DAY)
    AutomationVersion.objects.get_or_create(automation=Automation.objects.get(name=name), version=1, why="shipped")
    made = actions(name, 110, state=STATES[stage])
    if stage in ("suggest", "canary"):
        agreed(made, owner)
    if stage in ("shadow", "canary"):
        reviewed(made, owner)
    for check in checks.CHECKS:
        ReconcileRunFactory(check_name=check, outcome="agree", finished_at=clock.now() - timedelta(hours=2))
    Runbook.objects.filter(slug="customer-suspended-wrongly").update(tested_at=clock.now())
    return lead
