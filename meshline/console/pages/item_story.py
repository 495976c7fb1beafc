"""Everything that people, workers and providers left at one review item, read in one statement.

The page has a dozen small lists. One round trip that answers all of them keeps it quick however slow the way to the
database is; each list is cut, so that no item can make the page large.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import models

from gates import limits
from gates.accounts import ACCOUNT
from gates.models import ReviewItem
from ledger import clock, sets
from ledger.models import Event, ExternalId, LedgerRow
from ledger.words import actor_words
from sync.models import Attempt

MOST, FEW = 40, 12
RELATED_FOR = timedelta(days=90)
HERE_FOR = timedelta(seconds=60)
Record = TypeVar("Record", bound=models.Model)

# name of the list -> (what one entry holds, where it comes from, newest first, and how many)
LISTS: dict[str, tuple[str, str, int]] = {
    "approvals": (
        "u.username as name, a.by_id, a.given_at, a.reason, a.rules, a.preview_hash, a.voided_at, a.id as nth",
        "gates_approval a join auth_user u on u.id = a.by_id where a.action_id = %(action)b::uuid", FEW,
    ),
    "comments": (
        "u.username as name, c.text, c.created_at, c.id as nth",
        "gates_comment c join auth_user u on u.id = c.author_id where c.item_id = %(item)b::bigint", MOST,
    ),
    "here": (
        "u.username as name, p.seen_at, p.id as nth",
        """gates_presence p join auth_user u on u.id = p.user_id
            where p.item_id = %(item)b::bigint and p.user_id <> %(me)b::int
              and p.seen_at > %(here)b::timestamptz""", FEW,
    ),
    "links": (
        "x.id, x.system, x.kind, x.value, x.url, x.contract_id, x.linked_at, -x.id as nth",
        """ledger_externalid x where x.customer_id = %(customer)b::bigint
             and (x.contract_id is null or %(contract)b::bigint is null
                  or x.contract_id = %(contract)b::bigint)""", FEW,
    ),
    "related": (
        "r.id, r.state, r.kind, r.sentence, r.resolution, r.due_at, r.created_at, r.resolved_at, r.id as nth",
        """gates_reviewitem r where r.customer_id = %(customer)b::bigint and r.id <> %(item)b::bigint
              and r.created_at > %(lately)b::timestamptz""", FEW,
    ),
    "done": (
        "d.kind, d.id as nth",
        """ledger_action d where d.customer_id = %(customer)b::bigint and d.state = 'applied'
              and d.applied_at >= %(opened)b::timestamptz""", MOST,
    ),
    "open": (
        "o.id, o.kind, o.state, o.id as nth",
        """ledger_action o where o.contract_id = %(contract)b::bigint and o.id is distinct from %(action)b::uuid
              and o.state in ('held', 'in_review', 'approved', 'parked', 'sending', 'unknown', 'failed')""", FEW,
    ),
    "events": (
        """e.id, e.source, e.kind, e.type, e.state, e.verdict, e.received_at, e.occurred_at, e.object_id,
              e.provider_event_id, e.id as nth""",
        "ledger_event e where e.correlation_id = %(thread)b::uuid or e.id = %(event)b::bigint", MOST,
    ),
    "rows": (
        """l.id, l.subject_kind, l.subject_id, l.action_id, l.decision, l.actor, l.prior_state, l.post_state,
              l.state_version, l.recorded_at, l.applied_at, l.reasons, l.outcome, l.error_code, l.confirmation_id,
              l.correlation_id, u.username as name, l.id as nth""",
        """ledger_ledgerrow l left join auth_user u on l.actor = 'user:' || u.id
            where l.correlation_id = %(thread)b::uuid or l.action_id = %(action)b::uuid
               or (l.subject_kind = 'item' and l.subject_id = %(item)b::bigint::text)""", MOST,
    ),
    "attempts": (
        """t.id, t.provider, t.method, t.path, t.is_write, t.began_at, t.ms, t.status, t.error, t.request_id,
              t.id as nth""",
        "sync_attempt t where t.action_id = %(action)b::uuid", MOST,
    ),
    "gates": (
        "g.id, g.name, g.version, g.title, g.rows, g.message, g.result, g.id as nth",
        "gates_gateversion g where g.name = any(%(rules)b::text[])", 100,
    ),
    "account": (
        f"c.tier, c.mrr_minor, k.state as contract_state, {ACCOUNT}, c.id as nth",
        """ledger_customer c left join ledger_contextrecord x on x.customer_id = c.id
             left join ledger_contract k on k.id = %(contract)b::bigint
            where c.id = %(customer)b::bigint""", 1,
    ),
}  # fmt: skip


def _list(name: str) -> str:
    columns, source, most = LISTS[name]
    return (
        f"'{name}', (select coalesce(jsonb_agg(to_jsonb(q) order by q.nth), '[]'::jsonb) "
        f"from (select {columns} from {source} order by nth desc limit {most}) q)"
    )


STORY = f"select jsonb_build_object({', '.join(map(_list, LISTS))}), ({limits.SPENT_SQL})"


@dataclass(slots=True)
class Story:
    """The lists as records and plain entries, oldest first; `spent_minor` is what the customer was given in 30 days,
    pending ones included and this item's own amount left out.
    """

    raw: Mapping[str, list[dict[str, Any]]]
    events: list[Event]
    rows: list[LedgerRow]
    attempts: list[Attempt]
    links: list[ExternalId]
    related: list[ReviewItem]
    names: dict[str, str]
    spent_minor: int

    @classmethod
    def read(cls, item: ReviewItem, me: int) -> "Story":
        """By correlation id, action and customer."""
        action, now = item.action, clock.now()
        rules = [str(one.get("rule")) for one in action.answers if isinstance(one, Mapping)] if action else []
        known: dict[str, Any] = {
            "action": item.action_id, "item": item.pk, "me": me, "here": now - HERE_FOR, "customer": item.customer_id,
            "contract": action.contract_id if action else None, "lately": now - RELATED_FOR, "opened": item.created_at,
            "thread": item.correlation_id, "event": item.event_id, "rules": rules,
        }  # fmt: skip
        known |= {"but": item.action_id, "currency": currency_of(item), "since": now - limits.WINDOW}
        raw, spent = sets.run(STORY, known)[0]
        names = {one["actor"]: one["name"] or actor_words(one["actor"]) for one in raw["rows"]}
        return cls(
            raw, made(Event, raw["events"]), made(LedgerRow, raw["rows"]), made(Attempt, raw["attempts"]),
            made(ExternalId, raw["links"]), made(ReviewItem, raw["related"]), names,
            int(spent),
        )  # fmt: skip

    @property
    def here(self) -> list[str]:
        """Who else has the page open."""
        return [one["name"] for one in self.raw["here"]]

    @property
    def approvals(self) -> list[dict[str, Any]]:
        """Every approval of the action, voided ones too; `given_at` and `voided_at` as datetimes."""
        return [
            {**one, "given_at": at(one["given_at"]), "voided_at": at(one["voided_at"])} for one in self.raw["approvals"]
        ]

    @property
    def comments(self) -> list[dict[str, Any]]:
        """What people wrote."""
        return [{**one, "created_at": at(one["created_at"])} for one in self.raw["comments"]]

    def gate(self, name: str, version: int) -> dict[str, Any] | None:
        """A gate in the version that judged."""
        return next((one for one in self.raw["gates"] if (one["name"], one["version"]) == (name, version)), None)

    @property
    def confirmed_kinds(self) -> set[str]:
        """Kinds of action that the ledger confirmed for this customer since the item was opened."""
        return {one["kind"] for one in self.raw["done"]}


def currency_of(item: ReviewItem) -> str:
    """The currency that sums about the item are in: the action's, else the customer's."""
    own = item.action.currency if item.action else ""
    return own or (item.customer.currency if item.customer else "")


def made(model: type[Record], entries: list[dict[str, Any]]) -> list[Record]:
    """Entries of a list as records of a model; columns that were not read keep their defaults."""
    fields = {one.attname: one for one in model._meta.concrete_fields}
    return [
        model(**{name: _value(fields[name], value) for name, value in entry.items() if name in fields})
        for entry in entries
    ]


def _value(field: Any, value: Any) -> Any:
    if value is None or not isinstance(value, str):
        return value
    if isinstance(field, models.DateTimeField):
        return at(value)
    return UUID(value) if isinstance(field.target_field if field.is_relation else field, models.UUIDField) else value


def at(text: str | None) -> datetime | None:
    """A time as the database writes it into JSON."""
    return datetime.fromisoformat(text) if text else None
