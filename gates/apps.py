"""How Django finds gates."""

from django.apps import AppConfig


class GatesConfig(AppConfig):
    """The judgement."""

    name = "gates"
    verbose_name = "Gates"
    default_auto_field = "django.db.models.BigAutoField"
