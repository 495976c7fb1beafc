"""Previews of an automation, reviewed one by one: each word is bound to exactly what was shown."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from gates import automations
from gates.models import Automation, PreviewReview
from gates.rollout import counts, people
from gates.stop import Refused, same_person
from ledger import book, clock
from ledger.models import Action

LONGEST, WINDOW = 300, timedelta(days=30)
ENDED = (Action.State.SUPERSEDED,)  # overtaken: nobody will ever know whether it was right


def waiting(one: Automation) -> QuerySet[Action]:
    """The previews of this stage nobody has reviewed as they are now, the oldest first."""
    since = max(one.stage_since, clock.now() - WINDOW)
    seen = PreviewReview.objects.filter(action=OuterRef("pk"), preview_hash=OuterRef("preview_hash"))
    rows = Action.objects.filter(automation=one.name, pk__gte=counts.first_id(since), created_at__gte=since)
    return rows.filter(requested_by=None, reverses=None).exclude(state__in=ENDED).exclude(Exists(seen)).order_by("pk")


def next_one(one: Automation, after: str = "") -> Action | None:
    """The next preview to look at; `after` leaves out what somebody wants to come back to."""
    rows = waiting(one).select_related("customer")
    return (rows.filter(pk__gt=after).first() if after else None) or rows.first()


def review(name: str, action_id: str, *, by: User, verdict: str, preview_hash: str, reason: str = "") -> PreviewReview:
    """Agree to one preview, or say what has to be corrected. It neither approves nor stops the action.

    Raises Refused: 403 permission or who wrote the version, 404, 409 the preview changed or was reviewed, 422 a field.
    """
    if verdict not in PreviewReview.Verdict.values:
        raise Refused(422, "verdict", f"verdict: must be one of {', '.join(PreviewReview.Verdict.values)}")
    text = reason.replace("\x00", "").strip()
    if verdict == PreviewReview.Verdict.CORRECT and not text:
        raise Refused(422, "reason", "reason: say what has to be corrected")
    if len(text) > LONGEST:
        raise Refused(422, "reason", f"reason: at most {LONGEST} characters, this has {len(text)}")
    with transaction.atomic():
        one = automations.locked(name)
        people.permit(by, people.REVIEW, "review previews")
        if same_person(one.written_by, by):
            raise Refused(403, "four_eyes", f"you wrote version {one.version} of {name}; another person reviews it")
        action = Action.objects.select_for_update(of=("self",)).filter(pk=action_id, automation=name).first()
        if action is None:
            raise Refused(404, "unknown", f"{name} has no such preview")
        if action.preview_hash != preview_hash or not preview_hash:
            raise Refused(409, "preview", "the preview changed since you saw it; look again")
        made = _insert(one, action, by, verdict, text)
        book.remark([_row(one, action, made)])
        return made


def _insert(one: Automation, action: Action, by: User, verdict: str, reason: str) -> PreviewReview:
    try:
        with transaction.atomic():
            return PreviewReview.objects.create(
                automation=one, action=action, preview_hash=action.preview_hash, verdict=verdict, reason=reason, by=by
            )
    except IntegrityError as error:
        raise Refused(409, "reviewed", "another person reviewed this preview just now") from error


def _row(one: Automation, action: Action, made: PreviewReview) -> dict[str, object]:
    """What was said is kept with the review, which can be erased; the row says that and about which preview."""
    return {
        **book.row_of_action(action), "subject_kind": "action", "subject_id": str(action.pk), "action_id": action.pk,
        "decision": "preview", "actor": f"user:{made.by_id}", "prior_state": str(action.state),
        "post_state": str(action.state), "state_version": action.state_version, "outcome": made.verdict,
        "inputs": {"preview": action.preview_hash, "automation": one.name, "version": one.version},
    }  # fmt: skip


def newest(one: Automation, most: int = 10) -> list[PreviewReview]:
    """The last words people gave."""
    rows = PreviewReview.objects.select_related("action", "by").filter(automation=one)
    return list(rows.filter(preview_hash=F("action__preview_hash")).order_by("-pk")[:most])
