"""What counts against money actions right before they are sent: the 30-day sums of a whole claim in one statement."""

from collections.abc import Sequence
from uuid import UUID

from gates.limits import ELSEWHERE, WINDOW
from ledger import clock, sets

# What was decided on after an action does not count against it: whoever agreed to the later one saw the sum of both.
# Decided is the last approval that stands, or the booking where nobody had to be asked. So the sum is never more than
# what the people who agreed to this action saw, unless something else of the same customer was done meanwhile.
_DECIDED = """coalesce((select max(p.given_at) from gates_approval p
    where p.action_id = {0}.id and p.voided_at is null), {0}.created_at)"""
SQL = f"""
select a.id, greatest(0, (select coalesce(sum(o.amount_minor), 0)::bigint from ledger_action o
               where o.customer_id = a.customer_id and o.currency = a.currency and o.amount_minor is not null
                 and o.mode = 'live' and o.id <> a.id
                 and ((o.state in ('proposed', 'in_review', 'failed') and o.id < a.id)
                   or ((o.state in ('approved', 'held', 'parked', 'sending', 'unknown')
                        or (o.state = 'applied' and coalesce(o.applied_at, o.created_at) > %(since)b::timestamptz))
                       and (o.id < a.id or {_DECIDED.format("o")} < {_DECIDED.format("a")}))))
         + ({ELSEWHERE.format(customer="a.customer_id", currency="a.currency")}))
  from ledger_action a where a.id = any(%(ids)b::uuid[]) and a.amount_minor is not null"""


def by_action(ids: Sequence[UUID]) -> dict[UUID, int]:
    """Minor units in each action's own currency that count beside its own amount; `limits.spent_minor` at approval."""
    if not ids:
        return {}
    return {row[0]: int(row[1]) for row in sets.run(SQL, {"ids": list(ids), "since": clock.now() - WINDOW})}
