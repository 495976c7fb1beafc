"""E4: what the graph does not allow is refused, for every model, from every state, by every verb."""

import pytest
from django.db import transaction
from django_fsm import TransitionNotAllowed

from gates.models import Automation, ReviewItem, StopSwitch
from ledger.book import graph
from ledger.models import Action, Contract, Customer, Event
from ledger.states import StaleState, edges_of
from tests import factories

MODELS = [Action, Contract, Customer, Event, ReviewItem, StopSwitch, Automation]
PAIRS = [
    (model, state, verb)
    for model in MODELS
    for state in model.State.values
    for verb in sorted({one[1] for one in edges_of(model)})
]

# As written down: source -verb-> target, several sources split by |.
GRAPHS = {
    Action: """
        proposed -observe-> observed, proposed|approved|held -hold-> held
        proposed|held|approved|parked|unknown -ask-> in_review, proposed|held|in_review|parked -approve-> approved
        in_review|failed -reject-> rejected
        proposed|held|in_review|approved|parked|failed -supersede-> superseded, in_review -edit-> in_review
        approved -park-> parked, approved -send-> sending, sending|unknown -confirm-> applied
        sending|unknown -back_off-> approved, sending -doubt-> unknown, sending|unknown -fail-> failed
        in_review|failed -retry-> approved, applied -compensate-> compensated""",
    Contract: """
        draft -sign-> signed, signed -qualify-> ready, draft|ready -activate-> active, active -fall_behind-> past_due
        past_due -recover-> active, past_due -suspend-> suspended, suspended -restore-> active
        draft|signed|ready|active|past_due|suspended -cancel-> cancelled""",
    Customer: """
        pending -qualify-> ready, pending|ready -link-> synced, pending|ready|synced -flag_conflict-> conflict
        conflict -resolve-> pending, conflict -resolve_synced-> synced
        pending|ready|synced|conflict -archive-> archived""",
    Event: """
        received|waiting -claim-> processing, processing -finish-> processed, processing -ignore-> ignored
        processing -wait-> waiting, received|waiting|processing -park-> parked, waiting|processing -release-> received
        processed|ignored|parked -replay-> received""",
    ReviewItem: """
        open -claim-> claimed, claimed -release-> open, open|claimed -snooze-> snoozed, snoozed -wake-> open
        open|claimed -escalate-> open, open|claimed|snoozed -resolve-> resolved""",
    StopSwitch: """
        running|resuming -engage-> stopped, stopped -request_resume-> resuming, resuming -confirm_resume-> running""",
    Automation: """
        shadow|suggest|canary|ten|half|full -pause-> paused, paused|suggest|canary|ten|half|full -to_shadow-> shadow
        paused|shadow|canary|ten|half|full -to_suggest-> suggest, paused|suggest|ten|half|full -to_canary-> canary
        paused|canary|half|full -to_ten-> ten, paused|ten|full -to_half-> half, paused|half -to_full-> full""",
}


def written(text):
    """The edges of a graph as it is written above."""
    found = set()
    for step in text.replace("\n", ",").split(","):
        if step.strip():
            sources, verb, target = step.strip().replace("-> ", "-").replace(" -", "-").split("-")
            found |= {(source, verb, target) for source in sources.split("|")}
    return found


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_graph_is_the_one_written_down(model):
    assert edges_of(model) == written(GRAPHS[model])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_step_outside_the_graph_is_refused(model):
    allowed = {(prior, verb): post for prior, verb, post in edges_of(model)}
    tried = 0
    for _, state, verb in (pair for pair in PAIRS if pair[0] is model):
        record = model(state=state, state_version=7)
        if (state, verb) in allowed:
            getattr(record, verb)()
            assert (record.state, record.state_version) == (allowed[state, verb], 8)
        else:
            tried += 1
            with pytest.raises(TransitionNotAllowed):
                getattr(record, verb)()
            assert (record.state, record.state_version) == (state, 7)
    assert tried > 0


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_state_is_not_assignable(model):
    record = model()

    with pytest.raises(AttributeError):
        record.state = model.State.values[-1]


def test_records_know_their_graphs():
    assert graph("action") == edges_of(Action)


MADE = {
    Action: (lambda: factories.ActionFactory(state="in_review"), "approve"),
    Contract: (lambda: factories.ContractFactory(state="active"), "fall_behind"),
    Customer: (factories.CustomerFactory, "qualify"),
    Event: (factories.EventFactory, "park"),
    ReviewItem: (factories.ReviewItemFactory, "claim"),
    StopSwitch: (lambda: factories.StopSwitchFactory(scope="provider:x"), "engage"),
    Automation: (factories.AutomationFactory, "to_suggest"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_who_saves_second_over_a_move_is_told(model):
    make, verb = MADE[model]
    key = make().pk
    first, second = model.objects.get(pk=key), model.objects.get(pk=key)
    getattr(first, verb)()
    first.save()

    getattr(second, verb)()
    with pytest.raises(StaleState), transaction.atomic():
        second.save()

    assert model.objects.get(pk=key).state_version == first.state_version == 1
    assert model.objects.filter(state_version__gt=1).count() == 0


@pytest.mark.django_db
def test_an_edit_in_review_counts_as_a_move():
    action = factories.ActionFactory(state="in_review")
    editing, approving = Action.objects.get(pk=action.pk), Action.objects.get(pk=action.pk)
    editing.edit()
    editing.save()

    approving.approve()
    with pytest.raises(StaleState), transaction.atomic():
        approving.save()

    assert Action.objects.get(pk=action.pk).state == "in_review"


@pytest.mark.django_db
def test_a_plain_save_over_a_move_is_refused_too():
    contract = factories.ContractFactory()
    moved, edited = Contract.objects.get(pk=contract.pk), Contract.objects.get(pk=contract.pk)
    moved.fall_behind()
    moved.save()

    edited.plan = "free"
    with pytest.raises(StaleState), transaction.atomic():
        edited.save()

    assert Contract.objects.get(pk=contract.pk).plan == ""


@pytest.mark.django_db
def test_read_again_decide_again():
    contract = factories.ContractFactory()
    stale = Contract.objects.get(pk=contract.pk)
    contract.fall_behind()
    contract.save()

    stale.refresh_from_db()
    stale.recover()
    stale.save()

    assert (stale.state, stale.state_version) == ("active", 2)
