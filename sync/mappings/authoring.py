"""Changing the field mapping: one person drafts, another puts in force; each step leaves its ledger row."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django_fsm import can_proceed

from gates.stop import Refused, same_person
from ledger import book, clock
from ledger.models import LedgerRow
from sync import mappings
from sync.mappings import BadMapping, active, rehearsal
from sync.mappings.models import MappingVersion

VIEW, EDIT, ACTIVATE = "sync.view_mappingversion", "sync.edit_mapping", "sync.activate_mapping"
State = MappingVersion.State
SUBJECT = active.SUBJECT
HANDS = ("draft", "change")
MOST_VERSIONS = 9_999
WORDS = re.compile(r"[^\x00-\x1f\x7f]*")
# What a row says, by the name of its field in a form; the destination is written as system.record and a field.
MEMBERS = ("from", "to", "owner", "when", "transform", "validator", "conflict", "requirement", "why")


@dataclass(frozen=True, slots=True)
class RowFields:
    """Everything a person says about one row. `record` is `system.record`, as the artifact names it."""

    source: str
    record: str
    field: str
    owner: str
    when: str
    transform: str
    validator: str
    conflict: str
    requirement: str
    why: str = ""

    def as_row(self) -> dict[str, str]:
        """The row as it is stored."""
        row = {
            "from": self.source.strip(), "to": f"{self.record.strip()}.{self.field.strip()}", "owner": self.owner,
            "when": self.when, "transform": self.transform, "validator": self.validator, "conflict": self.conflict,
            "requirement": _text("requirement", self.requirement, 80),
        }  # fmt: skip
        return {**row, "why": _text("why", self.why, 300)} if self.why.strip() else row


def sources() -> list[str]:
    """The values that a field may be filled from: those that are read of a deal, and those that mappings name."""
    return sorted({*rehearsal.KNOWN_SOURCES, *(row.source for row in mappings.shipped().rows)})


def records() -> list[str]:
    """The destinations that the product writes fields to, as `system.record`."""
    return sorted({f"{row.system}.{row.record}" for row in mappings.shipped().rows})


def now() -> MappingVersion | None:
    """The version in force."""
    return MappingVersion.objects.select_related("author", "activated_by").filter(state=State.ACTIVE).first()


def begin(*, by: User, reason: str, like: int | None = None) -> MappingVersion:
    """Begin the next version, as a copy of the one in force or of an older one (`like`, its number).

    Raises Refused: 403 permission, 404 no such version, 409 a draft is open, 422 reason.
    """
    reason = _text("reason", reason, 300)
    _permit(by, EDIT, "draft", None)
    with transaction.atomic():
        base = now() if like is None else MappingVersion.objects.filter(number=like).exclude(state=State.DRAFT).first()
        if base is None:
            raise Refused(404, "unknown", "there is no such version of the field mapping")
        open_one = MappingVersion.objects.filter(state=State.DRAFT).select_related("author").first()
        if open_one is not None:
            raise Refused(409, "open", f"version {open_one.number} is a draft already, {_who(open_one)}; go on there")
        number = 1 + MappingVersion.objects.order_by("-number").values_list("number", flat=True)[0]
        if number > MOST_VERSIONS:
            raise Refused(422, "number", f"number: at most {MOST_VERSIONS} versions")
        made = MappingVersion(
            number=number, fields={**base.fields, "version": number}, author=by, reason=reason, state_version=1,
            based_on=base.number,
        )  # fmt: skip
        _insert(made)
        _write(made, "draft", by, str(State.DRAFT), reason, {"based_on": base.number})
    return made


def save_row(number: int, place: int, said: RowFields, *, by: User, version: int) -> MappingVersion:
    """Write row `place` of the draft anew (from 1; 0 adds one at the end).

    Raises Refused: 403, 404 no such version or row, 409 no draft or changed since, 422 naming field and rule.
    """

    def change(one: MappingVersion) -> tuple[str, dict[str, Any]]:
        row = said.as_row()
        rows = list(one.fields["rows"])
        _check_place(place, rows, from_=0)
        _check_choices(row)
        before = rows[place - 1] if place else {}
        if before == row:
            raise Refused(422, "from", "nothing differs from what is stored")
        rows[place - 1 : place] = [row] if place else []
        one.fields = _checked({**one.fields, "rows": rows if place else [*rows, row]})
        return f"row {row['to']}", {"before": before, "after": row}

    return _step(number, "change", EDIT, change, by=by, version=version)


def drop_row(number: int, place: int, *, by: User, version: int) -> MappingVersion:
    """Take a row out of the draft: its field is sent no more. Raises Refused as `save_row` does."""

    def change(one: MappingVersion) -> tuple[str, dict[str, Any]]:
        rows = list(one.fields["rows"])
        _check_place(place, rows, from_=1)
        gone = rows.pop(place - 1)
        one.fields = _checked({**one.fields, "rows": rows})
        return f"row {gone['to']} taken out", {"before": gone, "after": {}}

    return _step(number, "change", EDIT, change, by=by, version=version)


def withdraw(number: int, *, by: User, version: int, reason: str) -> MappingVersion:
    """Give a draft up. Raises Refused."""
    reason = _text("reason", reason, 300)

    def change(one: MappingVersion) -> tuple[str, dict[str, Any]]:
        one.retired_at = clock.now()
        return reason, {}

    return _step(number, "withdraw", EDIT, change, by=by, version=version)


def activate(number: int, *, by: User, version: int, reason: str) -> MappingVersion:
    """Put a draft in force; the version before it is retired in the same transaction.

    Cases and stored payloads are run first, and the row keeps how it came out. Raises Refused: 403 permission or
    four_eyes for everybody who wrote it, superusers included; 404, 409, 422.
    """
    reason = _text("reason", reason, 300)
    found = _rehearsed(number)

    def change(one: MappingVersion) -> tuple[str, dict[str, Any]]:
        if any(same_person(hand, by) for hand in hands(one)):
            raise Refused(403, "four_eyes", "you wrote this version; another person has to put it in force")
        differing = changes(now(), one)
        if not differing:
            raise Refused(422, "rows", "rows: nothing differs from the version in force")
        before = MappingVersion.objects.select_for_update(of=("self",)).filter(state=State.ACTIVE).first()
        if before is not None:
            before.retired_at = clock.now()
            before.replace()
            before.save()
            _write(before, "replace", by, str(State.ACTIVE), f"replaced by version {one.number}", {})
        one.activated_by, one.activated_at, one.agreed = by, clock.now(), found.failing
        return reason, {**found.counts(), "rows_changed": [to for to, _, _ in differing]}

    made = _step(number, "activate", ACTIVATE, change, by=by, version=version)
    mappings._held.clear()  # this process at once; the others within half a second
    return made


def _rehearsed(number: int) -> rehearsal.Result:
    one = MappingVersion.objects.filter(number=number).first()
    if one is None:
        raise Refused(404, "unknown", "there is no such version of the field mapping")
    return rehearsal.run(active.of(one), active.refresh())


def changes(
    before: MappingVersion | None, after: MappingVersion
) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """What differs, by destination: (system.record.field, its row before, its row after); an absent row is empty."""
    old = {row["to"]: row for row in before.fields["rows"]} if before else {}
    new = {row["to"]: row for row in after.fields["rows"]}
    return [
        (to, old.get(to, {}), new.get(to, {})) for to in dict.fromkeys([*new, *old]) if old.get(to, {}) != new.get(to)
    ]


def hands(one: MappingVersion) -> list[User]:
    """Everybody who wrote on this version, by the record and by the ledger."""
    rows = LedgerRow.objects.filter(subject_kind=SUBJECT, subject_id=str(one.number), decision__in=HANDS)
    actors = rows.exclude(outcome="refused").values_list("actor", flat=True)
    keys = {int(actor[5:]) for actor in actors if actor.startswith("user:")}
    keys |= {one.author_id} if one.author_id else set()
    return list(User.objects.filter(pk__in=keys))


def why_not(one: MappingVersion, verb: str, by: User) -> str:
    """Why this person may not do this, as a sentence; empty when nothing stands in the way."""
    needed = ACTIVATE if verb == "activate" else EDIT
    if not (by.is_active and by.has_perm(needed)):
        return f"Your account needs the permission {needed}."
    if verb == "activate" and any(same_person(hand, by) for hand in hands(one)):
        return "You wrote on this version. Another person has to put it in force."
    return ""


def _step(
    number: int,
    verb: str,
    permission: str,
    change: Callable[[MappingVersion], tuple[str, dict[str, Any]]],
    *,
    by: User,
    version: int,
) -> MappingVersion:
    """Run one verb behind the door; `change` gives the reason and the inputs of the ledger row."""
    _permit(by, permission, verb, number)
    try:
        with transaction.atomic():
            one = MappingVersion.objects.select_for_update(of=("self",)).filter(number=number).first()
            if one is None:
                raise Refused(404, "unknown", "there is no such version of the field mapping")
            if version != one.state_version:
                raise Refused(409, "stale", f"version {number} was changed meanwhile; reload and look again")
            move = getattr(one, verb)
            if not can_proceed(move):
                raise Refused(409, "state", f"version {number} is {one.get_state_display().lower()}, not a draft")
            prior = str(one.state)
            reason, inputs = change(one)
            move()
            one.save()
            _write(one, verb, by, prior, reason, inputs)
            return one
    except Refused as refusal:
        if refusal.status == 403:
            _write_refusal(number, verb, by, refusal.code)
        raise


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    """A draft's content as a whole. Raises Refused 422 in the words of the check."""
    try:
        mappings.read(fields)
    except BadMapping as bad:
        said = str(bad)
        named = next((one for one in MEMBERS if f": {one} must" in said), "to")
        raise Refused(422, named, said) from bad
    return fields


def _check_choices(row: Mapping[str, str]) -> None:
    """What the product cannot deliver or does not write to is no choice; the rest is checked as a whole."""
    if row["from"] not in sources():
        raise Refused(422, "from", f"from: there is no value {row['from'][:60]!r}; choose one of the list")
    record = row["to"].rpartition(".")[0]
    if record not in records():
        raise Refused(422, "record", f"record: must be one of {', '.join(records())}; not {record[:60]!r}")
    field = row["to"].rpartition(".")[2]
    if not mappings.NAME.fullmatch(field):
        raise Refused(422, "field", f"field: letters, digits and _, at most {mappings.LONGEST}; not {field[:60]!r}")


def _check_place(place: int, rows: list[Any], *, from_: int) -> None:
    if not from_ <= place <= len(rows):
        raise Refused(404, "row", f"there is no row {place} in it by now; it has {len(rows)}")


def _text(name: str, said: str, most: int) -> str:
    words = said.strip()
    if not 1 <= len(words) <= most or not WORDS.fullmatch(words):
        raise Refused(422, name, f"{name}: 1 to {most} characters in one line, this has {len(words)}")
    return words


def _insert(made: MappingVersion) -> None:
    """Two people who begin at once: the key decides."""
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:
        raise Refused(409, "open", "another person began a draft just now; go on there") from error


def _permit(by: User, permission: str, verb: str, number: int | None) -> None:
    if by.is_active and by.has_perm(permission):
        return
    _write_refusal(number, verb, by, "permission")
    raise Refused(403, "permission", f"your account may not {verb} a field mapping; it needs {permission}")


def _who(one: MappingVersion) -> str:
    return f"begun by {one.author.get_username()}" if one.author else "begun by Meshline"


def _write(one: MappingVersion, verb: str, by: User, prior: str, reason: str, inputs: Mapping[str, Any]) -> None:
    row = _row(one.number, verb, by, prior, str(one.state)) | {
        "state_version": one.state_version, "outcome": str(one.state), "rule_version": f"{SUBJECT}:{one.number}",
        "reasons": [{"rule": "reason", "reason": reason}], "inputs": dict(inputs),
    }  # fmt: skip
    book.write_rows([row])


def _write_refusal(number: int | None, verb: str, by: User, code: str) -> None:
    one = MappingVersion.objects.filter(number=number).first() if number else None
    state = str(one.state) if one else str(State.DRAFT)
    row = _row(one.number if one else 0, verb, by, state, state)
    book.write_rows([row | {"outcome": "refused", "error_code": code}])


def _row(number: int, verb: str, by: User, prior: str, post: str) -> dict[str, Any]:
    return {
        "subject_kind": SUBJECT, "subject_id": str(number), "decision": verb, "actor": f"user:{by.pk}",
        "prior_state": prior, "post_state": post,
    }  # fmt: skip
