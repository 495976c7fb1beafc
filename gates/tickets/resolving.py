"""That a reply of ours was taken, and solved its ticket: by the automation alone, or because a person agreed."""

from gates.models import Approval, Ticket
from gates.tickets import states
from ledger import clock

EXECUTOR = "system:executor"
AUTOMATION, PERSON = "automation", "person"


def answered(number: str, action_id: str, *, solved: bool) -> None:
    """Note it with the ticket, in the transaction that books the confirmation; its state is the desk's to tell."""
    one = Ticket.objects.select_for_update(of=("self",)).filter(number=number).first()
    if one is None or not solved:
        return
    agreed = Approval.objects.filter(action_id=action_id, voided_at__isnull=True).exists()
    one.resolved_at, one.resolved_how = clock.now(), PERSON if agreed else AUTOMATION
    states.remark(one, "resolve_ticket", EXECUTOR, action_id=action_id, inputs={"how": one.resolved_how})
