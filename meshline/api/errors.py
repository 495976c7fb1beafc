"""What went wrong as the API says it: a stable code, a sentence, and the field or gate it is about."""

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.response import Response

from gates.stop import Refused
from ledger import cells

FIELD = re.compile(r"([a-z_]+(?:\.[A-Za-z0-9_-]+)*): ")
CODES = {
    400: "bad_request", 401: "not_signed_in", 403: "permission", 404: "unknown", 405: "method", 406: "not_acceptable",
    413: "too_long", 415: "media_type", 422: "field", 429: "too_often",
}  # fmt: skip


class Problem(Exception):
    """The request cannot be taken as it is. `field` names the member of the body or the parameter."""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Any error that is the caller's to mend as JSON; None for ours, which Django answers with its own 500."""
    if isinstance(error, Refused):
        return answer(error.status, error.code, error.message, field_of(error), str(getattr(error, "gate", "") or ""))
    if isinstance(error, Problem):
        return answer(error.status, error.code, error.message, error.field)
    if isinstance(error, Http404):
        error = exceptions.NotFound("there is nothing at this address, or nothing you may see")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, (SuspiciousOperation, MultiPartParserError)):
        error = exceptions.ParseError("the request cannot be read")
    if not isinstance(error, exceptions.APIException):
        return None
    response = answer(error.status_code, CODES.get(error.status_code, "bad_request"), _words(error))
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def answer(status: int, code: str, message: str, field: str = "", gate: str = "") -> Response:
    """The one shape of every error."""
    said = {"code": code, "message": cells.plain(message, 600)}
    if field:
        said["field"] = field
    if gate:
        said["gate"] = gate
    return Response({"error": said}, status=status)


def field_of(refusal: Refused) -> str:
    """The field a refusal is about: services begin the sentence with it."""
    named = str(getattr(refusal, "field", "") or "")
    found = FIELD.match(refusal.message) if refusal.status == 422 else None
    return named or (found[1] if found else "")


def _words(error: exceptions.APIException) -> str:
    detail = error.detail
    while isinstance(detail, (list, dict)) and detail:
        detail = next(iter(detail.values())) if isinstance(detail, dict) else detail[0]
    return str(detail)
