"""What is looked after now and then for portal links and imports: ends that are due, work whose worker died."""

from sync.imports import checking, links
from sync.imports.models import LinkImport
from sync.portal import alerts, backfill
from sync.portal import links as portal


def job(import_id: int) -> str:
    """A slice of a check; rings for the next one while rows wait. A pause of the provider ends it until `run`."""
    if not LinkImport.objects.filter(pk=import_id).exists():
        return "nothing to do"
    before = links.waiting(import_id)
    batch = links.check(import_id)
    left = links.waiting(import_id) if batch.state == LinkImport.State.CHECKING else 0
    if left and left < before:
        checking.start(batch)
    return f"{left} rows wait"


def run() -> str:
    """Each few minutes."""
    done = {
        "links expired": portal.expire_due(), "items settled": alerts.settle(), "backfills": backfill.resume(),
        "imports expired": links.expire_due(), "imports": links.resume(),
    }  # fmt: skip
    return ", ".join(f"{count} {name}" for name, count in done.items() if count) or "nothing due"
