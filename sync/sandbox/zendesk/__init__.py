"""Zendesk: tickets with comments that append, safe updates, keys on creation only, both kinds of webhook."""

from sync.sandbox.zendesk.simulator import Zendesk

__all__ = ["Zendesk"]
