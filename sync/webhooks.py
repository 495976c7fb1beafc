"""The receiver as a Django view: the same function that the front calls, for servers that speak only WSGI."""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ledger import clock
from sync import receive
from sync.providers.base import Headers
from sync.receive import Answer


@csrf_exempt
@require_POST
def deliver(request: HttpRequest, source: str) -> HttpResponse:
    """Store what a provider tells us and answer fast; judging happens later."""
    now, address, headers = clock.now(), request.META.get("REMOTE_ADDR", ""), headers_of(request)
    try:
        raw = request.body
    except RequestDataTooBig:
        refused = receive.refuse(
            receive.TOO_LONG, source, headers, raw=b"", now=now, address=address, reason="too long"
        )
        return as_response(refused)
    except UnreadablePostError:
        return as_response(receive.TOO_SLOW)
    return as_response(receive.take(source, headers, raw=raw, now=now, address=address))


def headers_of(request: HttpRequest) -> Headers:
    """Lower-case names. WSGI joins doubled headers by commas, which providers' signatures do not survive."""
    return {name.lower(): (value,) for name, value in request.headers.items()}


def as_response(answer: Answer) -> HttpResponse:
    """An answer in Django's words; the server itself decides about the connection."""
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers:
        if name != "connection":
            response[name] = value
    return response
