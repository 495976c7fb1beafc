"""Messages about incidents as versions, and how one is filled in. An unknown variable is refused when it is saved."""

import re
import unicodedata
from collections.abc import Mapping

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gates.incidents import EDIT_TEMPLATE
from gates.models import OutreachTemplate
from gates.stop import Refused
from ledger import book

VARIABLES: Mapping[str, str] = {
    "company": "the customer's name",
    "incident": "the incident's title",
    "reference": "its number, such as IN-12",
    "severity": "critical, major or minor",
    "started": "when it began, UTC",
    "status": "what this update says",
    "number": "the number of this update",
}
# The customer's own name is filled in when the message is made, from what is stored at that moment.
LATE = "company"
NAME = re.compile(r"[a-z][a-z0-9-]{0,59}")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
LONGEST_SUBJECT, LONGEST_BODY, LONGEST_TITLE = 150, 4000, 120
KNOWN = ", ".join(f"{{{name}}}" for name in VARIABLES)


def current(name: str) -> OutreachTemplate | None:
    """The version in force."""
    return OutreachTemplate.objects.filter(name=name).order_by("-version").first()


def all_current() -> list[OutreachTemplate]:
    """The newest version of each name."""
    return list(OutreachTemplate.objects.order_by("name", "-version").distinct("name"))


def save_version(
    name: str, *, by: User, version: int, title: str, subject: str, body: str, reason: str
) -> OutreachTemplate:
    """Write a new version; planned updates keep theirs. `version` is the one that was shown, 0 for a new name.

    Raises Refused: 403 permission, 409 somebody wrote a version meanwhile, 422 a field with its rule.
    """
    if not (by.is_active and by.has_perm(EDIT_TEMPLATE)):
        _row(name, version, by, "permission", refused=True)
        message = f"your account may not write messages; it needs the permission {EDIT_TEMPLATE}"
        raise Refused(403, "permission", message)
    if not NAME.fullmatch(name):
        raise Refused(422, "name", "name: small letters, digits and -, beginning with a letter, at most 60")
    said = _text("reason", reason, 500)
    made = OutreachTemplate(
        name=name, version=version + 1, title=_text("title", title, LONGEST_TITLE), written_by=by,
        subject=checked("subject", subject, LONGEST_SUBJECT), body=checked("body", body, LONGEST_BODY),
    )  # fmt: skip
    newest = current(name)
    if (newest.version if newest else 0) != version:
        raise Refused(409, "stale", f"{name} has version {newest.version if newest else 0} by now; nothing was saved")
    try:
        with transaction.atomic():
            made.save()
            _row(name, made.version, by, said)
    except IntegrityError as error:
        raise Refused(409, "stale", "somebody wrote a version a moment ago; nothing was saved") from error
    return made


def checked(field: str, text: str, most: int) -> str:
    """A subject or body as it is stored. Raises Refused 422 naming the field, the variable and the known ones."""
    plain = _text(field, text.replace("\r\n", "\n"), most)
    if field == "subject" and "\n" in plain:
        raise Refused(422, field, "subject: one line")
    for name in _VARIABLE.findall(plain):
        if name not in VARIABLES:
            raise Refused(422, field, f"{field}: the variable {{{name[:40]}}} is not known; known are {KNOWN}")
    if "{" in _VARIABLE.sub("", plain) or "}" in _VARIABLE.sub("", plain):
        raise Refused(422, field, f"{field}: a single {{ or }} belongs to no variable; known are {KNOWN}")
    return plain


def fill(text: str, values: Mapping[str, str], *, but: str = "") -> str:
    """The text with its variables filled in; `but` stays as it is. Values are never read for variables again."""
    return _VARIABLE.sub(lambda found: found[0] if found[1] == but else values[found[1]], text)


def plain(text: str, most: int, *, lines: bool = False) -> str:
    """Somebody's words as text that is nothing else: no control, no hidden or turning characters, one blank at most."""
    kept = "".join(
        char if (char == "\n" and lines) or unicodedata.category(char)[0] not in "CZ" else " " for char in text
    )
    parts = kept.split("\n") if lines else [kept]
    clean = "\n".join(" ".join(one.split()) for one in parts).strip()
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def _text(field: str, text: str, most: int) -> str:
    said = text.strip()
    if not 1 <= len(said) <= most or "\x00" in said:
        raise Refused(422, field, f"{field}: 1 to {most} characters")
    return said


def _row(name: str, version: int, by: User, reason: str, *, refused: bool = False) -> None:
    row = {
        "subject_kind": "message_template", "subject_id": name[:60], "decision": "edit_message",
        "actor": f"user:{by.pk}", "prior_state": "in force", "post_state": "in force", "state_version": version,
        "outcome": "refused" if refused else "changed", "error_code": "permission" if refused else "",
        "reasons": [{"rule": "reason", "reason": reason}],
    }  # fmt: skip
    book.write_rows([row])
