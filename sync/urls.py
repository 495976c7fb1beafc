"""Where providers deliver."""

from django.urls import path, re_path

from sync import webhooks

urlpatterns = [
    path("webhooks/<slug:source>/", webhooks.deliver, name="webhook"),
    # A redirect would lose the body, so the address without the last slash is the same.
    path("webhooks/<slug:source>", webhooks.deliver),
    # Slack wants an address for clicks and one for events; what comes to either is told apart by its body.
    re_path(r"^webhooks/slack/(?:interactions|events)/?$", webhooks.deliver, {"source": "slack"}),
]
