"""Up on evidence alone, each missing piece named; down at once, by hand or by itself, with nothing planned left."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from gates import automations, policy, review
from gates.models import (
    AlertEpisode,
    Automation,
    AutomationVersion,
    GateVersion,
    PreviewReview,
    ReviewItem,
    Runbook,
    Segment,
    SignOff,
)
from gates.rollout import evidence, falls, ladder, previews, registration, triage
from gates.stop import Refused
from ledger import clock
from ledger.models import Action, LedgerRow
from sync import rollout
from sync.incidents import paging
from sync.models import ReconcileRun
from tests.factories import ActionFactory, EventFactory, ReviewItemFactory
from tests.people.cast import RECORD, answers, last_row, person, refused
from tests.people.rollouts import DAY, actions, agreed, earned, owned

pytestmark = pytest.mark.django_db
NEXT = {"shadow": "suggest", "suggest": "canary", "canary": "ten", "ten": "half", "half": "full"}


def here(name="dunning"):
    return Automation.objects.get(name=name)


def change(**fields):
    Automation.objects.filter(name="dunning").update(**fields)


MISSING = {
    "registration": [
        (lambda: change(reporting_field=""), "no reporting field"),
        (lambda: change(exception_route=" "), "no exception route"),
        (lambda: change(quality_checkpoint=""), "no quality checkpoint"),
        (lambda: change(owner=None), "no person as owner"),
        (lambda: User.objects.filter(username="owner").update(is_active=False), "owner has left"),
        (lambda: User.objects.get(username="owner").groups.set([]), "is not in Billing Resolver any more"),
        (lambda: change(fallback_group="Product Ops"), "nobody is in Product Ops"),
    ],
    "days": [
        (lambda: change(stage_since=clock.now() - DAY / 2), "0 full days"),
        (lambda: change(stage_since=clock.now() + DAY), "the clock was set back"),
    ],
    "decisions": [(lambda: Action.objects.update(automation="another"), "no event reached it in this stage")],
    "suggestions": [(lambda: Action.objects.update(automation="another"), "Reviewed suggestions: 0, needed 100")],
    "previews": [
        (lambda: PreviewReview.objects.all().delete(), "Signed previews: 0, needed 100"),
        (lambda: Action.objects.update(preview_hash="other"), "Signed previews: 0, needed 100"),
    ],
    "corrections": [
        (lambda: Action.objects.filter(target__in=("contract:1", "contract:2")).update(
            edited_by=person()), "1.9 %, 2 of 110, needed under 1.0 % of at least 100"),
    ],
    "reconciliation": [
        (lambda: ReconcileRun.objects.all().delete(), "never ran to its end"),
        (lambda: ReconcileRun.objects.update(finished_at=clock.now() - 1.1 * DAY), "26 h old, needed passed, under 24"),
        (lambda: ReconcileRun.objects.update(outcome="failed"), "the last run failed"),
        (lambda: ReconcileRun.objects.update(flagged=True, differing=30, compared=900), "30 of 900 records differ"),
        (lambda: ReconcileRun.objects.update(finished_at=clock.now() + DAY), "ahead of the clock"),
    ],
    "sign_off": [
        (lambda: SignOff.objects.all().delete(), "none for version 1"),
        (lambda: change(version=2), "none for version 2"),
        (lambda: SignOff.objects.update(voided_at=clock.now()), "none for version 1"),
    ],
    "compensation": [
        (lambda: Runbook.objects.update(tested_at=None), "nobody tried to undo contract.suspend"),
        (lambda: Runbook.objects.update(tested_at=clock.now() - 200 * DAY), "nobody tried to undo contract.suspend"),
    ],
    "alerts": [
        (lambda: paging.raise_alert("events-late", "x"), "open: events-late"),
        (lambda: EventFactory(state="parked", kind="payment.failed", verdict="schema drift: data.amount is text"),
         "schema drift in 1 of payment.failed"),
    ],
}  # fmt: skip


def without(take_away, stage, lead):
    """How the step up is refused while one piece is gone; afterwards it is there again."""
    try:
        with transaction.atomic():
            take_away()
            automations.step_to("dunning", NEXT[stage], by=lead, reason="ready")
    except Refused as refusal:
        return refusal
    raise AssertionError(f"it went up from {stage} all the same")


@pytest.mark.parametrize("stage", list(NEXT))
def test_a_step_up_takes_every_piece(stage):
    """One set-up for a stage: each piece is taken away by itself and put back, then the step goes."""
    lead = earned(stage)
    tried = 0
    for piece in ladder.NEEDS[stage]:
        for take_away, said in MISSING.get(piece, []):
            no = without(take_away, stage, lead)
            assert (no.status, no.code) == (409, "evidence"), piece
            assert said in no.message, piece
            assert ladder.CHECKS[piece](evidence.of([here()])["dunning"], evidence.bars()).title in no.message
            tried += 1
    assert tried >= 12
    assert here().state == stage

    automations.step_to("dunning", NEXT[stage], by=lead, reason="ready")

    row = last_row()
    assert (row.subject_kind, row.prior_state, row.post_state, row.outcome) == (
        "rollout",
        stage,
        NEXT[stage],
        NEXT[stage],
    )


def test_the_wrong_people_step_nothing_up():
    lead = earned("ten")
    writer = person("Revenue Ops Lead")
    AutomationVersion.objects.update(written_by=writer)
    gatekeeper = person("Revenue Ops Lead")
    GateVersion.objects.filter(name="open-dispute").update(written_by=gatekeeper)
    twin = person("Revenue Ops Lead", email=writer.email)

    for wrong in ("Support", "Billing Resolver", "Support Manager", "Automation Engineer", "Product Ops", "Auditor"):
        assert refused(automations.step_to, "dunning", "half", by=person(wrong), reason="x") == (403, "permission")
    for author in (writer, twin, gatekeeper, person("", is_superuser=True, email=writer.email)):
        assert refused(automations.step_to, "dunning", "half", by=author, reason="x") == (403, "four_eyes")
        assert last_row().error_code == "four_eyes"
    assert here().state == "ten"
    assert automations.step_to("dunning", "half", by=lead, reason="x").state == "half"


def test_seven_days_need_a_weekend_and_shorter_ones_do_not():
    monday = datetime(2026, 6, 1, tzinfo=UTC)
    seen = ladder.Evidence("shadow", since=monday, now=monday + timedelta(days=4, hours=23))
    short = ladder.Bars(shadow_days=3)

    assert [len(ladder.full_days(monday + timedelta(hours=h), monday + 2 * DAY)) for h in (0, 1)] == [2, 1]
    assert not ladder.CHECKS["weekend"](seen, ladder.Bars()).is_met
    assert "no full Saturday and no full Sunday" in ladder.CHECKS["weekend"](seen, ladder.Bars()).has
    assert ladder.CHECKS["weekend"](seen, short).is_met
    assert ladder.CHECKS["days"](seen, short).is_met


def filled(count, undone, **more):
    """This many applied actions of dunning, of which so many were undone."""
    made = actions("dunning", count, **more)
    for one in made[:undone]:
        ActionFactory(reverses=one, kind="contract.restore", state="applied", applied_at=clock.now())
    return made


def test_corrections_over_one_per_cent_take_the_stage_and_nothing_planned_is_sent():
    owner = owned()
    change(state="half", stage_since=clock.now() - DAY, acting_since=clock.now() - 5 * DAY)
    filled(249, 2)
    planned = [ActionFactory(automation="dunning", state=state) for state in ("held", "approved", "parked")]
    asked = ReviewItemFactory(action=ActionFactory(automation="dunning", state="in_review"), automation="dunning")
    by_hand = ActionFactory(automation="dunning", state="approved", requested_by=owner)
    sending = ActionFactory(automation="dunning", state="sending")
    assert rollout.watch() == "0 fell"  # 2 of 249 are 0.8 %

    filled(1, 1)  # 3 of 250 are 1.2 %
    assert rollout.watch() == "1 fell: dunning"

    assert (here().state, policy.read().of("dunning").stage) == ("suggest", "suggest")
    assert {Action.objects.get(pk=one.pk).state for one in planned} == {"superseded"}
    assert [Action.objects.get(pk=one.pk).state for one in (asked.action, by_hand, sending)] == [
        "in_review", "approved", "sending",
    ]  # fmt: skip
    told = ReviewItem.objects.filter(kind="automation.fell")
    assert {(one.owner_group, one.owner_id) for one in told} == {
        ("Billing Resolver", owner.pk), ("Support Manager", None),
    }  # fmt: skip
    assert "1.2 % corrected (3 of 250), over 1.0 %" in told[0].sentence
    assert "3 planned actions were withdrawn" in told[0].sentence
    assert AlertEpisode.objects.get(name="automation:dunning").state == "raised"
    assert rollout.watch() == "0 fell"
    assert ReviewItem.objects.filter(kind="automation.fell").count() == 2


def test_after_a_fall_the_owner_signs_again_before_it_climbs():
    lead = earned("suggest")
    change(state="canary")
    automations.fall_back("dunning", "people override 40 % of it")
    change(stage_since=clock.now() - 20 * DAY)
    rollout.watch()

    with pytest.raises(Refused) as no:
        automations.step_to("dunning", "canary", by=lead, reason="again")
    assert "Sign-off: none for version 1" in no.value.message
    assert "open: automation:dunning" in no.value.message
    registration.sign_off("dunning", by=here().owner, reason="the mapping was put right", version=1)
    rollout.watch()
    automations.step_to("dunning", "canary", by=lead, reason="again")

    assert (here().state, here().fell_at) == ("canary", None)
    assert AlertEpisode.objects.get().state == "resolved"


@pytest.mark.parametrize("rule", ["timebox", "schema_drift", "stale_context", "overrides"])
def test_other_ways_to_fall(rule):
    owned()
    change(state="full", stage_since=clock.now() - 9 * DAY, acting_since=clock.now() - 9 * DAY)
    if rule == "timebox":
        change(enabled_until=clock.now() - timedelta(seconds=1))
    elif rule == "schema_drift":
        EventFactory(state="parked", kind="payment.failed", verdict="schema drift: data.amount is text")
    elif rule == "stale_context":
        actions("dunning", 3, state="held", waiting_since=clock.now() - DAY / 12)
    else:
        asked = answers("review")  # a gate asked: turned down it is no correction, yet people override it
        actions("dunning", 40, state="rejected", answers=asked)
        actions("dunning", 60)
        actions("dunning", 100, created_at=clock.now() - 10 * DAY)

    assert falls.sweep() == ["dunning"]

    row = LedgerRow.objects.filter(subject_kind="rollout").latest("id")
    assert (here().state, row.reasons[0]["rule"], row.actor) == ("suggest", rule, "system:rollout")
    assert falls.sweep() == []


def test_lowering_by_hand_withdraws_at_once_and_below_suggest_takes_what_it_asked():
    owner, lead = owned(), person("Revenue Ops Lead")
    automations.place("dunning", "full", why="test")
    held, asked = (ActionFactory(automation="dunning", state=state) for state in ("held", "in_review"))
    item = ReviewItemFactory(action=asked)
    assert refused(automations.pause, "dunning", by=person("Product Ops"), reason="x") == (403, "permission")

    automations.step_to("dunning", "ten", by=owner, reason="slower")
    assert [Action.objects.get(pk=one.pk).state for one in (held, asked)] == ["superseded", "in_review"]
    assert last_row().inputs["withdrawn"] == 1
    automations.pause("dunning", by=person("Support Manager"), reason="looks wrong")

    assert Action.objects.get(pk=asked.pk).state == "superseded"
    assert ReviewItem.objects.get(pk=item.pk).state == "resolved"
    assert policy.current().of("dunning").stage == "paused"
    assert automations.step_to("dunning", "ten", by=lead, reason="it was right").state == "ten"


def test_quarantine_pauses_opens_an_exception_and_ends_no_higher_than_suggest():
    owner, lead = owned(), person("Revenue Ops Lead")
    automations.place("dunning", "half", why="test")
    ActionFactory(automation="dunning", state="held")

    _, opened = automations.quarantine("dunning", by=owner, reason="suspends the wrong ones")

    mine, told = ReviewItem.objects.filter(pk__in=opened).order_by("-kind")
    assert [(one.kind, one.owner_group) for one in (mine, told)] == [
        ("automation.quarantine", "Billing Resolver"), ("automation.fell", "Support Manager"),
    ]  # fmt: skip
    assert (here().state, last_row().outcome) == ("paused", "paused")
    closing = {"by": owner, "reason": "found it", "version": mine.state_version}
    assert refused(review.reject, mine.pk, **closing) == (422, "cause")
    review.reject(mine.pk, **closing, **RECORD)
    assert ReviewItem.objects.get(pk=mine.pk).prevention == RECORD["prevention"]
    assert refused(automations.quarantine, "dunning", by=owner, reason="again") == (409, "step")
    assert refused(automations.step_to, "dunning", "canary", by=lead, reason="x") == (409, "step")
    assert automations.step_to("dunning", "suggest", by=lead, reason="mended").state == "suggest"


def test_a_segment_is_lower_than_the_rest_climbs_by_itself_and_falls_by_itself():
    lead = earned("suggest")
    owner = here().owner
    change(state="full", acting_since=clock.now() - 9 * DAY)
    automations.step_to("dunning", "suggest", by=owner, reason="they call at once", segment="tier:enterprise")
    given = policy.read().of("dunning")
    assert (given.stage, given.segments) == ("full", {"tier:enterprise": "suggest"})

    with pytest.raises(Refused, match="Reviewed suggestions: 0, needed 100"):
        automations.step_to("dunning", "canary", by=lead, reason="x", segment="tier:enterprise")
    Segment.objects.update(stage_since=clock.now() - 20 * DAY)
    agreed(actions("dunning", 110, facts={"tier": "enterprise"}), owner)
    automations.step_to("dunning", "canary", by=lead, reason="x", segment="tier:enterprise")
    actions("dunning", 10, facts={"tier": "enterprise"}, edited_by=owner)
    actions("dunning", 2000, facts={"tier": "growth"})
    Segment.objects.update(acting_since=clock.now() - DAY)
    Automation.objects.filter(name="dunning").update(acting_since=clock.now() - DAY)

    assert falls.sweep() == ["dunning/tier:enterprise"]
    assert (here().state, Segment.objects.get().state) == ("full", "suggest")
    assert refused(automations.step_to, "dunning", "ten", by=owner, reason="x", segment="colour:red") == (
        422,
        "segment",
    )


def test_registering_makes_a_version_nobody_signed_and_only_people_change_while_it_acts():
    owned()
    engineer, one = person("Automation Engineer"), here()
    said = {"quality_checkpoint": "Ten previews a day", "cooling_seconds": "3600"}
    made = registration.change("dunning", said, by=engineer, reason="tighter", state_version=one.state_version)

    assert (made.version, here().cooling_seconds, policy.read().of("dunning").cooling.total_seconds()) == (
        2,
        3600,
        3600,
    )
    newer, older = AutomationVersion.objects.filter(automation=one)
    assert [name for name, _, _ in registration.diff(newer, older)] == ["quality_checkpoint", "cooling_seconds"]
    assert ladder.CHECKS["sign_off"](evidence.of([here()])["dunning"], ladder.Bars()).has == "none for version 2"
    assert refused(registration.change, "dunning", said, by=engineer, reason="x", state_version=0) == (409, "stale")
    for field, value in {"cooling_seconds": "soon", "owner": "nobody-here", "owner_group": "Ghosts", "title": "",
                         "enabled_until": "2001-01-01T00:00Z", "colour": "red"}.items():  # fmt: skip
        assert refused(
            registration.change, "dunning", {field: value}, by=engineer, reason="x", state_version=made.state_version
        ) == (422, field)  # fmt: skip
    assert refused(registration.change, "dunning", said, by=person("Support"), reason="x", state_version=1) == (
        403, "permission",
    )  # fmt: skip
    automations.place("dunning", "ten", why="test")
    version = here().state_version
    assert refused(
        registration.change, "dunning", {"destination": "elsewhere"}, by=engineer, reason="x", state_version=version
    ) == (409, "acts")
    assert registration.change(
        "dunning", {"owner": engineer.username}, by=engineer, reason="x", state_version=version
    ).owner == engineer  # fmt: skip


def test_the_owner_signs_one_version_and_not_their_own_words():
    owner = owned()
    SignOff.objects.all().delete()

    assert refused(registration.sign_off, "dunning", by=person("Revenue Ops Lead"), reason="x", version=1) == (
        403, "permission",
    )  # fmt: skip
    assert refused(registration.sign_off, "dunning", by=owner, reason="x", version=2) == (409, "stale")
    assert refused(registration.sign_off, "dunning", by=owner, reason=" ", version=1) == (422, "reason")
    change(written_by=owner)
    assert refused(registration.sign_off, "dunning", by=owner, reason="x", version=1) == (403, "four_eyes")
    change(written_by=None)
    registration.sign_off("dunning", by=owner, reason="looked at it", version=1)
    assert refused(registration.sign_off, "dunning", by=owner, reason="x", version=1) == (409, "signed")


def test_previews_are_reviewed_one_by_one_and_bound_to_what_was_shown():
    owned()
    change(stage_since=clock.now() - DAY)
    first, second = actions("dunning", 2, state="in_review")
    resolver = person("Billing Resolver")
    given = {"by": resolver, "preview_hash": first.preview_hash}

    assert previews.next_one(here()).pk == first.pk
    assert refused(previews.review, "dunning", first.pk, verdict="correct", **given) == (422, "reason")
    assert refused(previews.review, "dunning", first.pk, verdict="maybe", **given) == (422, "verdict")
    assert refused(previews.review, "dunning", first.pk, verdict="agree", by=resolver, preview_hash="old") == (
        409, "preview",
    )  # fmt: skip
    assert refused(previews.review, "dunning", first.pk, verdict="agree", by=person("Support"),
                   preview_hash=first.preview_hash) == (403, "permission")  # fmt: skip
    previews.review("dunning", first.pk, verdict="correct", reason="wrong plan", **given)
    assert (last_row().decision, last_row().outcome) == ("preview", "correct")
    assert refused(previews.review, "dunning", first.pk, verdict="agree", **given) == (409, "reviewed")
    assert previews.next_one(here()).pk == second.pk
    Action.objects.filter(pk=first.pk).update(preview_hash="new")
    assert previews.waiting(here()).count() == 2  # it shows something else now


def test_weekly_triage_is_made_once_a_week_and_says_that_no_event_came():
    owner = owned()
    agreed(actions("dunning", 3), owner)

    assert triage.weekly() == f"{Automation.objects.count()} lists"
    assert triage.weekly() == "0 lists"

    mine = ReviewItem.objects.get(kind="automation.triage", automation="dunning")
    assert (mine.owner_id, "3 decisions" in mine.sentence) == (owner.pk, True)
    assert "no event reached it" in ReviewItem.objects.get(kind="automation.triage", automation="onboarding").sentence


def test_without_a_development_machine_nobody_puts_an_automation_anywhere(settings):
    settings.MESHLINE_DEV = False

    assert refused(automations.place, "dunning", "full", why="x") == (403, "evidence")
