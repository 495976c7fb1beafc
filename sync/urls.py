"""Where providers deliver."""

from django.urls import path

from sync import webhooks

urlpatterns = [
    path("webhooks/<slug:source>/", webhooks.deliver, name="webhook"),
    # A redirect would lose the body, so the address without the last slash is the same.
    path("webhooks/<slug:source>", webhooks.deliver),
]
