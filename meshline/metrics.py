"""`/metrics`: the signals and the rules of the alerts for collectors: Prometheus' text, or JSON for who asks.

They are figures of the business, so a token or a session is needed; they name nobody.
"""

from typing import Any, ClassVar

from django.http import HttpResponse, JsonResponse
from rest_framework.request import Request

from meshline.api.base import ApiView
from sync import signals
from sync.alerts import exposing

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics(ApiView):
    """At most a quarter of a minute old, whoever asks and how often."""

    needs: ClassVar[str] = "ledger.view_action"
    schema = None

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Whatever a collector accepts, it gets one of the two forms."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        """The last seven days."""
        found = signals.latest()
        if request.headers.get("accept", "").startswith("application/json"):
            return JsonResponse(found.as_json() | {"alerts": exposing.as_json()})
        return HttpResponse(found.metrics() + exposing.text(), content_type=TEXT)
