"""Which figures there are: for each what it counts, how a day is made of it, what it should be and whose it is."""

from dataclasses import dataclass

from meshline.kpis import agreement, money_rows, work

SHARE, SECONDS, COUNT, MONEY = "share", "seconds", "count", "money"
HIGHER, LOWER = "higher", "lower"
LEAD, MANAGER, ENGINEER, RESOLVER = "Revenue Ops Lead", "Support Manager", "Automation Engineer", "Billing Resolver"


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure. `rows` is a statement that gives one row for each thing that counts:

    (day, automation, team, currency, num, den, kind, id, at). A figure of a day is made of those of its day, by `how`:
    share (num of den), mean (num a row), median (of num, which then is in thousandths), sum (of num), or stock (rows
    there were at the day's end).
    `target` is in its unit (share 0..1, seconds, count); None where none is sensible. `place` is the list of the
    console that shows what is there now: an address' name and its query.
    """

    name: str
    title: str
    unit: str
    how: str
    formula: str
    rows: str
    better: str
    target: float | None
    owner: str
    by: tuple[str, ...] = ()
    place: tuple[str, str] = ("", "")

    @property
    def is_revenue(self) -> bool:
        """Whether it is of those that need a permission of their own; one amount for each currency."""
        return self.unit == MONEY


KPIS: dict[str, Kpi] = {
    one.name: one
    for one in (
        Kpi(
            "reconciliation_backlog", "Reconciliation backlog", COUNT, "stock",
            "Differences between the systems that were found, are not accepted and not settled, at the end of the day.",
            agreement.BACKLOG, LOWER, 50, LEAD, ("team",), ("admin:sync_delta_changelist", "state=live"),
        ),
        Kpi(
            "reconciliation_growth", "Growth of the reconciliation backlog", COUNT, "sum",
            "Differences first found on the day less those settled on the day; accepted ones do not count.",
            agreement.GROWTH, LOWER, 0, LEAD, ("team",), ("admin:sync_delta_changelist", ""),
        ),
        Kpi(
            "reconciliation_failure_rate", "Reconciliation failure rate", SHARE, "share",
            "Records that differ of those compared, by the last whole run of each check on the day. Runs that failed "
            "or could not read everything do not count.",
            agreement.FAILURES, LOWER, 0.01, LEAD, (), ("admin:sync_reconcilerun_changelist", ""),
        ),
        Kpi(
            "duplicate_customer_count", "Duplicate customers", COUNT, "stock",
            "Customers found twice in one system by the comparison of customers, not accepted and not settled, at the "
            "end of the day.",
            agreement.DUPLICATES, LOWER, 0, LEAD, (), ("admin:sync_delta_changelist", "check=customers"),
        ),
        Kpi(
            "actions_remediated", "Actions remediated", SHARE, "share",
            "Of the actions that failed, or whose outcome was unknown, on the day: those that are by now confirmed, "
            "undone, replaced or turned down.",
            agreement.REMEDIATED, HIGHER, 0.95, RESOLVER, ("automation",), ("admin:ledger_action_changelist", ""),
        ),
        Kpi(
            "time_to_correct", "Mean time to correct", SECONDS, "mean",
            "From a review item being opened to its being resolved with a cause written down, of those resolved on the "
            "day.",
            work.CORRECTED, LOWER, 14_400, MANAGER, ("automation", "team"),
            ("admin:gates_reviewitem_changelist", "state=ended"),
        ),
        Kpi(
            "false_positive_rate", "False positive rate", SHARE, "share",
            "Of what automations decided on the day and time or people have judged since: what was turned down, "
            "changed, undone, or found wrong in a review.",
            work.FALSE_POSITIVES, LOWER, 0.05, ENGINEER, ("automation",), ("admin:audits", ""),
        ),
        Kpi(
            "time_between_signed_and_customer_created", "Signed to customer", SECONDS, "median",
            "From the CRM's own time of signing to the ERP's customer being read back; median of the deals signed on "
            "the day that are customers. A period is the mean of its days, by number of deals.",
            work.SIGNED_TO_CUSTOMER, LOWER, 60, LEAD, (), ("admin:onboarding_report", ""),
        ),
        Kpi(
            "time_to_first_invoice", "Signed to first invoice", SECONDS, "median",
            "The same until the first invoice is read back from the ERP.",
            work.SIGNED_TO_INVOICE, LOWER, 120, LEAD, (), ("admin:onboarding_report", ""),
        ),
        Kpi(
            "human_queue_backlog", "Human queue backlog", COUNT, "stock",
            "Review items that nobody had resolved at the end of the day.",
            work.QUEUE, LOWER, 100, MANAGER, ("automation", "team"), ("admin:gates_reviewitem_changelist", ""),
        ),
        Kpi(
            "auto_resolved_share", "Resolved without a person", SHARE, "share",
            "Of the actions that automations proposed for real on the day and that nothing overtook: those that are "
            "confirmed and were never put before a person.",
            work.AUTO_RESOLVED, HIGHER, 0.6, ENGINEER, ("automation",), ("admin:ledger_action_changelist", ""),
        ),
        Kpi(
            "escalation_rate", "Escalation rate", SHARE, "share",
            "Of the review items opened on the day: those that were handed up by a person or by their SLA.",
            work.ESCALATED, LOWER, 0.1, MANAGER, ("automation", "team"), ("admin:gates_reviewitem_changelist", ""),
        ),
        Kpi(
            "sla_met", "SLA met", SHARE, "share",
            "Of the review items whose promise was kept or broken on the day: those resolved before they were due. One "
            "that rests because the customer has to answer is not counted until it goes on.",
            work.SLA, HIGHER, 0.95, MANAGER, ("automation", "team"), ("admin:gates_reviewitem_changelist", "due=late"),
        ),
        Kpi(
            "revenue_recovered", "Revenue recovered", MONEY, "sum",
            "What was due on invoices whose payment had failed and that were paid on the day.",
            money_rows.RECOVERED, HIGHER, None, LEAD, (), ("admin:ledger_contract_changelist", ""),
        ),
        Kpi(
            "revenue_at_risk", "Revenue at risk", MONEY, "stock",
            "What is due on invoices whose payment had failed and that were neither paid nor closed, at the end of the "
            "day.",
            money_rows.AT_RISK, LOWER, None, LEAD, (), ("admin:ledger_contract_changelist", "state=past_due"),
        ),
        Kpi(
            "refunds", "Refunds", MONEY, "sum", "Refunds that billing says went through on the day, whoever made them.",
            money_rows.REFUNDS, LOWER, None, LEAD, (), ("admin:ledger_action_changelist", "kind=payment.refund"),
        ),
        Kpi(
            "avoided_churn", "Avoided churn", MONEY, "sum",
            "The price of a period of contracts that came back from suspension on the day, and of those whose "
            "cancellation was taken back.",
            money_rows.KEPT, HIGHER, None, LEAD, (), ("admin:ledger_contract_changelist", ""),
        ),
    )
}  # fmt: skip
