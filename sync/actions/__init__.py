"""Which kinds of action there are. A new one is a class in a file here and one line below."""

from functools import cache

from django.utils.module_loading import import_string

from sync.actions.base import ActionKind

ACTIONS = {
    "contract.suspend": "sync.actions.contract.Suspend",
    "contract.downgrade": "sync.actions.contract.Downgrade",
    "contract.restore": "sync.actions.contract.Restore",
    "customer.create": "sync.actions.customer.Create",
    "deal.annotate": "sync.actions.deal.Annotate",
    "deal.note": "sync.actions.deal.Note",
    "invoice.create": "sync.actions.invoice.Create",
    "payment.refund": "sync.actions.refund.Refund",
    "ticket.open": "sync.actions.ticket.Open",
    "ticket.note": "sync.actions.ticket.Note",
    "ticket.tag": "sync.actions.ticket.Tag",
}


@cache
def get(name: str) -> ActionKind:
    """The one instance of a kind. Raises KeyError for a kind that is not registered."""
    kind: ActionKind = import_string(ACTIONS[name])()
    return kind
