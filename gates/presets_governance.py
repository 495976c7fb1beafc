"""Who may see and do what of the evidence: back-tests, shadow reports, drills of the stop, audits."""

from gates.models import Audit, BackTest, GameDay
from ledger.states import Stateful

SUBJECTS: dict[str, type[Stateful]] = {"backtest": BackTest, "gameday": GameDay, "audit": Audit}

SEE = ["gates.view_backtest", "gates.view_shadowcomparison", "gates.view_gameday", "gates.view_audit"]
TRY = ["gates.run_backtest"]
AUDIT = ["gates.work_audit"]
DRILL = ["gates.run_gameday"]
GOVERNANCE: dict[str, list[str]] = {
    "Support": SEE,
    "Billing Resolver": SEE + AUDIT,
    "Support Manager": SEE + TRY + AUDIT,
    "Automation Engineer": SEE + TRY + AUDIT,
    "Revenue Ops Lead": SEE + TRY + AUDIT + DRILL,
    "Product Ops": SEE + AUDIT,
    "Auditor": SEE,
    "Onboarding Squad": SEE,
    "CSM": SEE,
}
