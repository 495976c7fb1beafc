"""How Django finds ledger."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The records."""

    name = "ledger"
    verbose_name = "Ledger"
    default_auto_field = "django.db.models.BigAutoField"
