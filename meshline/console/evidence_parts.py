"""What the pages of evidence share: forms, pages of a list by key, and shares as words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode

from gates.stop import Refused
from meshline.console import form_fields
from meshline.console.form_fields import Field

PAGE = 50


@dataclass(slots=True)
class Form:
    """One form of such a page; `buttons` are (name, value, label), the first of them the one that is meant."""

    title: str
    url: str
    buttons: Sequence[tuple[str, str, str]]
    fields: list[Field] = field(default_factory=list)
    note: str = ""
    anchor: str = ""
    pairs: Sequence[tuple[str, Any]] = ()


def permit(request: HttpRequest, permission: str) -> None:
    """Raises PermissionDenied without it."""
    if not request.user.has_perm(permission):
        raise PermissionDenied


def shown(
    forms: Sequence[Form], request: HttpRequest, refusal: Refused | None, *, warnings: Sequence[str] = (),
    progress: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the template needs beside the page: forms with what was typed, warnings, how far it is in percent."""
    for form in forms:
        form_fields.filled(form.fields, request, refusal)
    return {"forms": forms, "warnings": warnings, "progress": progress}


def newest(found: QuerySet[Any], request: HttpRequest, **kept: str) -> tuple[list[Any], tuple[str, str] | None]:
    """One page by descending key, and the link to the next where there is more."""
    before = form_fields.key(request.GET.get("before"))
    rows = list((found.filter(pk__lt=before) if before else found)[: PAGE + 1])
    more = {**{name: value for name, value in kept.items() if value}, "before": str(rows[PAGE - 1].pk)} if len(
        rows
    ) > PAGE else None  # fmt: skip
    return rows[:PAGE], ("Older", f"?{urlencode(more)}") if more else None


def share(part: int, whole: int) -> str:
    """So many of so many, with the share where there is one."""
    return f"{part:,} of {whole:,} ({part / whole:.1%})" if whole else "nothing compared"
