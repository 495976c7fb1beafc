"""Progress mail to the customer's contact: what is done and what comes next of an onboarding."""

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from gates.rules import onboarding as rules
from gates.types import Facts, Risk
from ledger import clock
from sync import providers
from sync.actions.base import ActionKind, Answer, Confirmation, Found, Preview, Work
from sync.actions.params import Text, Texts, Whole
from sync.errors import PermanentError, UnconfirmedError
from sync.facts import Known
from sync.onboarding import blocks
from sync.providers.base import Guard
from sync.providers.mail import NAME, Mail
from sync.wiretypes import FrozenRequest

KIND = "mail.progress"
UNSET = "mail is not set up; set MESHLINE_MAIL_HOST and MESHLINE_MAIL_FROM"
NAME_LENGTH, NOTE_LENGTH, MOST_STEPS = 120, 600, 20
TEXT_LENGTH = 5_000  # more than the longest letter has


def post() -> Mail:
    """The adapter, narrowed."""
    adapter = providers.get(NAME)
    assert isinstance(adapter, Mail)
    return adapter


def is_set_up() -> bool:
    """Whether there is a server to hand mail to."""
    return NAME in settings.MESHLINE_PROVIDERS


def inert(text: str, most: int = NAME_LENGTH, *, lines: bool = False) -> str:
    """Somebody else's words as text that is nothing else: no control, no hidden or turning characters, no link."""
    kept = "".join(
        char if (char == "\n" and lines) or unicodedata.category(char)[0] != "C" else " " for char in text
    ).replace("\u2028", " ").replace("\u2029", " ")  # fmt: skip
    parts = kept.split("\n") if lines else [kept]
    plain = "\n".join(" ".join(one.split()) for one in parts).replace("://", ": ").replace("www.", "www ")
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def mark_of(address: str) -> str:
    """What names a recipient without saying the address."""
    return hashlib.sha256(address.strip().casefold().encode()).hexdigest()[:16]


def subject_of(company: str) -> str:
    """The subject line."""
    return f"Your onboarding: where {inert(company, 80) or 'we'} stands"


def text_of(company: str, params: Mapping[str, Any]) -> str:
    """The letter; titles of steps are ours, the note is a colleague's, the name is the customer's own."""
    lines = [f"Hello {inert(company) or 'there'},", "", "this is how far your onboarding has come."]
    for head, name in (("Done:", "done"), ("Next:", "next")):
        steps: Sequence[str] = params.get(name) or ()
        if steps:
            lines += ["", head, *(f"- {inert(one)}" for one in steps)]
    if params.get("note"):
        lines += ["", inert(str(params["note"]), NOTE_LENGTH, lines=True)]
    return "\n".join([*lines, "", "You can answer this mail; it reaches the colleagues who look after you.", ""])


class Progress(ActionKind):
    """One letter to the contact of the deal. `recipient` is a fingerprint of the address that was shown."""

    name, provider, verb = KIND, NAME, "Send progress mail"
    needs = ("deal",)
    risk = Risk(irreversible=True, customer_visible=True)
    irreversible_because = "a mail that left cannot be called back; a further mail can correct it"
    runbook = "mail-not-confirmed"
    is_findable = False
    is_offered = False
    asks_for = {
        "checklist": Whole(),
        "done": Texts(Text(NAME_LENGTH), MOST_STEPS, is_required=False),
        "next": Texts(Text(NAME_LENGTH), MOST_STEPS, is_required=False),
        "note": Text(NOTE_LENGTH, is_required=False),
        "recipient": Text(16, is_required=False, pattern=r"[0-9a-f]{16}"),
    }

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """There is a deal with an address, and a server."""
        if not is_set_up():
            return UNSET
        if not known.refs.deal:
            return "no deal is linked to this contract"
        fault = self._fault(known)
        return f"the e-mail of the deal {fault}" if fault else ""

    def wrong(self, known: Known, params: Mapping[str, Any]) -> str:
        """It goes to the address that was shown."""
        wanted = params.get("recipient")
        if wanted and wanted != mark_of(self._address(known)):
            return "params.recipient: the deal names another address by now; look at it again"
        return ""

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The deal and what is said."""
        said = "|".join([*(params.get("done") or ()), "", *(params.get("next") or ()), str(params.get("note") or "")])
        return f"deal:{known.refs.deal}:mail:{hashlib.sha256(said.encode()).hexdigest()[:16]}"

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """Recipient, subject and text."""
        shown = facts.deal.shown if facts.deal else {}
        company = shown.get("company", "")
        rows = {
            "to": shown.get("e-mail", "-"), "subject": subject_of(company),
            "text": text_of(company, params)[:TEXT_LENGTH],
        }  # fmt: skip
        return [{"system": "Mail", "field": name, "now": "-", "after": said} for name, said in rows.items()]

    def freeze(self, work: Work) -> FrozenRequest:
        """The letter as the deal is now. Raises PermanentError where its address is none, or another one than shown."""
        fault = self._fault(work.known) or self.wrong(work.known, work.params)
        if fault:
            raise PermanentError(
                fault.removeprefix("params.recipient: "), provider=NAME, code="recipient", never_sent=True
            )
        company = str(work.known.blocks["deal"]["source"].get("organization.name", ""))
        return post().message(
            work.id, self._address(work.known), subject_of(company), text_of(company, work.params), clock.now()
        )

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The server's word that it took the message is all there will ever be."""
        return Confirmation(post().deliver(request, guard, work.exchanges), {"checklist": work.params["checklist"]})

    def look_up(self, work: Work) -> Found:
        """Nobody can say afterwards whether a mail left. Always UnconfirmedError."""
        raise UnconfirmedError("a mail cannot be looked for", provider=NAME, code="no_look_up")

    def _address(self, known: Known) -> str:
        block = known.blocks.get("deal") or {}
        return str((block.get("source") or {}).get("person.primary_email", "")).strip()

    def _fault(self, known: Known) -> str:
        block = known.blocks.get("deal") or {}
        return rules.email(blocks.signed(block)) if block.get("source") else "was never read"
