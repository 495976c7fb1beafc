"""A message to a customer about an incident: a ticket whose first comment they read, or a mail. Once for ever."""

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from gates.incidents import PREFIX, rows, templates
from gates.types import Facts, Risk
from ledger import clock
from sync.actions.base import ActionKind, Answer, Confirmation, Found, NotDone, Preview, Work
from sync.actions.mail import inert, mark_of, post
from sync.actions.params import Text, Whole
from sync.actions.ticket import desk, external_id
from sync.errors import PermanentError, UnconfirmedError
from sync.facts import Known
from sync.incidents.letters import Letter
from sync.providers.base import JSON_TYPE, Guard, compact_json
from sync.providers.zendesk import ticket_from
from sync.wiretypes import FrozenRequest

TICKET, MAIL = "outreach.ticket", "outreach.mail"
KIND_OF = {"ticket": TICKET, "mail": MAIL}
ELSEWHERE = "messages about an incident are written and approved on the page of the incident"
ADDRESS = re.compile(r"[^\s@,;<>\"]{1,64}@[^\s@,;<>\"]{1,253}\.[A-Za-z]{2,63}")


class Message(ActionKind):
    """What both ways share. `recipient` is a fingerprint of the address that the approved set had."""

    needs = ()
    risk = Risk(irreversible=True, customer_visible=True)
    runbook = "incident-message-wrong"
    is_offered = False
    about_customer = True
    asks_for = {
        "incident": Whole(), "number": Whole(), "outreach": Whole(), "subject": Text(400), "body": Text(16_000),
        "recipient": Text(16, pattern=r"[0-9a-f]{16}"),
        "quiet": Text(11, is_required=False, pattern=r"[0-9]{1,4}-[0-9]{1,4}"), "zone": Text(64, is_required=False),
    }  # fmt: skip

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Nobody asks for a single one."""
        return ELSEWHERE

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The incident and its update."""
        return f"{PREFIX}{params['incident']}:{params['number']}"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """Subject and text; the customer's own name comes last and is in neither."""
        system = "Support desk" if self.name == TICKET else "Mail"
        said = {"subject": str(params.get("subject", "")), "text": str(params.get("body", ""))[:2000]}
        return [{"system": system, "field": name, "now": "-", "after": words} for name, words in said.items()]

    def freeze(self, work: Work) -> FrozenRequest:
        """The letter to the address that was approved. PermanentError where it is none, or another one by now."""
        address = work.known.email.strip()
        if not ADDRESS.fullmatch(address):
            raise self._no("the customer's e-mail address is none")
        if mark_of(address) != work.params["recipient"]:
            raise self._no("the customer has another e-mail address by now than when this was approved")
        letter = Letter(str(work.params["subject"]), str(work.params["body"])).to(work.known.name)
        return self.letter(work, address, letter)

    @abstractmethod
    def letter(self, work: Work, address: str, letter: Letter) -> FrozenRequest:
        """The exact request for a letter."""

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """Their messages are sent."""
        rows.step(
            "confirm", ("in_review", "failed"), "sent", only="o.action_id = any(%(ids)b::uuid[])",
            params={"ids": [work.id for work, _ in done], "at": clock.now()}, actor="system:executor",
            changes=", sent_at = %(at)b::timestamptz",
        )  # fmt: skip

    def _no(self, words: str) -> PermanentError:
        return PermanentError(words, provider=self.provider, code="recipient", never_sent=True)


class ByTicket(Message):
    """A new ticket in the customer's name; its first comment is public."""

    name, provider, verb = TICKET, "zendesk", "Write to customer by ticket"
    irreversible_because = "what the customer has read stays read; the next update can correct it"

    def letter(self, work: Work, address: str, letter: Letter) -> FrozenRequest:
        """Found again by its external id, so nothing of ours is in the text."""
        ticket = {
            "subject": inert(letter.subject, 150), "external_id": external_id(work.id),
            "comment": {"body": letter.body, "public": True}, "tags": ["meshline", "incident"],
            "requester": {"name": templates.plain(work.known.name, 120) or address, "email": address},
        }  # fmt: skip
        headers = (JSON_TYPE, ("Idempotency-Key", work.key))
        return FrozenRequest(self.provider, "POST", "/api/v2/tickets", headers, compact_json({"ticket": ticket}))

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The answer must be a ticket with our external id; a repeat is looked for first: keys are forgotten."""
        if work.is_repeat and work.tries > 1:
            found = self.look_up(work)
            if isinstance(found, Confirmation):
                return found
        response = desk().perform(request, guard, work.exchanges)
        ticket = ticket_from(response)
        if ticket.external_id != external_id(work.id):
            raise response.unreadable("the answer is another ticket than the one asked for")
        return Confirmation(ticket.id, {"status": ticket.status})

    def look_up(self, work: Work) -> Found:
        """By our external id."""
        found = desk().tickets_by_external_id(external_id(work.id), work.exchanges)
        return Confirmation(found[0].id, {"status": found[0].status}) if found else NotDone()


class ByMail(Message):
    """One mail."""

    name, provider, verb = MAIL, "mail", "Write to customer by mail"
    irreversible_because = "a mail that left cannot be called back; the next update can correct it"
    is_findable = False

    def letter(self, work: Work, address: str, letter: Letter) -> FrozenRequest:
        """Plain text to one recipient."""
        return post().message(work.id, address, inert(letter.subject, 150), f"{letter.body}\n", clock.now())

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The server's word that it took the message is all there will ever be."""
        return Confirmation(post().deliver(request, guard, work.exchanges))

    def look_up(self, work: Work) -> Found:
        """Nobody can say afterwards whether a mail left. Always UnconfirmedError."""
        raise UnconfirmedError("a mail cannot be looked for", provider=self.provider, code="no_look_up")
