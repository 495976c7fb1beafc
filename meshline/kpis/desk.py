"""What people do with figures: set a target, write the note of a week, take figures out as a file."""

import math
import uuid
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from gates.stop import Refused
from ledger import book, clock
from meshline.kpis import reading
from meshline.kpis.catalogue import KPIS, SHARE, Kpi
from meshline.kpis.models import KpiNote, KpiTarget

VIEW, REVENUE = "meshline.view_kpiday", "meshline.view_revenue"
SET_TARGET, WRITE_NOTE, EXPORT = "meshline.set_kpi_target", "meshline.write_kpi_note", "meshline.export_kpis"
LONGEST_NOTE = 500
MOST_TARGET = 10**12
SUBJECT = "kpi"


def find(name: str, user: User) -> Kpi:
    """A figure this person may see. Raises Refused: 403 without the permission, 404 for one that does not exist."""
    if not user.has_perm(VIEW):
        raise Refused(403, "permission", f"your account may not see key figures; it needs {VIEW}")
    kpi = KPIS.get(name)
    if kpi is None or (kpi.is_revenue and not user.has_perm(REVENUE)):
        raise Refused(404, "unknown", "there is no such figure, or your account may not see it")
    return kpi


def set_target(name: str, value: float, *, by: User) -> KpiTarget:
    """What a figure should be: a share from 0 to 1, else a number from 0. Raises Refused 403, 404, 422."""
    kpi = _permitted(name, by, SET_TARGET)
    if kpi.is_revenue:
        raise Refused(422, "target", "target: amounts have none, since each currency is one of its own")
    most = 1.0 if kpi.unit == SHARE else float(MOST_TARGET)
    if not math.isfinite(value) or not 0 <= value <= most:
        rule = "a share from 0 to 1" if kpi.unit == SHARE else f"a number from 0 to {MOST_TARGET:,}"
        raise Refused(422, "target", f"target: {rule}")
    with transaction.atomic():
        before = KpiTarget.objects.select_for_update().filter(kpi=name).values_list("value", flat=True).first()
        told = {"value": value, "set_by": by, "set_at": clock.now()}
        one, _ = KpiTarget.objects.update_or_create(kpi=name, defaults=told)
        _row(name, "set_kpi_target", by, {"before": kpi.target if before is None else before, "target": value})
    return one


def write_note(name: str, text: str, *, by: User) -> KpiNote:
    """This week's note about a figure, in place of the one there is. Raises Refused 403, 404, 422."""
    _permitted(name, by, WRITE_NOTE)
    words = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if not words:
        raise Refused(422, "note", f"note: 1 to {LONGEST_NOTE} characters, this is empty")
    if len(words) > LONGEST_NOTE:
        raise Refused(422, "note", f"note: at most {LONGEST_NOTE} characters, this has {len(words)}")
    week = reading.monday()
    with transaction.atomic():
        told = {"text": words, "author": by, "written_at": clock.now()}
        one, made = KpiNote.objects.update_or_create(kpi=name, week=week, defaults=told)
        inputs = {"week": week.isoformat(), "characters": len(words), "replaces": not made}
        _row(name, "write_kpi_note", by, inputs)
    return one


def note_export(by: User, *, days: int, revenue: bool, rows: int) -> None:
    """The row that says who took which figures out of the house. Raises Refused 403."""
    if not (by.is_active and by.has_perm(VIEW) and by.has_perm(EXPORT)):
        raise Refused(403, "permission", f"your account may not export key figures; it needs {EXPORT}")
    row = {"subject_kind": "export", "subject_id": str(uuid.uuid4()), "prior_state": "export", "post_state": "export"}
    inputs: dict[str, Any] = {"what": "kpis", "days": days, "revenue": revenue, "rows": rows}
    book.write_rows([row | {"decision": "export", "actor": f"user:{by.pk}", "inputs": inputs, "outcome": "export"}])


def _permitted(name: str, by: User, permission: str) -> Kpi:
    kpi = find(name, by)
    if not (by.is_active and by.has_perm(permission)):
        _row(name, permission.partition(".")[2], by, {}, refused=True)
        raise Refused(403, "permission", f"your account may not do this; it needs {permission}")
    return kpi


def _row(name: str, decision: str, by: User, inputs: dict[str, Any], *, refused: bool = False) -> None:
    row: dict[str, Any] = {
        "subject_kind": SUBJECT, "subject_id": name, "decision": decision, "actor": f"user:{by.pk}",
        "prior_state": "kept", "post_state": "kept", "inputs": inputs, "outcome": "refused" if refused else "kept",
    }  # fmt: skip
    book.write_rows([row | ({"error_code": "permission"} if refused else {})])
