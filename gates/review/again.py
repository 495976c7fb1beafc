"""Mark reviewed - retry: what waits because of what was read is read again and judged anew.

Nothing is agreed to by it: every gate must pass by itself, or the same item asks again and says what is missing now.
"""

from gates import items
from gates.models import Comment, ReviewItem
from gates.review import door, words
from gates.review.door import Case
from gates.stop import Refused
from ledger import book
from ledger.models import Action, LedgerRow

# Asked because of what systems said, not of what people shall weigh: correcting it there may be all it takes.
ABOUT_FACTS = ("ready_for_billing", "customer_settled", "possible_duplicate", "facts_unreadable")
NOT_TO_APPROVE = ("ready_for_billing", "facts_unreadable")  # there is nothing in these that a yes could excuse
MARKED = "marked reviewed"
REREAD = "reread"  # the ledger's word for: read again while it waits, and what it says is brought up to date


def applies(item: ReviewItem, action: Action | None) -> bool:
    """Whether reading again is what this item waits for."""
    return action is not None and action.state == Action.State.IN_REVIEW and item.why in ABOUT_FACTS


def run(case: Case, version: int, said: str) -> None:
    """Let the action go to be read and judged anew; its item stays open, with its clock. Raises Refused 409."""
    action = case.action
    if action is None or not unchanged(action, version):
        words.same_version(version, action.state_version if action else -1, action or case.item)
        raise Refused(409, "stale", "this was changed since you saw it; nothing was done, look again")
    items.void_approvals([action.pk])
    row = {"reasons": [{"rule": "person", "reason": "marked reviewed: read again and judged anew"}]}
    changes = {**book.lease_free(), "tries": 0, "looks": 0, "last_error": "", "error_code": "", "waiting_since": None}
    book.move([book.step(action, "retry", "approved", case.actor, changes=changes, row=row)])
    Comment.objects.create(item=case.item, author=case.by, text=said)
    door.touched(case.item)
    case.item.state_version += 1
    door.save(case, str(case.item.state), outcome=MARKED)


def unchanged(action: Action, version: int) -> bool:
    """Whether nothing but fresh readings changed the action since somebody saw this version of it."""
    if version >= action.state_version:
        return version == action.state_version
    since = LedgerRow.objects.filter(subject_kind="action", subject_id=str(action.pk), state_version__gt=version)
    return set(since.values_list("decision", flat=True)) == {REREAD}


def marked(item: ReviewItem) -> str:
    """Who marked this item reviewed last and when, as ` by priya at 14:02:11 UTC`; empty where nobody did."""
    rows = LedgerRow.objects.filter(subject_kind="item", subject_id=str(item.pk), decision="retry", outcome=MARKED)
    row = rows.order_by("-id").first()
    return f" by {words.who(row.actor)} at {words.when(row.recorded_at)}" if row else ""
