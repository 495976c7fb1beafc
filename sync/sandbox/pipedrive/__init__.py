"""Pipedrive: API v2 with each company's own field codes, v1 notes and users, webhooks that get banned."""

from sync.sandbox.pipedrive.simulator import Pipedrive

__all__ = ["Pipedrive"]
