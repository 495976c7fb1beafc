"""What people own: review items, approvals, the stop, automations and gates."""

from gates.models.approval import Approval
from gates.models.automation import Automation
from gates.models.gate_version import GateVersion
from gates.models.review_item import Comment, ReviewItem
from gates.models.stop_switch import StopSwitch

__all__ = ["Approval", "Automation", "Comment", "GateVersion", "ReviewItem", "StopSwitch"]
