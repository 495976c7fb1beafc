"""The bare view and its server's callable."""

import hashlib
import hmac
import json
import os
import time

from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.bench.bare.settings")
SECRET = os.environ["BARE_SECRET"].encode()
INSERT = """insert into bare_event (provider_event_id, type, body) values (%s, %s, %s)
on conflict (provider_event_id) do nothing"""


def is_signed(header: str, raw: bytes) -> bool:
    """One time not too far off, and a signature that fits."""
    parts = [part.partition("=")[::2] for part in header.split(",")]
    stamps = [value for name, value in parts if name == "t"]
    if len(stamps) != 1 or abs(time.time() - int(stamps[0])) > 300:
        return False
    expected = hmac.new(SECRET, stamps[0].encode() + b"." + raw, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(expected, value) for name, value in parts if name == "v1")


@csrf_exempt
def deliver(request: HttpRequest) -> HttpResponse:
    """Verify, insert, commit, answer."""
    raw = request.body
    if not is_signed(request.headers.get("Stripe-Signature", ""), raw):
        return HttpResponse(status=401)
    event = json.loads(raw)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [event["id"], event["type"], raw])
    return HttpResponse(b"stored")


urlpatterns = [path("webhooks/stripe/", deliver)]
application = get_wsgi_application()
