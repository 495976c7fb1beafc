"""Reading a request's body with a limit in bytes and in seconds, whatever its sender says or does."""

import asyncio
from typing import Any

from granian.rsgi import ProtocolClosed

READ_AT_ONCE_BYTES = 64 * 1024
SECONDS = 10.0
DRAINED_BYTES = 32 * 1024 * 1024
DRAIN_SECONDS = 5.0


class TooLong(Exception):
    """The body is, or is announced to be, longer than the limit."""


class TooSlow(Exception):
    """The body did not come in time."""


class Gone(Exception):
    """The sender went away in the middle."""


async def read(scope: Any, transport: Any, limit: int) -> bytes:
    """The whole body. A coroutine waits for it, not a thread, so a slow sender costs nothing but its socket."""
    announced = scope.headers.get("content-length")
    if announced == "0":
        return b""
    # The server has made sure that it is a number and that no more than this will come.
    length = int(announced) if announced else None
    if length is not None and length > limit:
        raise TooLong
    try:
        async with asyncio.timeout(SECONDS):
            if length is not None and length <= READ_AT_ONCE_BYTES:
                return await transport()
            return await _gather(transport, limit)
    except TimeoutError:
        raise TooSlow from None
    except ProtocolClosed:
        raise Gone from None


async def _gather(transport: Any, limit: int) -> bytes:
    body = bytearray()
    async for chunk in transport:
        body += chunk
        if len(body) > limit:
            raise TooLong
    return bytes(body)


async def drain(transport: Any) -> None:
    """Let a refused sender finish, up to a point: one that is cut off while it sends never reads the answer."""
    left = DRAINED_BYTES
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in transport:
                left -= len(chunk)
                if left < 0:
                    return
    except (TimeoutError, ProtocolClosed):
        return
