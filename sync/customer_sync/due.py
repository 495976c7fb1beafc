"""Addresses of billing pages that the ERP does not hold yet: links that were made, renewed or imported since."""

from django_q.tasks import async_task

from gates.models import Automation
from gates.playbooks import customer_sync as playbook
from ledger import clock, sets
from sync.customer_sync import portal, profiles, runs
from sync.customer_sync.models import SyncRun

TASK = "sync.customer_sync.due.write"
RESTING = ("shadow", "paused")
# Working links that the ERP was not seen with and that no run was started for, of customers with nothing under way.
DUE = """
select s.id, s.internal_id, p.id from sync_portallink p
  join sync_synclink s on s.customer_id = p.customer_id and s.billing_id = p.billing_customer
 where p.state = 'active' and (p.expires_at is null or p.expires_at > %(now)b) and s.account = %(account)b
   and s.page is distinct from p.id and s.page_tried is distinct from p.id
   and not exists (select from ledger_action a where a.customer_id = s.customer_id and a.kind = any(%(kinds)b::text[])
                      and a.state in ('held', 'in_review', 'approved', 'parked', 'sending', 'unknown'))
 order by p.id limit %(most)b"""


def write() -> int:
    """Start a run for the customers of such links, once for each link; returns how many customers.

    Nothing while the automation observes or is paused. What such a run leaves undone the next full one picks up.
    """
    stage = Automation.objects.filter(name=playbook.AUTOMATION).values_list("state", flat=True).first()
    if not portal.is_on() or stage is None or stage in RESTING:
        return 0
    kinds = [*playbook.KINDS]
    rows = sets.run(DUE, {"now": clock.now(), "account": runs.account(), "kinds": kinds, "most": runs.MOST_IDS})
    if not rows:
        return 0
    sets.run(
        """update sync_synclink s set page_tried = v.link
             from unnest(%(id)b::bigint[], %(link)b::bigint[]) as v(id, link) where s.id = v.id""",
        {"id": [row[0] for row in rows], "link": [row[2] for row in rows]},
    )
    runs.start(profiles.DEFAULT, SyncRun.Mode.SINGLE, by=None, ids=[row[1] for row in rows])
    if len(rows) == runs.MOST_IDS:
        async_task(TASK)
    return len(rows)
