"""People at the console: one for each right that matters, and their browsers."""

import pytest
from django.test import Client

from gates import presets
from gates.models import StopSwitch
from tests.factories import UserFactory


@pytest.fixture
def shipped(db):
    """Groups, gates and the switch as an installation has them."""
    presets.install_groups()
    StopSwitch.objects.get_or_create(scope="all")


def signed_in(*groups, **more):
    client = Client()
    client.user = UserFactory(groups=groups, **more)
    client.force_login(client.user)
    return client


@pytest.fixture
def support(shipped):
    """May look, claim and comment; may not decide nor read bodies."""
    return signed_in("Support")


@pytest.fixture
def resolver(shipped):
    """May decide."""
    return signed_in("Billing Resolver")


@pytest.fixture
def manager(shipped):
    """May decide and resume."""
    return signed_in("Support Manager")


@pytest.fixture
def superuser(shipped):
    """May everything that anybody may, and edits no record either."""
    return signed_in(is_superuser=True)


@pytest.fixture
def nobody(shipped):
    """Signed in, in no group."""
    return signed_in()
