"""What a button and a form bring back: which item, in which version, showing what; signed, since clients see it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core import signing

from gates import review
from gates.models import ReviewItem
from ledger.models import Action

SALT = "meshline.slack"
PREFIX = "meshline_"
VERBS = ("claim", "approve", "reject", "retry")
ASKING = ("approve", "reject", "retry")  # with a reason, in a form
AGAIN = ("claim", "approve", "retry", "reject")
LABELS = {"claim": "Claim", "approve": "Approve", "reject": "Reject", "retry": "Mark reviewed - retry"}
OPEN = f"{PREFIX}open"
OPEN_DEAL = f"{OPEN}_deal"
LINKS = (OPEN, OPEN_DEAL)  # buttons that only follow an address


@dataclass(frozen=True, slots=True)
class Ref:
    """An item as it was shown in a message: `version` of what is decided on, `shown` the hash of its preview."""

    item: int
    version: int
    shown: str
    marker: str


@dataclass(frozen=True, slots=True)
class FormRef:
    """A form that was opened for one person about an item as it was shown."""

    ref: Ref
    verb: str
    user: str
    channel: str


def of(item: ReviewItem, marker: UUID | str) -> Ref:
    """The item as it is now; load its action with it."""
    action: Action | None = item.action
    version = item.state_version if action is None else action.state_version
    return Ref(item.pk, version, action.preview_hash if action else "", str(marker))


def sign(ref: Ref) -> str:
    """The value of a button."""
    return signing.Signer(salt=SALT).sign_object([ref.item, ref.version, ref.shown, ref.marker])


def sign_form(form: FormRef) -> str:
    """The private metadata of a form."""
    ref = form.ref
    given = [ref.item, ref.version, ref.shown, ref.marker, form.verb, form.user, form.channel]
    return signing.Signer(salt=f"{SALT}.form").sign_object(given)


def read(value: str) -> Ref | None:
    """What a button brought; None if we did not sign it."""
    found = _unsigned(value, SALT, (int, int, str, str))
    return None if found is None else Ref(*found)


def read_form(value: str) -> FormRef | None:
    """What a form brought; None if we did not sign it."""
    found = _unsigned(value, f"{SALT}.form", (int, int, str, str, str, str, str))
    if found is None or found[4] not in ASKING:
        return None
    return FormRef(Ref(*found[:4]), *found[4:])


def _unsigned(value: str, salt: str, kinds: tuple[type, ...]) -> list[Any] | None:
    try:
        found = signing.Signer(salt=salt).unsign_object(value)
    except (signing.BadSignature, ValueError):
        return None
    fits = isinstance(found, list) and len(found) == len(kinds)
    return found if fits and all(type(one) is kind for one, kind in zip(found, kinds, strict=True)) else None


def offered(item: ReviewItem) -> tuple[str, ...]:
    """The verbs that a message has buttons for; nothing but Open where two people have to agree, or it is over."""
    action: Action | None = item.action
    if item.state == ReviewItem.State.RESOLVED:
        return ()
    if action is None:
        return ("claim", "retry") if item.event_id else ("claim",)
    if action.state in ("in_review", "failed") and review.needed(action) > 1:
        return ()
    if review.reads_again(item, action):
        return ("claim", "retry", "reject") if item.why in review.NOT_TO_APPROVE else AGAIN
    return {"in_review": ("claim", "approve", "reject"), "failed": ("claim", "retry")}.get(action.state, ("claim",))
