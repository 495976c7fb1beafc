"""What the wire left behind: exchanges with providers, refused deliveries, connections and job runs, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger import cells
from ledger.readonly import ReadOnlyAdmin, as_uuid, choice, exact, of_systems, page_of, since
from ledger.words import from_identifier
from sync import accuracy
from sync.cells import answer_tag, condition_tag
from sync.erasure.admin import ErasureAdmin
from sync.models import (
    Attempt,
    ContextCheck,
    Delta,
    Erasure,
    JobRun,
    ProviderState,
    ReconcileRun,
    Refusal,
    SlackAccount,
    SlackMessage,
)
from sync.reconcile.admin import DeltaAdmin, ReconcileRunAdmin
from sync.slack.lists import SlackAccountAdmin, SlackMessageAdmin

ANSWERS: dict[str, tuple[str, Any]] = {
    "good": ("Accepted (2xx)", Q(status__gte=200, status__lt=300)),
    "refused": ("Refused (4xx)", Q(status__gte=400, status__lt=500)),
    "broken": ("Broken (5xx)", Q(status__gte=500)),
    "none": ("No answer", Q(status=None)),
}


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Each exchange with a provider, as it was sent and answered."""

    list_display = ("began", "at", "what", "request_line", "answer", "took", "for_action", "shown_request_id")
    list_filter = (
        choice("system", "System", of_systems("provider")),
        choice("answer", "Answer", ANSWERS),
        choice("write", "Kind", {"yes": ("Writes", Q(is_write=True)), "no": ("Reads", Q(is_write=False))}),
        exact("action", "Action", "action_id", as_uuid),
    )
    finds = ("pk__exact", "action__exact")
    finds_text = "Attempt number or action id"
    empty_text = "Nothing was asked of a provider yet."

    @admin.display(description="Began")
    def began(self, one: Attempt) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.moment(one.began_at, seconds=True))

    @admin.display(description="System")
    def at(self, one: Attempt) -> str:
        """Whom we asked."""
        return cells.system(one.provider)

    @admin.display(description="Kind")
    def what(self, one: Attempt) -> str:
        """Whether it could change something there."""
        return "Write" if one.is_write else "Read"

    @admin.display(description="Request")
    def request_line(self, one: Attempt) -> SafeString:
        """Method and path."""
        return format_html('<code class="path">{} {}</code>', one.method, cells.plain(one.path, 60))

    @admin.display(description="Answer")
    def answer(self, one: Attempt) -> SafeString:
        """The status and what it means."""
        return answer_tag(one)

    @admin.display(description="Took")
    def took(self, one: Attempt) -> str:
        """How long it took."""
        return f"{one.ms:,} ms"

    @admin.display(description="For")
    def for_action(self, one: Attempt) -> SafeString:
        """The action it served."""
        if one.action_id is None:
            return cells.dash()
        return format_html(
            '<a href="../../ledger/action/{}/change/"><code>…{}</code></a>', one.action_id, one.action_id.hex[-8:]
        )

    @admin.display(description="Provider's request id")
    def shown_request_id(self, one: Attempt) -> SafeString:
        """What the provider's support asks for."""
        return cells.code(one.request_id, keep=12) if one.request_id else cells.dash()


@admin.register(Refusal)
class RefusalAdmin(ReadOnlyAdmin):
    """Deliveries that were refused: a bounded sample, never processed."""

    list_display = ("refused", "from_source", "answer", "shown_reason", "sender", "size")
    list_filter = (choice("source", "Source", of_systems("source")), choice("when", "Refused", since("refused_at")))
    list_title = "Refused deliveries"
    empty_text = "No delivery was refused. Forged or broken ones would be kept here, unprocessed."

    @admin.display(description="Refused")
    def refused(self, one: Refusal) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.moment(one.refused_at, seconds=True))

    @admin.display(description="Source")
    def from_source(self, one: Refusal) -> str:
        """Whose address it came in at."""
        return cells.system(one.source)

    @admin.display(description="Answered")
    def answer(self, one: Refusal) -> SafeString:
        """The status it got."""
        return cells.tag("failed", str(one.status))

    @admin.display(description="Why")
    def shown_reason(self, one: Refusal) -> SafeString:
        """Why it was refused."""
        return cells.theirs(one.reason, 120)

    @admin.display(description="From")
    def sender(self, one: Refusal) -> Any:
        """The address it came from."""
        return one.address or cells.dash()

    @admin.display(description="Size")
    def size(self, one: Refusal) -> str:
        """Bytes of the whole body."""
        return f"{one.body_bytes:,} bytes"


@admin.register(ProviderState)
class ProviderStateAdmin(ReadOnlyAdmin):
    """How the connection to each system is doing."""

    list_display = ("name", "condition", "waits_until", "worked", "trouble", "trouble_at")
    list_title = "Connections"
    empty_text = "No connection was used yet. A row appears with the first request to a system."

    @admin.display(description="System")
    def name(self, one: ProviderState) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.system(one.provider))

    @admin.display(description="Condition")
    def condition(self, one: ProviderState) -> SafeString:
        """Whether requests go out."""
        return condition_tag(one)

    @admin.display(description="Waits until")
    def waits_until(self, one: ProviderState) -> SafeString:
        """When the provider asked us to come back."""
        return cells.ago(one.not_before)

    @admin.display(description="Last success")
    def worked(self, one: ProviderState) -> SafeString:
        """When it last answered well."""
        return cells.ago(one.last_success_at)

    @admin.display(description="Last trouble")
    def trouble(self, one: ProviderState) -> SafeString:
        """What went wrong last."""
        return cells.theirs(one.last_error, 100) if one.last_error else cells.dash()

    @admin.display(description="When")
    def trouble_at(self, one: ProviderState) -> SafeString:
        """When that was."""
        return cells.ago(one.last_error_at)


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    """Each planned run of a scheduled job."""

    list_display = ("shown_job", "planned", "started", "took", "result")
    list_filter = (choice("when", "Planned", since("planned_at")),)
    list_title = "Job runs"
    empty_text = "No scheduled job has run yet. The workers start them."

    @admin.display(description="Job")
    def shown_job(self, one: JobRun) -> SafeString:
        """The door to the page."""
        return page_of(one, from_identifier(one.job))

    @admin.display(description="Planned for")
    def planned(self, one: JobRun) -> SafeString:
        """When it was to run."""
        return cells.moment(one.planned_at)

    @admin.display(description="Started")
    def started(self, one: JobRun) -> SafeString:
        """When it began."""
        return cells.moment(one.started_at, seconds=True)

    @admin.display(description="Took")
    def took(self, one: JobRun) -> Any:
        """How long it took."""
        return cells.length(one.finished_at - one.started_at) if one.finished_at else cells.tag("waiting", "Running")

    @admin.display(description="Result")
    def result(self, one: JobRun) -> SafeString:
        """What it said at the end."""
        return cells.theirs(one.outcome, 120) if one.outcome else cells.dash()


@admin.register(ContextCheck)
class ContextCheckAdmin(ReadOnlyAdmin):
    """How often stored facts were what a live read said."""

    list_display = ("began", "contracts", "alike", "differ", "unread")
    list_title = "Context checks"
    empty_text = "Nothing was compared yet. It happens each week by itself, or with the command check_context."

    @admin.display(description="Began")
    def began(self, one: ContextCheck) -> SafeString:
        """The door to the page."""
        return page_of(one, cells.moment(one.began_at))

    @admin.display(description="Contracts")
    def contracts(self, one: ContextCheck) -> str:
        """How many were looked at."""
        return f"{one.sampled:,}"

    @admin.display(description="Alike")
    def alike(self, one: ContextCheck) -> Any:
        """Of all values."""
        found = accuracy.share(one.fields)
        return cells.dash() if found is None else f"{found:.1%}"

    @admin.display(description="Fields that differ")
    def differ(self, one: ContextCheck) -> str:
        """Each with how many of its values were alike."""
        wrong = [f"{name} {equal} of {count}" for name, (count, equal) in one.fields.items() if equal < count]
        return cells.plain(", ".join(wrong) or "none", 200)


admin.site.register(Delta, DeltaAdmin)
admin.site.register(ReconcileRun, ReconcileRunAdmin)
admin.site.register(SlackAccount, SlackAccountAdmin)
admin.site.register(SlackMessage, SlackMessageAdmin)
admin.site.register(Erasure, ErasureAdmin)
