"""Tickets: which kind one is of, what is answered, and when two programs pull at one. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gates.types import Facts, Proposal, Risk

AUTOMATION = "tickets"
REPLY = "ticket.reply"
RISK = Risk(irreversible=True, customer_visible=True)
MOST_KEPT = 60
OVER = {
    "solved": "the ticket is solved already", "closed": "the ticket is closed, nothing can be written on it any more",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of ticket as judgement sees it."""

    name: str
    version: int
    tags: frozenset[str]
    forms: frozenset[str]
    owner_group: str = ""
    reply: str = ""
    solves: bool = False
    stage: str = "off"


@dataclass(frozen=True, slots=True)
class Change:
    """One change that somebody else made: of the status (`what` is "status") or of a tag (`what` is "tag:NAME")."""

    at: datetime
    what: str
    before: str
    after: str

    @property
    def pair(self) -> frozenset[str]:
        """The two values it goes between."""
        return frozenset((self.before, self.after))


def kind_of(kinds: Iterable[Kind], tags: Iterable[str], form: str) -> Kind | None:
    """The first kind, by name, that has one of these tags or this form."""
    have = frozenset(tags)
    return next((one for one in sorted(kinds, key=lambda one: one.name) if one.tags & have or form in one.forms), None)


def changes(before: str, after: str, added: Sequence[str], removed: Sequence[str], at: datetime) -> list[Change]:
    """What one event tells, as single changes."""
    told = [Change(at, "status", before, after)] if before and after and before != after else []
    told += [Change(at, f"tag:{tag}", "off", "on") for tag in added]
    return told + [Change(at, f"tag:{tag}", "on", "off") for tag in removed]


def fold(
    kept: Sequence[Sequence[str]], new: Sequence[Change], within: timedelta, now: datetime
) -> tuple[list[list[str]], list[Change]]:
    """What is remembered after these, in the order of their own times, and the changes it holds.

    Nothing is forgotten before twice the time has passed: a change that was told late still finds its neighbours.
    """
    had = [Change(datetime.fromisoformat(at), what, before, after) for at, what, before, after in kept]
    every = sorted({*had, *new}, key=lambda one: (one.at, one.what, one.before))
    left = [one for one in every if one.at >= now - 2 * within][-MOST_KEPT:]
    return [[one.at.isoformat(), one.what, one.before, one.after] for one in left], left


def flips(changes: Sequence[Change], most: int, within: timedelta) -> Change | None:
    """The change with which one thing went back and forth `most` times within the time; None while it did not."""
    for n, last in enumerate(changes):
        same = [
            one for one in changes[: n + 1]
            if one.what == last.what and one.pair == last.pair and one.at >= last.at - within
        ]  # fmt: skip
        if len(same) >= most:
            return last
    return None


def reply(number: str, kind: Kind, text: str, stamp: str) -> Proposal:
    """The suggested answer to the ticket as it was at `stamp`, and it solved where the kind says so."""
    solve = "yes" if kind.solves else "no"
    params = {"ticket": number, "text": text, "solve": solve, "kind": kind.name, "stamp": stamp}
    because = f"ticket {number} is of the kind {kind.name}"
    return Proposal(REPLY, f"reply:{number}", f"ticket:{number}:reply", because, params, RISK, ("support",))


def withdraw_reason(facts: Facts, kind: str) -> str:
    """Why a reply is no longer wanted, on live facts: somebody solved the ticket. Notes and tags stay wanted."""
    return OVER.get(facts.ticket_status, "") if kind == REPLY else ""
