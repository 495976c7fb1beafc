"""A drill of the stop on an internal customer: probes pass before it, none after it, and two people resume."""

import pytest
from django.contrib.auth.models import Group, User

from gates import stop
from gates.models import GameDay, StopSwitch
from ledger.models import Action
from sync import drain, gameday, sweep
from sync.gameday import running
from tests import factories as f
from tests.flows.world import World


def lead() -> User:
    made = User.objects.create_user("gus", "gus@meshline.example", "x", is_staff=True)
    made.groups.add(Group.objects.get(name="Revenue Ops Lead"))
    return User.objects.get(pk=made.pk)


def work() -> None:
    drain.once()
    sweep.sweep()


@pytest.mark.django_db(transaction=True)
def test_a_drill_halts_one_internal_customer_and_writes_nothing(world: World) -> None:
    internal = f.CustomerFactory()
    by = lead()
    scope = stop.of_customer(internal.external_id)
    one = gameday.begin(by=by, scope=scope)

    said = running.run(one.pk, wait=work, watch=0.2)

    one = GameDay.objects.get(pk=one.pk)
    assert one.state == "passed", said
    assert (one.begun_after, one.probes) == (0, 50)
    assert one.begun_before >= 1
    assert world.writes("stripe") == []
    probes = Action.objects.filter(kind="drill.probe")
    assert set(probes.values_list("state", flat=True)) == {"applied", "superseded"}
    assert dict(StopSwitch.objects.values_list("scope", "state")) == {"all": "running", scope: "resuming"}
    with pytest.raises(stop.Refused) as refused:
        stop.confirm_resume(scope, by=by)
    assert refused.value.code == "four_eyes"
    assert running.run(one.pk, wait=work) == "nothing to do"


@pytest.mark.django_db(transaction=True)
def test_a_drill_without_anything_being_written_proves_nothing_and_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "WARM_UP", 0.2)
    one = gameday.begin(by=lead(), scope="all")

    running.run(one.pk, wait=work, watch=0.0)

    one = GameDay.objects.get(pk=one.pk)
    assert (one.state, one.stopped_at) == ("failed", None)
    assert "nothing was being written" in one.said
    assert StopSwitch.objects.get(scope="all").state == "running"
