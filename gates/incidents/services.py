"""Whom a service of the alerting system serves: the scope that its incidents begin with."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gates.incidents import EDIT_SERVICE, scope, templates
from gates.models import ServiceScope
from gates.stop import Refused
from ledger import book, clock

LONGEST = 64


def of(source: str, service: str) -> list[dict[str, object]]:
    """The rules of a service; none where nobody wrote any."""
    found = ServiceScope.objects.filter(source=source, service=service).values_list("scope", flat=True).first()
    return list(found or [])


def save(
    source: str, service: str, rules: Sequence[scope.Rule], *, by: User, version: int, title: str = ""
) -> ServiceScope:
    """Write the rules of a service; `version` is the one that was shown, 0 for a new one. Incidents keep theirs.

    Raises Refused: 403 permission, 409 somebody was faster, 422 a field with its rule.
    """
    name = service.strip()
    if not (by.is_active and by.has_perm(EDIT_SERVICE)):
        _row(name, by, version, "refused", "permission")
        message = f"your account may not say whom services serve; it needs the permission {EDIT_SERVICE}"
        raise Refused(403, "permission", message)
    if not 1 <= len(name) <= LONGEST or not name.isprintable():
        raise Refused(422, "service", f"service: its id there, 1 to {LONGEST} printable characters")
    checked = scope.check(list(rules))
    if not checked:
        raise Refused(422, "scope", "scope: at least one rule, like: tier is enterprise, growth")
    try:
        with transaction.atomic():
            one = ServiceScope.objects.select_for_update(of=("self",)).filter(source=source, service=name).first()
            if (one.version if one else 0) != version:
                raise Refused(409, "stale", f"{name} was changed since you saw it; nothing was saved")
            one = one or ServiceScope(source=source, service=name, version=0)
            one.title, one.scope, one.version = templates.plain(title, 120), checked, version + 1
            one.written_by, one.changed_at = by, clock.now()
            one.save()
            _row(name, by, one.version, "changed", "")
    except IntegrityError as error:
        raise Refused(409, "stale", "somebody wrote it a moment ago; nothing was saved") from error
    return one


def _row(service: str, by: User, version: int, outcome: str, code: str) -> None:
    row = {
        "subject_kind": "service_scope", "subject_id": service[:64], "decision": "edit_service",
        "actor": f"user:{by.pk}", "prior_state": "in force", "post_state": "in force", "state_version": version,
        "outcome": outcome, "error_code": code,
    }  # fmt: skip
    book.write_rows([row])
