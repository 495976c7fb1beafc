"""Stripe: forms, idempotency keys, shapes by API version, invoices, refunds, disputes, signed events."""

from sync.sandbox.stripe.simulator import Stripe

__all__ = ["Stripe"]
