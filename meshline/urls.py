"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

from meshline import health

urlpatterns = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("", include("sync.urls")),
    path("api/", include("meshline.api.urls")),
    path("admin/", admin.site.urls),
]
