"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

from meshline import health
from meshline.metrics import Metrics
from meshline.portal import pages

urlpatterns = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("", include("sync.urls")),
    path("portal/<str:token>/", pages.visit, name="portal"),
    path("portal/<str:token>", pages.visit),
    path("api/", include("meshline.api.urls")),
    path("admin/", admin.site.urls),
]
