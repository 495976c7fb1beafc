"""How Django finds sync."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    """The wire."""

    name = "sync"
    verbose_name = "Sync"
    default_auto_field = "django.db.models.BigAutoField"
