"""Who may say yes: never who asked, edited last or gets the money, and two different people above the limit."""

from collections.abc import Iterable

from django.contrib.auth.models import User

from gates import limits
from gates.models import Approval
from gates.stop import Refused, same_person
from ledger.models import Action

ABOVE_LIMIT = "gates.approve_above_limit"
SPECIALIST_RULES = ("open-dispute", "fraud-flag")


def four_eyes(action: Action, by: User) -> None:
    """Raises Refused 403 for the requester, the last editor and the beneficiary; superusers included."""
    if same_person(action.requested_by, by):
        raise Refused(403, "four_eyes", "you asked for this; another person has to approve it")
    if same_person(action.edited_by, by):
        raise Refused(403, "four_eyes", "you edited this last; another person has to approve it")
    if _is_beneficiary(action, by):
        raise Refused(403, "four_eyes", "you are the customer this is for; another person has to approve it")


def _is_beneficiary(action: Action, by: User) -> bool:
    customer = action.customer
    named = customer.email.strip().casefold() if customer else ""
    return bool(named) and named == by.email.strip().casefold()


def needed(action: Action) -> int:
    """How many people have to agree: where money moves, by what the customer got in 30 days as it is now."""
    return 2 if limits.needs_two(limits.answers_now(action)) else 1


def given(action: Action) -> list[Approval]:
    """The approvals that hold: of the preview that is shown now."""
    held = Approval.objects.filter(action=action, voided_at__isnull=True, preview_hash=action.preview_hash)
    return list(held.select_related("by"))


def refuse_second_yes(earlier: Iterable[Approval], by: User) -> None:
    """Raises Refused 409: one person is not two, whatever their accounts are called."""
    if any(same_person(one.by, by) for one in earlier):
        raise Refused(409, "approved", "you approved this already, first of two; another person has to")


def above_limit(agreed: Iterable[User]) -> None:
    """Raises Refused 403 unless one of those who agree may approve above the first limit."""
    if not any(one.is_active and one.has_perm(ABOVE_LIMIT) for one in agreed):
        raise Refused(403, "above_limit", f"one of the two people who agree needs the permission {ABOVE_LIMIT}")


def for_specialists(action: Action) -> str:
    """Why this is decided by itself and never among others; empty when it may be."""
    if any(action.facts.get(name) for name in ("open_disputes", "fraud_flag")) or any(
        one["rule"] in SPECIALIST_RULES and one["verdict"] != "pass" for one in action.answers
    ):
        return "the customer has an open dispute or a fraud warning"
    return ""
