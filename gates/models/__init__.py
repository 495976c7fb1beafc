"""What people own: review items, approvals, the stop, automations, gates, routing and runbooks."""

from gates.models.account import AccountHolder, OwnerSensitive
from gates.models.alert import AlertReading
from gates.models.api_token import ApiToken
from gates.models.approval import Approval
from gates.models.audit import Audit, AuditRow
from gates.models.automation import Automation
from gates.models.cancellation import CancellationBlock
from gates.models.checklist import Checklist, ChecklistStep, ChecklistTemplate
from gates.models.desk import Preference, Presence, SavedView
from gates.models.evidence import BackTest, BackTestChange, GameDay, ShadowComparison
from gates.models.gate_version import GateVersion
from gates.models.incident import AlertEpisode, Incident, IncidentUpdate, Outreach, OutreachTemplate, ServiceScope
from gates.models.review_item import Comment, ReviewItem
from gates.models.rollout import AutomationVersion, PreviewReview, Segment, SignOff, Triage
from gates.models.routing import Absence, BusinessHours, OwnershipRule, SlaPolicy
from gates.models.runbook import Runbook, RunbookTick
from gates.models.shipped import ShippedGroup
from gates.models.stop_switch import StopSwitch
from gates.models.ticket import Handoff, Ticket, TicketKind

__all__ = [
    "Absence", "AccountHolder", "AlertEpisode", "AlertReading", "ApiToken", "Approval", "Audit", "AuditRow",
    "Automation", "AutomationVersion", "BackTest", "BackTestChange", "BusinessHours", "CancellationBlock", "Checklist",
    "ChecklistStep", "ChecklistTemplate", "Comment", "GameDay", "GateVersion", "Handoff", "Incident", "IncidentUpdate",
    "Outreach", "OutreachTemplate", "OwnerSensitive", "OwnershipRule", "Preference", "Presence", "PreviewReview",
    "ReviewItem", "Runbook", "RunbookTick", "SavedView", "Segment", "ServiceScope", "ShadowComparison", "ShippedGroup",
    "SignOff", "SlaPolicy", "StopSwitch", "Ticket", "TicketKind", "Triage",
]  # fmt: skip
