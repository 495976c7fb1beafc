"""What came of each kind of ticket: how many there were, how many our replies solved, how many came back."""

from dataclasses import dataclass
from datetime import timedelta

from ledger import clock, sets

DAYS = 30
COUNTS = """
select t.kind, count(*), count(*) filter (where t.resolved_how = 'automation'),
       count(*) filter (where t.resolved_how = 'person'),
       count(*) filter (where t.resolved_how <> '' and t.reopened > 0), count(*) filter (where t.reopened > 0)
  from gates_ticket t where t.kind <> '' and t.created_at > %(since)b::timestamptz group by t.kind"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Tickets of one kind in the period. `came_back` are of those that a reply of ours had solved."""

    seen: int = 0
    by_automation: int = 0
    by_person: int = 0
    came_back: int = 0
    reopened: int = 0

    @property
    def resolved(self) -> int:
        """Solved by a reply of ours, whoever let it go."""
        return self.by_automation + self.by_person

    @property
    def share_resolved(self) -> float | None:
        """Of all tickets of the kind, those that were solved without a person; None where there were none."""
        return self.by_automation / self.seen if self.seen else None

    @property
    def share_back(self) -> float | None:
        """Of those that our replies solved, those that came back."""
        return self.came_back / self.resolved if self.resolved else None


def by_kind(days: int = DAYS) -> dict[str, Figures]:
    """Figures of the last `days` days by kind; kinds without tickets are absent."""
    since = clock.now() - timedelta(days=days)
    return {row[0]: Figures(*row[1:]) for row in sets.run(COUNTS, {"since": since})}
