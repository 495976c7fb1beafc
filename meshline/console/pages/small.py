"""The pages of records that stand for themselves: attempts, refusals, connections, runs, gates."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from ledger import cells
from ledger.readonly import page_of
from ledger.words import from_identifier, kind_words
from meshline.console import parts
from meshline.console.bodies import safe_text
from meshline.console.page import Block, Page
from sync.cells import answer_tag, condition_tag
from sync.models import Attempt, JobRun, ProviderState, Refusal


def _list(name: str) -> str:
    return reverse(f"admin:{name}_changelist")


def attempt(request: HttpRequest, record: Attempt) -> Page:
    """One exchange with a provider; its bodies as inert text, for those who may see them."""
    one = Attempt.objects.select_related("action", "event").get(pk=record.pk)
    may_see = parts.may_see_personal(request)
    hidden = "Bodies can hold personal data. Your account may not see them."
    return Page(
        title=f"{cells.system(one.provider)}: {'write' if one.is_write else 'read'}",
        sentence=format_html("<code>{} {}</code>", one.method, cells.plain(one.path, 600)),
        tag=answer_tag(one),
        line=[
            ("Began", cells.moment(one.began_at, seconds=True)),
            ("Took", f"{one.ms:,} ms"),
            ("Action", page_of(one.action, kind_words(one.action.kind)) if one.action else cells.dash()),
            ("Event", page_of(one.event, "event")),
            ("Provider's request id", cells.code(one.request_id)),
        ],
        main=[
            Block(
                "Sent",
                text=parts.laid_out(one.request_body) if may_see else "",
                empty=hidden if not may_see else "No body was sent.",
                wide=True,
            ),
            Block(
                "Answered",
                text=parts.laid_out(one.response_body) if may_see else "",
                empty=hidden if not may_see else "No body came back.",
                wide=True,
            ),
        ],
        back=(_list("sync_attempt"), "Attempts"),
    )


def refusal(request: HttpRequest, one: Refusal) -> Page:
    """One refused delivery; never processed."""
    may_see = parts.may_see_personal(request)
    return Page(
        title=f"Refused delivery from {cells.system(one.source)}",
        sentence=cells.theirs(one.reason, 200),
        tag=cells.tag("failed", f"Answered {one.status}"),
        line=[
            ("Refused", cells.moment(one.refused_at, seconds=True)),
            ("From", one.address or cells.dash()),
            ("Size", f"{one.body_bytes:,} bytes"),
        ],
        main=[
            Block(
                "Beginning of the body",
                text=safe_text(bytes(one.body_head)) if may_see else "",
                empty="The body was empty." if may_see else "Your account may not see bodies.",
                wide=True,
            ),
            Block(
                "Headers",
                pairs=[(cells.plain(name, 60), cells.theirs(value, 300)) for name, value in one.headers.items()],
                empty="No headers were kept.",
                wide=True,
            ),
        ],
        side=[
            Block(
                "What to do",
                text="Refused deliveries change nothing and are never processed. Many of one kind mean a wrong or "
                "withdrawn signing secret, or somebody trying.",
            ),
            Block("Details", pairs=[("SHA-256", cells.code(one.body_sha))]),
        ],
        back=(_list("sync_refusal"), "Refused deliveries"),
    )


def provider_state(request: HttpRequest, one: ProviderState) -> Page:
    """How the connection to one system is doing."""
    opened = one.breaker == ProviderState.Breaker.OPEN
    return Page(
        title=f"Connection to {cells.system(one.provider)}",
        tag=condition_tag(one),
        sentence="Requests wait, they do not fail. One tries again now and then; when it succeeds, the rest follow."
        if opened
        else "Requests go out as usual.",
        line=[
            ("Last success", cells.ago(one.last_success_at)),
            ("Next try", cells.ago(one.probe_at) if opened else cells.dash()),
            ("Asked to wait until", cells.ago(one.not_before)),
        ],
        main=[
            Block(
                "Last trouble",
                pairs=[
                    ("What", cells.theirs(one.last_error, 300)),
                    ("When", cells.moment(one.last_error_at, seconds=True)),
                ]
                if one.last_error
                else (),
                empty="None so far.",
                wide=True,
            ),
        ],
        side=[
            Block(
                "Actions for this system",
                text="What waits for it stays in its order and is sent when the connection works again.",
                more=("Open actions", parts.list_of("ledger_action", system=one.provider, state="active")),
            )
        ],
        back=(_list("sync_providerstate"), "Connections"),
    )


def job_run(request: HttpRequest, one: JobRun) -> Page:
    """One planned run of a job."""
    return Page(
        title=from_identifier(one.job),
        sentence=cells.theirs(one.outcome, 300) if one.outcome else "Still running, or ended without a word.",
        tag=cells.tag("processed", "Finished") if one.finished_at else cells.tag("waiting", "Running"),
        line=[
            ("Planned for", cells.moment(one.planned_at)),
            ("Started", cells.moment(one.started_at, seconds=True)),
            ("Finished", cells.moment(one.finished_at, seconds=True)),
        ],
        back=(_list("sync_jobrun"), "Job runs"),
    )
