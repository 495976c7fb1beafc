"""Deciding on an action by its own id: the verbs of the item that asks about it."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from meshline.api import actions, items
from meshline.api.base import ApiView, acts
from meshline.api.shapes import ActionDetail
from meshline.api.verbs import DECISIONS, Verb


def verb_view(verb: Verb) -> type[ApiView]:
    """The address of one verb on an action."""

    def post(self: ApiView, request: Request, action_id: UUID) -> Response:
        said = self.body(verb.body)
        item = actions.item_of(action_id)
        items.guard(self, verb, item)
        verb.run(item, self.person(), said)
        return Response(actions.detail(self, action_id))

    described = acts(f"actions_{verb.name}", verb.summary, verb.body, ActionDetail)(post)
    members = {"needs": "ledger.view_action", "post": described, "__doc__": verb.summary}
    return type(f"Action{verb.name.capitalize()}", (ApiView,), members)


VERBS = {verb.name: verb_view(verb) for verb in DECISIONS}
