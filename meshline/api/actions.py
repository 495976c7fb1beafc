"""Actions: what Meshline means to do, does and did; asking for one, and deciding on one by its id."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from gates.models import ReviewItem
from ledger.models import Action
from meshline.api import personal
from meshline.api.base import ApiView, PagedByUuid, acts, found, looks, page_of
from meshline.api.errors import Problem
from meshline.api.records import narrowed, of_customer
from meshline.api.shapes import ActionDetail, ActionShape, PreviewShape
from meshline.api.strict import Body, Choice, Id, Members, Query, Share, Text
from meshline.api.verbs import DecisionBody
from sync import actions as kinds
from sync import proposals

WITH = ("customer", "contract", "requested_by", "edited_by")


class ActionQuery(PagedByUuid):
    """Which actions."""

    state = Choice([value for value, _ in Action.State.choices], required=False)
    kind = Choice(sorted(kinds.ACTIONS), required=False)
    provider = Choice(list(settings.MESHLINE_PROVIDERS), required=False)
    customer = Text(64, required=False, help_text="External id")
    correlation_id = Id(required=False)


class AskBody(Body):
    """What is asked for, of which contract."""

    kind = Text(60, help_text=f"One of {', '.join(sorted(kinds.ACTIONS))}")
    contract = Text(64, help_text="External id of the contract")
    params = Members(required=False, default=dict, help_text="As the kind takes them")


class ProposeBody(AskBody):
    """The same, and why."""

    reason = Text(proposals.REASON_LENGTH, help_text="Why; it is shown to who decides")
    confidence = Share(required=False, help_text="How sure an assistant is, 0 to 1; required of one, refused of people")


class ActionList(ApiView):
    """Actions, newest first; and asking for one."""

    needs = "ledger.view_action"

    @looks("actions_list", "Actions, newest first", page_of(ActionShape), ActionQuery)
    def get(self, request: Request) -> Response:
        """Narrowed by exact values only."""
        asked = self.query(ActionQuery)
        names = {name: name for name in ("state", "kind", "provider", "correlation_id")}
        rows = narrowed(Action.objects.select_related(*WITH), asked, names)
        return self.page(of_customer(rows, asked), asked, self.shown)

    def shown(self, rows: Sequence[Action]) -> list[dict[str, Any]]:
        """The rows as this person may see them."""
        return [action_data(one, in_full=self.sees_personal()) for one in rows]

    @acts("actions_propose", "Ask for an action; the gates say who has to agree", ProposeBody, ActionDetail, 201)
    def post(self, request: Request) -> Response:
        """The same door as the page and `propose`; the answer says what the gates said."""
        said = self.body(ProposeBody)
        made = proposals.propose(
            said["kind"], said["contract"], said["params"], by=self.person(), reason=said["reason"],
            confidence=said.get("confidence"),
        )  # fmt: skip
        return Response(detail(self, made.pk), status=201)


class ActionPreview(ApiView):
    """What an action would change and what the gates would say."""

    needs = "ledger.view_action"

    @acts("actions_preview", "See what would be asked for; nothing is stored", AskBody, PreviewShape)
    def post(self, request: Request) -> Response:
        """Judged as if it were asked for now."""
        said = self.body(AskBody)
        shown = proposals.preview(said["kind"], said["contract"], said["params"], by=self.person())
        return Response(PreviewShape(personal.shown(shown, in_full=self.sees_personal())).data)


class ActionPage(ApiView):
    """One action."""

    needs = "ledger.view_action"

    @looks("actions_detail", "One action with its request and confirmation", ActionDetail, Query)
    def get(self, request: Request, action_id: UUID) -> Response:
        """What is sent and what came back, as far as this person may see it."""
        self.query(Query)
        return Response(detail(self, action_id))


class ActionRollback(ApiView):
    """Undoing a confirmed action."""

    needs = "ledger.view_action"

    @acts("actions_rollback", "Ask for what undoes it: a new action, once", DecisionBody, ActionDetail, 201)
    def post(self, request: Request, action_id: UUID) -> Response:
        """The new action; it passes the same gates."""
        said = self.body(DecisionBody)
        found(Action.objects.all(), pk=action_id)
        version = said["state_version"]
        made = proposals.roll_back(action_id, by=self.person(), reason=said["reason"], version=version)
        return Response(detail(self, made.pk), status=201)


def action_data(action: Action, *, in_full: bool, whole: bool = False) -> dict[str, Any]:
    """One action as it may be given."""
    shape = ActionDetail if whole else ActionShape
    shown: dict[str, Any] = personal.shown(shape(action).data, in_full=in_full)
    return shown


def detail(view: ApiView, action_id: UUID) -> dict[str, Any]:
    """One action with everything."""
    action = found(Action.objects.select_related(*WITH), pk=action_id)
    return action_data(action, in_full=view.sees_personal(), whole=True)


def item_of(action_id: UUID) -> ReviewItem:
    """The item at which this action is decided: the open one, else the newest."""
    found(Action.objects.only("pk"), pk=action_id)
    rows = list(ReviewItem.objects.filter(action=action_id).select_related("action").order_by("-id")[:20])
    if not rows:
        raise Problem(409, "no_item", "nobody was asked about this action, so there is nothing to decide")
    return next((one for one in rows if one.state != ReviewItem.State.RESOLVED), rows[0])
