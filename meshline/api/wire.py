"""Bytes in and out: one strict JSON parser, one JSON renderer whose text is inert wherever it lands."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer

from meshline.api.errors import Problem
from sync import strictjson
from sync.errors import BadBody

INERT = {b"<": b"\\u003c", b">": b"\\u003e", b"&": b"\\u0026"}


class StrictJson(BaseParser):
    """An object in UTF-8 JSON of at most MESHLINE_MAX_BODY_BYTES; what is odd in it is refused, not repaired."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> dict[str, Any]:
        """Raises Problem 400 or 413."""
        limit = int(settings.MESHLINE_MAX_BODY_BYTES)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise Problem(413, "too_long", f"the body is over {limit} bytes")
        try:
            parsed = strictjson.loads_object(raw)
        except BadBody as error:
            raise Problem(400, "json", f"the body is no JSON object: {error.reason}") from None
        if parsed.oddities:
            raise Problem(400, "json", f"the body holds what cannot be stored: {min(parsed.oddities)}")
        return dict(parsed.document)


class InertJson(JSONRenderer):
    """JSON without one character that a browser could take for markup."""

    charset = None

    def render(
        self, data: Any, accepted_media_type: Any = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Angle brackets and ampersands stand as their escapes, which every JSON reader turns back."""
        rendered: bytes = super().render(data, accepted_media_type, renderer_context)
        for character, escape in INERT.items():
            rendered = rendered.replace(character, escape)
        return rendered
