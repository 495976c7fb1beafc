"""What is measured of onboarding: how long customer, invoice and first value take, how many lists get to their end."""

from dataclasses import dataclass
from datetime import timedelta

from ledger import clock, sets

PERIOD = timedelta(days=30)
LISTS = """
select count(*), count(*) filter (where state = 'completed'), count(*) filter (where state = 'running'),
       percentile_cont(0.5) within group (order by extract(epoch from customer_at - signed_at)),
       percentile_cont(0.5) within group (order by extract(epoch from invoiced_at - signed_at)),
       percentile_cont(0.5) within group (order by extract(epoch from value_at - signed_at))
  from gates_checklist where signed_at >= %(since)b"""
STEPS = """
select count(s.id), coalesce(sum(s.nudges), 0)
  from gates_checklist c join gates_checkliststep s on s.checklist_id = c.id where c.signed_at >= %(since)b"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the deals signed in the last 30 days. Medians in seconds; None where nothing was measured yet."""

    lists: int
    completed: int
    running: int
    to_customer: float | None
    to_invoice: float | None
    to_value: float | None
    steps: int
    nudges: int

    @property
    def completion_percent(self) -> int | None:
        """The share of ended lists that were completed; None while none has ended."""
        ended = self.lists - self.running
        return round(100 * self.completed / ended) if ended else None

    @property
    def nudges_per_step(self) -> float | None:
        """How often an owner had to be told, a step."""
        return self.nudges / self.steps if self.steps else None


def read() -> Figures:
    """Two statements."""
    since = {"since": clock.now() - PERIOD}
    lists, completed, running, customer, invoice, value = sets.run(LISTS, since)[0]
    steps, nudges = sets.run(STEPS, since)[0]
    return Figures(lists, completed, running, customer, invoice, value, steps, int(nudges))
