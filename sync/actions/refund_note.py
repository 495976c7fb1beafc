"""What a ticket is told about a refund: internal, and in words made from the ledger's own row of the confirmation."""

from collections.abc import Mapping, Sequence
from typing import Any

from gates.playbooks import refunds
from gates.types import Facts
from ledger import money
from ledger.models import LedgerRow
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.ticket import RUNBOOK, desk
from sync.errors import ConflictError, PermanentError
from sync.providers.base import Guard
from sync.providers.zendesk import marker, ticket_from
from sync.wiretypes import FrozenRequest

ROW = "row"  # of `Work.secret`: what the ledger says of the refund


class Note(ActionKind):
    """An internal note on the ticket that a refund was asked from, or that the customer's case is on.

    It says what the ledger's applied row says, and nothing where there is none.
    """

    name, provider, verb = refunds.NOTE, "zendesk", "Tell the ticket about the refund"
    risk = refunds.NOTE_RISK
    needs: tuple[str, ...] = refunds.LIVE
    remake_on_conflict = True
    irreversible_because = "a note stays on its ticket; a further note can correct it"
    runbook = RUNBOOK

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """One internal comment."""
        after = str(params.get("text") or "that the refund is confirmed, as the ledger has it")
        field = f"ticket {params['ticket']}: internal note"
        return [{"system": "Support desk", "field": field, "now": "-", "after": after[:200]}]

    def prepare(self, works: Sequence[Work]) -> None:
        """The applied rows that these notes speak of: one statement for all."""
        wanted = {str(one.params["refund_action"]) for one in works if one.params.get("refund_action")}
        rows = LedgerRow.objects.filter(action_id__in=wanted, subject_kind="action", post_state="applied")
        told = {str(row.action_id): row for row in rows}
        for one in works:
            row = told.get(str(one.params.get("refund_action")))
            if row is not None and row.confirmation_id == one.params["refund"]:
                one.secret = {ROW: row}

    def freeze(self, work: Work) -> FrozenRequest:
        """The words with our mark. Raises PermanentError where the ticket or the confirmation is not there."""
        words = self.words(work)
        ticket = desk().ticket(work.params["ticket"], work.exchanges)
        if ticket is None:
            told = f"ticket {work.params['ticket']} was merged into another one or deleted"
            raise PermanentError(told, provider=self.provider, status=404, code="gone", never_sent=True)
        body = f"{words}\n\nCorrelation {work.correlation_id}"
        return desk().add_note(ticket.id, body, ticket.updated_at, marker(work.id))

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Send it; a ticket that changed meanwhile may have been changed by an earlier try of this very note."""
        try:
            response = desk().perform(request, guard, work.exchanges)
        except ConflictError:
            found = self.look_up(work) if work.tries else None
            if isinstance(found, Confirmation):
                return found
            raise
        ticket = ticket_from(response)
        if ticket.id != work.params["ticket"]:
            raise response.unreadable("the answer is another ticket")
        return Confirmation(ticket.id, {"updated_at": ticket.updated_at})

    def look_up(self, work: Work) -> Found:
        """Look for the marker among the comments."""
        for comment in desk().comments(work.params["ticket"], work.exchanges):
            if marker(work.id) in comment.body:
                return Confirmation(work.params["ticket"], {"comment": comment.id})
        return NotDone()

    def words(self, work: Work) -> str:
        """What the note says. Raises PermanentError where the ledger has no confirmation."""
        row: LedgerRow | None = work.secret.get(ROW)
        if row is None or row.applied_at is None:
            told = "the ledger has no confirmation of this refund, so nothing is said about it"
            raise PermanentError(told, provider=self.provider, code="not_confirmed", never_sent=True)
        return (
            f"Refund issued: {money.display(row.amount_minor, row.currency)} of payment {work.params['charge']}.\n"
            f"Confirmed by the payment provider as {row.confirmation_id} on {row.applied_at:%Y-%m-%d %H:%M} UTC."
        )


class Explanation(Note):
    """An internal note on a ticket whose wish for a refund cannot be: the reason, and nothing that was done."""

    name, verb = refunds.EXPLANATION, "Tell the ticket why there is no refund"
    needs = ()

    def words(self, work: Work) -> str:
        """The reason, as it was judged."""
        return str(work.params["text"])
