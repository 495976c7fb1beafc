"""What every kind of action can do, and the plain data it works on. Runs in threads: no ORM here."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gates.types import Facts, Risk
from sync.actions.params import Fields
from sync.facts import Known
from sync.providers.base import Guard
from sync.wiretypes import Exchange, FrozenRequest


@dataclass(slots=True)
class Work:
    """One claimed action as plain data: what a thread needs to judge, freeze, send and look it up."""

    id: str
    kind: str
    state: str
    version: int
    key: str
    params: Mapping[str, Any]
    business_key: str
    correlation_id: str
    known: Known
    facts: Facts
    request: FrozenRequest | None = None
    job_ref: str = ""
    sent_at: datetime | None = None
    is_repeat: bool = False  # its request was frozen before: it may have left already
    tries: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    secret: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of `prepare`, and stored nowhere


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The provider's own word that it is done: its object's id and what it said of it. Links are ids to remember."""

    id: str
    said: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the request as a job; `ref` says where to ask how it went.

    `waits_for` is set where it goes no further without a person: what that person has to do, in words.
    """

    ref: str
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class NotDone:
    """Looked up, and it is not there."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider took the request and says for certain that it did not, or will not, happen."""

    code: str
    message: str


Answer = Confirmation | Accepted | Declined
Found = Answer | NotDone
Preview = list[dict[str, Any]]


class ActionKind(ABC):
    """A kind of change at one provider. Its writes must be safe to repeat with the same key and bytes, or be found.

    `inverse` names the kind that undoes it; a kind without one says in `irreversible_because` why it cannot be undone.
    `runbook` is the page for when it was wrong. A kind that declares neither, or no page, is refused at start. A write
    whose answer was lost is looked up before it is repeated, always; `settle` is how long it may still come through
    before "not there" is believed. With `remake_on_conflict` a request that can no longer succeed because its target
    changed is made anew as another action; with `remake_on_change` one that was refused for certain and is sent again
    after what it says was corrected is, too. `asks_for` is what a person may fill in.
    """

    name: str
    provider: str
    verb: str
    risk: Risk = Risk()
    needs: tuple[str, ...] = ()
    inverse: str = ""
    irreversible_because: str = ""
    runbook: str = ""
    reads_to_ask: tuple[str, ...] = ()  # blocks read live before it can be asked for
    settle: timedelta = timedelta()
    remake_on_conflict = False
    remake_on_change = False
    asks_for: Fields = {}
    says: tuple[str, ...] | None = None  # parameters whose words leave; None: those that may be long texts
    is_offered = True  # to somebody who may ask for anything; other kinds have a page of their own, or nobody asks
    about_customer = False  # it needs no contract: what is known of the customer alone is enough
    about_nobody = False  # it tells only ourselves, at a fixed target: about no customer, and allowed while stopped
    about_account = False  # it may be about no customer, and is halted by the stop like any other write
    patient = False  # it is tried for ever, ever more rarely, instead of a person being asked after some tries
    is_findable = True  # whether the provider can be asked what became of a write; if not, a person decides at once

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Why this cannot be asked for as things stand, as a clause; empty when it can."""
        return ""

    def wrong(self, known: Known, params: Mapping[str, Any]) -> str:
        """What was filled in that contradicts what was read, as `params.name: why`; empty when nothing does."""
        return ""

    def risk_of(self, params: Mapping[str, Any]) -> Risk:
        """What kind of change one that is asked for with these is."""
        return self.risk

    def final_because(self, params: Mapping[str, Any]) -> str:
        """Why one that is asked for with these cannot be undone; empty when it can."""
        return self.irreversible_because

    def amount(self, params: Mapping[str, Any]) -> tuple[int | None, str]:
        """The money it moves, in minor units, and the currency; None and "" where it moves none."""
        return None, ""

    def inverse_of(self, params: Mapping[str, Any]) -> str:
        """The kind that undoes one that was asked for with these."""
        return self.inverse

    def undo(self, params: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
        """What `inverse` is to be asked with to undo one of these; `facts` are those it was last judged on."""
        return {}

    def lane(self, customer_id: int, business_key: str) -> str:
        """What it must keep its order with: all that one provider is told about one customer."""
        return f"customer:{customer_id}:{self.provider}"

    def key(self, action_id: Any, params: Mapping[str, Any]) -> str:
        """The idempotency key, once for ever; at most 80 characters, and it begins with `meshline-`."""
        return f"meshline-{action_id}"

    def business_key(self, known: Known, params: Mapping[str, Any]) -> str:
        """What it is about when a person asks for it: the same again while it is open is a duplicate."""
        invoice = params.get("invoice")
        return f"invoice:{invoice}" if invoice else f"contract:{known.refs.contract_external_id}"

    @abstractmethod
    def preview(self, facts: Facts, params: Mapping[str, Any]) -> Preview:
        """What will change, as rows of system, field, now, after. Pure."""

    @abstractmethod
    def freeze(self, work: Work) -> FrozenRequest:
        """Make the exact request, once for ever. May read from the provider what the request must carry."""

    @abstractmethod
    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Answer:
        """Send it once; only what the provider confirmed comes back. Raises ProviderError."""

    @abstractmethod
    def look_up(self, work: Work) -> Found:
        """Whether it happened, asked of the provider. Raises ProviderError when it cannot be told now."""

    def poll(self, work: Work) -> Found:
        """How the job at `work.job_ref` went; Accepted while it runs."""
        return self.look_up(work)

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """The steps (verb, prior, post) its confirmation makes the contract take, from the state it is in."""
        return ()

    def customer_moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """The steps (verb, prior, post) its confirmation makes the customer take, from the state it is in."""
        return ()

    def changes(self, work: Work) -> dict[str, Any]:
        """Further columns of the contract that its confirmation changes."""
        return {}

    def follow(self, work: Work, answer: Confirmation) -> Mapping[str, Any]:
        """What the step that comes next has to carry beside the confirmation; the provider's word is not changed.

        By the booking thread, as `keep`.
        """
        return {}

    def prepare(self, works: Sequence[Work]) -> None:
        """Give these `secret`, what the request carries and nothing may store; by the claiming thread, in few reads."""
        return

    def keep(self, done: Sequence[tuple[Work, Confirmation]]) -> None:
        """Write what else these confirmations change here; by the booking thread, in the transaction that books them.

        With `follow` and `prepare` the only methods that may use the database.
        """
        return
