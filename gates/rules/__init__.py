"""The rules that rows cannot say, in the order they are shown; each is pure and named after what it protects."""

from gates.rules import typed
from gates.rules.billing import erp_record_linked, ticket_linked
from gates.rules.timing import late_event, safety_window, stale_context

RULES = (safety_window, stale_context, late_event, erp_record_linked, ticket_linked)

__all__ = ["RULES", "typed"]
