"""Writing gates: one person drafts, another puts in force; every change is a new version with its ledger row."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django_fsm import can_proceed

from gates import backtests
from gates.models import GateVersion
from gates.rules import typed
from gates.stop import Refused, same_person
from ledger import book, cells, clock
from ledger.models import LedgerRow
from ledger.words import KINDS

State = GateVersion.State
OPEN = (State.DRAFT, State.SUBMITTED)
EDIT, APPROVE = "gates.edit_gate", "gates.approve_gate"
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
LONGEST_NAME, MOST_ROWS, MOST_VERSIONS = 50, 20, 999
FURTHEST = timedelta(days=365)
HANDS = ("draft", "change", "submit")


def draft(
    name: str, rows: Sequence[Mapping[str, Any]], result: str, message: str, applies_to: Sequence[str], *,
    by: User, why: str, title: str = "", valid_from: datetime | None = None,
) -> GateVersion:  # fmt: skip
    """Begin a gate, or the next version of one. `valid_from` None means: as soon as it is approved.

    Raises Refused: 403 permission, 409 a version of it is open already, 422 with the row, the field and the rule.
    """
    name = name.strip()
    _check_name(name)
    try:
        _permit(by, EDIT, "draft")
    except Refused as refusal:
        _write_refusal(f"{name}:0", State.DRAFT, "draft", by, refusal.code)
        raise
    content = checked(rows, result, message, applies_to, title=title or _title_of(name))
    with transaction.atomic():
        known = list(GateVersion.objects.select_for_update(of=("self",)).filter(name=name).order_by("-version"))
        for one in known:
            if one.state in OPEN:
                raise Refused(409, "open", f"{one} is open already, begun by {_who(one.written_by)}; work on that one")
        number = (known[0].version if known else 0) + 1
        if number > MOST_VERSIONS:
            raise Refused(422, "name", f"name: {name} has {MOST_VERSIONS} versions; begin a gate of another name")
        _refuse_same(content, in_force(name))
        made = GateVersion(
            name=name, version=number, **content, state=State.DRAFT, state_version=1, written_by=by,
            why=_text("why", why), valid_from=_start(valid_from), written_at=clock.now(),
        )  # fmt: skip
        _insert(made)
        _write(made, "draft", by, str(made.state), reason=made.why)
    return made


def change_draft(
    key: int, rows: Sequence[Mapping[str, Any]], result: str, message: str, applies_to: Sequence[str], *,
    by: User, version: int, why: str, title: str = "", valid_from: datetime | None = None,
) -> GateVersion:  # fmt: skip
    """Write a draft anew; whoever does had a hand in it and cannot approve it. `version` is its `state_version`."""

    def change(one: GateVersion) -> str:
        content = checked(rows, result, message, applies_to, title=title or one.title)
        _refuse_same(content, in_force(one.name))
        one.why, one.valid_from, one.written_by = _text("why", why), _start(valid_from), by
        for name, value in content.items():
            setattr(one, name, value)
        return one.why

    return _step(key, "change", EDIT, change, by=by, version=version)


def submit(key: int, *, by: User, version: int) -> GateVersion:
    """Hand a draft to a second person. Raises Refused 409 backtest unless exactly this draft was back-tested."""

    def change(one: GateVersion) -> str:
        backtests.require(one)
        one.submitted_by = by
        return one.why

    return _step(key, "submit", EDIT, change, by=by, version=version)


def take_back(key: int, *, by: User, version: int, reason: str) -> GateVersion:
    """Back to a draft, so that it can be changed."""
    return _step(key, "take_back", EDIT, lambda one: _text("reason", reason), by=by, version=version)


def withdraw(key: int, *, by: User, version: int, reason: str) -> GateVersion:
    """Give up a version that never judged."""
    return _step(key, "withdraw", EDIT, lambda one: _text("reason", reason), by=by, version=version)


def approve(key: int, *, by: User, version: int) -> GateVersion:
    """Put a submitted version in force, at its time or at once; the version before it ends at that moment.

    Raises Refused 403 four_eyes for everybody who wrote, changed or submitted it, superusers included.
    """

    def change(one: GateVersion) -> str:
        _refuse_hands(one, by)
        one.approved_by = by
        one.valid_from = max(one.valid_from, clock.now())
        for before in _ending(one.name, one.valid_from):
            _end(before, one.valid_from, by, f"replaced by version {one.version}")
        return one.why

    return _step(key, "approve", APPROVE, change, by=by, version=version)


def ask_retire(name: str, *, by: User, reason: str) -> GateVersion:
    """The first of two people wants the gate gone. It judges on until a second one agrees."""

    def change(one: GateVersion) -> str:
        if one.retire_asked_by is not None:
            raise Refused(409, "asked", f"{_who(one.retire_asked_by)} asked already; another person has to agree")
        one.retire_asked_by, one.retire_why = by, _text("reason", reason)
        return one.retire_why

    return _step(_newest(name), "ask_retire", EDIT, change, by=by)


def keep(name: str, *, by: User, reason: str) -> GateVersion:
    """Nobody takes the gate away after all."""

    def change(one: GateVersion) -> str:
        _refuse_unasked(one)
        one.retire_asked_by, one.retire_why = None, ""
        return _text("reason", reason)

    return _step(_newest(name), "keep", EDIT, change, by=by)


def retire(name: str, *, by: User) -> GateVersion:
    """The second person agrees: the gate judges no more. One that was only scheduled gives its place back."""

    def change(one: GateVersion) -> str:
        _refuse_unasked(one)
        if same_person(one.retire_asked_by, by):
            raise Refused(403, "four_eyes", "you asked for this; another person has to agree")
        now = clock.now()
        if one.valid_from > now:
            for before in GateVersion.objects.select_for_update(of=("self",)).filter(
                name=one.name, state=State.LIVE, retired_at=one.valid_from
            ):
                _end(before, None, by, f"version {one.version} was taken back before it began")
        one.retired_at = now
        return one.retire_why

    return _step(_newest(name), "retire", APPROVE, change, by=by)


def checked(
    rows: Sequence[Mapping[str, Any]], result: str, message: str, applies_to: Sequence[str], *, title: str
) -> dict[str, Any]:
    """The content of a version. Raises Refused 422 that names the row, the field and the rule."""
    if len(rows) > MOST_ROWS:
        raise Refused(422, "rows", f"rows: at most {MOST_ROWS} conditions, these are {len(rows)}")
    if not rows and not applies_to:
        raise Refused(422, "rows", "rows: a gate without a condition needs kinds of action, else it stops everything")
    for number, row in enumerate(rows, 1):
        if set(row) != {"field", "op", "value"}:
            raise Refused(422, "rows", f"row {number}: needs field, op and value, nothing else")
        try:
            typed.check_row(row)
        except typed.BadRow as bad:
            raise Refused(422, "rows", f"row {number}, {bad}") from bad
    if result not in GateVersion.Result.values:
        raise Refused(422, "result", f"result: must be one of {', '.join(GateVersion.Result.values)}")
    strange = sorted(set(applies_to) - set(KINDS))
    if strange:
        raise Refused(422, "applies_to", f"applies_to: there is no action kind {strange[0]!r}")
    return {
        "title": _text("title", title, 120), "rows": [dict(row) for row in rows], "result": result,
        "message": _text("message", message), "applies_to": sorted(set(applies_to)),
    }  # fmt: skip


def in_force(name: str) -> GateVersion | None:
    """The newest approved version that did not end, scheduled ones included."""
    return GateVersion.objects.filter(name=name, state=State.LIVE, retired_at=None).order_by("-version").first()


def why_not(one: GateVersion, verb: str, by: User) -> str:
    """Why this person may not do this with this version, as a sentence; empty when nothing stands in the way."""
    needed = APPROVE if verb in ("approve", "retire") else EDIT
    if not (by.is_active and by.has_perm(needed)):
        return f"Your account needs the permission {needed}."
    if verb == "approve" and any(same_person(hand, by) for hand in hands(one)):
        return "You wrote or submitted this version. Another person has to approve it."
    if verb == "submit" and not backtests.is_done(one):
        return "Run the back-test of this draft first; it has to be finished."
    if verb == "retire" and same_person(one.retire_asked_by, by):
        return "You asked for this. Another person has to agree."
    return ""


def hands(one: GateVersion) -> list[User]:
    """Everybody who wrote, changed or submitted this version, by the record and by the ledger."""
    rows = LedgerRow.objects.filter(subject_kind="gate", subject_id=one.subject, decision__in=HANDS)
    keys = {int(actor[5:]) for actor in rows.values_list("actor", flat=True) if actor.startswith("user:")}
    keys |= {key for key in (one.written_by_id, one.submitted_by_id) if key is not None}
    return list(User.objects.filter(pk__in=keys))


def _step(
    key: int, verb: str, permission: str, change: Callable[[GateVersion], str], *, by: User, version: int | None = None
) -> GateVersion:
    """Run one verb on one version behind the door; `change` gives the reason for the ledger."""
    try:
        with transaction.atomic():
            one = _locked(key)
            _permit(by, permission, verb)
            if version is not None and version != one.state_version:
                raise Refused(409, "stale", f"{one} was changed meanwhile{_last_hand(one)}; reload and look again")
            move = getattr(one, verb)
            if not can_proceed(move):
                raise Refused(
                    409, "state", f"{one} is {one.get_state_display().lower()}; that is not possible from there"
                )
            prior = str(one.state)
            reason = change(one)
            move()
            one.save()
            _write(one, verb, by, prior, reason=reason)
            return one
    except Refused as refusal:
        if refusal.status == 403:
            kept = GateVersion.objects.get(pk=key)
            _write_refusal(kept.subject, str(kept.state), verb, by, refusal.code)
        raise


def _insert(made: GateVersion) -> None:
    """Two people who begin the same version at once: the key decides."""
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:
        raise Refused(409, "open", f"{made} was begun by another person just now; work on that one") from error


def _locked(key: int) -> GateVersion:
    """This version under a lock, and all of its name first, always in the same order."""
    name = GateVersion.objects.filter(pk=key).values_list("name", flat=True).first()
    if name is None:
        raise Refused(404, "unknown", "there is no such gate")
    versions = GateVersion.objects.select_for_update(of=("self",)).filter(name=name).order_by("version")
    return next(one for one in versions if one.pk == key)


def _newest(name: str) -> int:
    found = in_force(name)
    if found is None:
        raise Refused(404, "unknown", f"there is no gate {name[:60]!r} in force")
    return found.pk


def _ending(name: str, at: datetime) -> list[GateVersion]:
    live = GateVersion.objects.select_for_update(of=("self",)).filter(name=name, state=State.LIVE)
    return [one for one in live if one.retired_at is None or one.retired_at > at]


def _end(one: GateVersion, at: datetime | None, by: User, reason: str) -> None:
    """Set when a version in force ends, with its row."""
    one.retired_at, one.retire_asked_by, one.retire_why = at, None, ""
    one.replace()
    one.save()
    _write(one, "replace", by, str(one.state), reason=reason)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise Refused(
            422,
            "name",
            f"name: lower-case letters, digits and single hyphens, at most {LONGEST_NAME}; not {name[:60]!r}",
        )


def _title_of(name: str) -> str:
    known = GateVersion.objects.filter(name=name).order_by("-version").values_list("title", flat=True).first()
    return known or name.replace("-", " ").capitalize()


def _refuse_same(content: Mapping[str, Any], live: GateVersion | None) -> None:
    if live is not None and all(_plain(live.content[name]) == _plain(value) for name, value in content.items()):
        raise Refused(422, "rows", f"rows: nothing differs from {live}, which is in force")


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value


def _refuse_unasked(one: GateVersion) -> None:
    if one.retire_asked_by is None:
        raise Refused(409, "not_asked", f"nobody asked to retire {one}; ask first, then another person agrees")


def _refuse_hands(one: GateVersion, by: User) -> None:
    if any(same_person(hand, by) for hand in hands(one)):
        raise Refused(
            403, "four_eyes", "you wrote, changed or submitted this version; another person has to approve it"
        )


def _start(at: datetime | None) -> datetime:
    now = clock.now()
    if at is None:
        return now
    if at > now + FURTHEST:
        raise Refused(422, "valid_from", f"valid_from: at most {FURTHEST.days} days ahead")
    return max(at, now)


def _text(field: str, text: str, longest: int = 300) -> str:
    """A text that is there and fits; NUL cannot be stored."""
    words = text.replace("\x00", "").strip()
    if not words:
        raise Refused(422, field, f"{field}: must not be empty")
    if len(words) > longest:
        raise Refused(422, field, f"{field}: at most {longest} characters, this has {len(words)}")
    return words


def _permit(by: User, permission: str, verb: str) -> None:
    if not (by.is_active and by.has_perm(permission)):
        raise Refused(403, "permission", f"your account may not {verb.replace('_', ' ')} a gate; it needs {permission}")


def _write(one: GateVersion, verb: str, by: User, prior: str, *, reason: str) -> None:
    """One ledger row with the content that was decided on."""
    judges = {"rows": one.rows, "result": one.result, "message": one.message, "applies_to": one.applies_to}
    times = {"valid_from": one.valid_from, "retired_at": one.retired_at}
    book.write_rows([
        _row(one.subject, verb, by, prior, str(one.state)) | {
            "state_version": one.state_version, "outcome": str(one.state), "rule_version": one.subject,
            "reasons": [{"rule": "reason", "reason": reason}], "inputs": {**judges, **times},
        }
    ])  # fmt: skip


def _write_refusal(subject: str, state: str, verb: str, by: User, code: str) -> None:
    book.write_rows([_row(subject, verb, by, state, state) | {"outcome": "refused", "error_code": code}])


def _row(subject: str, verb: str, by: User, prior: str, post: str) -> dict[str, Any]:
    return {
        "subject_kind": "gate", "subject_id": subject, "decision": verb, "actor": f"user:{by.pk}",
        "prior_state": prior, "post_state": post,
    }  # fmt: skip


def _who(person: User | None) -> str:
    return person.get_username() if person else "Meshline"


def _last_hand(one: GateVersion) -> str:
    """Who changed it last, and when, for the sentence that refuses an old page."""
    row = LedgerRow.objects.filter(subject_kind="gate", subject_id=one.subject).order_by("-id").first()
    if row is None:
        return ""
    who = User.objects.filter(pk=row.actor[5:]).first() if row.actor.startswith("user:") else None
    return f" by {_who(who)}, {cells.length(clock.now() - row.recorded_at)} ago"
