"""A progress mail of a checklist: what it says follows from the steps, who gets it from the deal."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates.checklists import rows
from gates.checklists.verbs import same_version
from gates.models import Checklist
from gates.stop import Refused
from ledger import book
from ledger.models import Action
from sync import correlate, proposals
from sync.actions.mail import KIND, MOST_STEPS, mark_of

MOST_NEXT = 3


def params_of(one: Checklist, note: str = "") -> dict[str, Any]:
    """What the mail says: the steps that are done, the next three, and a colleague's words."""
    steps = list(one.steps.order_by("position").values_list("title", "state"))
    said: dict[str, Any] = {"checklist": one.pk}
    done = [title for title, state in steps if state == "done"][-MOST_STEPS:]
    coming = [title for title, state in steps if state == "waiting"][:MOST_NEXT]
    words = note.replace("\r\n", "\n").strip()
    return said | {name: told for name, told in (("done", done), ("next", coming), ("note", words)) if told}


def preview(checklist_id: int, *, by: User, note: str = "") -> dict[str, Any]:
    """What would be sent now, as `proposals.preview` gives it, with the recipient's fingerprint under `recipient`.

    Raises Refused: 403 permission, 404, 409 not possible as things stand, 422 a field.
    """
    one = _found(checklist_id)
    seen = proposals.preview(KIND, one.contract_id, params_of(one, note), by=by)
    to: Mapping[str, Any] = next((row for row in seen["preview"] if row["field"] == "to"), {})
    return {**seen, "recipient": mark_of(str(to.get("after", "")))}


def send(
    checklist_id: int, *, by: User, version: int, recipient: str, note: str = "", reason: str = "progress mail"
) -> Action:
    """Ask for the mail that was shown. The list's version is raised, so that a second press asks for nothing.

    Raises Refused: 403, 404, 409 the list changed or it is not possible, 422 a field or another recipient by now.
    """
    one = _found(checklist_id)
    proposals.preview(KIND, one.contract_id, params_of(one, note), by=by)  # refusals are written down outside
    with transaction.atomic():
        correlate.lock_customers([one.customer_id])
        held = Checklist.objects.select_for_update().get(pk=one.pk)
        if held.state != Checklist.State.RUNNING:
            raise Refused(409, "state", f"{held} is {held.get_state_display().lower()} by now; nothing was sent")
        same_version(version, held.state_version, str(held))
        said = {**params_of(held, note), "recipient": recipient}
        action = proposals.propose(KIND, held.contract_id, said, by=by, reason=reason)
        held.write()
        held.save()
        row = rows.of_list(held, "mail", "running", f"user:{by.pk}")
        book.write_rows([{**row, "action_id": action.pk}])
    return action


def _found(checklist_id: int) -> Checklist:
    one = Checklist.objects.filter(pk=checklist_id).first()
    if one is None:
        raise Refused(404, "unknown", "there is no such checklist")
    return one
