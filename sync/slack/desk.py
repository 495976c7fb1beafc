"""Clicks and forms as decisions: who that is, whether they may, and then the door that everybody goes through.

Called while the event is booked, in its transaction: the decision and the end of the event commit together, so a
click is one decision however often it is delivered or its worker dies.
"""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.db import transaction

from gates import review
from gates.models import ReviewItem
from gates.review import door
from gates.stop import Refused
from ledger import book
from ledger.models import Action
from sync.contracts.slack import Press, SlackClick, SlackSubmitted
from sync.slack import message, notes, outbox, refs
from sync.slack.models import SlackAccount, SlackMessage
from sync.slack.refs import FormRef, Ref

UNKNOWN_PERSON = (
    "Your Slack account is not linked to an account in Meshline; nothing was done. Ask an operator to link it."
)
ON_THE_PAGE = "this needs two people, so it is decided on its page; nothing was done"
NOT_OURS = "ignored: not a button of a message of ours"


def person(home: str, slack_user: str) -> User | None:
    """The account behind a Slack identity, as it is now; None if nobody linked it or it is out of use."""
    user_id = SlackAccount.objects.filter(team=home, slack_user=slack_user).values_list("user_id", flat=True).first()
    return User.objects.filter(pk=user_id, is_active=True).first() if user_id else None


def check(ref: Ref, verb: str, by: User) -> ReviewItem:
    """The item, if this person may do that to it as it was shown to them. Raises Refused; changes nothing."""
    related = ("action", "action__customer", "customer", "owner", "resolved_by")
    item = ReviewItem.objects.select_related(*related).filter(pk=ref.item).first()
    if item is None:
        raise Refused(404, "unknown", "there is no such review item")
    door.permit(by, verb)
    door.refuse_settled(door.Case(item, item.action, by, verb))
    now = refs.of(item, ref.marker)
    if (now.version, now.shown) != (ref.version, ref.shown) and verb != "claim" and not _only_reread(item, ref, verb):
        raise Refused(409, "stale", "this was changed since the message was written; nothing was done, look again")
    if verb not in refs.offered(item):
        raise Refused(409, "on_the_page", ON_THE_PAGE if item.action else f"there is nothing to {verb} here")
    if verb == "approve" and item.action is not None:
        review.four_eyes(item.action, by)
    if item.action is not None and (why := review.why_not(item, by, verb)):
        raise Refused(409, "state", why)
    return item


def _only_reread(item: ReviewItem, ref: Ref, verb: str) -> bool:
    """A button that has everything read again may be of a message from before the last reading."""
    action: Action | None = item.action
    return verb == "retry" and action is not None and review.unchanged(action, ref.version)


def clicked(event_id: int, seen: SlackClick) -> str:
    """Handle every button of a click; returns the verdict."""
    return "; ".join(dict.fromkeys(_press(event_id, seen, press) for press in seen.presses))


def _press(event_id: int, seen: SlackClick, press: Press) -> str:
    verb = press.action_id.removeprefix(refs.PREFIX)
    if press.action_id in refs.LINKS:
        return "ignored: a link was followed"
    ref = refs.read(press.value)
    if ref is None or verb not in refs.VERBS or press.action_id == verb:
        return NOT_OURS
    found = SlackMessage.objects.filter(item_id=ref.item).first()
    if not message.of_click(found, ref, seen.channel, seen.message_ts):
        return NOT_OURS
    by = person(seen.home, seen.user)
    if by is None:
        return _stranger(event_id, ref, verb, seen.channel, seen.user)
    try:
        item = check(ref, verb, by)
        if verb in refs.ASKING:
            return f"done: {verb} asks for a reason first"
        review.claim(item.pk, by=by)
    except Refused as refusal:
        if refusal.status == 403 and verb in refs.ASKING:
            door.write_refusals([ref.item], by, verb, refusal.code)
        return _refused(event_id, ref, seen.channel, seen.user, refusal)
    outbox.touch(ref.item)
    return "done: claimed"


def submitted(event_id: int, seen: SlackSubmitted) -> str:
    """Carry out what a form was sent for; returns the verdict."""
    form = refs.read_form(seen.metadata)
    if form is None or form.user != seen.user:
        return "ignored: not a form of ours"
    by = person(seen.home, seen.user)
    if by is None:
        return _stranger(event_id, form.ref, form.verb, form.channel, seen.user)
    try:
        _decide(form, by, seen.reason)
    except Refused as refusal:
        return _refused(event_id, form.ref, form.channel, seen.user, refusal)
    outbox.touch(form.ref.item)
    return f"done: {form.verb}"


def _decide(form: FormRef, by: User, reason: str) -> None:
    """The door checks permission, four eyes, state, version and preview itself; here only what is not for chat."""
    item = ReviewItem.objects.select_related("action").filter(pk=form.ref.item).first()
    may = item is not None and (item.state == ReviewItem.State.RESOLVED or form.verb in refs.offered(item))
    if item is not None and item.action is not None and not may and review.needed(item.action) > 1:
        raise Refused(409, "on_the_page", ON_THE_PAGE)
    CALLS[form.verb](form.ref, by, reason)


def _approve(ref: Ref, by: User, reason: str) -> None:
    review.approve(ref.item, by=by, reason=reason, version=ref.version, preview_hash=ref.shown)


def _reject(ref: Ref, by: User, reason: str) -> None:
    review.reject(ref.item, by=by, reason=reason, version=ref.version)


def _retry(ref: Ref, by: User, reason: str) -> None:
    """A failed action is sent again, what waits for a correction is read again and judged anew.

    An event that only a person could read is judged again, and its item closed.
    """
    item = ReviewItem.objects.filter(pk=ref.item).first()
    if item is None or item.action_id is not None or item.event_id is None:
        review.retry(ref.item, by=by, reason=reason, version=ref.version)
        return
    with transaction.atomic():
        review.reject(ref.item, by=by, reason=reason, version=ref.version)
        review.replay(item.event_id, by=by, reason=reason)


CALLS: dict[str, Callable[[Ref, User, str], None]] = {"approve": _approve, "reject": _reject, "retry": _retry}


def _refused(event_id: int, ref: Ref, channel: str, user: str, refusal: Refused) -> str:
    notes.plan(event_id, channel, user, f"{refusal.message[:1].upper()}{refusal.message[1:]}.")
    outbox.touch(ref.item)
    return f"refused: {refusal.code}"


def _stranger(event_id: int, ref: Ref, verb: str, channel: str, user: str) -> str:
    """Nobody we know: told so, written down, and nothing changes."""
    notes.plan(event_id, channel, user, UNKNOWN_PERSON)
    item = ReviewItem.objects.filter(pk=ref.item).first()
    if item is not None:
        row = {
            "subject_kind": "item", "subject_id": str(item.pk), "event_id": event_id, "action_id": item.action_id,
            "customer_id": item.customer_id, "decision": verb, "actor": f"slack:{user}",
            "prior_state": str(item.state), "post_state": str(item.state), "outcome": "refused",
            "error_code": "unlinked", "correlation_id": item.correlation_id,
        }  # fmt: skip
        book.write_rows([row])
    return "refused: unlinked"
