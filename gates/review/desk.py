"""What people do with an item itself: take it, give it back, hand it on, let it wait, say something about it."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from gates import accounts, ownership, sla
from gates.models import Approval, Comment, ReviewItem
from gates.review import door, words
from gates.review.door import Case
from gates.stop import Refused
from ledger import clock
from ledger.models import Action

CLAIM_FOR = timedelta(minutes=15)
LONGEST_SNOOZE = timedelta(days=7)
SNOOZE_WHYS = ("time", "customer", "event")
COMMENT_LENGTH = 4000
OPEN, CLAIMED, SNOOZED = ReviewItem.State.OPEN, ReviewItem.State.CLAIMED, ReviewItem.State.SNOOZED


def claim(item_id: int, *, by: User) -> ReviewItem:
    """Take an item for a quarter of an hour. Raises Refused 409 when somebody else has it."""
    return door.run(item_id, by, "claim", _claim)


def _claim(case: Case) -> None:
    item, prior = case.item, str(case.item.state)
    if item.state == CLAIMED:
        if is_taken(item) and item.owner_id != case.by.pk:
            raise Refused(409, "claimed", words.claimed(item))
        item.release()
    if item.state == SNOOZED:
        _wake(item)
        door.save(case, prior, "wake")
        prior = str(item.state)
    take(case, prior)


def take(case: Case, prior: str = str(OPEN)) -> None:
    """An open item becomes this person's for a quarter of an hour."""
    case.item.claim()
    case.item.owner, case.item.claimed_until = case.by, clock.now() + CLAIM_FOR
    door.touched(case.item)
    door.save(case, prior, "claim")


def is_taken(item: ReviewItem) -> bool:
    """Whether somebody has it now; a claim that ran out holds nobody off."""
    return item.state == CLAIMED and item.claimed_until is not None and item.claimed_until > clock.now()


def touch(item_id: int, *, by: User) -> ReviewItem:
    """Prolong my claim because its page is open; no ledger row. Raises Refused when I have it no more."""
    door.permit(by, "claim")
    mine = ReviewItem.objects.filter(pk=item_id, state=CLAIMED, owner=by)
    kept = mine.update(claimed_until=clock.now() + CLAIM_FOR)
    item = ReviewItem.objects.select_related("owner", "resolved_by").filter(pk=item_id).first()
    if item is None:
        raise Refused(404, "unknown", "there is no such review item")
    if not kept:
        raise Refused(409, "not_yours", _not_mine(item))
    return item


def release(item_id: int, *, by: User) -> ReviewItem:
    """Give an item back. Raises Refused 409 when it is not yours."""

    def change(case: Case) -> None:
        if case.item.state != CLAIMED or case.item.owner_id != by.pk:
            raise Refused(409, "not_yours", _not_mine(case.item))
        give_back(case, "release")

    return door.run(item_id, by, "release", change)


def give_back(case: Case, decision: str) -> None:
    """A claimed item is everybody's again."""
    prior = str(case.item.state)
    case.item.release()
    case.item.owner, case.item.claimed_until = None, None
    door.save(case, prior, decision)


def _not_mine(item: ReviewItem) -> str:
    if item.state == ReviewItem.State.RESOLVED:
        return words.settled(item)
    return words.claimed(item) if is_taken(item) else f"{item} is not claimed by you; nothing was done"


def comment(item_id: int, *, by: User, text: str) -> ReviewItem:
    """Add a remark that stays inside Meshline. Raises Refused 422 when it is empty or over 4,000 characters."""

    def change(case: Case) -> None:
        Comment.objects.create(item=case.item, author=by, text=words.text("comment", text, COMMENT_LENGTH))
        if case.item.state != ReviewItem.State.RESOLVED:
            door.touched(case.item)
        door.save(case, str(case.item.state))

    return door.run(item_id, by, "comment", change)


def next_item(*, by: User, query: "QuerySet[ReviewItem] | None" = None) -> ReviewItem | None:
    """Claim the first item of `query` (all open ones) that nobody has, in queue order; None when there is none.

    Skips rows that others are claiming at this moment, and what this person could not decide: own requests, what
    they approved already, what is assigned to somebody else who is there.
    """
    door.permit(by, "claim")
    free = unclaimed(by)
    if query is not None:
        free = free.filter(pk__in=query.order_by().values("pk"))
    with transaction.atomic():
        item = free.select_for_update(skip_locked=True, of=("self",)).first()
        return None if item is None else claim(item.pk, by=by)


def unclaimed(by: User) -> "QuerySet[ReviewItem]":
    """What Next item may give this person, in queue order: due time (breached first), then revenue."""
    mine = Action.objects.filter(pk=OuterRef("action_id"), requested_by=by)
    agreed = Approval.objects.filter(action=OuterRef("action_id"), by=by, voided_at__isnull=True)
    gone = list(User.objects.filter(is_active=False).values_list("pk", flat=True))
    nobodys = Q(owner__isnull=True) | Q(owner__in=[by.pk, *gone])
    free = Q(state=OPEN) & nobodys | Q(state=CLAIMED, claimed_until__lte=clock.now())
    found = ReviewItem.objects.filter(free).exclude(Exists(mine)).exclude(Exists(agreed))
    return found.order_by(*accounts.ORDER)


def assign(item_id: int, *, by: User, to: User | None, group: str = "", reason: str) -> ReviewItem:
    """Hand an item to a person, to a group, or to a person of a group. Raises Refused 422 for who could not take it."""
    why = words.reason(reason)

    def change(case: Case) -> None:
        _check_receiver(to, group)
        item, prior = case.item, str(case.item.state)
        if item.state == CLAIMED:
            item.release()
        else:
            item.state_version += 1
        if group:
            item.owner_group = group
            item.fallback_group = ownership.current().fallback_of(group, item.fallback_group)
        item.owner, item.claimed_until, item.routed_by = to, None, "assigned by a person"
        said = f"Assigned to {to.get_username() if to else group}: {why}"
        door.save(case, prior, inputs={"owner": to.pk if to else None, "group": item.owner_group})
        _note(case, said)

    return door.run(item_id, by, "assign", change)


def _check_receiver(to: User | None, group: str) -> None:
    if to is None and not group:
        raise Refused(422, "to", "to: name a person or a group")
    if group and not Group.objects.filter(name=group).exists():
        names = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
        raise Refused(422, "group", f"group: there is no group {group[:80]!r}; there are {names}")
    if to is None:
        return
    if not (to.is_active and to.has_perm(door.PERMISSIONS["claim"])):
        raise Refused(422, "to", f"to: {to.get_username()} may not work on items; choose somebody who may")
    if group and not to.groups.filter(name=group).exists():
        raise Refused(422, "to", f"to: {to.get_username()} is not in the group {group}")


def snooze(item_id: int, *, by: User, until: datetime | None, why: str, reason: str) -> ReviewItem:
    """Let an item wait until a time, at most 7 days; without one, for the whole 7 days or until somebody wakes it.

    `why` is time, customer or event. The SLA rests only while the customer has to answer.
    """
    said = words.reason(reason)
    if why not in SNOOZE_WHYS:
        raise Refused(422, "why", f"why: must be one of {', '.join(SNOOZE_WHYS)}")
    now = clock.now()
    ends = _snooze_end(until, why, now)

    def change(case: Case) -> None:
        item, prior = case.item, str(case.item.state)
        if item.state == SNOOZED:
            raise Refused(409, "snoozed", f"{item} waits already{words.changed_by(item)}; wake it first")
        if is_taken(item) and item.owner_id != by.pk:
            raise Refused(409, "claimed", words.claimed(item))
        item.snooze()
        item.snoozed_until, item.snooze_why, item.claimed_until = ends, why, None
        if why == "customer":
            sla.pause(item, now)
        door.touched(item)
        door.save(case, prior, inputs={"until": ends, "why": why})
        _note(case, f"Snoozed until {ends:%Y-%m-%d %H:%M} UTC: {said}")

    return door.run(item_id, by, "snooze", change)


def _snooze_end(until: Any, why: str, now: datetime) -> datetime:
    if until is None:
        if why == "time":
            raise Refused(422, "until", "until: say until when")
        return now + LONGEST_SNOOZE
    if not isinstance(until, datetime) or until.tzinfo is None or not now < until <= now + LONGEST_SNOOZE:
        last = now + LONGEST_SNOOZE
        raise Refused(422, "until", f"until: a time from now to 7 days ahead ({last:%Y-%m-%d %H:%M} UTC)")
    return until


def wake(item_id: int, *, by: User) -> ReviewItem:
    """End the wait of a snoozed item."""

    def change(case: Case) -> None:
        if case.item.state != SNOOZED:
            raise Refused(409, "not_snoozed", f"{case.item} does not wait{words.changed_by(case.item)}")
        _wake(case.item)
        door.save(case, str(SNOOZED))

    return door.run(item_id, by, "wake", change)


def _wake(item: ReviewItem) -> None:
    item.wake()
    item.snoozed_until, item.snooze_why = None, ""
    sla.resume(item)


def escalate(item_id: int, *, by: User, reason: str) -> ReviewItem:
    """Hand an item up: to its fallback group, then Support Manager, then Revenue Ops Lead; its promise begins anew."""
    why = words.reason(reason)

    def change(case: Case) -> None:
        item, prior = case.item, str(case.item.state)
        before, group = item.owner_group, next_group(item)
        if group == item.owner_group:
            raise Refused(409, "highest", f"{item} is with {group} already; nobody is above")
        if item.state == SNOOZED:
            _wake(item)
            door.save(case, prior, "wake")
            prior = str(item.state)
        item.escalate()
        item.owner_group, item.owner, item.claimed_until = group, None, None
        item.fallback_group = ownership.current().fallback_of(group)
        item.routed_by = "escalated by a person"
        sla.renew(item)
        door.touched(item)
        door.save(case, prior, inputs={"from_group": before, "to_group": group, "due_at": item.due_at})
        _note(case, f"Escalated from {before} to {group}: {why}")

    return door.run(item_id, by, "escalate", change)


def next_group(item: ReviewItem) -> str:
    """Where escalating leads; the item's own group at the end of the chain."""
    return ownership.current().next_group(item.owner_group, item.fallback_group)


def _note(case: Case, said: str) -> None:
    """What people typed is kept where it can be erased; the ledger is for ever."""
    Comment.objects.create(item=case.item, author=case.by, text=said[:COMMENT_LENGTH])
