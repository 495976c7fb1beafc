"""What a difference can be put right by from here: an action asked for through the gates, or an event fetched."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from gates.playbooks import accounting
from gates.stop import Refused
from ledger.models import Action, ExternalId
from sync import catch_up_events, proposals
from sync.accounting import asking as books
from sync.errors import ProviderError
from sync.reconcile.models import Delta

RESTORE, CANCEL = "contract.restore", "contract.cancel"
EVENTS, SUBSCRIPTIONS, ACCOUNTING = "events", "subscriptions", "accounting"


@dataclass(frozen=True, slots=True)
class Fix:
    """An action on a contract of ours, and what the button says."""

    kind: str
    params: dict[str, Any]
    label: str


def action_for(delta: Delta) -> Fix | None:
    """The action that would put it right; None where nothing that we may write does. What billing says is copied."""
    if delta.check_name == ACCOUNTING:
        kind = accounting.WORDS.get(delta.key.partition(" ")[0], ("",))[0]
        is_ours = kind and delta.kind == Delta.Kind.MISSING_RIGHT
        return Fix(kind, {}, "Ask for the record in the ERP") if is_ours else None
    if delta.check_name != SUBSCRIPTIONS or delta.kind != Delta.Kind.FIELD_DIFFERS:
        return None
    if delta.field == "standing" and delta.left_value == "active":
        return Fix(RESTORE, {"undoes": "contract.suspend"}, "Ask for the contract to be restored in the ERP")
    if delta.field == "ended" and delta.left_value == "yes":
        return Fix(CANCEL, {}, "Ask for the contract to be cancelled in the ERP")
    return None


def can_fetch(delta: Delta) -> bool:
    """Whether it is an event that billing lists and we never had."""
    return delta.check_name == EVENTS and delta.kind in (Delta.Kind.MISSING_RIGHT, Delta.Kind.ECHO)


def contract_of(delta: Delta) -> str:
    """The external id of the contract of ours that it is about; "" where none is linked."""
    ids = {(system, key) for system, _, key in delta.refs} | {("stripe", delta.key)}
    links = ExternalId.objects.filter(value__in=[key for _, key in ids], contract__isnull=False)
    found = {one.contract.external_id for one in links.select_related("contract")
             if one.contract and (one.system, one.value) in ids}  # fmt: skip
    return found.pop() if len(found) == 1 else ""


def ask(delta: Delta, *, by: User, reason: str) -> Action:
    """Ask for the action that fits. Raises Refused: 409 none does, and as asking for any action does."""
    fix = action_for(delta)
    if fix is None:
        raise Refused(409, "no_fix", "there is no action of ours that puts this right; nothing was asked for")
    if delta.check_name == ACCOUNTING:
        return books.ask(delta.key, by=by, reason=reason)
    contract = contract_of(delta)
    if not contract:
        raise Refused(409, "contract", "no contract of ours is linked to these records; nothing was asked for")
    return proposals.propose(fix.kind, contract, fix.params, by=by, reason=reason)


def fetch(delta: Delta) -> None:
    """Fetch the event and put it into the inbox. Raises Refused 409 or 502."""
    if not can_fetch(delta):
        raise Refused(409, "no_event", "this is not about an event that can be fetched; nothing was done")
    try:
        catch_up_events.fetch(delta.key)
    except ProviderError as error:
        raise Refused(502, error.code or "provider", f"billing did not give the event out: {error.message}") from error
