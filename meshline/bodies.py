"""Reading a request's body with a limit in bytes and in seconds, whatever its sender says or does."""

import asyncio
from typing import Any

from granian.rsgi import ProtocolClosed, ProtocolError

READ_AT_ONCE_BYTES = 64 * 1024
SECONDS = 10.0
HELD_BYTES = 64 * 1024 * 1024
DRAINED_BYTES = 32 * 1024 * 1024
DRAIN_SECONDS = 5.0


class TooLong(Exception):
    """The body is, or is announced to be, longer than the limit."""


class TooMany(Exception):
    """Bodies that are still coming in fill all the memory they may have together."""


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


class _Held:
    """What has come of long bodies that are not complete, in this process."""

    size = 0


async def _gather(transport: Any, limit: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in transport:
            body += chunk
            _Held.size += len(chunk)
            if len(body) > limit:
                raise TooLong
            if _Held.size > HELD_BYTES:
                raise TooMany
    finally:
        _Held.size -= len(body)
    return bytes(body)


async def drain(transport: Any) -> None:
    """Let a refused sender finish, up to a point: one that is cut off while it sends never reads the answer."""
    left = DRAINED_BYTES
    try:
        stream = aiter(transport)
    except ProtocolError:
        stream = transport  # begun already, and goes on where it was left
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while left > 0:
                left -= len(await anext(stream))
    except (TimeoutError, StopAsyncIteration, ProtocolClosed):
        return
