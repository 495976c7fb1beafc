"""Identifiers around alerts as words."""

KINDS = {"alert": "Page the on-call", "alert.message": "Tell the chat of an alert"}
DECISIONS = {
    "trip": "Stopped by itself", "raise_alert": "Alert raised", "acknowledge_alert": "Alert acknowledged",
    "resolve_alert": "Alert resolved",
}  # fmt: skip
