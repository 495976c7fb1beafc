"""What every request passes through besides Django's own."""

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from structlog import contextvars


class LogContext:
    """Give every log line of a request the same id, and none of the request before it on this thread."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request inside a fresh log context."""
        contextvars.clear_contextvars()
        contextvars.bind_contextvars(request_id=uuid.uuid4().hex)
        return self.get_response(request)
