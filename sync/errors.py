"""What can go wrong with a provider, sorted by what to do next."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sync.wiretypes import Exchange


class ProviderError(Exception):
    """A provider did not do what we asked."""

    is_transient = False

    def __init__(
        self,
        message: str = "",
        *,
        provider: str = "",
        status: int | None = None,
        code: str = "",
        retry_after: timedelta | None = None,
        exchange: Exchange | None = None,
        never_sent: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.exchange = exchange
        self.never_sent = never_sent


class TransientError(ProviderError):
    """Not done, or safe to repeat later: connection refused, 429, a failed read."""

    is_transient = True


class PermanentError(ProviderError):
    """Will fail the same way again: a business refusal. Goes to a person."""


class AuthError(PermanentError):
    """401 or 403: our credentials are refused. Opens the provider's breaker, too."""


class ConflictError(ProviderError):
    """The record is there already, or it changed under us: look it up instead of repeating."""


class UnconfirmedError(ProviderError):
    """A write left, or may have left, and its answer is lost. Ask before sending again."""

    is_transient = True


class UnreadableAnswer(UnconfirmedError):
    """An answer came that cannot be believed: HTML, cut JSON, a missing member, too long."""


class WriteHalted(ProviderError):
    """The stop, or the breaker, said no before the first byte. Nothing left."""

    def __init__(self, message: str = "halted before the first byte", *, provider: str = "", code: str = "") -> None:
        super().__init__(message, provider=provider, code=code, never_sent=True)


class SignatureError(ProviderError):
    """A delivery is not what the provider signed. The reason is for our log, never for the sender."""


class BadBody(ProviderError):
    """A delivery whose body is no event: 400, or 413 when it is too long."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason, status=status)
        self.status: int = status
        self.reason = reason
