"""Who may change what is registered of automations, and who reviews their previews."""

EDIT = ["gates.edit_automation"]
REVIEW = ["gates.review_preview"]
ROLLOUT: dict[str, list[str]] = {
    "Billing Resolver": REVIEW,
    "Support Manager": REVIEW,
    "Automation Engineer": EDIT,
    "Revenue Ops Lead": REVIEW,
}
