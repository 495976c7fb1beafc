"""Alerts about Meshline itself: what is measured, when that is too much, who is told, and who looks after it."""

from sync.alerts.showing import OnNow, on_now

__all__ = ["OnNow", "on_now"]
