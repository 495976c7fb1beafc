"""Which kinds of action there are. A new one is a class in a file here and one line below."""

from functools import cache

from django.utils.module_loading import import_string

from sync.actions.base import ActionKind

ACTIONS = {
    "alert": "sync.actions.alert.Alert",
    "alert.message": "sync.actions.alert_message.AlertMessage",
    "billing_customer.create": "sync.actions.billing_customer.Create",
    "billing_customer.link": "sync.actions.erp_link.Link",
    "billing_customer.update": "sync.actions.billing_customer.Update",
    "contract.cancel": "sync.actions.contract_cancel.CancelContract",
    "contract.suspend": "sync.actions.contract.Suspend",
    "contract.downgrade": "sync.actions.contract.Downgrade",
    "contract.restore": "sync.actions.contract.Restore",
    "credit_memo.create": "sync.actions.credit_memo.Create",
    "customer.create": "sync.actions.customer.Create",
    "deal.annotate": "sync.actions.deal.Annotate",
    "deal.note": "sync.actions.deal.Note",
    "dispute.record": "sync.actions.accounting.Dispute",
    "dispute.refund": "sync.actions.dispute.DisputeRefund",
    "drill.probe": "sync.actions.drill.Probe",
    "fee.record": "sync.actions.accounting.Fee",
    "invoice.create": "sync.actions.invoice.Create",
    "mail.progress": "sync.actions.mail.Progress",
    "mail.report": "sync.actions.report.Report",
    "outreach.mail": "sync.actions.outreach.ByMail",
    "outreach.ticket": "sync.actions.outreach.ByTicket",
    "payment.record": "sync.actions.accounting.Payment",
    "payment.refund": "sync.actions.refund.Refund",
    "subscription.cancel": "sync.actions.subscription.Cancel",
    "subscription.uncancel": "sync.actions.subscription.Keep",
    "refund.explanation": "sync.actions.refund_note.Explanation",
    "refund.note": "sync.actions.refund_note.Note",
    "refund.record": "sync.actions.accounting.CustomerRefund",
    "ticket.open": "sync.actions.ticket.Open",
    "ticket.note": "sync.actions.ticket.Note",
    "ticket.tag": "sync.actions.ticket.Tag",
    "ticket.handoff": "sync.actions.ticket_reply.Handoff",
    "ticket.reply": "sync.actions.ticket_reply.Reply",
}


@cache
def get(name: str) -> ActionKind:
    """The one instance of a kind. Raises KeyError for a kind that is not registered."""
    kind: ActionKind = import_string(ACTIONS[name])()
    return kind


def offered() -> list[str]:
    """The kinds that a person may choose from when asking for something."""
    return [name for name in ACTIONS if get(name).asks_for and get(name).is_offered]
