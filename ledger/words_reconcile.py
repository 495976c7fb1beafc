"""Identifiers around the comparison of systems as words."""

CHECKS = ("customers", "subscriptions", "invoices", "refunds", "tickets", "actions", "events")
KINDS = {
    "reconcile.delta": "Settle a difference",
    "reconcile.mismatch": "Too many differences",
    "reconcile.duplicates": "Too many duplicates",
    "reconcile.failed": "Comparison failed",
    "reconcile.weekly": "The week of reconciliation",
}
WHYS = {
    **{f"reconcile_{name}": f"the comparison of {name} asks for it" for name in CHECKS},
    "reconcile_weekly": "it is the week of reconciliation",
    "echo": "a write of ours that one system shows already",
    "unknown_outcome": "nobody knows whether a write of ours was carried out",
}
