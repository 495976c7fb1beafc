"""Cancellations: what follows from ends of subscriptions that we asked for, and from those that we did not."""
