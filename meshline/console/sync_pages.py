"""Customers to billing: the list of runs with its profiles, the page of one run, and the verbs on it."""

from datetime import UTC, datetime
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from gates.rules.customer_sync import REASONS, SKIPS, ErrorClass
from gates.stop import Refused
from ledger import cells
from ledger.models import Customer, LedgerRow
from ledger.readonly import page_of
from ledger.words import from_identifier
from meshline.console import form_fields, parts
from meshline.console.page import Block, Page, Site, present
from sync.customer_sync import choosing, criteria, runs
from sync.customer_sync.models import SyncError, SyncOutcome, SyncProfile, SyncRun
from sync.customer_sync.profiles import EDIT, RUN

VIEW = "sync.view_syncrun"
PAGE = 50
TAGS = {
    "planned": "blue", "running": "blue", "paused": "amber", "cancelled": "grey", "finished": "green", "failed": "red",
    "pending": "blue", "created": "green", "updated": "green", "linked": "green", "unchanged": "grey",
    "skipped": "grey", "review": "amber", "error": "red",
}  # fmt: skip
STATE_TAGS = {"blue": "open", "green": "applied", "amber": "in_review", "red": "failed", "grey": "draft"}
VERB_WORDS = {"pause": "Pause", "resume": "Resume", "cancel": "Cancel"}
FROM = {"planned": ("cancel",), "running": ("pause", "cancel"), "paused": ("resume", "cancel")}
MODES = (("mass", "Sync all"), ("dry", "Dry run"))


def tag(state: str, label: str) -> Any:
    """A state of a run or of a row in its colour."""
    return cells.tag(STATE_TAGS[TAGS.get(state, "grey")], label)


def why(code: str) -> str:
    """A code as a clause; what nobody wrote words for is made readable."""
    words = {"withdrawn": "it was withdrawn", "rejected": "a person said no", "waits_for_approval": "a person approves"}
    if code in REASONS:
        return REASONS[code][1]
    return SKIPS.get(code) or words.get(code) or from_identifier(code).lower()


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """All runs, the newest first, under the profiles they go by."""
    return _list(site, request)


def _list(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    _permit(request)
    found = SyncRun.objects.select_related("version__profile", "started_by").order_by("-pk")
    if before := form_fields.key(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE + 1])
    older, rows = rows[PAGE - 1].pk if len(rows) > PAGE else None, rows[:PAGE]
    may_run, may_edit = request.user.has_perm(RUN), request.user.has_perm(EDIT)
    context = {
        "title": "Customers to billing", "older": older, "refusal": refusal, "may_run": may_run, "may_edit": may_edit,
        "profiles": list(SyncProfile.objects.all()[:PAGE]), "modes": MODES,
        "runs": [(one, tag(one.state, one.get_state_display()), counted(one.counts), _by(one)) for one in rows],
        "errors": SyncError.objects.filter(state__in=("open", "retrying")).count(),
    }  # fmt: skip
    return site.draw(request, "console/sync.html", context, refusal.status if refusal else None)


def start(site: Site, request: HttpRequest) -> HttpResponse:
    """Start a run of a profile; by POST only."""
    _permit(request)
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:sync_runs"))
    try:
        made = runs.start(
            form_fields.text(request, "profile"), form_fields.text(request, "mode"), by=cast(User, request.user)
        )
    except Refused as refusal:
        return _list(site, request, refusal)
    messages.success(request, "Planned. A worker begins in a moment; reload the page to follow it.")
    return HttpResponseRedirect(reverse("admin:sync_run", args=[made.pk]))


def one_customer(site: Site, request: HttpRequest, customer_id: int) -> HttpResponse:
    """Sync one customer, from its page; by POST only."""
    if not request.user.has_perm("ledger.view_customer"):
        raise PermissionDenied
    here = reverse("admin:ledger_customer_change", args=[customer_id])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        made = runs.single(customer_id, by=cast(User, request.user))
    except Refused as refusal:
        if refusal.status == 404:
            raise Http404(refusal.message) from None
        if refusal.status == 403:
            raise PermissionDenied(refusal.message) from None
        messages.warning(request, refusal.message)
        return HttpResponseRedirect(here)
    messages.success(request, f"Sync run {made.pk} was planned for this customer; it shows up here in a few seconds.")
    return HttpResponseRedirect(here)


def view(site: Site, request: HttpRequest, run_id: int) -> HttpResponse:
    """The page of one run; `?outcome=` and `?class=` narrow its rows, `?after=` pages through them."""
    return _draw(site, request, _found(request, run_id))


def act(site: Site, request: HttpRequest, run_id: int, verb: str) -> HttpResponse:
    """Pause, resume or cancel; by POST only."""
    run = _found(request, run_id)
    if verb not in runs.VERBS:
        raise Http404("there is no such verb")
    here = reverse("admin:sync_run", args=[run_id])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        version = form_fields.number(request, "version", most=10**9)
        runs.step(run_id, verb, by=cast(User, request.user), version=version)
    except Refused as refusal:
        return _draw(site, request, _found(request, run.pk), refusal)
    messages.success(request, f"Done: {VERB_WORDS[verb].lower()}.")
    return HttpResponseRedirect(here)


def choose(site: Site, request: HttpRequest, run_id: int, internal_id: int) -> HttpResponse:
    """Say which candidate it is; by POST only."""
    run = _found(request, run_id)
    here = f"{reverse('admin:sync_run', args=[run_id])}?{urlencode({'outcome': 'review'})}"
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        chosen = form_fields.text(request, "billing_id")
        choosing.choose(run_id, internal_id, chosen, by=cast(User, request.user))
    except Refused as refusal:
        return _draw(site, request, run, refusal)
    messages.success(request, f"Customer {internal_id} goes to {chosen}; the id is written to the ERP next.")
    return HttpResponseRedirect(here)


def counted(counts: dict[str, int]) -> str:
    """Counts by outcome as one line."""
    labels = dict(SyncOutcome.Outcome.choices)
    shown = [f"{counts[name]:,} {label.lower()}" for name, label in labels.items() if counts.get(name)]
    return ", ".join(shown) or "nothing yet"


def block(request: HttpRequest, customer: Customer) -> Block | None:
    """What the last runs made of a customer, with the button; None for who may not see runs."""
    if not request.user.has_perm(VIEW):
        return None
    rows = list(SyncOutcome.objects.filter(customer=customer.pk).select_related("run").order_by("-pk")[:3])
    data = {
        "customer": customer, "may": request.user.has_perm(RUN),
        "rows": [
            (one.run_id, tag(one.outcome, one.get_outcome_display()), why(one.code) if one.code else "", one.updated_at)
            for one in rows
        ],
    }  # fmt: skip
    return Block("Billing sync", template="console/sync_block.html", data=data, anchor="sync")


# --- the page of a run


def _draw(site: Site, request: HttpRequest, run: SyncRun, refusal: Refused | None = None) -> HttpResponse:
    profile = run.version.profile
    may = request.user.has_perm(RUN)
    page = Page(
        title=f"Sync run {run.pk}",
        sentence=run.why,
        tag=tag(run.state, run.get_state_display()),
        line=[
            ("Profile", cells.link(reverse("admin:sync_profile", args=[profile.name]), profile.title)),
            ("Version", f"v{run.version.version}"), ("What", run.get_mode_display()), ("By", _by(run)),
            ("Started", cells.ago(run.began_at)), ("Ended", cells.ago(run.ended_at)),
        ],
        main=present([_progress(run), _classes(run), _rows(request, run, may=may)]),
        side=[_about(run), _story(run)],
        back=(reverse("admin:sync_runs"), "Customers to billing"),
        template="console/sync_run.html",
        more={"run": run, "verbs": [(one, VERB_WORDS[one]) for one in FROM.get(run.state, ())] if may else []},
    )  # fmt: skip
    shown = {"title": page.title, "page": page, "refusal": refusal}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _progress(run: SyncRun) -> Block:
    """How far it is, and how many rows came to what."""
    under_way = run.counts.get("pending", 0)
    labels = dict(SyncOutcome.Outcome.choices)
    here = reverse("admin:sync_run", args=[run.pk])
    data = {
        "done": max(0, run.rows - under_way), "rows": run.rows, "under_way": under_way, "total": run.total or run.rows,
        "knows_total": run.total is not None,
        "counts": [
            (tag(name, label), run.counts[name], f"{here}?{urlencode({'outcome': name})}#rows")
            for name, label in labels.items()
            if run.counts.get(name)
        ],
    }  # fmt: skip
    return Block("Progress", template="console/sync_progress.html", data=data, wide=True)


def _classes(run: SyncRun) -> Block | None:
    """Rows that need somebody, by class and reason."""
    rows = SyncOutcome.objects.filter(run=run, outcome__in=("review", "error")).values_list("error_class", "code")
    found: dict[tuple[str, str], int] = {}
    for kind, code in rows[:20_000]:
        found[kind, code] = found.get((kind, code), 0) + 1
    if not found:
        return None
    here = reverse("admin:sync_run", args=[run.pk])
    ranked = sorted(found.items(), key=lambda one: -one[1])[:30]
    return Block(
        "Errors by class",
        columns=("Class", "Why", "Rows"),
        rows=[
            (
                class_words(kind), why(code).capitalize(),
                cells.link(f"{here}?{urlencode({'code': code})}#rows", f"{count:,}"),
            )
            for (kind, code), count in ranked
        ],
        wide=True,
    )  # fmt: skip


def class_words(kind: str) -> str:
    """A class of errors as it is shown."""
    return from_identifier(kind) if kind in [str(one) for one in ErrorClass] else "–"


def _rows(request: HttpRequest, run: SyncRun, *, may: bool) -> Block:
    """The rows of a run, narrowed and paged by the address."""
    outcome, code = request.GET.get("outcome", ""), request.GET.get("code", "")[:60]
    found = SyncOutcome.objects.filter(run=run).select_related("customer").order_by("internal_id")
    if outcome in SyncOutcome.Outcome.values:
        found = found.filter(outcome=outcome)
    if code:
        found = found.filter(code=code)
    after = form_fields.key(request.GET.get("after"))
    rows = list((found.filter(internal_id__gt=after) if after else found)[: PAGE + 1])
    last = rows[PAGE - 1].internal_id if len(rows) > PAGE else 0
    more = urlencode({"outcome": outcome, "code": code, "after": str(last)}) if last else ""
    shown = [
        {
            "row": one, "tag": tag(one.outcome, one.get_outcome_display()), "why": why(one.code) if one.code else "",
            "customer": page_of(one.customer) if one.customer else "",
            "changed": ", ".join(one.changed), "notes": [from_identifier(each) for each in one.notes],
            "candidates": [candidate(each) for each in one.candidates],
            "choosable": may and one.outcome == "review" and one.code in choosing.CHOOSABLE and bool(one.candidates),
        }
        for one in rows[:PAGE]
    ]  # fmt: skip
    data = {"rows": shown, "run": run, "more": more, "narrowed": bool(outcome or code or after)}
    return Block("Customers", template="console/sync_rows.html", data=data, wide=True, anchor="rows")


def candidate(one: dict[str, Any]) -> tuple[str, str]:
    """A candidate's id, and what tells it from the others."""
    subscriptions = one.get("subscriptions")
    told = [
        f"made {datetime.fromtimestamp(one['created'], UTC):%Y-%m-%d}" if one.get("created") else "",
        "live" if one.get("live") else "test mode",
        "" if subscriptions is None else f"{subscriptions} running subscription{'' if subscriptions == 1 else 's'}",
        "deleted" if one.get("deleted") else "",
        f"belongs to customer {cells.plain(one['erp_customer'], 20)}" if one.get("erp_customer") else "",
    ]
    return str(one.get("id", "")), ", ".join(filter(None, told))


def _about(run: SyncRun) -> Block:
    version = run.version
    return Block(
        "Goes by",
        pairs=[
            ("Customers", "those named" if run.ids else criteria.in_words(version.criteria)),
            ("Fields", ", ".join(version.columns)), ("Changed since", run.since or "–"),
            ("Account of the ERP", cells.code(run.account)), ("Last row", run.cursor or "–"),
        ],
    )  # fmt: skip


def _story(run: SyncRun) -> Block:
    rows = LedgerRow.objects.filter(subject_kind="sync_run", subject_id=str(run.pk)).order_by("id")[: parts.MOST]
    return Block(
        "Story",
        pairs=[(cells.moment(row.recorded_at), page_of(row, parts.said(row))) for row in rows],
        empty="Nothing happened yet.",
    )


def _by(run: SyncRun) -> Any:
    return cells.theirs(run.started_by.get_username(), 40) if run.started_by else format_html("{}", "the schedule")


def _found(request: HttpRequest, run_id: int) -> SyncRun:
    _permit(request)
    run = SyncRun.objects.select_related("version__profile", "started_by").filter(pk=run_id).first()
    if run is None:
        raise Http404("there is no such run")
    return run


def _permit(request: HttpRequest) -> None:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
