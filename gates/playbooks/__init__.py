"""Which playbook judges which kind of event. A playbook is pure: what is known, what happened -> what to propose."""

from gates.playbooks import dunning

# kind of event -> automation that answers for it
PLAYBOOKS = {
    "payment.failed": dunning,
    "payment.succeeded": dunning,
    "invoice.closed": dunning,
}

__all__ = ["PLAYBOOKS", "dunning"]
