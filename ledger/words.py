"""Identifiers as words: what a person reads instead of `contract.suspend` or `back_off`."""

import re

from ledger import cells, words_accounting, words_alerts, words_cancel, words_disputes, words_reconcile, words_refunds

KINDS = {
    **words_accounting.KINDS,
    **words_refunds.KINDS,
    **words_reconcile.KINDS,
    **words_disputes.KINDS,
    **words_cancel.KINDS,
    "contract.suspend": "Suspend contract",
    "contract.downgrade": "Downgrade contract",
    "contract.restore": "Restore contract",
    "customer.create": "Create customer in the ERP",
    "invoice.create": "Create first invoice",
    "billing_customer": "Choose billing customer",
    "billing_customer.create": "Create billing customer",
    "billing_customer.link": "Write billing id to the ERP",
    "billing_customer.update": "Update billing customer",
    "deal.annotate": "Mark deal",
    "deal.note": "Add note to deal",
    "ticket.open": "Open support ticket",
    "ticket.note": "Add note to ticket",
    "ticket.tag": "Tag ticket",
    "ticket.reply": "Answer ticket",
    "ticket.handoff": "Write handoff note on ticket",
    "ticket": "Ticket",
    "mail.progress": "Send progress mail",
    "customer.identity": "Confirm a customer",
    **words_alerts.KINDS,
    "outreach.mail": "Write to customer by mail",
    "outreach.ticket": "Write to customer by ticket",
    "incident": "Incident",
    "drill.probe": "Probe of a drill",
    "stop.tripped": "Stopped by itself",
}

DECISIONS = {
    **words_disputes.DECISIONS,
    **words_cancel.DECISIONS,
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
    "reread": "Read again while it waits",
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
    "edit_profile": "Sync profile changed",
    "sync": "Sync asked for",
    "choose": "Billing customer chosen",
    "start": "Started",
    "begin": "Begun",
    "finish": "Finished",
    "check_connection": "Connection check asked for",
    "test_delivery": "Test delivery asked for",
    "make_portal_link": "Portal link made",
    "renew_portal_link": "Portal link renewed",
    "revoke_portal_link": "Portal link revoked",
    "expire_portal_link": "Portal link expired",
    "backfill_portal_links": "Portal links for all customers asked for",
    "check_portal": "Check of the portal asked for",
    "begin_import": "File of links read",
    "finish_check_import": "File of links checked",
    "recheck_import": "File of links checked again",
    "apply_import": "File of links confirmed",
    "discard_import": "File of links discarded",
    "expire_import": "File of links not decided in time",
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
    "complete": "Checklist completed",
    "reopen": "Checklist goes on",
    "tick_step": "Step done",
    "skip_step": "Step skipped",
    "nudge": "Owner nudged",
    "reassign": "Step given to somebody else",
    "redate": "Due date changed",
    "mail": "Progress mail asked for",
    "edit_template": "Checklist template changed",
    "meet_ticket": "Ticket met",
    "flip_ticket": "Ticket changed back and forth",
    "kind_ticket": "Ticket recognised",
    "resolve_ticket": "Ticket solved by a reply",
    "edit_ticket_kind": "Ticket kind changed",
    "hand_over": "Handed over on the ticket",
    "declare": "Incident declared",
    "report": "Incident reported",
    "rescope": "Scope changed",
    "mitigate": "Mitigated",
    "reopen_incident": "Open again",
    "change_incident": "Incident changed there",
    "heard_again": "Heard of again after it was closed",
    "take": "Taken over",
    "close": "Closed",
    "plan_update": "Update planned",
    "plan": "Planned",
    "drop": "Dropped",
    "rewrite": "Words changed",
    "skip": "Left out",
    "skip_message": "A customer left out",
    "include": "Included after all",
    "include_message": "A customer included after all",
    "edit_message": "Message changed",
    "edit_service": "Scope of a service changed",
    **words_alerts.DECISIONS,
    "backtest": "Back-test asked for",
    "start_drill": "Drill begun",
    "pass_drill": "Drill passed",
    "fail_drill": "Drill failed",
    "plan_audit": "Review planned",
    "judge_row": "Sampled row judged",
    "close_audit": "Review closed",
    "hand_audit": "Review handed on",
    **words_reconcile.DECISIONS,
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
    **words_refunds.WHYS,
    **words_accounting.WHYS,
    **words_reconcile.WHYS,
    **words_disputes.WHYS,
    **words_cancel.WHYS,
    "safety_window": "the payment may still come",
    "stale_context": "what we know is too old",
    "late_event": "the event came very late",
    "cooling_period": "the automation did the same a short time ago",
    "erp_record_linked": "no ERP record is linked",
    "ticket_linked": "no ticket is linked",
    "rollout_stage": "the automation asks each time",
    "asked_by_person": "a person asked for it",
    "edited_by_person": "a person changed it",
    "ready_for_billing": "the deal is not ready for billing",
    "missing_email": "there is no e-mail address to find it by",
    "several_addresses": "its e-mail field holds several addresses",
    "several_matches": "several billing customers have its address",
    "shared_email": "another customer has the same address",
    "linked_elsewhere": "the billing customer belongs to another one",
    "id_changed": "the ERP names another billing customer now",
    "old_still_billed": "subscriptions run on the old billing customer",
    "deleted": "the billing customer was deleted",
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
    "missing_left": "a system lacks the record",
    "missing_right": "a system lacks the record",
    "field_differs": "two systems say different things",
    "duplicate": "a system has it twice",
    "step_due": "a step of an onboarding is due",
    "step_late": "a step of an onboarding is late",
    "incident_without_scope": "an incident touches nobody that we know of",
    "incident_back": "an incident that is closed here is back there",
    "quiet_hours": "it is night where the customer is",
    "portal_not_activated": "the portal is not activated there",
    "portal_refused": "the provider refuses to open the portal",
    "portal_unreachable": "the provider did not answer in time",
    "portal_bad_target": "the address is not the provider's own",
    "portal_customer_gone": "the provider has no such customer",
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
    **words_refunds.RULES,
    **words_disputes.RULES,
    **words_cancel.RULES,
    "safety_window": "Safety window",
    "stale_context": "Age of what we know",
    "late_event": "Late event",
    "erp_record_linked": "ERP record linked",
    "ticket_linked": "Ticket linked",
    "rollout_stage": "Stage of the automation",
    "edited_by_person": "Changed by a person",
    "ready_for_billing": "Ready for billing",
    "customer_settled": "Customer confirmed",
    "possible_duplicate": "No other client of the name",
    "quiet_hours": "Quiet hours",
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
    **words_refunds.EVENTS,
    **words_accounting.EVENTS,
    **words_disputes.EVENTS,
    "payment.failed": "Payment failed",
    "payment.succeeded": "Payment received",
    "invoice.closed": "Invoice closed",
    "subscription.changed": "Subscription changed",
    "subscription.ended": "Subscription ended",
    "customer.changed": "Customer changed",
    "customer.gone": "Customer removed",
    "event": "Read an event",
    "event.unreadable": "Read an event",
    "portal.failed": "Billing portal cannot be opened",
    "action.asked": "Change asked for",
    "onboarding.step": "Step of an onboarding",
    "event.contradiction": "Compare two contents",
    "contract.changed": "Contract changed",
    "ticket.changed": "Ticket changed",
    "ticket.gone": "Ticket removed",
    "slack.click": "Button pressed in chat",
    "sync.run": "Customer sync started",
    "slack.submitted": "Form sent in chat",
    "informational": "For information",
    "unknown": "Type not known",
}


def from_identifier(name: str) -> str:
    """An identifier nobody wrote words for, made readable: `NeedsLook` and `needs_look` become `Needs look`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name))
    return cells.plain(re.sub(r"[._\-]+", " ", spaced).strip().capitalize(), 120)


SUBJECTS = words_reconcile.SUBJECTS


def subject_words(kind: str) -> str:
    """What a ledger row is about, as it stands in a sentence."""
    return SUBJECTS.get(kind) or from_identifier(kind).lower()


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
