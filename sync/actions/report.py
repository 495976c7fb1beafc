"""The weekly report by mail, to those whom the operator named: our own figures, nothing of a customer."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from gates.types import Facts
from ledger import clock
from sync.actions.base import ActionKind, Answer, Confirmation, Found, Preview, Work
from sync.actions.mail import is_set_up, mark_of, post
from sync.actions.params import Text, Texts
from sync.errors import PermanentError, UnconfirmedError
from sync.facts import Known
from sync.providers.base import Guard
from sync.providers.mail import NAME
from sync.wiretypes import FrozenRequest

KIND, PREFIX = "mail.report", "report:"
LINE, MOST_LINES = 600, 60


def readers() -> dict[str, str]:
    """Who gets it: fingerprint -> address; empty where nobody is named or there is no mail server."""
    return {mark_of(one): one for one in settings.MESHLINE_REPORT_TO} if is_set_up() else {}


class Report(ActionKind):
    """One letter to one reader. `recipient` is the fingerprint of an address of the settings."""

    name, provider, verb = KIND, NAME, "Send weekly report"
    about_account = True
    is_offered = False
    is_findable = False
    says = ()
    irreversible_because = "a mail that left cannot be called back; the next one says what is right"
    runbook = "mail-not-confirmed"
    asks_for = {
        "week": Text(10, pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "recipient": Text(16, pattern=r"[0-9a-f]{16}"),
        "lines": Texts(Text(LINE), MOST_LINES),
    }  # fmt: skip

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Nobody asks for one."""
        return "the report is made once a week, by itself"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """The week and the reader."""
        return f"{PREFIX}{params['week']}:{params['recipient']}"

    def lane(self, customer_id: int, business_key: str) -> str:
        """Each reader by itself: one mailbox that refuses keeps no other letter back."""
        return business_key

    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """Subject and text; the address stands in the settings only."""
        rows = {"subject": _subject(params), "text": "\n".join(params["lines"])}
        return [{"system": "Mail", "field": name, "now": "-", "after": said} for name, said in rows.items()]

    def freeze(self, work: Work) -> FrozenRequest:
        """The letter. PermanentError where the reader was taken out of the settings since."""
        address = readers().get(str(work.params["recipient"]))
        if address is None:
            words = "this reader is not in MESHLINE_REPORT_TO any more, or mail is not set up"
            raise PermanentError(words, provider=NAME, code="recipient", never_sent=True)
        text = "\n".join([*work.params["lines"], ""])
        return post().message(work.id, address, _subject(work.params), text, clock.now())

    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """The server's word that it took the message is all there will ever be."""
        return Confirmation(post().deliver(request, guard, work.exchanges), {"week": work.params["week"]})

    def look_up(self, work: Work) -> Found:
        """Nobody can say afterwards whether a mail left. Always UnconfirmedError."""
        raise UnconfirmedError("a mail cannot be looked for", provider=NAME, code="no_look_up")


def _subject(params: Mapping[str, Any]) -> str:
    return f"Meshline: the week before {params['week']}"
