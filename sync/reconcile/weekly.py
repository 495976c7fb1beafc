"""The week of reconciliation in a few lines: what is open, how it grows, what causes it, how often runs went well.

Numbers and names of checks and fields only, so it may stand in a chat or a mail. Made of rows that one can open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gates import items
from gates.models import ReviewItem
from gates.playbooks import onboarding
from ledger import clock, sets
from sync.reconcile import checks, deltas
from sync.reconcile.alarms import GROUP
from sync.reconcile.words import class_words

WEEK = timedelta(days=7)
ITEM, WHY = "reconcile.weekly", "reconcile_weekly"
CAUSES = 5
OPEN = """
select count(*) filter (where state in ('open', 'acknowledged', 'assigned')),
       count(*) filter (where state = 'accepted'),
       count(*) filter (where first_seen_at < %(since)b and (resolved_at is null or resolved_at >= %(since)b)
                          and state <> 'accepted'),
       count(*) filter (where first_seen_at >= %(since)b),
       count(*) filter (where resolved_at >= %(since)b and state = 'resolved'),
       count(*) filter (where resolved_at >= %(since)b and state = 'resolved' and action_id is not null),
       coalesce(extract(epoch from %(now)b - min(first_seen_at) filter (
         where state in ('open', 'acknowledged', 'assigned'))), 0)::float8
  from sync_delta where kind <> 'echo'"""
TOP = """
select check_name, kind, field, count(*) from sync_delta
 where first_seen_at >= %(since)b and kind <> 'echo' group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit %(most)b::int"""
RUNS = """
select check_name, count(*), count(*) filter (where outcome = 'failed'), count(*) filter (where outcome = 'partial'),
       coalesce((array_agg(compared order by id desc) filter (where outcome in ('agree', 'differ')))[1], 0),
       coalesce((array_agg(differing order by id desc) filter (where outcome in ('agree', 'differ')))[1], 0)
  from sync_reconcilerun where finished_at >= %(since)b group by 1 order by 1"""
TWICE = """
select count(distinct key) from sync_delta
 where kind = 'duplicate' and check_name = 'customers' and first_seen_at >= %(since)b and state <> 'accepted'"""
NEW = "select count(*) from ledger_customer where created_at >= %(since)b"


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days. `growth` is what is open now less what was then; a check without a whole run has no rate."""

    at: datetime
    open: int
    accepted: int
    before: int
    opened: int
    closed: int
    by_fix: int
    oldest_seconds: float
    causes: tuple[tuple[str, str, str, int], ...]
    runs: tuple[tuple[str, int, int, int, int, int], ...]
    duplicates: int
    new_customers: int

    @property
    def growth(self) -> int:
        """How many more are open than a week ago."""
        return self.open - self.before

    def lines(self) -> list[str]:
        """For people."""
        told = [(
            f"Differences open: {self.open} ({self.growth:+d} in seven days, {self.growth / 7:+.1f} a day); "
            f"opened {self.opened}, closed {self.closed}, {self.by_fix} of them by a fix asked for; "
            f"accepted {self.accepted}; the oldest is {self.oldest_seconds / 86400:.1f} days old."
        )]  # fmt: skip
        top = [f"{checks.title(check)}: {class_words(kind, check)}{f' ({field})' if field else ''} {count}"
               for check, kind, field, count in self.causes]  # fmt: skip
        told.append("Top causes: " + "; ".join(top) + "." if top else "Nothing new differed.")
        for check, all_, failed, partial, compared, differing in self.runs:
            rate = f"{100 * differing / compared:.2f} % of {compared:,} differ" if compared else "never compared whole"
            told.append(f"{checks.title(check)}: {all_} runs, {failed} failed, {partial} partial; last: {rate}.")
        share = f"{100 * self.duplicates / self.new_customers:.1f} %" if self.new_customers else "no rate"
        told.append(f"Duplicate customers: {self.duplicates} against {self.new_customers} new ones ({share}).")
        return told


def read(now: datetime | None = None) -> Week:
    """The seven days up to now."""
    at = now or clock.now()
    asked = {"since": at - WEEK, "now": at, "most": CAUSES}
    is_open, accepted, before, opened, closed, by_fix, oldest = sets.run(OPEN, asked)[0]
    return Week(
        at, is_open, accepted, before, opened, closed, by_fix, oldest,
        causes=tuple((row[0], row[1], row[2], row[3]) for row in sets.run(TOP, asked)),
        runs=tuple((row[0], row[1], row[2], row[3], row[4], row[5]) for row in sets.run(RUNS, asked)),
        duplicates=sets.run(TWICE, asked)[0][0], new_customers=sets.run(NEW, asked)[0][0],
    )  # fmt: skip


def post(more: Sequence[str] = ()) -> str:
    """Put the week, and further lines, into the queue of who leads revenue operations, which chats show too.

    Last week's item is settled by it: there is one at a time. In the caller's transaction, if one is open.
    """
    lines = [*read().lines(), *more]
    last = ReviewItem.objects.filter(kind=ITEM).exclude(state="resolved").values_list("pk", flat=True)
    deltas.settle_items(list(last), "gone")
    item = {
        "kind": ITEM, "why": WHY, "sentence": lines[0], "reason": " ".join(lines[1:])[:500], "owner_group": GROUP,
        "automation": onboarding.AUTOMATION, "evidence": {"week": lines}, "created_at": clock.now(),
        "asked_by": "it is the weekly summary", "asked_owner": None,
    }  # fmt: skip
    items.open_tasks([item])
    return lines[0]
