"""What the admin must not offer, or must not tell: the queue library's pages, and which accounts there are."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django_q import admin as queue_admin
from django_q.models import Failure, OrmQ, Schedule, Success

# Imported for its registrations, so that they can be taken back whichever of us the admin loads first.
QUEUE_PAGES = queue_admin.__name__

for model in (Success, Failure, Schedule, OrmQ):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class Discreet(admin.ModelAdmin):
    """Django looks for the record before it asks who is looking, so its history tells strangers what exists."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The history, for who may see the record."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)


class People(Discreet, auth_admin.UserAdmin):
    """Accounts."""


class Groups(Discreet, auth_admin.GroupAdmin):
    """Groups and their permissions."""


for model, pages in ((User, People), (Group, Groups)):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
    admin.site.register(model, pages)
