"""What every endpoint shares: order of checks, strict bodies and addresses, headers, paging by key."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.utils.http import urlencode
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from structlog import contextvars

from gates import stop
from gates.models import ApiToken
from ledger.readonly import PERSONAL
from meshline import stepup
from meshline.api.errors import Problem
from meshline.api.strict import Body, Id, Query, Whole

STOPPED_HEADER, CORRELATION_HEADER = "X-Meshline-Stopped", "X-Correlation-Id"
CHANGES = ("POST", "PUT", "PATCH", "DELETE")
PAGE, MOST = 50, 200
LARGEST_KEY = 2**63 - 1
Record = TypeVar("Record", bound=Model)


class ErrorWords(serializers.Serializer):
    """The inside of an error."""

    code = serializers.CharField(help_text="A stable word")
    message = serializers.CharField(help_text="What is wrong and what to do")
    field = serializers.CharField(required=False, help_text="The member of the body, or the parameter")
    gate = serializers.CharField(required=False, help_text="The rule or gate that stands in the way")


class Error(serializers.Serializer):
    """Every answer of 400 and above."""

    error = ErrorWords()


ERRORS = {
    400: OpenApiResponse(Error, "No JSON object, or the request cannot be read"),
    401: OpenApiResponse(Error, "Not signed in, or the token is not valid"),
    403: OpenApiResponse(Error, "A permission is missing, four eyes, or the CSRF token"),
    404: OpenApiResponse(Error, "Unknown"),
    409: OpenApiResponse(Error, "Not as things stand: state, version, preview, claim or stop"),
    413: OpenApiResponse(Error, "The body is too long"),
    415: OpenApiResponse(Error, "The body is no JSON"),
    422: OpenApiResponse(Error, "A field; it is named with its limit and rule"),
    429: OpenApiResponse(Error, "Too many calls in this minute"),
}
LOOKING = {status: ERRORS[status] for status in (401, 403, 404, 422, 429)}


class Paged(Query):
    """What every list takes."""

    before = Whole(1, LARGEST_KEY, required=False, help_text="Rows older than this id")
    after = Whole(0, LARGEST_KEY, required=False, help_text="Rows newer than this id")
    limit = Whole(1, MOST, required=False, default=PAGE, help_text=f"Rows of a page, at most {MOST}")


class PagedByUuid(Query):
    """The same for records whose id is a UUID that grows with time."""

    before = Id(required=False, help_text="Rows older than this id")
    after = Id(required=False, help_text="Rows newer than this id")
    limit = Whole(1, MOST, required=False, default=PAGE, help_text=f"Rows of a page, at most {MOST}")


class ApiView(APIView):
    """One address. `needs` is the permission to see it at all; verbs check their own in the services."""

    needs: ClassVar[str] = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Type of the body, who, how often, whether they may look; in this order, before anything is read."""
        self.correlate(request)
        if request.method in CHANGES and _has_body(request) and not _is_json(request):
            raise UnsupportedMediaType(str(request.content_type)[:60])
        self.perform_authentication(request)
        self.check_throttles(request)
        self.check_permissions(request)
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)

    def correlate(self, request: Request) -> None:
        """The caller's id for this call if it is one, else a new one: in the answer and in every log line."""
        try:
            self.correlation = uuid.UUID(request.headers.get(CORRELATION_HEADER, ""))
        except ValueError:
            self.correlation = uuid.uuid4()
        contextvars.bind_contextvars(request_id=self.correlation.hex)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """The stop and the correlation id in headers; nothing of it is kept by anybody on the way."""
        response[CORRELATION_HEADER] = str(self.correlation)
        response["Cache-Control"] = "no-store"
        if getattr(request, "_user", None) is not None and request.user.is_authenticated and stop.is_stopped():
            response[STOPPED_HEADER] = "1"
        finished: Response = super().finalize_response(request, response, *args, **kwargs)
        return finished

    def person(self) -> User:
        """Who asks; `initial` has made sure that there is somebody."""
        user: User = self.request.user
        return user

    def sees_personal(self) -> bool:
        """Whether addresses and names in bodies are given in full."""
        return self.person().has_perm(PERSONAL)

    def body(self, form: type[Body]) -> dict[str, Any]:
        """The body, checked."""
        return form.read(self.request.data if _has_body(self.request) else {})

    def query(self, form: type[Query]) -> dict[str, Any]:
        """The parameters of the address, checked."""
        return form.read(self.request.query_params)

    def step_up(self, what: str) -> None:
        """Have the password confirmed within the last minutes; a token never can."""
        if isinstance(self.request.auth, ApiToken):
            raise Problem(403, "step_up", f"a token cannot {what}: it asks for the password; use the page")
        if stepup.needed(self.request._request):
            raise Problem(403, "step_up", f"to {what}, confirm your password on the page first, then ask again")

    def page(
        self, rows: QuerySet[Any], asked: dict[str, Any], show: Callable[[Sequence[Any]], list[dict[str, Any]]]
    ) -> Response:
        """One page, newest first, by the key of its first or last row; nothing is counted."""
        size = int(asked["limit"])
        before, after = asked.get("before"), asked.get("after")
        if before is not None and after is not None:
            raise Problem(422, "field", "after: only one of before and after", "after")
        if after is not None:
            found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
            newer, older, found = len(found) > size, True, found[:size][::-1]
        else:
            found = list((rows.filter(pk__lt=before) if before else rows).order_by("-pk")[: size + 1])
            newer, older, found = before is not None, len(found) > size, found[:size]
        return Response(
            {
                "newer": self.address(after=found[0].pk) if found and newer else None,
                "older": self.address(before=found[-1].pk) if found and older else None,
                "results": show(found),
            }
        )

    def address(self, **cursor: Any) -> str:
        """The address of another page with the same filters."""
        kept = [(name, value) for name, value in self.request.query_params.items() if name not in ("before", "after")]
        return f"{self.request.path}?{urlencode([*kept, *cursor.items()])}"


def _has_body(request: Request) -> bool:
    return str(request.META.get("CONTENT_LENGTH") or "0") != "0"


def _is_json(request: Request) -> bool:
    return str(request.content_type or "").partition(";")[0].strip().lower() == "application/json"


def found(rows: QuerySet[Record], **key: Any) -> Record:
    """The one row. Raises Problem 404, also for a number that no key can be."""
    if any(isinstance(value, int) and value > LARGEST_KEY for value in key.values()):
        raise Problem(404, "unknown", "there is no such record")
    row = rows.filter(**key).first()
    if row is None:
        raise Problem(404, "unknown", "there is no such record")
    return row


def page_of(shape: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """The shape of a list: rows, and the addresses of the pages beside it."""
    members = {
        "newer": serializers.CharField(allow_null=True, help_text="Address of the page with newer rows"),
        "older": serializers.CharField(allow_null=True, help_text="Address of the page with older rows"),
        "results": shape(many=True),
        "__doc__": f"A page of {shape.__name__}.",
    }
    return type(f"{shape.__name__}Page", (serializers.Serializer,), members)


def looks(name: str, summary: str, shape: Any, query: type[Query] | None = None, **more: Any) -> Callable[[Any], Any]:
    """Describe a GET."""
    parameters: list[Any] = [query] if query and query().fields else []
    return extend_schema(
        operation_id=name, summary=summary, parameters=[*parameters, *more.pop("parameters", [])],
        responses={200: shape, **LOOKING}, **more,
    )  # fmt: skip


def acts(name: str, summary: str, body: type[Body], shape: Any, status: int = 200, **more: Any) -> Callable[[Any], Any]:
    """Describe a POST."""
    request = None if not body().fields else body
    return extend_schema(
        operation_id=name, summary=summary, request=request, responses={status: shape, **ERRORS}, **more
    )
