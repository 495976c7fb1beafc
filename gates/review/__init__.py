"""The verbs people have. Page, API, shell and worker call these; what may be done is checked here and nowhere else.

Each verb locks the rows, checks permission, four eyes, state and version, moves them and writes the ledger row in one
transaction. A refusal of a permission leaves a row, too.
"""

from gates.review.again import ABOUT_FACTS, NOT_TO_APPROVE, REREAD, marked, unchanged
from gates.review.again import applies as reads_again
from gates.review.buttons import Verb, verbs, why_not
from gates.review.decisions import CAUSES, approve, check, reject, retry, undo
from gates.review.desk import (
    COMMENT_LENGTH,
    SNOOZE_WHYS,
    assign,
    claim,
    comment,
    escalate,
    is_taken,
    next_item,
    release,
    snooze,
    touch,
    unclaimed,
    wake,
)
from gates.review.door import PERMISSIONS
from gates.review.eyes import four_eyes, needed
from gates.review.many import BulkResult, bulk, bulk_fit
from gates.review.replays import replay
from gates.stop import Refused

__all__ = [
    "ABOUT_FACTS", "CAUSES", "COMMENT_LENGTH", "NOT_TO_APPROVE", "PERMISSIONS", "REREAD", "SNOOZE_WHYS", "BulkResult",
    "Refused", "Verb", "approve", "assign", "bulk", "bulk_fit", "check", "claim", "comment", "escalate", "four_eyes",
    "is_taken", "marked", "needed", "next_item", "reads_again", "reject", "release", "replay", "retry", "snooze",
    "touch", "unchanged", "unclaimed", "undo", "verbs", "wake", "why_not",
]  # fmt: skip
