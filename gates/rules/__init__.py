"""The rules that rows cannot say, in the order they are shown; each is pure and named after what it protects."""

from gates.rules import typed
from gates.rules.billing import erp_record_linked, refund_fits, ticket_linked
from gates.rules.cancel import BLOCKED, LAST, cancel_window, cancellation_blocked, subscription_over
from gates.rules.claims import UNTRUE, assistant_asked, claim_unproven, claim_untrue
from gates.rules.disputes import dispute_asks
from gates.rules.onboarding import customer_settled, possible_duplicate, ready_for_billing
from gates.rules.owners import owner_sensitive
from gates.rules.people import edited_by_person
from gates.rules.quiet import quiet_hours
from gates.rules.tickets import ticket_steady, ticket_there, ticket_unchanged
from gates.rules.timing import cooling_period, late_event, safety_window, stale_context

RULES = (
    safety_window, stale_context, late_event, erp_record_linked, ticket_linked, refund_fits, edited_by_person,
    ready_for_billing, customer_settled, possible_duplicate, quiet_hours, dispute_asks, ticket_there,
    ticket_steady, ticket_unchanged,
    cancellation_blocked, cancel_window, subscription_over, owner_sensitive, cooling_period,
    assistant_asked, claim_untrue, claim_unproven,
)  # fmt: skip
# Not a matter of judgement: while one of these fails nothing is sent, whoever approves.
FINAL = frozenset({"refund_fits", "ready_for_billing", "ticket_there", BLOCKED, LAST, UNTRUE})

__all__ = ["FINAL", "RULES", "typed"]
