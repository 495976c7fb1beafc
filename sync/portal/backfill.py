"""Links for customers that have none: counted first, then made in slices, each link with its ledger row."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django_q.tasks import async_task

from gates.routing_edit import reason_of
from gates.stop import Refused
from ledger import book, clock, sets
from sync.portal import links, tokens
from sync.portal.models import PortalLink, PortalRun

TASK = "sync.portal.backfill.job"
WRITE_BACK = "sync.customer_sync.due.write"  # by its name: the customer sync is built on the portal's links
BATCH = 500
SLICE_SECONDS = 45.0  # of a task that may take two minutes; what is left goes on in the next one
REASON = "backfill"

# Customers by what becomes of them: who is archived, has a link for the present id, has no id or several, or gets one.
PLAN_SQL = """
select c.id,
  case when c.state = 'archived' then 'archived'
       when l.id is not null and (l.expires_at is null or l.expires_at > %(now)b) and l.billing_customer = any(x.ids)
         then 'has_link'
       when coalesce(cardinality(x.ids), 0) = 0 then 'no_id'
       when cardinality(x.ids) > 1 then 'several_ids'
       else 'make' end as outcome, x.ids[1]
  from ledger_customer c
  left join lateral (select array_agg(e.value::text order by e.id) as ids from ledger_externalid e
                      where e.customer_id = c.id and e.system = 'stripe' and e.kind = 'customer') x on true
  left join sync_portallink l on l.customer_id = c.id and l.state = 'active'
 where c.id > %(after)b order by c.id limit %(most)b"""
OUTCOMES = ("make", "has_link", "no_id", "several_ids", "archived")


@dataclass(slots=True)
class Report:
    """How many customers of each outcome; `make` is what is or was made."""

    make: int = 0
    has_link: int = 0
    no_id: int = 0
    several_ids: int = 0
    archived: int = 0

    def add(self, outcome: str, count: int = 1) -> None:
        """Count."""
        setattr(self, outcome, getattr(self, outcome) + count)


def plan() -> Report:
    """What a backfill would do now; nothing is changed."""
    inner = PLAN_SQL.replace("where c.id > %(after)b order by c.id limit %(most)b", "")
    rows = sets.run(f"select outcome, count(*) from ({inner}) p group by outcome", {"now": clock.now()})
    return Report(**dict(rows))


def ask(*, by: User, reason: str) -> PortalRun:
    """Queue a backfill. Raises Refused: 403 permission, 409 one is under way, 422 reason."""
    run_ = _begun(by, reason)
    async_task(TASK, run_.pk)
    return run_


def now(*, by: User, reason: str) -> PortalRun:
    """The whole of it at once, for a shell. Raises as `ask`."""
    run_ = _begun(by, reason)
    while run_.finished_at is None:
        _slice(run_)
    return run_


def job(run_id: int) -> str:
    """A slice of a backfill; rings for the next one until all customers were looked at."""
    run_ = PortalRun.objects.filter(pk=run_id, finished_at=None).first()
    if run_ is None:
        return "nothing to do"
    _slice(run_)
    if run_.finished_at is None:
        async_task(TASK, run_id)
    return f"made {run_.report['make']} so far"


def resume() -> int:
    """Ring for a backfill whose worker died, from the periodic job; returns how many."""
    open_ones = PortalRun.objects.filter(kind=PortalRun.Kind.BACKFILL, finished_at=None)
    waiting = list(open_ones.values_list("pk", flat=True))
    for run_id in waiting:
        async_task(TASK, run_id)
    return len(waiting)


def _begun(by: User, reason: str) -> PortalRun:
    said = reason_of(reason)
    actor = f"user:{by.pk}"
    row = {
        "subject_kind": "portal", "subject_id": "backfill", "decision": "backfill_portal_links", "actor": actor,
        "prior_state": "portal", "post_state": "portal", "reasons": [{"rule": "reason", "reason": said}],
    }  # fmt: skip
    if not (by.is_active and by.has_perm(links.PERMISSION)):
        book.write_rows([row | {"outcome": "refused", "error_code": "permission"}])
        raise Refused(403, "permission", f"your account may not do this; it needs the permission {links.PERMISSION}")
    try:
        with transaction.atomic():
            run_ = PortalRun.objects.create(
                kind=PortalRun.Kind.BACKFILL, asked_by=actor, reason=said, report=asdict(Report())
            )
            book.write_rows([row | {"outcome": "asked", "inputs": {"run": run_.pk}}])
    except IntegrityError:
        raise Refused(409, "running", "a backfill is under way; wait for its report") from None
    return run_


def _slice(run_: PortalRun) -> None:
    ends = time.monotonic() + SLICE_SECONDS
    while run_.finished_at is None and time.monotonic() < ends:
        with transaction.atomic():
            # Who holds the run works on it: a second worker waits, and goes on from where this one came to.
            held = PortalRun.objects.select_for_update().get(pk=run_.pk)
            if held.finished_at is None:
                _batch(held)
            run_.cursor, run_.report, run_.finished_at = held.cursor, held.report, held.finished_at


def _batch(run_: PortalRun) -> None:
    """The next customers, in one transaction with their rows and the place they end at."""
    sets.run(
        "select id from ledger_customer where id > %(after)b order by id limit %(most)b for no key update",
        {"after": run_.cursor, "most": BATCH},
    )
    rows = sets.run(PLAN_SQL, {"after": run_.cursor, "most": BATCH, "now": clock.now()})
    report = Report(**run_.report)
    wanted = {customer: billing for customer, outcome, billing in rows if outcome == "make"}
    report.add("make", len(make_for(wanted, actor=run_.asked_by, reason=REASON)))
    for _, outcome, _ in rows:
        if outcome != "make":
            report.add(outcome)
    run_.report = asdict(report)
    if rows:
        run_.cursor = rows[-1][0]
    else:
        run_.finished_at = clock.now()
        async_task(WRITE_BACK)
    run_.save(update_fields=["cursor", "report", "finished_at"])


def make_for(wanted: Mapping[int, str], *, actor: str, reason: str) -> list[PortalLink]:
    """Links for these customers (number -> id at the provider), in few statements; the caller holds the customers.

    A link of theirs that works for the same id stays; one for another id, or whose time is over, ends first.
    """
    missing = dict(wanted)
    for old in PortalLink.objects.filter(customer__in=wanted, state=PortalLink.State.ACTIVE):
        if links.is_over(old):
            links.expire_one(old)
        elif old.billing_customer == wanted[old.customer_id]:
            del missing[old.customer_id]
        else:
            links.end_for(old.customer_id, actor=actor, reason="the customer's id changed")
    newest: dict[int, int] = dict(
        sets.run(
            "select customer_id, max(generation) from sync_portallink where customer_id = any(%(ids)b::bigint[]) "
            "group by customer_id",
            {"ids": list(missing)},
        )
    )
    made = [
        _new(customer, billing, newest.get(customer, 0) + 1, actor, reason) for customer, billing in missing.items()
    ]
    PortalLink.objects.bulk_create(made, batch_size=BATCH)
    book.write_rows([links.row_of(one, "make_portal_link", str(one.state), actor, reason) for one in made])
    return made


def _new(customer: int, billing: str, generation: int, actor: str, reason: str) -> PortalLink:
    token, at, life = tokens.fresh(), clock.now(), links.lifetime()
    return PortalLink(
        customer_id=customer, provider=links.PROVIDER, billing_customer=billing, state_version=1,
        generation=generation, token_hash=token.hash, seed=token.seed, expires_at=at + life if life else None,
        made_at=at, made_by=actor, reason=reason,
    )  # fmt: skip
