"""What an open item page asks now and then: did it change, who else looks at it, is the claim still mine."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from gates import review
from gates.models import Presence, ReviewItem
from gates.review import Refused
from ledger import clock, sets
from ledger.words import actor_words, decision_words
from meshline.console import shell
from meshline.console.page import Site
from meshline.console.pages.item_story import HERE_FOR, at
from meshline.console.queue import live

VIEW = "gates.view_reviewitem"
NOW = """
select i.state_version, coalesce(a.state_version, 0),
       (select jsonb_agg(u.username order by u.username) from gates_presence p join auth_user u on u.id = p.user_id
         where p.item_id = i.id and p.user_id <> %(me)b::int and p.seen_at > %(here)b::timestamptz),
       (select jsonb_build_object('by', l.actor, 'name', u.username, 'decision', l.decision, 'at', l.recorded_at)
          from ledger_ledgerrow l left join auth_user u on l.actor = 'user:' || u.id
         where l.id = (select max(id) from ledger_ledgerrow r where r.outcome <> 'refused'
                          and (r.action_id = i.action_id or (r.subject_kind = 'item' and r.subject_id = i.id::text))))
  from gates_reviewitem i left join ledger_action a on a.id = i.action_id
 where i.id = %(item)b::bigint"""


def view(site: Site, request: HttpRequest, item_id: int) -> HttpResponse:
    """The parts of an item's page that change while it is open; 304 where nothing did."""
    shared = _shared(request)
    if shared is None:
        raise PermissionDenied
    found = sets.run(NOW, {"item": item_id, "me": request.user.pk, "here": clock.now() - HERE_FOR})
    if not found:
        raise Http404("there is no such review item")
    item_version, action_version, here, last = found[0]
    drawn = request.GET.get("v", "")
    changed = drawn not in ("", f"{item_version}.{action_version}")
    context = {
        **shared, "here": here or [], "changed": changed, "last": _last(last) if changed else None,
        "here_sig": ",".join(here or []), "again": reverse("admin:gates_reviewitem_change", args=[item_id]),
        "news_sig": f"{item_version}.{action_version}" if changed else "",
    }  # fmt: skip
    return live.answer(request, "console/item_live.html", context)


def _shared(request: HttpRequest) -> dict[str, Any] | None:
    """The parts that every page has: the stop and the number in the navigation; None without the right to items."""
    seen = live.numbers(request.user, None)
    if seen is None:
        return None
    stop = shell.stop_state(request)
    stop.held = seen["held"]
    return {
        "seen": seen, "stop": stop, "stop_mark": shell.stop_mark(stop), "queue": shell.queue_count(seen["queue"]),
        "about": shell.QUEUE_WORDS, "new": 0,
    }  # fmt: skip


def _last(row: Any) -> dict[str, Any] | None:
    """Who changed it, how and when."""
    if not row:
        return None
    name = row["name"] or actor_words(row["by"])
    return {"name": name, "decision": decision_words(row["decision"]).lower(), "at": at(row["at"])}


def touch(site: Site, request: HttpRequest, item_id: int) -> HttpResponse:
    """The page is open: note who looks, and prolong the claim if it is theirs. Writes no ledger row."""
    user: Any = request.user
    if not user.has_perm(VIEW):
        raise PermissionDenied
    if request.method != "POST":
        raise Http404("there is nothing to see here")
    if not ReviewItem.objects.filter(pk=item_id).exists():
        raise Http404("there is no such review item")
    note(item_id, user)
    if user.has_perm(review.PERMISSIONS["claim"]):
        try:
            review.touch(item_id, by=user)
        except Refused:  # it is not theirs (any more): the page says so by its own news
            return live.quiet(request, HttpResponse(status=204, headers={"X-Claim": "not-yours"}))
    return live.quiet(request, HttpResponse(status=204))


def note(item_id: int, user: User) -> None:
    """Somebody has the page of an item open now."""
    Presence.objects.update_or_create(item_id=item_id, user=user, defaults={"seen_at": clock.now()})
