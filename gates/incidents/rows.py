"""What incidents write: ledger rows of incidents, updates and messages, and set-based steps of many messages.

No row carries a title, a text or a name: ids, states, counts and times only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from gates.models import AlertEpisode, Incident, IncidentUpdate, Outreach
from ledger import book, sets
from ledger.states import edges_of

INCIDENT, UPDATE, MESSAGE, ALERT = "incident", "incident_update", "outreach", "alert_episode"
SUBJECTS = {INCIDENT: Incident, UPDATE: IncidentUpdate, MESSAGE: Outreach, ALERT: AlertEpisode}


@dataclass(frozen=True, slots=True)
class Stepped:
    """One message that took a step."""

    id: int
    customer_id: int
    prior: str
    version: int
    action_id: UUID | None
    incident_id: int
    number: int
    correlation_id: UUID


def of_incident(one: Incident, decision: str, prior: str, actor: str, **more: Any) -> dict[str, Any]:
    """A row of an incident as it stands now, after it was in `prior`."""
    return {
        "subject_kind": INCIDENT, "subject_id": str(one.pk), "event_id": one.event_id,
        "correlation_id": one.correlation_id, "decision": decision, "actor": actor, "prior_state": prior,
        "post_state": str(one.state), "state_version": one.state_version, "outcome": str(one.state), **more,
    }  # fmt: skip


def of_update(one: IncidentUpdate, decision: str, prior: str, actor: str, **more: Any) -> dict[str, Any]:
    """A row of an update as it stands now."""
    inputs = {"incident": one.incident_id, "number": one.number, **more.pop("inputs", {})}
    return {
        "subject_kind": UPDATE, "subject_id": str(one.pk), "correlation_id": one.incident.correlation_id,
        "decision": decision, "actor": actor, "prior_state": prior, "post_state": str(one.state),
        "state_version": one.state_version, "outcome": str(one.state), "inputs": inputs, **more,
    }  # fmt: skip


def reason(words: str, rule: str = "person") -> list[dict[str, str]]:
    """Why, as rows keep it."""
    return [{"rule": rule, "reason": words}]


@cache
def _edges() -> frozenset[tuple[str, str, str]]:
    return edges_of(Outreach)


def step(
    verb: str, priors: Sequence[str], post: str, *, only: str, params: Mapping[str, Any], actor: str, why: str = "",
    changes: str = "",
) -> list[Stepped]:  # fmt: skip
    """Move the messages that `only` (SQL over `o`) names and that are in one of `priors`; a ledger row for each.

    `changes` are further columns as SQL. One statement to move, one for the rows; the caller's transaction.
    """
    for prior in priors:
        if (prior, verb, post) not in _edges():
            raise book.BadEdge(f"outreach has no step {prior} -{verb}-> {post}")
    moved = sets.run(
        f"""with held as (select o.id, o.state from gates_outreach o
                           where {only} and o.state = any(%(priors)b::text[]) order by o.id for update)
            update gates_outreach o set state = %(post)b, state_version = o.state_version + 1, reason = %(why)b{changes}
              from held, gates_incident i where held.id = o.id and i.id = o.incident_id
            returning o.id, o.customer_id, held.state, o.state_version, o.action_id, o.incident_id, o.number,
                      i.correlation_id""",
        {**params, "priors": list(priors), "post": post, "why": why[:200]},
    )
    found = [Stepped(*row) for row in moved]
    book.write_rows([of_message(one, verb, post, actor, why) for one in found])
    return found


def of_message(one: Stepped, decision: str, post: str, actor: str, why: str = "") -> dict[str, Any]:
    """A row of one message."""
    return {
        "subject_kind": MESSAGE, "subject_id": str(one.id), "customer_id": one.customer_id, "action_id": one.action_id,
        "correlation_id": one.correlation_id, "decision": decision, "actor": actor, "prior_state": one.prior,
        "post_state": post, "state_version": one.version, "outcome": post,
        "inputs": {"incident": one.incident_id, "number": one.number},
        "reasons": reason(why, "outreach") if why else [],
    }  # fmt: skip
