"""People of the seven groups, and items for them to decide."""

import pytest
from django.contrib.auth.models import User

from gates import presets
from gates.stop import Refused
from ledger.models import LedgerRow
from tests.factories import ActionFactory, ReviewItemFactory, UserFactory

GROUPS = tuple(presets.GROUPS)


def person(group="Support Manager", **more):
    """Somebody of one group, read anew so that no permission is remembered."""
    made = UserFactory(groups=[group] if group else [], **more)
    return User.objects.get(pk=made.pk)


def answers(*verdicts):
    """What rules said, as it is stored with an action."""
    return [
        {"rule": f"rule-{n}", "verdict": verdict, "reason": "so", "version": 1} for n, verdict in enumerate(verdicts)
    ]


def item_in(state="in_review", *verdicts, **more):
    """An item about an action in this state."""
    action = ActionFactory(state=state, answers=answers(*verdicts or ("review",)), **more)
    return ReviewItemFactory(action=action)


def given(item, **other):
    """What an honest page sends along with an approval."""
    action = item.action
    return {"reason": "looked at it", "version": action.state_version, "preview_hash": action.preview_hash, **other}


RECORD = {"cause": "wrong_data", "corrective_action": "mended the address", "prevention": "the form checks it now"}


def refused(call, *args, **kwargs):
    """The status and code the door says no with."""
    with pytest.raises(Refused) as no:
        call(*args, **kwargs)
    return no.value.status, no.value.code


def last_row():
    """The newest ledger row."""
    return LedgerRow.objects.order_by("-id").first()


def refusals():
    """Every refusal in the ledger."""
    return list(
        LedgerRow.objects.filter(outcome="refused").order_by("id").values_list("decision", "error_code", "actor")
    )
