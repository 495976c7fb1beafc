"""The customer's billing page, written to the ERP beside the billing id. Its address is a key: nothing here keeps it.

An action and its frozen request hold a placeholder. Right before the bytes leave, the address of the link that works
then takes its place; it is made again from the link, so a repeat sends the same. What is read back is compared by hash.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from gates.stop import Refused
from sync.actions.base import Work
from sync.portal import links
from sync.portal.models import PortalLink
from sync.providers.base import compact_json
from sync.wiretypes import FrozenRequest

ACTOR = "system:customer_sync"
PAGE = "page"  # a parameter: the address goes with the id
PLACEHOLDER = "[the address of the customer's billing page]"


def is_on() -> bool:
    """Whether addresses are written to the ERP."""
    return bool(settings.MESHLINE_PUBLIC_URL and settings.MESHLINE_PORTAL["write_back"])


def link_for(customer_id: int, billing_id: str) -> dict[str, bool]:
    """What an action carries where the customer has a working link, made if there is none; empty where that is off.

    By the booking thread, in its transaction; the billing id must be known to belong to the customer.
    """
    if not is_on():
        return {}
    try:
        links.ensure(customer_id, actor=ACTOR, reason="synced to billing", billing_customer=billing_id)
    except Refused:
        return {}
    return {PAGE: True}


def prepare(works: Sequence[Work]) -> None:
    """Give each of these the link that works now, its hash and its address: one statement. Not by threads."""
    wanted = [work for work in works if work.params.get(PAGE)] if is_on() else []
    if not wanted:
        return
    found = PortalLink.objects.filter(
        customer__in={work.known.refs.customer_id for work in wanted}, state=PortalLink.State.ACTIVE
    )
    works_now = {link.customer_id: link for link in found if not links.is_over(link)}
    for work in wanted:
        link = works_now.get(work.known.refs.customer_id)
        address = links.url_for(link) if link else ""
        if link and address and link.billing_customer == str(work.params.get("billing_id")):
            work.secret = {"link": link.pk, "hash": str(link.token_hash), "address": address}


def filled(request: FrozenRequest, work: Work) -> FrozenRequest:
    """The request with the address in its placeholder's stead; without the field where no link works any more."""
    document: Mapping[str, Any] = json.loads(request.body)
    address = work.secret.get("address", "")
    body = {
        name: address if value == PLACEHOLDER else value
        for name, value in document.items()
        if address or value != PLACEHOLDER
    }
    return replace(request, body=compact_json(body))
