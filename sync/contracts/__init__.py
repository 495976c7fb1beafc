"""Event contracts: what each event of a provider means to us and which members it must have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync import strictjson
from sync.contracts import netsuite, pagerduty, pipedrive, slack, stripe, zendesk
from sync.contracts.event import UNKNOWN, EventContract, Semantics
from sync.contracts.members import Drift

__all__ = ["TEST_EVENT", "Drift", "EventContract", "Semantics", "contract_for", "is_test", "parse", "read"]

SOURCES = {
    "stripe": stripe, "netsuite": netsuite, "zendesk": zendesk, "pipedrive": pipedrive, "slack": slack,
    "pagerduty": pagerduty,
}  # fmt: skip

TEST_EVENT = "meshline.test"  # what we send to our own address, from any source
_TEST = EventContract("informational", Semantics.INFORMATIONAL)


def is_test(type_: str) -> bool:
    """Whether an event is a test delivery of our own."""
    return type_.removeprefix(slack.EVENT_PREFIX) == TEST_EVENT


def parse(source: str, raw: bytes) -> strictjson.Parsed:
    """The document in a body: JSON, unless the provider wraps it in something. BadBody."""
    return slack.parse(raw) if source == slack.SOURCE else strictjson.loads_object(raw)


def contract_for(source: str, type_: str) -> EventContract:
    """The contract of an event type; types we do not know get one that asks for nothing."""
    if is_test(type_):
        return _TEST
    module = SOURCES.get(source)
    return module.contract_for(type_) if module else UNKNOWN


def read(source: str, type_: str, api_version: str, document: Mapping[str, Any]) -> Any:
    """What an event says, as one of its provider's `...Seen` shapes; None if it says nothing we use; or Drift."""
    module = SOURCES.get(source)
    return module.read(type_, api_version, document) if module else None
