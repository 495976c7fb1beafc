"""The company's daily tokens, the burst of two seconds, and the door that closes on who ignores both."""

from collections import deque
from dataclasses import dataclass, field

from sync.sandbox.pipedrive.errors import blocked, throttled
from sync.sandbox.wire import Reply, Request
from sync.sandbox.world import Clock

DAY_S = 86_400
BURST_WINDOW_S = 2.0
BLOCK_S = 1800
READ, LIST, SMALL_LIST, WRITE, DELETE = 1, 10, 5, 5, 3
SMALL_LISTS = frozenset({"stages", "pipelines"})


def cost(method: str, parts: list[str]) -> int:
    """Tokens of a call by its path: `["v2", "deals", "4711"]`. The old generation costs about double."""
    generation, name = parts[0], parts[1] if len(parts) > 1 else ""
    if method == "GET":
        one = len(parts) > 2 and parts[2] != "archived"
        if generation == "v1":
            return 2 if one else 10 if name == "webhooks" else 20
        tokens = SMALL_LIST if name in SMALL_LISTS else LIST
        return READ if one else tokens * (2 if parts[-1] == "archived" else 1)
    tokens = DELETE if method == "DELETE" else WRITE
    return tokens * (2 if generation == "v1" else 1)


@dataclass
class Budget:
    """What is left today and in this moment."""

    clock: Clock
    daily: int = 420_000  # 30,000 x 2 x seven seats
    burst: int = 100
    block_after: int = 50
    spent: int = 0
    day: int = 0
    refused: int = 0
    blocked_until: float = 0.0
    recent: deque[float] = field(default_factory=deque)

    def admit(self, request: Request, tokens: int) -> Reply | None:
        """Take the tokens of a call, or refuse it."""
        now = self.clock.now()
        if now < self.blocked_until:
            return blocked()
        if int(now // DAY_S) != self.day:
            self.day, self.spent = int(now // DAY_S), 0
        while self.recent and self.recent[0] <= now - BURST_WINDOW_S:
            self.recent.popleft()
        if self.spent + tokens > self.daily or (self.burst and len(self.recent) >= self.burst):
            self.refused += 1
            if self.block_after and self.refused >= self.block_after:
                self.refused, self.blocked_until = 0, now + BLOCK_S
                return blocked()
            return self.mark(throttled(), request)
        self.refused = 0
        self.spent += tokens
        self.recent.append(now)
        return None

    def mark(self, reply: Reply, request: Request, *, spent_up: bool = False) -> Reply:
        """Add the headers of both limits."""
        left = 0 if spent_up else max(0, self.daily - self.spent)
        burst_left = max(0, self.burst - len(self.recent)) if self.burst else 1
        reply.headers.update({
            "x-ratelimit-limit": str(self.burst), "x-ratelimit-remaining": str(burst_left), "x-ratelimit-reset": "2",
            "x-daily-ratelimit-token-limit": str(self.daily), "x-daily-ratelimit-token-remaining": str(left),
        })  # fmt: skip
        if request.method in ("POST", "PUT"):
            reply.headers["x-daily-requests-left"] = str(left // 10)
        return reply
