"""Linked customers that the ERP has no more, as after a merge: told to a person, whose turn it is. Nothing is moved.

Only a walk over all customers can miss somebody, and each that it missed is read once more before it is told.
"""

from concurrent.futures import ThreadPoolExecutor

from gates.rules.customer_sync import Outcome, SyncDecision
from ledger import sets
from sync.customer_sync import links, reading
from sync.customer_sync.fields import ErpCustomer
from sync.customer_sync.models import SyncRun
from sync.customer_sync.planning import Planned, Way
from sync.errors import ProviderError

MOST = 200
MISSED = """
select l.internal_id from sync_synclink l join sync_syncrun r on r.id = %(run)b
 where l.account = r.account and l.billing_id <> ''
   and not exists (select from sync_syncoutcome o where o.run_id = r.id and o.internal_id = l.internal_id)
 order by l.internal_id limit %(most)b"""


def find(run: SyncRun, way: Way, pool: ThreadPoolExecutor) -> list[Planned]:
    """Those that this walk over everybody did not meet and that the ERP says it has not; at most MOST of them.

    Reads the ERP; no transaction is open. One that cannot be read now is left to the next walk.
    """
    if run.mode != SyncRun.Mode.MASS or run.ids or run.since or run.version.criteria:
        return []
    missed = [row[0] for row in sets.run(MISSED, {"run": run.pk, "most": MOST})]
    held = links.load(way.account, missed)
    asked = [
        Planned(ErpCustomer(str(number)), held[number], held[number].billing_account or way.first) for number in missed
    ]
    gone = [one for one, is_gone in zip(asked, pool.map(lambda one: _is_gone(one, way), asked), strict=True) if is_gone]
    for one in gone:
        one.was_asked = True
        one.decision = SyncDecision(Outcome.REVIEW, "gone", one.known_id)
    return gone


def _is_gone(one: Planned, way: Way) -> bool:
    try:
        return reading.record(one.source.internal_id, way.sources, one.exchanges) is None
    except ProviderError:
        return False
