"""Review items: the queue, one item with what it is about, and the verbs people have on it."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from gates import review
from gates.models import Comment, ReviewItem
from meshline.api import actions, personal
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.errors import Problem
from meshline.api.shapes import CommentShape, ItemDetail, ItemShape, VerbShape
from meshline.api.strict import Body, Choice, Query, Text
from meshline.api.verbs import CARE, DECISIONS, Verb
from meshline.console.queue import chips, tabs
from meshline.console.queue.address import Asked
from meshline.console.queue.chips import BadAddress

MOST_COMMENTS = 100
QUEUE_STATES, QUEUE_MODES = ([(one, one) for one in chips.CHIPS[name].options] for name in ("state", "mode"))
WITH = ("customer", "owner", "resolved_by", "action")


def _filters() -> dict[str, Any]:
    """The queue's own filters, so that an address of the page means the same here."""
    made: dict[str, Any] = {
        name: Choice(list(chip.options), required=False, help_text=chip.label)
        if chip.options
        else Text(chips.TEXT, required=False, help_text=chip.label)
        for name, chip in chips.CHIPS.items()
    }
    made["tab"] = Choice(list(tabs.TABS), required=False, help_text="A view of the queue")
    made["q"] = Text(255, required=False, help_text="RV number, correlation or action id, customer's id or name")
    return made


ItemFilter: type[Query] = type("ItemFilter", (Query,), {**_filters(), "__doc__": "Which items."})
ItemQuery: type[Query] = type("ItemQuery", (Paged,), {**_filters(), "__doc__": "Which items, and which page."})
NextBody: type[Body] = type("NextBody", (Body,), {**_filters(), "__doc__": "Which part of the queue; all of it."})


class ItemList(ApiView):
    """Items, newest first; those that are not settled unless something else is asked for."""

    needs = "gates.view_reviewitem"

    @looks("review_items_list", "Review items, newest first", page_of(ItemShape), ItemQuery)
    def get(self, request: Request) -> Response:
        """By the filters and views of the queue page."""
        asked = self.query(ItemQuery)
        rows = wanted(asked, self.person()).select_related(*WITH)
        return self.page(rows, asked, self.shown)

    def shown(self, rows: Sequence[ReviewItem]) -> list[dict[str, Any]]:
        """The rows as this person may see them."""
        return [item_data(one, in_full=self.sees_personal()) for one in rows]


class ItemPage(ApiView):
    """One item."""

    needs = "gates.view_reviewitem"

    @looks("review_items_detail", "One item with its action, verbs and comments", ItemDetail, Query)
    def get(self, request: Request, item_id: int) -> Response:
        """Everything a decision needs."""
        self.query(Query)
        return Response(detail(self, item_id))


class ItemNext(ApiView):
    """The next thing to do."""

    needs = "gates.view_reviewitem"

    @acts("review_items_next", "Claim the first item nobody works on; 409 when there is none", NextBody, ItemDetail)
    def post(self, request: Request) -> Response:
        """Two people who ask at once get two items."""
        asked = self.body(NextBody)
        item = review.next_item(by=self.person(), query=wanted(asked, self.person()) if asked else None)
        if item is None:
            raise Problem(409, "empty", "nothing of what you asked for waits for anybody now")
        return Response(detail(self, item.pk))


def wanted(asked: dict[str, Any], user: Any) -> QuerySet[ReviewItem]:
    """The items that were asked for, read by the queue's own rules. Raises Problem 422."""
    given = {name: str(value) for name, value in asked.items() if name not in ("before", "after", "limit")}
    try:
        return Asked.read(given, user).items()
    except BadAddress as error:
        raise Problem(422, "field", str(error)) from None


def item_data(item: ReviewItem, *, in_full: bool) -> dict[str, Any]:
    """One item as it may be given."""
    shown: dict[str, Any] = personal.shown(ItemShape(item).data, in_full=in_full)
    return shown


def detail(view: ApiView, item_id: int) -> dict[str, Any]:
    """An item with its action, what may be done, and what people wrote."""
    in_full = view.sees_personal()
    rows = ReviewItem.objects.select_related(*WITH, *(f"action__{name}" for name in actions.WITH))
    item = found(rows, pk=item_id)
    written = Comment.objects.filter(item=item).select_related("author").order_by("-id")[:MOST_COMMENTS]
    comments = personal.shown(CommentShape(written, many=True).data, in_full=in_full)
    return {
        "item": item_data(item, in_full=in_full),
        "action": actions.action_data(item.action, in_full=in_full, whole=True) if item.action else None,
        "verbs": VerbShape(review.verbs(item, view.person()), many=True).data,
        "comments": comments,
    }


def verb_view(verb: Verb) -> type[ApiView]:
    """The address of one verb on an item."""

    def post(self: ApiView, request: Request, item_id: int) -> Response:
        said = self.body(verb.body)
        item = found(ReviewItem.objects.select_related("action"), pk=item_id)
        guard(self, verb, item)
        verb.run(item, self.person(), said)
        return Response(detail(self, item_id))

    described = acts(f"review_items_{verb.name}", verb.summary, verb.body, ItemDetail)(post)
    members = {"needs": "gates.view_reviewitem", "post": described, "__doc__": verb.summary}
    return type(f"Item{verb.name.capitalize()}", (ApiView,), members)


def guard(view: ApiView, verb: Verb, item: ReviewItem) -> None:
    """What takes two people asks for the password as well, as on the page."""
    if verb.name == "approve" and item.action is not None and review.needed(item.action) > 1:
        view.step_up("approve above the limit")


VERBS = {verb.name: verb_view(verb) for verb in (*CARE, *DECISIONS)}
