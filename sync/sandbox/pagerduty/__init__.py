"""The paging service, simulated: events in, incidents with their signed webhooks out."""

from sync.sandbox.pagerduty.simulator import PagerDuty

__all__ = ["PagerDuty"]
