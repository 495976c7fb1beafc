"""Mail: a server that takes messages on a port of its own and keeps them; they go nowhere."""

from sync.sandbox.mail.simulator import Mail

__all__ = ["Mail"]
