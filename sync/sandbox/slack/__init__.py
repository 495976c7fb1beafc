"""Slack: messages with metadata, forms behind triggers of three seconds, signed clicks, `ok` instead of a status."""

from sync.sandbox.slack.simulator import Slack

__all__ = ["Slack"]
