"""The callable that granian serves (RSGI): answers deliveries itself and hands everything else to Django.

Granian's WSGI mode gives a request its thread before the body is there, and joins doubled headers: eight slow senders
would stop a process, and two signatures would look like one. Here a slow sender costs a coroutine, headers come as
they were sent, and deliveries that wait for the database at the same time are committed together.
"""

import asyncio
import re
from typing import Any

from django.conf import settings
from granian.rsgi import ProtocolClosed

from ledger import clock
from meshline import bodies, wsgi
from meshline.clerk import Clerk
from meshline.env import env_int
from meshline.pages import Pages, address_of
from sync import receive
from sync.inbox import Delivery
from sync.providers.base import Headers
from sync.receive import Answer

# Slack has two addresses, told apart by their bodies alone.
WEBHOOK = re.compile(r"/webhooks/(?:([-a-zA-Z0-9_]{1,64})|(slack)/(?:interactions|events))/?")


class Front:
    """One process's share of the work, on one event loop."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.clerk: Clerk

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clerk = Clerk(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clerk.close()

    async def __rsgi__(self, scope: Any, transport: Any) -> None:
        found = WEBHOOK.fullmatch(scope.path) if scope.method == "POST" else None
        if found is None:
            await self.pages.serve(scope, transport)
            return
        try:
            answer = await self.receive(found[1] or found[2], scope, transport)
            transport.response_bytes(answer.status, answer.headers, answer.body)
            if answer.status >= 400:
                self.clerk.tidy()
                if answer.status == 413:
                    await bodies.drain(transport)
        except (bodies.Gone, ProtocolClosed):
            return

    async def receive(self, source: str, scope: Any, transport: Any) -> Answer:
        """The answer to one delivery."""
        now, address, headers = clock.now(), address_of(scope), headers_of(scope)
        try:
            raw = await bodies.read(scope, transport, settings.MESHLINE_MAX_BODY_BYTES)
        except bodies.TooLong:
            return receive.refuse(
                receive.TOO_LONG, source, headers, raw=b"", now=now, address=address, reason="too long"
            )
        except bodies.TooSlow:
            return receive.refuse(
                receive.TOO_SLOW, source, headers, raw=b"", now=now, address=address, reason="too slow"
            )
        except bodies.TooMany:
            return receive.busy(now)
        if self.clerk.is_full():
            return receive.busy(now)
        judged = receive.judge(source, headers, raw=raw, now=now, address=address)
        if not isinstance(judged, Delivery):
            return judged
        return receive.settle(await self.clerk.store(judged), judged, address=address)


def headers_of(scope: Any) -> Headers:
    """Every value that came, by lower-case name, so that doubled ones are seen."""
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in scope.headers.items():
        headers[name] = (*headers[name], value) if name in headers else (value,)
    return headers


application = Front(Pages(wsgi.application, env_int("MESHLINE_PAGE_THREADS", 8, low=1, high=64)))
