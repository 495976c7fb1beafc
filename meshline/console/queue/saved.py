"""Saved views: a name for an address of the queue, private or shared with a group."""

from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from gates import presets
from gates.models import SavedView
from gates.review import Refused
from meshline.console.queue import tabs
from meshline.console.queue.address import Asked, BadAddress

SHARE = "gates.share_view"
MOST = 20  # views of one person: more would not fit above the list
LONGEST_NAME = 60
log = structlog.get_logger(__name__)


def of(user: Any) -> list[SavedView]:
    """The person's own views and those shared with a group the person is in."""
    groups = user.groups.values("name")
    return list(SavedView.objects.filter(Q(owner=user) | Q(shared_with__in=groups)).select_related("owner")[: 2 * MOST])


def conditions(views: list[SavedView], user: Any) -> list[tuple[int, Q]]:
    """What each view counts; one whose address means nothing any more, or names settled items, counts nothing."""
    found = []
    for one in views:
        try:
            asked = Asked.parse(one.query, user)
        except BadAddress:
            continue
        if not asked.is_ended:
            found.append((one.pk, asked.condition()))
    return found


def links(views: list[SavedView], asked: Asked, numbers: tabs.Numbers) -> list[dict[str, Any]]:
    """The views as they are drawn beside those that everybody has."""
    return [
        {
            "label": one.name,
            "count": numbers.saved.get(one.pk),
            "url": f"{reverse('admin:gates_reviewitem_changelist')}?{one.query}",
            "current": one.query == asked.query and bool(one.query),
            "about": f"shared with {one.shared_with} by {one.owner.get_username()}" if one.shared_with else "yours",
        }
        for one in views
    ]


def offer(request: HttpRequest, views: list[SavedView], asked: Asked) -> dict[str, Any]:
    """What may be done about views here: save this address, or delete the view that is looked at."""
    mine = [one for one in views if one.query == asked.query and one.owner_id == request.user.pk]
    return {
        "query": asked.query,
        "groups": list(presets.GROUPS) if request.user.has_perm(SHARE) else [],
        "present": mine[0] if mine and asked.query else None,
    }


def create(user: Any, name: str, asked: Asked, shared_with: str) -> SavedView:
    """Store a view. Raises Refused: 403 without the right to share, 409 for a name twice, 422 for a bad field."""
    words = " ".join(name.replace("\x00", "").split())
    if not words or len(words) > LONGEST_NAME:
        raise Refused(422, "name", f"name: 1 to {LONGEST_NAME} characters, this has {len(words)}; no view was saved")
    if not asked.query:
        raise Refused(422, "view", "choose a view or a filter first; all open items need no name")
    if len(asked.query) > 500:
        raise Refused(422, "view", "these are too many filters for one view; no view was saved")
    if shared_with and not user.has_perm(SHARE):
        raise Refused(403, "permission", f"your account may not share views; it needs the permission {SHARE}")
    if shared_with and shared_with not in presets.GROUPS:
        raise Refused(422, "shared_with", "there is no such group; no view was saved")
    if SavedView.objects.filter(owner=user).count() >= MOST:
        raise Refused(409, "most", f"you have {MOST} views; delete one first")
    try:
        with transaction.atomic():
            made = SavedView.objects.create(name=words, query=asked.query, owner=user, shared_with=shared_with)
    except IntegrityError as error:
        raise Refused(409, "name", f"you have a view “{words}” already; choose another name") from error
    log.info("view_saved", view_id=made.pk, user_id=user.pk, shared=bool(shared_with))
    return made


def drop(user: Any, view_id: int) -> str:
    """Forget a view of one's own; returns its name. Raises Refused: 403 for somebody else's, 404 for an unknown one."""
    seen = Q(owner=user) | Q(shared_with__in=user.groups.values("name"))
    view = SavedView.objects.filter(seen, pk=view_id).select_related("owner").first()
    if view is None:
        raise Refused(404, "unknown", "there is no such view; nothing was deleted")
    if view.owner_id != user.pk:
        raise Refused(403, "owner", f"the view “{view.name}” belongs to {view.owner.get_username()}; ask them")
    view.delete()
    log.info("view_deleted", view_id=view_id, user_id=user.pk)
    return view.name
