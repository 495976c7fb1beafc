"""Whether anybody works: the slots of the workers and the last runs of the scheduled jobs."""

from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from ledger import cells, clock
from ledger.readonly import page_of
from ledger.words import from_identifier
from meshline.console.page import Block, Page, Site
from sync.models import DrainSlot, JobRun

SILENT = timedelta(seconds=60)


def view(site: Site, request: HttpRequest) -> HttpResponse:
    """The page."""
    if not request.user.has_perm("sync.view_drainslot"):
        raise PermissionDenied
    slots, runs = list(DrainSlot.objects.all()), list(JobRun.objects.all()[:25])
    page = Page(
        title="Workers",
        sentence=sentence(slots),
        tag=tag(slots),
        main=[
            Block(
                "Slots",
                columns=("Slot", "Held by", "Last sign of life"),
                rows=[
                    (
                        f"{one.slot}" + (" (solo)" if one.slot == 0 else ""),
                        cells.theirs(one.host) if one.host else cells.dash(),
                        cells.ago(one.seen_at),
                    )
                    for one in slots
                ],
                empty="No worker ever started here. Start one with: manage.py runjobs",
                wide=True,
            ),
            Block(
                "Last job runs",
                columns=("Job", "Planned for", "Took", "Result"),
                rows=[
                    (
                        page_of(one, from_identifier(one.job)),
                        cells.moment(one.planned_at),
                        cells.length(one.finished_at - one.started_at)
                        if one.finished_at
                        else cells.tag("waiting", "Running"),
                        cells.theirs(one.outcome, 140) if one.outcome else cells.dash(),
                    )
                    for one in runs
                ],
                empty="No scheduled job has run yet.",
                more=("All job runs", reverse("admin:sync_jobrun_changelist")),
                wide=True,
            ),
        ],
    )
    return site.draw(request, "console/record.html", {"title": page.title, "page": page})


def newest(slots: list[DrainSlot]) -> DrainSlot | None:
    """The slot that showed life last."""
    seen = [one for one in slots if one.seen_at]
    return max(seen, key=lambda one: one.seen_at or clock.now(), default=None)


def silent(slots: list[DrainSlot]) -> bool:
    """Whether nobody has shown life for a minute."""
    last = newest(slots)
    return last is None or last.seen_at is None or clock.now() - last.seen_at > SILENT


def sentence(slots: list[DrainSlot]) -> str:
    """What that means."""
    if silent(slots):
        return (
            "No worker has shown life in the last minute. Deliveries are still received and stored; "
            "nothing is handled until a worker runs."
        )
    return "Workers are running."


def tag(slots: list[DrainSlot]) -> str:
    """The same as a tag."""
    return cells.tag("failed", "Silent") if silent(slots) else cells.tag("running", "Working")
