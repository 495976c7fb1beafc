"""Identifiers around the comparison of systems and the figures of a day as words."""

CHECKS = ("customers", "subscriptions", "invoices", "refunds", "tickets", "actions", "events", "accounting")
KINDS = {
    "reconcile.delta": "Settle a difference",
    "reconcile.mismatch": "Too many differences",
    "reconcile.duplicates": "Too many duplicates",
    "reconcile.failed": "Comparison failed",
    "reconcile.weekly": "The week of reconciliation",
    "mail.report": "Send weekly report",
}
WHYS = {
    **{f"reconcile_{name}": f"the comparison of {name} asks for it" for name in CHECKS},
    "reconcile_weekly": "it is the week of reconciliation",
    "echo": "a write of ours that one system shows already",
    "unknown_outcome": "nobody knows whether a write of ours was carried out",
}
DECISIONS = {
    "set_kpi_target": "Target of a figure set",
    "write_kpi_note": "Note about a figure written",
    "report_week": "Report of the week made",
}
SUBJECTS = {"delta": "difference", "reconcile": "comparison", "kpi": "key figure", "kpi_report": "weekly report"}
