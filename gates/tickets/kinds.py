"""Kinds of tickets as versions: by which tags or form they are known, whose they are, and what is answered."""

import difflib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction

from gates.models import TicketKind
from gates.playbooks import tickets as playbook
from gates.stop import Refused
from gates.tickets import EDIT
from ledger import book, sets

VARIABLES: Mapping[str, str] = {
    "company": "the customer's name, as it is stored when the reply leaves",
    "ticket": "the ticket's number",
    "customer": "our number of the customer",
    "contract": "our number of the contract, where the customer has exactly one",
    "plan": "the plan of that contract",
}
LATE = "company"  # personal: filled in when the request is made, and stored nowhere
NAME = re.compile(r"[a-z][a-z0-9-]{0,59}")
TAG = re.compile(r"[a-z0-9_:./-]{1,60}")
FORM = re.compile(r"[0-9]{1,20}")
LONGEST_REPLY, LONGEST_TITLE, MOST_TAGS, MOST_FORMS = 4000, 120, 20, 10
KNOWN = ", ".join(f"{{{name}}}" for name in VARIABLES)
SUBJECT = "ticket_kind"
FRESH_SECONDS = 0.5
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_held: list[tuple[float, tuple[playbook.Kind, ...]]] = []


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person fills in."""

    title: str
    tags: Sequence[str]
    forms: Sequence[str]
    owner_group: str
    reply: str = ""
    solves: bool = False
    stage: str = "off"


def all_current() -> list[TicketKind]:
    """The version in force of each kind, by name."""
    return list(TicketKind.objects.order_by("name", "-version").distinct("name"))


def current(name: str) -> TicketKind | None:
    """The version in force of one."""
    return TicketKind.objects.filter(name=name).order_by("-version").first()


def in_force() -> tuple[playbook.Kind, ...]:
    """All of them as judgement sees them, at most half a second old."""
    if _held and time.monotonic() - _held[0][0] < FRESH_SECONDS:
        return _held[0][1]
    found = tuple(
        playbook.Kind(
            one.name, one.version, frozenset(one.tags), frozenset(one.forms), one.owner_group, one.reply, one.solves,
            one.stage,
        )
        for one in all_current()
    )  # fmt: skip
    _held[:] = [(time.monotonic(), found)]
    return found


def forget() -> None:
    """What was read is old: somebody wrote a version in this process."""
    _held.clear()


def save_version(name: str, draft: Draft, *, by: User, version: int, reason: str) -> TicketKind:
    """Write a new version; what was proposed already keeps its own. `version` is the one shown, 0 for a new kind.

    Raises Refused: 403 permission, 409 somebody wrote a version meanwhile, 422 a field with its rule.
    """
    if not (by.is_active and by.has_perm(EDIT)):
        _row(name, version, by, "permission", refused=True)
        raise Refused(403, "permission", f"your account may not write ticket kinds; it needs the permission {EDIT}")
    if not NAME.fullmatch(name):
        raise Refused(422, "name", "name: small letters, digits and -, beginning with a letter, at most 60")
    said = _text("reason", reason, 500)
    try:
        with transaction.atomic():
            sets.run("select pg_advisory_xact_lock(hashtext('ticket_kind'))", {})  # one pilot, whoever is faster
            newest = current(name)
            if (newest.version if newest else 0) != version:
                now = newest.version if newest else 0
                raise Refused(409, "stale", f"{name} has version {now} by now; nothing was saved")
            made = _checked(name, draft, [one for one in all_current() if one.name != name])
            made.version, made.written_by = version + 1, by
            made.save()
            _row(name, made.version, by, said)
    except IntegrityError as error:
        raise Refused(409, "stale", "somebody wrote a version a moment ago; nothing was saved") from error
    forget()
    return made


def _checked(name: str, draft: Draft, others: Sequence[TicketKind]) -> TicketKind:
    """The version to be stored. Raises Refused 422 naming the field."""
    tags = _listed("tags", draft.tags, TAG, MOST_TAGS, "small letters, digits and _:./-, at most 60")
    forms = _listed("forms", draft.forms, FORM, MOST_FORMS, "the number of a form")
    if not tags and not forms:
        raise Refused(422, "tags", "tags: at least one tag or one form, or no ticket is ever of this kind")
    for other in others:
        for field, mine, theirs in (("tags", tags, other.tags), ("forms", forms, other.forms)):
            shared = sorted(set(mine) & set(theirs))
            if shared:
                raise Refused(422, field, f"{field}: {shared[0]} is a sign of the kind {other.name} already")
    if draft.stage not in TicketKind.Stage.values:
        raise Refused(422, "stage", f"stage: must be one of {', '.join(TicketKind.Stage.values)}")
    if not Group.objects.filter(name=draft.owner_group).exists():
        raise Refused(422, "owner_group", "owner_group: must be the name of a group")
    reply = checked_reply(draft.reply) if draft.reply.strip() else ""
    if draft.stage == TicketKind.Stage.PILOT:
        _check_pilot(reply, others)
    return TicketKind(
        name=name, title=_text("title", draft.title, LONGEST_TITLE), tags=tags, forms=forms,
        owner_group=draft.owner_group, reply=reply, solves=draft.solves, stage=draft.stage,
    )  # fmt: skip


def _check_pilot(reply: str, others: Sequence[TicketKind]) -> None:
    if not reply:
        raise Refused(422, "reply", "reply: a pilot answers the customer, so it needs words")
    pilot = next((one for one in others if one.stage == TicketKind.Stage.PILOT), None)
    if pilot is not None:
        raise Refused(422, "stage", f"stage: {pilot.name} is the pilot; there is one at a time, end that one first")


def checked_reply(text: str) -> str:
    """A reply as it is stored. Raises Refused 422 naming the variable, the nearest one and all that are known."""
    plain = _text("reply", text.replace("\r\n", "\n"), LONGEST_REPLY)
    for name in _VARIABLE.findall(plain):
        if name not in VARIABLES:
            near = difflib.get_close_matches(name.lower(), VARIABLES, n=2, cutoff=0.5)
            meant = f"did you mean {' or '.join(f'{{{one}}}' for one in near)}? " if near else ""
            raise Refused(422, "reply", f"reply: the variable {{{name[:40]}}} is not known; {meant}Known are {KNOWN}")
    rest = _VARIABLE.sub("", plain)
    if "{" in rest or "}" in rest:
        raise Refused(422, "reply", f"reply: a single {{ or }} belongs to no variable; known are {KNOWN}")
    return plain


def lacking(reply: str, values: Mapping[str, str]) -> list[str]:
    """The variables of a reply that nothing is known for, the customer's own name left aside."""
    return sorted({name for name in _VARIABLE.findall(reply) if name != LATE and not values.get(name)})


def fill(reply: str, values: Mapping[str, str]) -> str:
    """The reply with its variables filled in; what `values` has not stays as it is. Values are never read again."""
    return _VARIABLE.sub(lambda found: values.get(found[1]) or found[0], reply)


def _listed(field: str, given: Sequence[str], rule: re.Pattern[str], most: int, words: str) -> list[str]:
    found = list(dict.fromkeys(one.strip() for one in given if one.strip()))
    wrong = next((one for one in found if not rule.fullmatch(one)), None)
    if wrong is not None or len(found) > most:
        raise Refused(422, field, f"{field}: at most {most}, each {words}")
    return found


def _text(field: str, text: str, most: int) -> str:
    said = text.strip()
    if not 1 <= len(said) <= most or "\x00" in said:
        raise Refused(422, field, f"{field}: 1 to {most} characters")
    return said


def _row(name: str, version: int, by: User, reason: str, *, refused: bool = False) -> None:
    row = {
        "subject_kind": SUBJECT, "subject_id": name[:60], "decision": "edit_ticket_kind", "actor": f"user:{by.pk}",
        "prior_state": "in force", "post_state": "in force", "state_version": version,
        "outcome": "refused" if refused else "changed", "error_code": "permission" if refused else "",
        "reasons": [{"rule": "reason", "reason": reason}],
    }  # fmt: skip
    book.write_rows([row])
