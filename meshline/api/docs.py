"""The pages of the API's document from our own files, and the answer to an address that does not exist."""

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.api.access import BySession
from meshline.api.base import ApiView
from meshline.api.errors import Problem


class Docs(SpectacularSwaggerSplitView):
    """Page and script apart, so that the content policy needs no exception."""

    authentication_classes = [BySession]
    url_name = "api_schema"
    template_name = "api/docs.html"
    throttle_classes: list[Any] = []


class Nothing(ApiView):
    """Whatever is no address of ours, as JSON."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """404 for everybody who is signed in."""
        raise Problem(404, "unknown", "there is no such address; addresses end with a slash, see /api/schema/")

    post = put = patch = delete = get
