"""Several items at once: a page that says what would happen to which, and one that says what did.

Nothing is all or nothing: each item is decided by itself through the same door as its own button, on the version and
preview that its row showed.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.dateparse import parse_datetime

from gates import presets, review
from gates.models import ReviewItem
from gates.review import Refused
from ledger import clock, money
from meshline.console.page import Site
from meshline.console.queue import page, rows, walk
from meshline.console.queue.address import Asked
from meshline.console.queue.bulk_words import VERBS, BulkVerb
from meshline.console.queue.cells import SHORT
from meshline.console.queue.live import BACKEND

MOST = 200
VALID_SECONDS = 600
SALT = "queue.bulk"
RECORD = ("cause", "corrective_action", "prevention")  # what is asked where a failed action is closed
TYPED = ("reason", "preset", "to", "until", "why", *RECORD)
PICK = re.compile(r"([0-9]{1,18}):([0-9]{1,9}):([0-9a-f]{0,64})")
Chosen = tuple[int, int, str]


@dataclass(slots=True)
class Sheet:
    """What the confirm page shows: what would be done, and what cannot be, with the reason."""

    user: Any
    fit: list[ReviewItem] = field(default_factory=list)
    chosen: list[Chosen] = field(default_factory=list)
    unfit: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def sums(self) -> list[str]:
        """What it adds up to in each currency."""
        total: Counter[str] = Counter()
        for one in self.fit:
            if one.amount_minor is not None:
                total[one.currency] += one.amount_minor
        return [money.display(minor, currency) for currency, minor in sorted(total.items())]

    @property
    def has_failed(self) -> bool:
        """Whether closing them closes failures."""
        return any(one.action is not None and one.action.state == "failed" for one in self.fit)


def act(site: Site, request: HttpRequest, verb: str) -> HttpResponse:
    """The confirm page, or with `confirmed` the deed and its result. A link that leads here shows the queue."""
    if verb not in VERBS:
        raise Http404("there is no such verb")
    if not request.user.has_perm(page.VIEW):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseRedirect(walk.back_url(request))
    try:
        return answer(site, request, VERBS[verb], picked(request))
    except Refused as refusal:
        return page.draw(site, request, walk.remembered(request), refusal=refusal, status=refusal.status)


def answer(site: Site, request: HttpRequest, verb: BulkVerb, chosen: list[Chosen]) -> HttpResponse:
    """Do it where it was confirmed, else ask; raises Refused where the person may not, with nothing done."""
    refusal = None
    if "confirmed" in request.POST:
        try:
            unseal(request, verb.name, chosen)
            by: Any = request.user
            results = review.bulk(verb.name, chosen, by=by, reason=reason(request), **fields(verb.name, request))
            return result(site, request, verb, results)
        except Refused as error:
            if error.status == 403:
                raise
            refusal = error
    return confirm(site, request, verb, fit(verb.name, chosen, request.user), refusal)


def picked(request: HttpRequest) -> list[Chosen]:
    """The rows that were marked, as id, version and preview. Raises Refused 422 for none, too many or tampered ones."""
    group = request.POST.get("group", "")
    if group:
        found = rows.members(group.replace("\x00", "")[:200], MOST + 1)
        if not found:
            raise Refused(409, "group", "nothing of this group is failed any more; nothing was done")
        return limited(found)
    chosen: dict[int, Chosen] = {}
    for text in request.POST.getlist("pick")[: MOST + 1]:
        parts = PICK.fullmatch(text)
        if parts is None:
            raise Refused(422, "pick", "the selection did not arrive as the page sent it; reload the queue")
        chosen[int(parts[1])] = (int(parts[1]), int(parts[2]), parts[3])
    if not chosen:
        raise Refused(422, "pick", "select at least one item first; nothing was done")
    return limited(list(chosen.values()))


def limited(chosen: list[Chosen]) -> list[Chosen]:
    """The same, unless they are too many for one decision."""
    if len(chosen) > MOST:
        raise Refused(422, "most", f"at most {MOST} items at once; select fewer, nothing was done")
    return chosen


def confirm(
    site: Site, request: HttpRequest, verb: BulkVerb, sheet: Sheet, refusal: Refused | None = None
) -> HttpResponse:
    """Draw the confirm page; with what was refused on top, and what had been typed kept."""
    now, many = clock.now(), len(sheet.fit) + len(sheet.unfit)
    context: dict[str, Any] = {
        "title": f"{verb.label} {many} {'item' if many == 1 else 'items'}",
        "verb": verb,
        "sheet": sheet,
        "asked": walk.remembered(request),
        "picks": [":".join(map(str, one)) for one in sheet.chosen],
        "seal": seal(verb.name, sheet),
        "made_at": now,
        "minutes": VALID_SECONDS // 60,
        "typed": {name: request.POST.get(name, "")[:500] for name in TYPED},
        "refusal": refusal,
        "people": people() if verb.name == "assign" else [],
        "groups": list(presets.GROUPS) if verb.name == "assign" else [],
        "latest": now + timedelta(days=7),
        "causes": review.CAUSES if verb.name == "reject" and sheet.has_failed else (),
    }
    return site.draw(request, "console/queue_bulk.html", context, refusal.status if refusal else None)


def fit(verb: str, chosen: Sequence[Chosen], user: Any) -> Sheet:
    """Which of them can be decided together, by the rules of the door, and why the others cannot."""
    found = ReviewItem.objects.filter(pk__in=[one[0] for one in chosen])
    items = {one.pk: one for one in found.select_related("action", "customer", "owner", "resolved_by")}
    reasons = {one.pk: why for one, why in review.bulk_fit([*items.values()], verb, user)} if items else {}
    sheet = Sheet(user)
    for item_id, version, preview in chosen:
        item = items.get(item_id)
        if item is None:
            sheet.unfit.append((f"RV-{item_id}", "", "there is no such item, or you may not see it"))
            continue
        why = reasons.get(item_id, "") or changed(item, version, preview)
        if why:
            sheet.unfit.append((str(item), walk.item_url(item_id, Asked(user)), why))
        else:
            sheet.fit.append(item)
            sheet.chosen.append((item_id, version, item.action.preview_hash if item.action else ""))
    return sheet


def changed(item: ReviewItem, version: int, preview: str) -> str:
    """What to say of an item that is not any more what its row showed; empty where it is."""
    action = item.action
    now, shown = (action.state_version, action.preview_hash) if action else (item.state_version, "")
    same = version == now and shown.startswith(preview) and (not shown or len(preview) >= SHORT)
    return "" if same else "it changed since the page was drawn; look at it again"


def seal(verb: str, sheet: Sheet) -> str:
    """A signed note of what was shown to whom and when."""
    return signing.dumps([verb, sheet.user.pk, fingerprint(sheet.chosen)], salt=SALT)


def unseal(request: HttpRequest, verb: str, chosen: Sequence[Chosen]) -> None:
    """Raises Refused unless exactly this was shown to this person within the last ten minutes."""
    try:
        said = signing.loads(request.POST.get("seal", ""), salt=SALT, max_age=VALID_SECONDS)
    except signing.SignatureExpired as error:
        minutes = VALID_SECONDS // 60
        raise Refused(
            409, "expired", f"the previews are older than {minutes} minutes; nothing was done, here they are anew"
        ) from error
    except signing.BadSignature as error:
        raise Refused(422, "seal", "this page was not shown to you like that; nothing was done, look again") from error
    if said != [verb, request.user.pk, fingerprint(chosen)]:
        raise Refused(422, "seal", "the selection is not the one this page showed; nothing was done, look again")


def fingerprint(chosen: Sequence[Chosen]) -> str:
    """The same text for the same rows, versions and previews, in any order."""
    return hashlib.sha256(repr(sorted(chosen)).encode()).hexdigest()


def reason(request: HttpRequest) -> str:
    """The chosen reason and the free words behind it."""
    parts = (request.POST.get("preset", ""), request.POST.get("reason", "").replace("\x00", ""))
    return ": ".join(part.strip() for part in parts if part.strip())


def fields(verb: str, request: HttpRequest) -> dict[str, Any]:
    """What some verbs need beyond a reason. Raises Refused 422 that names the field."""
    if verb == "assign":
        return target(request.POST.get("to", ""))
    if verb == "snooze":
        why = request.POST.get("why", "time")
        return {"until": moment(request.POST.get("until", "")), "why": why}
    if verb == "reject":
        return {name: request.POST.get(name, "").replace("\x00", "") for name in RECORD if name in request.POST}
    return {}


def target(text: str) -> dict[str, Any]:
    """To whom: `user:3` or `group:Support`."""
    kind, _, name = text.partition(":")
    if kind == "group" and name in presets.GROUPS:
        return {"to": None, "group": name}
    found = people() if kind == "user" else []
    person = next((one for one in found if str(one.pk) == name), None)
    if person is None:
        raise Refused(422, "to", "to: choose a person or a team that may work on items; nothing was done")
    return {"to": person, "group": ""}


def people() -> list[User]:
    """Everybody who may work on items."""
    return list(User.objects.with_perm("gates.claim_item", backend=BACKEND).order_by("username"))


def moment(text: str) -> datetime | None:
    """A point in time in the zone of the reader; none for an empty field. Raises Refused 422."""
    if not text:
        return None
    try:
        read = parse_datetime(text)
    except ValueError:
        read = None
    if read is None:
        raise Refused(422, "until", "until: a date and a time, at most 7 days from now; nothing was done")
    return read if read.tzinfo else read.replace(tzinfo=clock.now().tzinfo)


def result(site: Site, request: HttpRequest, verb: BulkVerb, results: Sequence[Any]) -> HttpResponse:
    """What was done and what was not, item by item."""
    asked = walk.remembered(request)
    shown = [
        {"name": f"RV-{one.item_id}", "url": walk.item_url(one.item_id, asked), "done": one.done, "why": one.why}
        for one in sorted(results, key=lambda one: (one.done, one.item_id))
    ]
    done = sum(1 for one in results if one.done)
    context = {
        "title": f"{verb.label}: {done} of {len(results)} done",
        "verb": verb,
        "results": shown,
        "done": done,
        "missed": len(results) - done,
        "asked": asked,
        "may_claim": request.user.has_perm("gates.claim_item"),
    }
    return site.draw(request, "console/queue_bulk_done.html", context)
