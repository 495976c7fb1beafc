"""Provider simulators on loopback: one stateful fake per provider, in a process of their own."""

SIMULATORS = {
    "stripe": "sync.sandbox.stripe.Stripe",
    "netsuite": "sync.sandbox.netsuite.NetSuite",
    "zendesk": "sync.sandbox.zendesk.Zendesk",
    "pipedrive": "sync.sandbox.pipedrive.Pipedrive",
    "slack": "sync.sandbox.slack.Slack",
    "mail": "sync.sandbox.mail.Mail",
    "pagerduty": "sync.sandbox.pagerduty.PagerDuty",
}
