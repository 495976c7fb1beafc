"""What every installation starts with for tickets: the automation, one kind that is off, and who may write kinds."""

from typing import Any

from gates.models import Ticket, TicketKind
from ledger.states import Stateful

SUBJECTS: dict[str, type[Stateful]] = {"ticket": Ticket}
AUTOMATIONS: list[dict[str, Any]] = [
    {
        "name": "tickets", "title": "Tickets of a kind", "owner_group": "Support", "fallback_group": "Support Manager",
        "source": "support desk", "destination": "reply on the ticket",
    },
]  # fmt: skip
KINDS: list[dict[str, Any]] = [
    {
        "name": "invoice-copy", "title": "Copy of an invoice", "tags": ["invoice_copy"], "owner_group": "Support",
        "solves": True,
        "reply": "Hello {company},\n\nyou find every invoice, ready to print, behind the link at the foot of the "
        "mails that we send with them. If one is missing there, answer this message and a person looks at it.\n\n"
        "Ticket {ticket}",
    },
]  # fmt: skip
SEE, WRITE = "gates.view_ticketkind", "gates.edit_ticketkind"
GROUPS: dict[str, list[str]] = {
    "Support": [SEE],
    "Billing Resolver": [SEE],
    "Support Manager": [SEE, WRITE],
    "Automation Engineer": [SEE],
    "Revenue Ops Lead": [SEE],
    "Product Ops": [SEE, WRITE],
    "Auditor": [SEE],
    "Onboarding Squad": [SEE],
    "CSM": [SEE],
}


def install() -> None:
    """Make kinds that have no version; what people wrote since is left alone."""
    for one in KINDS:
        if not TicketKind.objects.filter(name=one["name"]).exists():
            TicketKind.objects.create(version=1, **one)
