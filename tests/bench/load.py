"""The load generator: signed deliveries over keep-alive sockets, one thread, cheap enough not to be the limit."""

import hmac
import json
import re
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

ID_MARK = b"evt_REPLACED0000000000000000"
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
    "Content-Type: application/json; charset=utf-8\r\nContent-Length: {length}\r\nStripe-Signature: "
)


@dataclass(slots=True)
class Plan:
    """What to send: fresh ids, or the same `repeat` ids again and again; at a `rate`, or (0) as fast as it goes."""

    port: int
    path: str
    secret: str
    body: str
    prefix: str
    seconds: float
    connections: int = 32
    rate: float = 0.0
    repeat: int = 0


@dataclass(slots=True)
class Result:
    """What came back."""

    seconds: float
    answers: dict[int, int]
    milliseconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Acknowledged deliveries a second."""
        return self.answers.get(200, 0) / self.seconds


def requests(plan: Plan) -> Callable[[], bytes]:
    """A function that gives the next signed request."""
    before, after = plan.body.encode().split(ID_MARK)
    head = HEAD.format(path=plan.path, length=len(plan.body)).encode()
    secret, count = plan.secret.encode(), 0

    def build() -> bytes:
        nonlocal count
        number = count % plan.repeat if plan.repeat else count
        count += 1
        body = b"%bevt_%s%0*d%b" % (before, plan.prefix.encode(), len(ID_MARK) - 4 - len(plan.prefix), number, after)
        stamp = b"%d" % time.time()
        signature = hmac.digest(secret, stamp + b"." + body, "sha256").hex().encode()
        return b"%bt=%b,v1=%b\r\n\r\n%b" % (head, stamp, signature, body)

    return build


def is_whole(answer: bytes) -> bool:
    """Whether an answer has come to its end: servers may send it in pieces, with a length or in chunks."""
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not answer:
        raise ConnectionError("the server closed a connection")
    if not gap:
        return False
    length = LENGTH.search(head)
    return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")


def run(plan: Plan) -> Result:
    """Send until the time is over, then wait for what is still under way."""
    build, poll = requests(plan), select.epoll()
    sockets: dict[int, socket.socket] = {}
    for _ in range(plan.connections):
        link = socket.create_connection(("127.0.0.1", plan.port), timeout=10)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[link.fileno()] = link
        poll.register(link.fileno(), select.EPOLLIN)
    idle, sent_at, due = deque(sockets), dict[int, float](), deque[float]()
    answers, partial = Counter[int](), dict[int, bytes]()
    milliseconds: list[float] = []
    begun = time.perf_counter()
    end, planned = begun + plan.seconds, begun
    while True:
        now = time.perf_counter()
        while plan.rate and planned <= min(now, end):
            due.append(planned)
            planned += 1 / plan.rate
        while idle and (due if plan.rate else now < end):
            number = idle.popleft()
            sent_at[number] = due.popleft() if plan.rate else time.perf_counter()
            sockets[number].sendall(build())
        if now >= end and not sent_at and not due:
            break
        wait = max(0.0, planned - now) if plan.rate and now < end else 0.5
        for number, _ in poll.poll(wait):
            answer = partial.pop(number, b"") + sockets[number].recv(4096)
            if not is_whole(answer):
                partial[number] = answer
                continue
            answers[int(answer[9:12])] += 1
            milliseconds.append((time.perf_counter() - sent_at.pop(number)) * 1000)
            idle.append(number)
    seconds = time.perf_counter() - begun
    for link in sockets.values():
        link.close()
    return Result(seconds, dict(answers), milliseconds)


def main() -> None:
    """Read a plan as JSON, write the result as JSON."""
    result = run(Plan(**json.load(sys.stdin)))
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
