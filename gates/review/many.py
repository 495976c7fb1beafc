"""Several items at once: each through the same door in a transaction of its own, each with its own result."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from gates import limits
from gates.models import ReviewItem
from gates.review import buttons, decisions, desk, door, words
from gates.stop import Refused

MOST = 200
SEES = "gates.view_reviewitem"
SENDS = ("approve", "retry")  # what may make something leave


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of one item of the set."""

    item_id: int
    done: bool
    why: str = ""


Chosen = Sequence[tuple[int, int, str]]
CALLS: dict[str, Callable[..., Any]] = {
    "approve": lambda item, version, shown, **said: decisions.approve(
        item, version=version, preview_hash=shown, in_bulk=True, **said
    ),
    "reject": lambda item, version, shown, **said: decisions.reject(item, version=version, **said),
    "retry": lambda item, version, shown, **said: decisions.retry(item, version=version, in_bulk=True, **said),
    "claim": lambda item, version, shown, *, by, reason: desk.claim(item, by=by),
    "release": lambda item, version, shown, *, by, reason: desk.release(item, by=by),
    "assign": lambda item, version, shown, **said: desk.assign(item, **said),
    "snooze": lambda item, version, shown, **said: desk.snooze(item, **said),
    "escalate": lambda item, version, shown, **said: desk.escalate(item, **said),
}


def bulk(verb: str, chosen: Chosen, *, by: User, reason: str, **more: Any) -> list[BulkResult]:
    """Do one verb to the items shown, given as (item id, version, preview hash); each is done or refused by itself.

    `more` is what the verb asks for besides (assign: to, group; snooze: until, why; reject: the exception record).
    Raises Refused for the set as a whole: 403 permission, 422 verb, reason, an empty set or one of over 200.
    """
    _check_set(verb, [item_id for item_id, _, _ in chosen], by)
    said = {"reason": reason if verb in ("claim", "release") else words.reason(reason), **more}
    return [_one(verb, one, by, said) for one in chosen]


def _check_set(verb: str, ids: Sequence[int], by: User) -> None:
    if verb not in CALLS:
        raise Refused(422, "verb", f"verb: must be one of {', '.join(CALLS)}")
    if not 1 <= len(ids) <= MOST:
        raise Refused(422, "items", f"items: choose 1 to {MOST} items, these are {len(ids)}")
    if not (by.is_active and by.has_perm(door.PERMISSIONS["bulk"]) and by.has_perm(SEES)):
        door.write_refusals(ids, by, f"bulk_{verb}", "permission")
        wanted = door.PERMISSIONS["bulk"]
        raise Refused(403, "permission", f"your account may not decide several at once; it needs {wanted}")


def _one(verb: str, chosen: tuple[int, int, str], by: User, said: dict[str, Any]) -> BulkResult:
    item_id, version, shown = chosen
    try:
        CALLS[verb](item_id, version, shown, by=by, **said)
    except Refused as refusal:
        return BulkResult(item_id, done=False, why=refusal.message)
    return BulkResult(item_id, done=True)


def bulk_fit(items: Iterable[ReviewItem], verb: str, user: User) -> list[tuple[ReviewItem, str]]:
    """Which of these items the verb fits, for the page that asks to confirm: (item, why not; empty where it fits).

    Load action and customer with the items. Raises Refused 403 and 422 as `bulk` does.
    """
    shown = list(items)
    _check_set(verb, [one.pk for one in shown], user)
    return [(item, _misfit(item, verb, user)) for item in shown]


def _misfit(item: ReviewItem, verb: str, user: User) -> str:
    why = buttons.why_not(item, user, verb)
    if why or verb not in SENDS or item.action is None:
        return why
    answers = limits.answers_now(item.action) if verb == "approve" else list(item.action.answers)
    try:
        decisions.refuse_in_bulk(item.action, answers)
    except Refused as refusal:
        return refusal.message
    return ""
