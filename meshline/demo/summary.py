"""What a week left behind, read from the database views and the simulators' books, and whether the two agree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from ledger import verify
from meshline.management.commands import verify_ledger
from meshline.subjects import SUBJECTS, UNCHAINED
from sync.actions.alert_message import marker_of
from sync.sandbox.remote import Remote

PROVIDERS = ("stripe", "netsuite", "zendesk", "pipedrive", "mail", "pagerduty")
CHAT = "slack"
OUTCOMES = {"approved": "act", "held": "hold", "in_review": "ask", "superseded": "drop", "observed": "observe"}
OPEN_EVENTS = "select id::text, type, state from meshline_events where state in ('received', 'waiting', 'processing')"
MOVING_ACTIONS = """
    select id::text, kind, state || coalesce(nullif(': ' || last_error, ': '), '') from meshline_actions
     where state in ('proposed', 'approved', 'sending', 'unknown', 'parked')
        or (state = 'held' and available_at < now() + interval '30 s')
"""
ABANDONED = """
    select a.id::text, a.kind, a.last_error from meshline_actions a where a.state = 'failed' and not exists (
        select from meshline_review_items i where i.action_id = a.id and i.state <> 'resolved')
"""
EVENTS = """
    select count(*), coalesce(sum(deliveries), 0), count(*) filter (where verdict like 'contradicting%'),
           count(*) filter (where verdict like 'ignored: unknown type%') from meshline_events
"""
BECAME = """
    select post_state, count(distinct action_id) from meshline_ledger
     where subject_kind = 'action' and post_state <> prior_state group by post_state
"""
DECIDED = """
    select post_state, count(*) from meshline_ledger
     where subject_kind = 'action' and prior_state = 'proposed' group by post_state
"""
IN_DOUBT = """
    select count(*) from meshline_actions where state = 'unknown' or id in (
        select action_id from meshline_review_items where why = 'outcome_unknown' and state <> 'resolved')
"""
APPLIED = """
    select a.provider, a.id::text from meshline_ledger l join ledger_action a on a.id = l.action_id
     where l.subject_kind = 'action' and l.post_state = 'applied' and l.prior_state <> 'applied'
       and a.kind <> 'alert.message' and (a.kind <> 'alert' or a.params ->> 'event' = 'trigger')
"""
REFUSED = "select coalesce(sum(refused), 0) from sync_refusalcount"
ITEMS = "select count(*) from meshline_review_items where state <> 'resolved'"
ROWS = "select count(*) from meshline_ledger"


# Deals that were met signed, those with a confirmed first invoice, those that were refused, those a person has.
DEALS = """
    select count(*), count(*) filter (where 'invoice.create applied' = any(steps)),
           count(*) filter (where steps = '{customer.create rejected}'),
           count(*) filter (where steps && '{customer.create in_review,customer.create failed,invoice.create in_review,
                                             invoice.create failed}')
      from (select array_agg(distinct kind || ' ' || state) as steps from meshline_actions
             where kind in ('customer.create', 'invoice.create') group by split_part(business_key, ':', 2)) deals
"""
CLICKS = "select count(*) from meshline_events where source = 'slack'"
MESSAGES = "select marker::text from sync_slackmessage where state = 'posted'"
# The end of an alert is written into the message that told of it, so an alert is one message.
ALERTS = """select distinct params ->> 'alert', params ->> 'episode' from ledger_action
             where kind = 'alert.message' and state = 'applied'"""


@dataclass(slots=True)
class Summary:
    """The figures, in the order they are shown, and everything that is not as it must be."""

    figures: dict[str, Any] = field(default_factory=dict)
    only_here: list[str] = field(default_factory=list)
    only_there: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        books = {"only_here": self.only_here, "only_there": self.only_there}
        return {**self.figures, "books": books, "problems": self.problems}

    def lines(self) -> list[str]:
        """For people."""
        width = max(len(name) for name in self.figures)
        table = [f"  {name:<{width}}  {_shown(value)}" for name, value in self.figures.items()]
        books = f"{len(self.only_here)} only here, {len(self.only_there)} only there"
        return [*table, f"  provider books vs ledger: {books}", *(f"  PROBLEM: {one}" for one in self.problems)]


def gather(remote: Remote) -> Summary:
    """Read both sides and compare them."""
    summary = Summary()
    _receiving(summary, remote)
    _deciding(summary)
    _deals(summary)
    _books(summary, remote)
    _messages(summary, remote)
    _verified(summary)
    for what, query in (("event not finished", OPEN_EVENTS), ("action stuck", MOVING_ACTIONS)):
        summary.problems += [f"{what}: {' '.join(map(str, row))}" for row in rows(query)]
    summary.problems += [f"failed without an item: {' '.join(map(str, row))}" for row in rows(ABANDONED)]
    return summary


def is_moving() -> bool:
    """Whether something is still on its way to where it stays: done, withdrawn, or with a person."""
    return bool(rows(OPEN_EVENTS) or rows(MOVING_ACTIONS))


def _receiving(summary: Summary, remote: Remote) -> None:
    """What was acknowledged must be stored: that is the promise behind every 200."""
    sent = remote.deliveries()
    told = [one for one in sent if one["status"] is not None and 200 <= one["status"] < 300]
    acknowledged = {(one["provider"], one["event"]) for one in told}
    refused = {(one["provider"], one["event"]) for one in sent} - acknowledged
    clicks = {one for one in acknowledged if one[0] == CHAT}  # which have no id of their own
    acknowledged -= clicks
    if (kept := int(rows(CLICKS)[0][0])) != len(clicks):
        summary.problems.append(f"{len(clicks)} clicks and forms were acknowledged, {kept} are stored")
    stored = {(source, event) for source, event in rows("select source, provider_event_id from meshline_events")}
    events, deliveries, contradicting, unknown = rows(EVENTS)[0]
    summary.figures |= {
        "deliveries": len(told), "refused deliveries": int(rows(REFUSED)[0][0]), "events": events,
        "duplicates": int(deliveries) - events, "events of unknown type": unknown, "contradictions": contradicting,
    }  # fmt: skip
    summary.problems += [f"acknowledged and lost: {' '.join(one)}" for one in sorted(acknowledged - stored)]
    summary.problems += [f"sent and never acknowledged: {' '.join(one)}" for one in sorted(refused)]
    if int(deliveries) < len(told):
        summary.problems.append(f"{len(told)} deliveries were acknowledged, {deliveries} are counted")


def _deciding(summary: Summary) -> None:
    decided, became = dict(rows(DECIDED)), dict(rows(BECAME))
    doubtful = became.get("unknown", 0)
    summary.figures |= {
        "decisions by outcome": {word: decided[state] for state, word in OUTCOMES.items() if state in decided},
        "held": became.get("held", 0), "superseded": became.get("superseded", 0), "applied": became.get("applied", 0),
        "halted by the stop": became.get("parked", 0),
        "unknown resolved": f"{doubtful - rows(IN_DOUBT)[0][0]} of {doubtful}",
        "ledger rows": rows(ROWS)[0][0], "review items open": rows(ITEMS)[0][0],
    }  # fmt: skip


def _deals(summary: Summary) -> None:
    """What became of the deals that were signed."""
    signed, billed, refused, waiting = rows(DEALS)[0]
    summary.figures["signed deals"] = {"billed": billed, "refused": refused, "waiting": waiting}
    if billed + refused + waiting < signed:
        summary.problems.append(f"{signed} deals were signed: {billed} billed, {refused} refused, {waiting} waiting")


def _messages(summary: Summary, remote: Remote) -> None:
    """Every message that stands in Slack is one item's or one alert's, and none stands there twice."""
    ours = {marker for (marker,) in rows(MESSAGES)}
    ours |= {marker_of({"alert": name, "episode": number}) for name, number in rows(ALERTS)}
    there = Counter(remote.markers())
    summary.figures["messages in Slack"] = sum(there.values())
    lost, strange = sorted(ours - there.keys()), sorted(there.keys() - ours)
    summary.only_here += [f"{CHAT} {one}" for one in lost]
    summary.only_there += [f"{CHAT} {one}" for one in strange]
    summary.problems += [f"posted, but not in Slack: {one}" for one in lost]
    summary.problems += [f"in Slack, but not posted by us: {one}" for one in strange]
    summary.problems += [f"{count} messages in Slack of {one}" for one, count in there.items() if count != 1]


def _books(summary: Summary, remote: Remote) -> None:
    """Every applied action has exactly one effect in its provider's books, and every effect an applied action."""
    applied = {(provider, action) for provider, action in rows(APPLIED)}
    effects = {(name, action): count for name in PROVIDERS for action, count in remote.effects(name).items()}
    summary.figures["effects in the providers' books"] = sum(effects.values())
    summary.only_here = [" ".join(one) for one in sorted(applied - effects.keys())]
    summary.only_there = [" ".join(one) for one in sorted(effects.keys() - applied)]
    summary.problems += [f"applied, but not in the books: {one}" for one in summary.only_here]
    summary.problems += [f"in the books, but not applied: {one}" for one in summary.only_there]
    summary.problems += [f"{count} effects of {' '.join(one)}" for one, count in effects.items() if count != 1]


def _verified(summary: Summary) -> None:
    """Every step in the ledger is one of its graph, every chain is whole, and the database still guards it."""
    report = verify.verify(SUBJECTS, UNCHAINED)
    said = verify_ledger.lines(report)
    summary.figures["ledger check"] = said[0]
    if not report.is_intact:
        summary.problems += [f"the ledger is not intact: {one}" for one in said]


def rows(query: str) -> Sequence[tuple[Any, ...]]:
    """All rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        found: Sequence[tuple[Any, ...]] = cursor.fetchall()
        return found


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {word}" for word, count in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
