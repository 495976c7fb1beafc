"""What every kind of action can do, and the plain data it works on. Runs in threads: no ORM here."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
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
    tries: int = 0
    exchanges: list[Exchange] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The provider's own word that it is done: its object's id and what it said of it. Links are ids to remember."""

    id: str
    said: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the request as a job; `ref` says where to ask how it went."""

    ref: str


@dataclass(frozen=True, slots=True)
class NotDone:
    """Looked up, and it is not there."""


Preview = list[dict[str, Any]]


class ActionKind(ABC):
    """A kind of change at one provider. Its writes must be safe to repeat with the same key and bytes, or be found.

    `inverse` names the kind that undoes it and `runbook` the page that says how; a change of a contract without both
    is refused at start. A write whose answer was lost is looked up before it is repeated, always; `settle` is how long
    it may still come through before "not there" is believed. With `remake_on_conflict` a request that can no longer
    succeed because its target changed is made anew as another action. `asks_for` is what a person may fill in.
    """

    name: str
    provider: str
    verb: str
    risk: Risk = Risk()
    needs: tuple[str, ...] = ()
    inverse: str = ""
    runbook: str = ""
    settle: timedelta = timedelta()
    remake_on_conflict = False
    asks_for: Fields = {}

    def unfit(self, known: Known, params: Mapping[str, Any]) -> str:
        """Why this cannot be asked for as things stand, as a clause; empty when it can."""
        return ""

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
    def perform(self, request: FrozenRequest, work: Work, guard: Guard) -> Confirmation | Accepted:
        """Send it once; only what the provider confirmed comes back. Raises ProviderError."""

    @abstractmethod
    def look_up(self, work: Work) -> Confirmation | Accepted | NotDone:
        """Whether it happened, asked of the provider. Raises ProviderError when it cannot be told now."""

    def poll(self, work: Work) -> Confirmation | Accepted | NotDone:
        """How the job at `work.job_ref` went; Accepted while it runs."""
        return self.look_up(work)

    def moves(self, work: Work) -> tuple[tuple[str, str, str], ...]:
        """The steps (verb, prior, post) its confirmation makes the contract take, from the state it is in."""
        return ()

    def changes(self, work: Work) -> dict[str, Any]:
        """Further columns of the contract that its confirmation changes."""
        return {}
