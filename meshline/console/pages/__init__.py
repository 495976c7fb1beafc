"""The page of each kind of record."""

from collections.abc import Callable
from typing import Any

from django.db import models
from django.http import Http404, HttpRequest

from meshline.console import automation_page, delta_pages, slack_pages
from meshline.console.page import Page
from meshline.console.pages import action, contract, customer, event, gate, item, kept, row, small

BUILDERS: dict[str, Callable[[HttpRequest, Any], Page]] = {
    "gates.reviewitem": item.build,
    "ledger.event": event.build,
    "ledger.customer": customer.build,
    "ledger.contract": contract.build,
    "ledger.action": action.build,
    "ledger.ledgerrow": row.build,
    "sync.attempt": small.attempt,
    "sync.refusal": small.refusal,
    "sync.providerstate": small.provider_state,
    "sync.jobrun": small.job_run,
    "sync.erasure": kept.erasure,
    "sync.contextcheck": kept.context_check,
    "sync.delta": delta_pages.delta,
    "sync.reconcilerun": delta_pages.run,
    "sync.slackaccount": slack_pages.account,
    "sync.slackmessage": slack_pages.message,
    "gates.automation": automation_page.build,
    "gates.gateversion": gate.build,
}

__all__ = ["BUILDERS", "build", "event"]


def build(request: HttpRequest, record: models.Model) -> Page:
    """The page of this record."""
    builder = BUILDERS.get(record._meta.label_lower)
    if builder is None:
        raise Http404("there is no page for this")
    return builder(request, record)
