"""The steps of a checklist as versions: the newest is in force, running lists keep the one they began with."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction

from gates.checklists import EDIT, EVIDENCE
from gates.models import ChecklistTemplate
from gates.stop import Refused
from ledger import book

NAME = "onboarding"
MOST_STEPS, MOST_HOURS, LONGEST = 20, 2000, 120
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
MEMBERS = ("key", "title", "group", "hours", "business", "escalate_hours", "ticked_by", "evidence", "blocking", "value")


def current(name: str = NAME) -> ChecklistTemplate | None:
    """The version in force; None before anything is installed."""
    return ChecklistTemplate.objects.filter(name=name).order_by("-version").first()


def save_version(
    steps: Sequence[Mapping[str, Any]], *, by: User, version: int, title: str, reason: str, name: str = NAME
) -> ChecklistTemplate:
    """Write a new version; lists that run keep theirs. `version` is the one that was shown.

    Raises Refused: 403 permission, 409 somebody wrote a version meanwhile, 422 a field with its rule.
    """
    if not (by.is_active and by.has_perm(EDIT)):
        _row(name, version, by, "permission", {}, refused=True)
        raise Refused(403, "permission", f"your account may not change checklists; it needs the permission {EDIT}")
    said = reason.strip()
    if not 1 <= len(said) <= 500 or "\x00" in said:
        raise Refused(422, "reason", "reason: say why in 1 to 500 characters; it goes into the ledger")
    if not 1 <= len(title.strip()) <= LONGEST or "\x00" in title:
        raise Refused(422, "title", f"title: 1 to {LONGEST} characters")
    checked = check(steps)
    newest = current(name)
    if newest is not None and newest.version != version:
        raise Refused(409, "stale", f"{newest.title} has version {newest.version} by now; nothing was saved")
    try:
        with transaction.atomic():
            made = ChecklistTemplate.objects.create(
                name=name, version=version + 1, title=title.strip(), steps=checked, written_by=by
            )
            _row(name, made.version, by, said, {"steps": [one["key"] for one in checked]})
    except IntegrityError as error:
        raise Refused(409, "stale", "somebody wrote a version a moment ago; nothing was saved") from error
    return made


def check(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The steps, clean and complete. Raises Refused 422 naming the step, the member and its rule."""
    if not 1 <= len(steps) <= MOST_STEPS:
        raise Refused(422, "steps", f"steps: 1 to {MOST_STEPS}, one a line, these are {len(steps)}")
    groups = set(Group.objects.values_list("name", flat=True))
    found = [_step(number, one, groups) for number, one in enumerate(steps, start=1)]
    keys = [one["key"] for one in found]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice:
        raise Refused(422, "steps", f"steps: the key {twice} is there twice; each step has its own")
    return found


def _step(number: int, one: Mapping[str, Any], groups: set[str]) -> dict[str, Any]:
    def wrong(words: str) -> Refused:
        return Refused(422, "steps", f"steps: step {number}, {words}")

    key, title, group = (str(one.get(name, "")).strip() for name in ("key", "title", "group"))
    evidence = str(one.get("evidence", "")).strip()
    if not KEY.fullmatch(key):
        raise wrong("key: small letters, digits and _, beginning with a letter, at most 40")
    if not 1 <= len(title) <= LONGEST or not title.isprintable():
        raise wrong(f"title: 1 to {LONGEST} printable characters")
    if group not in groups:
        raise wrong(f"group: there is no group {group[:80]!r}")
    if evidence and evidence not in EVIDENCE:
        raise wrong(f"evidence: one of {', '.join(EVIDENCE)}, or nothing where a person ticks it")
    for name in ("hours", "escalate_hours"):
        value = one.get(name)
        if type(value) is not int or not 1 <= value <= MOST_HOURS:
            raise wrong(f"{name}: a whole number from 1 to {MOST_HOURS}")
    return {
        "key": key, "title": title, "group": group, "hours": one["hours"], "business": bool(one.get("business")),
        "escalate_hours": one["escalate_hours"], "ticked_by": "system" if evidence else "person",
        "evidence": evidence, "blocking": bool(one.get("blocking")), "value": bool(one.get("value")),
    }  # fmt: skip


def _row(name: str, version: int, by: User, reason: str, about: dict[str, Any], *, refused: bool = False) -> None:
    row = {
        "subject_kind": "template", "subject_id": name, "decision": "edit_template", "actor": f"user:{by.pk}",
        "prior_state": "in force", "post_state": "in force", "state_version": version,
        "outcome": "refused" if refused else "changed", "error_code": "permission" if refused else "",
        "reasons": [{"rule": "reason", "reason": reason}], "inputs": about,
    }  # fmt: skip
    book.write_rows([row])
