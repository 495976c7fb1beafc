"""The messages a mail server was given, and what it says of one: taken, refused, later, or nothing at all."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, ClassVar

from sync.sandbox.faults import Plan, Rule
from sync.sandbox.wire import Json, Reply, Request, json_reply
from sync.sandbox.world import Serial

PATH = "/message"
ACTION = re.compile(r"<meshline\.([0-9A-Za-z-]+)@")
REFUSALS = {"error_before": 554, "rate_limit": 451, "expire_auth": 535}
SAID = {451: "4.7.1 try again later", 535: "5.7.8 authentication failed"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the server says at the end of a message; without a line it hangs up."""

    line: str = ""


class Mail(Serial):
    """A sink. Faults are those of the dial: `error_before` and `rate_limit` refuse (`status` says with which code),
    `drop_before` hangs up before a message is kept, `lost_answer` after it, `latency` is slow.
    """

    name: ClassVar[str] = "mail"
    verbs: ClassVar[dict[str, Callable[[Any, Json], Json]]] = {}
    port = 0

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.messages: list[Json] = []

    def route(self, request: Request) -> Reply:
        """There is no API: messages come by SMTP."""
        return json_reply(404, {"error": f"mail is taken by SMTP on port {self.port}; read GET /_books/mail"})

    def fault_reply(self, rule: Rule) -> Reply | None:
        """The HTTP side has no faults of its own."""
        return Reply(int(rule.options.get("status", REFUSALS.get(rule.kind, 554))))

    def take(self, sender: str, recipients: list[str], raw: bytes) -> Verdict:
        """One message to its end: what the dial planned, and what is kept of it."""
        plan: Plan = self.world.dial.plan(self.name, "SEND", PATH)
        plan.work()
        rule = plan.rule
        if rule is not None:
            self.book.requests[f"fault:{rule.kind}"] += 1
        if rule is not None and not rule.has_effect():
            code = int(rule.options.get("status", REFUSALS.get(rule.kind, 554)))
            self.book.requests.update(("total", f"status:{code}"))
            refusal = f"{code} {rule.options.get('reason') or SAID.get(code, '5.7.1 refused')}"
            return Verdict("" if rule.kind == "drop_before" else refusal)
        with self.lock:
            kept = self._keep(sender, recipients, raw)
        self.book.requests.update(("total", "status:250"))
        return Verdict("" if rule is not None and rule.kind == "lost_answer" else f"250 2.0.0 kept as {kept['id']}")

    def _keep(self, sender: str, recipients: list[str], raw: bytes) -> Json:
        parsed = message_from_bytes(raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        body = parsed.get_body(("plain",))
        kept: Json = {
            "id": f"mail_{self.ids.number('message')}", "sender": sender, "recipients": recipients,
            "headers": [[name, str(value)] for name, value in parsed.items()],
            "message_id": str(parsed.get("Message-ID", "")), "subject": str(parsed.get("Subject", "")),
            "text": body.get_content() if body is not None else "", "size": len(raw),
        }  # fmt: skip
        self.messages.append(kept)
        found = ACTION.search(kept["message_id"])
        request = Request("SEND", PATH, PATH, "", {}, b"")
        action = found[1] if found else ""
        self.book.effect(request, key="", action=action, target=kept["id"], summary=f"to {len(recipients)}")
        return kept

    def objects(self) -> Json:
        """Where it listens, and every message it keeps."""
        return {"smtp_port": self.port, "messages": {one["id"]: one for one in self.messages}}

    def sign(self, body: bytes, secrets: list[str], extra: Json) -> dict[str, str]:
        """Nothing is delivered to anybody."""
        return {}

    def retry_wait(self, attempt: int, status: int | None, retry_after: str) -> float | None:
        """Nothing is tried again."""
        return None
