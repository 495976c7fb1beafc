"""How Django finds the console, and the admin site that replaces Django's own."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from ledger import cells

# Vendors are named up here only; the records below know their keys.
cells.SYSTEMS.update(
    {"stripe": "Stripe", "netsuite": "NetSuite", "zendesk": "Zendesk", "slack": "Slack", "pagerduty": "PagerDuty"}
)


class ConsoleConfig(AppConfig):
    """Templates tags and static files of the console."""

    name = "meshline.console"
    label = "console"
    verbose_name = "Console"


class ConsoleAdminConfig(AdminConfig):
    """Django's admin, drawn by our site."""

    default_site = "meshline.console.site.ConsoleSite"
