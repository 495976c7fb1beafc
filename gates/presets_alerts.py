"""Who may see alerts, and who may say that they look after one."""

SEE, TAKE = ["gates.view_alertepisode"], ["gates.acknowledge_alert"]
ALERTS: dict[str, list[str]] = {
    "Support": SEE + TAKE,
    "Billing Resolver": SEE + TAKE,
    "Support Manager": SEE + TAKE,
    "Automation Engineer": SEE + TAKE,
    "Revenue Ops Lead": SEE + TAKE,
    "Product Ops": SEE + TAKE,
    "Auditor": SEE,
    "Onboarding Squad": SEE,
    "CSM": SEE,
}
