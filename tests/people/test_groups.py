"""What an installation is given of the seven groups, and what it keeps of its own."""

import pytest
from django.contrib.auth.models import Group, Permission

from gates import presets, presets_groups
from gates.models import ShippedGroup

pytestmark = pytest.mark.django_db


def labels(name):
    found = Group.objects.get(name=name).permissions.select_related("content_type")
    return {f"{one.content_type.app_label}.{one.codename}" for one in found}


def as_first_shipped(name):
    """An installation from before what was shipped was written down."""
    ShippedGroup.objects.all().delete()
    known = presets_groups._permissions()
    Group.objects.get(name=name).permissions.set([known[one] for one in presets_groups.FIRST[name]])


@pytest.mark.parametrize("name", presets.GROUPS)
def test_a_new_installation_has_everything(name):
    assert labels(name) == set(presets.GROUPS[name])
    assert set(ShippedGroup.objects.get(name=name).permissions) == set(presets.GROUPS[name])


@pytest.mark.parametrize("name", presets.GROUPS)
def test_an_old_one_gets_what_is_new(name):
    as_first_shipped(name)

    presets.install_groups()

    assert labels(name) == set(presets.GROUPS[name])


def test_what_people_took_away_stays_away_and_what_they_added_stays():
    as_first_shipped("Support Manager")
    group = Group.objects.get(name="Support Manager")
    group.permissions.remove(Permission.objects.get(codename="retry_item"))
    group.permissions.add(Permission.objects.get(codename="view_user"))

    presets.install_groups()

    assert labels("Support Manager") == set(presets.GROUPS["Support Manager"]) - {"gates.retry_item"} | {
        "auth.view_user"
    }


def test_a_second_time_gives_nothing_back():
    group = Group.objects.get(name="Support")
    group.permissions.clear()

    presets.install_groups()

    assert labels("Support") == set()


def test_what_comes_later_is_given_once(monkeypatch):
    monkeypatch.setitem(presets_groups.GROUPS, "Auditor", [*presets.GROUPS["Auditor"], "gates.share_view"])

    presets.install_groups()
    assert "gates.share_view" in labels("Auditor")
    Group.objects.get(name="Auditor").permissions.remove(Permission.objects.get(codename="share_view"))
    presets.install_groups()

    assert "gates.share_view" not in labels("Auditor")


def test_a_group_that_was_lost_is_made_whole():
    Group.objects.get(name="Support").delete()

    presets.install_groups()

    assert labels("Support") == set(presets.GROUPS["Support"])
