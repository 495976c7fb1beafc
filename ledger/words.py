"""Identifiers as words: what a person reads instead of `contract.suspend` or `back_off`."""

import re

from ledger import cells

KINDS = {
    "contract.suspend": "Suspend contract",
    "contract.downgrade": "Downgrade contract",
    "contract.restore": "Restore contract",
    "contract.cancel": "Cancel contract",
    "payment.refund": "Refund payment",
    "customer.create": "Create customer in the ERP",
    "invoice.create": "Create first invoice",
    "deal.annotate": "Mark deal",
    "deal.note": "Add note to deal",
    "ticket.open": "Open support ticket",
    "ticket.note": "Add note to ticket",
    "ticket.tag": "Tag ticket",
    "alert": "Send alert",
}

DECISIONS = {
    "observe": "Observed only",
    "hold": "Held",
    "ask": "Asked a person",
    "approve": "Approved",
    "reject": "Rejected",
    "supersede": "Withdrawn",
    "edit": "Edited",
    "park": "Held by stop",
    "send": "Sent",
    "confirm": "Confirmed",
    "back_off": "Will try again",
    "doubt": "Outcome unknown",
    "fail": "Failed",
    "retry": "Sent again by a person",
    "compensate": "Undone",
    "fall_behind": "Fell behind",
    "recover": "Recovered",
    "suspend": "Suspended",
    "restore": "Restored",
    "activate": "Activated",
    "cancel": "Cancelled",
    "engage": "Stopped all writes in scope",
    "request_resume": "Asked to resume",
    "confirm_resume": "Resumed",
    "halt_release": "Release stopped itself",
    "continue_release": "Release continued",
    "approval": "First approval",
    "check": "Check asked for",
    "claim": "Claimed",
    "release": "Given back",
    "comment": "Commented",
    "assign": "Assigned",
    "snooze": "Snoozed",
    "wake": "Woken",
    "escalate": "Escalated",
    "rollback": "Asked to roll back",
    "preview": "Looked at a preview",
    "replay": "Replayed",
    "propose": "Asked for",
    "link": "Linked",
    "unlink": "Link taken away",
    "flag_conflict": "Conflict found",
    "archive": "Archived",
    "contradict": "Contradiction counted",
    "refuse": "Refused",
    "draft": "Drafted",
    "change": "Draft changed",
    "submit": "Submitted",
    "take_back": "Taken back to the draft",
    "withdraw": "Given up",
    "replace": "Replaced by a newer version",
    "ask_retire": "Asked to retire",
    "keep": "Kept after all",
    "retire": "Retired",
    "export": "Exported",
    "exported": "Export complete",
    "bump": "Bumped by the SLA",
    "promise": "SLA counted anew",
    "add_rule": "Ownership rule added",
    "edit_rule": "Ownership rule changed",
    "move_rule": "Ownership rule moved",
    "retire_rule": "Ownership rule retired",
    "add_absence": "Absence entered",
    "end_absence": "Absence ended",
    "add_sla": "SLA policy added",
    "edit_sla": "SLA policy changed",
    "remove_sla": "SLA policy removed",
    "add_hours": "Business hours added",
    "edit_hours": "Business hours changed",
    "add_runbook": "Runbook added",
    "edit_runbook": "Runbook changed",
    "test_runbook": "Runbook tested",
    "tick": "Step of a runbook done",
    "untick": "Step of a runbook taken back",
}

OUTCOMES = {
    "applied": "Confirmed",
    "held": "Held",
    "in_review": "In review",
    "parked": "Held by stop",
    "failed": "Failed",
    "unknown": "Unknown",
    "superseded": "Withdrawn",
    "rejected": "Rejected",
    "observed": "Observed",
    "refused": "Refused",
}

# Why something waits for a person: the rule, gate or error class behind it, as a clause that ends a sentence.
WHYS = {
    "safety_window": "the payment may still come",
    "stale_context": "what we know is too old",
    "late_event": "the event came very late",
    "erp_record_linked": "no ERP record is linked",
    "ticket_linked": "no ticket is linked",
    "rollout_stage": "the automation asks each time",
    "open-dispute": "a payment is disputed",
    "fraud-flag": "there is a fraud warning",
    "asked_by_person": "a person asked for it",
    "refund-limit": "it is above what one person may give",
    "refund_fits": "the payment does not allow it",
    "edited_by_person": "a person changed it",
    "ready_for_billing": "the deal is not ready for billing",
    "customer_settled": "somebody has to confirm who the customer is",
    "possible_duplicate": "it may be a client we have already",
    "organization_merged": "the organization was merged",
    "organization_deleted": "the organization was deleted",
    "customer_renamed": "the customer was renamed",
    "customer_inactive": "the customer was made inactive",
    "deal_withdrawn": "the deal is no more",
    "field_owned": "another system owns a field of it",
    "not_mappable": "a field of it cannot be sent",
    "invalid_reference": "the ERP does not know a value of it",
    "missing_permission": "our role in the ERP may not do it",
    "missing_field": "the ERP demands a further field",
    "unknown_field": "the ERP has no such field",
    "closed_period": "the posting period is closed",
    "duplicate_name": "the name is taken in the ERP",
    "waits_at_provider": "the provider has not finished it",
    "refund_failed": "the refund failed",
    "refund_canceled": "the refund was cancelled",
    "restore-asks": "giving access back is asked for",
    "owner-missing": "the automation has no owner",
    "unknown": "nobody knows whether it happened",
    "failed": "the provider refused it",
    "unconfirmed": "the provider's answer was lost",
    "permanent": "the provider refused it",
    "auth": "the provider refused our sign-in",
    "crashed": "handling it broke several times",
    "body_differs": "one event came with two contents",
    "unreadable": "only a person can read it",
    "contradiction": "events contradict each other",
    "ambiguous": "it may belong to two customers",
    "oddity": "its content is odd",
    "facts_unreadable": "what we need cannot be read",
    "outcome_unknown": "nobody can tell whether it was done",
    "schema_drift": "the provider changed its format",
    "hard_to_read": "only a person can read it",
    "other_body": "one event came with two contents",
    "asked": "a person asked for it",
    "not_shown": "accepted, but the record does not show it",
    "differs": "the record shows other values",
    "gone": "the record is gone there",
    "parked": "only a person can read it",
    "expired": "it waited too long",
    "emergency_stop": "the stop had held it",
}

RULES = {
    "safety_window": "Safety window",
    "stale_context": "Age of what we know",
    "late_event": "Late event",
    "erp_record_linked": "ERP record linked",
    "ticket_linked": "Ticket linked",
    "rollout_stage": "Stage of the automation",
    "open-dispute": "Open dispute",
    "fraud-flag": "Fraud warning",
    "refund-limit": "Refunds above the limit",
    "refund_fits": "Refund fits the payment",
    "edited_by_person": "Changed by a person",
    "ready_for_billing": "Ready for billing",
    "customer_settled": "Customer confirmed",
    "possible_duplicate": "No other client of the name",
    "restore-asks": "Restoring asks a person",
    "asked_by_person": "Asked for by a person",
    "owner-missing": "Automation without owner",
    "person": "Person",
    "undo": "Taken back",
    "reason": "Reason given",
    "emergency_stop": "Emergency stop",
}

VERDICTS = {
    "pass": "Passes",
    "hold": "Holds until",
    "review": "Asks a person",
    "review_two": "Asks two people",
    "block": "Blocks",
}

EVENTS = {
    "payment.failed": "Payment failed",
    "payment.succeeded": "Payment received",
    "invoice.closed": "Invoice closed",
    "subscription.changed": "Subscription changed",
    "subscription.ended": "Subscription ended",
    "dispute.changed": "Dispute changed",
    "fraud.warned": "Fraud warning",
    "customer.changed": "Customer changed",
    "customer.gone": "Customer removed",
    "event": "Read an event",
    "event.unreadable": "Read an event",
    "action.asked": "Change asked for",
    "event.contradiction": "Compare two contents",
    "contract.changed": "Contract changed",
    "ticket.changed": "Ticket changed",
    "ticket.gone": "Ticket removed",
    "slack.click": "Button pressed in chat",
    "slack.submitted": "Form sent in chat",
    "informational": "For information",
    "unknown": "Type not known",
}


def from_identifier(name: str) -> str:
    """An identifier nobody wrote words for, made readable: `NeedsLook` and `needs_look` become `Needs look`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name))
    return cells.plain(re.sub(r"[._\-]+", " ", spaced).strip().capitalize(), 120)


def kind_words(kind: str) -> str:
    """What an action of this kind does."""
    return KINDS.get(kind) or EVENTS.get(kind) or from_identifier(kind)


def decision_words(decision: str) -> str:
    """What a ledger row says was decided."""
    return DECISIONS.get(decision) or from_identifier(decision)


def why_words(why: str) -> str:
    """Why a person is asked."""
    return WHYS.get(why) or WHYS.get(why.removesuffix("Error").lower()) or from_identifier(why).lower()


def rule_words(rule: str) -> str:
    """A rule's name."""
    return RULES.get(rule) or from_identifier(rule)


def event_words(kind: str) -> str:
    """What happened."""
    return EVENTS.get(kind) or from_identifier(kind)


def verdict_words(verdict: str) -> str:
    """An event's verdict as a clause: the part before the colon is its class."""
    head, colon, rest = str(verdict).partition(":")
    return f"{from_identifier(head)}: {rest.strip()}" if colon else from_identifier(head)


STATES = {"in_review": "in review", "past_due": "past due", "parked": "held by stop", "applied": "confirmed"}


def state_words(state: str) -> str:
    """A state as it stands in a sentence."""
    return STATES.get(state) or from_identifier(state).lower()


def actor_words(actor: str) -> str:
    """Who acted, where it was no person: `automation:dunning`, or Meshline itself."""
    kind, _, name = actor.partition(":")
    if kind == "automation":
        return f"{from_identifier(name)} (automation)"
    if kind == "system":
        return f"Meshline ({from_identifier(name).lower()})" if name else "Meshline"
    return actor
