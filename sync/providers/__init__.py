"""The providers there are. A new one is one file and one line here."""

from __future__ import annotations

from functools import cache

from django.utils.module_loading import import_string

from sync.providers.base import Provider

PROVIDERS = {
    "stripe": "sync.providers.stripe.Stripe",
    "netsuite": "sync.providers.netsuite.NetSuite",
    "zendesk": "sync.providers.zendesk.Zendesk",
    "pipedrive": "sync.providers.pipedrive.Pipedrive",
    "slack": "sync.providers.slack.Slack",
    "mail": "sync.providers.mail.Mail",
    "pagerduty": "sync.providers.pagerduty.PagerDuty",
}


@cache
def get(name: str) -> Provider:
    """The adapter of a provider, one a process. KeyError for a name nobody registered."""
    provider: Provider = import_string(PROVIDERS[name])()
    return provider
