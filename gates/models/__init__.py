"""What people own: review items, approvals, the stop, automations, gates, routing and runbooks."""

from gates.models.api_token import ApiToken
from gates.models.approval import Approval
from gates.models.automation import Automation
from gates.models.checklist import Checklist, ChecklistStep, ChecklistTemplate
from gates.models.desk import Preference, Presence, SavedView
from gates.models.gate_version import GateVersion
from gates.models.incident import AlertEpisode, Incident, IncidentUpdate, Outreach, OutreachTemplate, ServiceScope
from gates.models.review_item import Comment, ReviewItem
from gates.models.routing import Absence, BusinessHours, OwnershipRule, SlaPolicy
from gates.models.runbook import Runbook, RunbookTick
from gates.models.shipped import ShippedGroup
from gates.models.stop_switch import StopSwitch

__all__ = [
    "Absence", "AlertEpisode", "ApiToken", "Approval", "Automation", "BusinessHours", "Checklist", "ChecklistStep",
    "ChecklistTemplate",
    "Comment", "GateVersion", "Incident", "IncidentUpdate", "Outreach", "OutreachTemplate", "OwnershipRule",
    "Preference", "Presence", "ReviewItem", "Runbook", "RunbookTick", "SavedView", "ServiceScope", "ShippedGroup",
    "SlaPolicy", "StopSwitch",
]  # fmt: skip
