"""The error desk of the customer sync: errors by tab and class, the page of one, and what people do about them."""

import csv
from collections.abc import Iterator
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import urlencode

from gates.stop import Refused
from ledger import cells, clock
from ledger.models import LedgerRow
from ledger.readonly import page_of
from meshline.console import form_fields, parts, sync_pages
from meshline.console.ledger_export import Line, safe, stamp
from meshline.console.page import Block, Page, Site, present
from sync.customer_sync import errors
from sync.customer_sync.errors_list import MOST_COUNTED, TABS, Asked, BadFilter, classes, exchanges, tabs
from sync.customer_sync.models import SyncError
from sync.customer_sync.profiles import RUN
from sync.models import Attempt

VIEW = errors.VIEW
PAGE = 50
MOST_LINES = 50_000
MOST_PEOPLE = 200
STATES = {"open": "red", "retrying": "blue", "resolved": "green", "ignored": "grey"}
COLUMNS = (
    "error", "state", "class", "step", "code", "sentence", "trace_key", "internal_id", "customer_external_id", "run",
    "opened_at_utc", "assigned_to", "resolved", "resolved_at_utc",
)  # fmt: skip
DONE = {"assign": "Done.", "ignore": "Ignored, until the customer or the cause changes.", "resolve": "Resolved."}


def tag(error: SyncError) -> Any:
    """The state in its colour."""
    return cells.tag(sync_pages.STATE_TAGS[STATES[str(error.state)]], error.get_state_display())


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """One tab of errors, the newest first."""
    return _list(site, request)


def _list(site: Site, request: HttpRequest, refusal: Refused | None = None) -> HttpResponse:
    _permit(request)
    asked, refusal = _asked(request, refusal)
    found = asked.rows()
    if before := form_fields.key(request.GET.get("before")):
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE + 1])
    older, rows = rows[PAGE - 1].pk if len(rows) > PAGE else None, rows[:PAGE]
    counts, kinds = tabs(), classes(asked)
    may = request.user.has_perm(RUN)
    context = {
        "title": "Sync errors", "asked": asked, "refusal": refusal, "may": may, "most": errors.MOST,
        "tabs": [
            (_address(asked, tab=name), words, _count(counts[name]), name == asked.tab)
            for name, (words, _) in TABS.items()
        ],
        "kinds": [
            (_address(asked, **{"class": name}), sync_pages.class_words(name), count, asked.given.get("class") == name)
            for name, count in kinds.items()
        ],
        "all_kinds": _address(asked, **{"class": ""}),
        "kind_words": sync_pages.class_words(asked.given.get("class", "")),
        "rows": [_shown(request, one) for one in rows], "older": _address(asked, before=str(older)) if older else "",
        "steps": SyncError.Step.choices, "download": f"{reverse('admin:sync_errors_csv')}{_address(asked)}",
        "narrowed": bool(asked.filters), "can_retry": may and asked.tab == "open" and bool(rows),
    }  # fmt: skip
    return site.draw(request, "console/sync_errors.html", context, refusal.status if refusal else None)


def retry(site: Site, request: HttpRequest) -> HttpResponse:
    """Read those that were picked again, or all open ones that the filters leave; by POST only."""
    _permit(request)
    here = reverse("admin:sync_errors")
    if request.method != "POST":
        return HttpResponseRedirect(here)
    by = cast(User, request.user)
    asked, refusal = _asked(request, None)
    if refusal is not None:
        return _list(site, request, refusal)
    try:
        if form_fields.text(request, "what") == "all":
            began = errors.retry_all(asked.filters, by=by)
        else:
            picked = [key for one in form_fields.many(request, "pick") if (key := form_fields.key(one))]
            began = errors.retry(picked, by=by)
    except Refused as refused:
        return _list(site, request, refused)
    left = f" {began.left:,} more are left: press again when these are done." if began.left else ""
    messages.success(request, f"{began.errors:,} errors, {began.customers:,} customers are read again.{left}")
    if len(began.runs) == 1:
        return HttpResponseRedirect(reverse("admin:sync_run", args=[began.runs[0].pk]))
    return HttpResponseRedirect(f"{here}?tab=retrying")


def download(site: Site, request: HttpRequest) -> HttpResponse:
    """The errors of a tab as CSV, at most MOST_LINES of them; addresses of people in sentences are masked."""
    _permit(request)
    asked, refusal = _asked(request, None)
    if refusal is not None:
        return _list(site, request, refusal)
    answer = StreamingHttpResponse(_lines(asked), content_type="text/csv; charset=utf-8")
    name = f"sync-errors-{clock.now():%Y%m%dT%H%M%SZ}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return cast(HttpResponse, answer)


def view(site: Site, request: HttpRequest, error_id: int) -> HttpResponse:
    """The page of one error."""
    return _draw(site, request, _found(request, error_id))


def act(site: Site, request: HttpRequest, error_id: int, verb: str) -> HttpResponse:
    """One verb on one error; by POST only."""
    error = _found(request, error_id)
    if verb not in errors.VERBS:
        raise Http404("there is no such verb")
    here = reverse("admin:sync_error", args=[error_id])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    by = cast(User, request.user)
    try:
        version = form_fields.number(request, "version", most=10**9)
        if verb == "retry":
            began = errors.retry([error.pk], by=by, version=version)
            messages.success(request, "Being read again from the ERP; follow it here.")
            return HttpResponseRedirect(reverse("admin:sync_run", args=[began.runs[0].pk]))
        if verb == "assign":
            errors.assign(error.pk, by=by, version=version, to=_person(request))
        else:
            ends = {"ignore": errors.ignore, "resolve": errors.resolve}
            ends[verb](error.pk, by=by, version=version, reason=form_fields.text(request, "reason"))
    except Refused as refusal:
        return _draw(site, request, _found(request, error_id), refusal)
    messages.success(request, DONE[verb])
    return HttpResponseRedirect(here)


# --- parts


def _asked(request: HttpRequest, refusal: Refused | None) -> tuple[Asked, Refused | None]:
    """The list that the address asks for; of one that cannot be read the open errors, and why."""
    user = cast(User, request.user)
    try:
        return Asked.read({name: value for name, value in request.GET.items() if isinstance(value, str)}, user), refusal
    except BadFilter as bad:
        return Asked(), refusal or Refused(422, bad.name, str(bad))


def _address(asked: Asked, **changed: str) -> str:
    kept = {name: value for name, value in (asked.given | changed).items() if value}
    return f"?{urlencode(kept)}"


def _count(number: int) -> str:
    return f"{number:,}" if number <= MOST_COUNTED else f"{MOST_COUNTED:,}+"


def _sentence(request: HttpRequest, error: SyncError) -> str:
    return error.sentence if parts.may_see_personal(request) else parts.masked(error.sentence)


def _shown(request: HttpRequest, error: SyncError) -> dict[str, Any]:
    return {
        "error": error, "tag": tag(error), "kind": sync_pages.class_words(error.error_class),
        "sentence": cells.theirs(_sentence(request, error), 160),
        "customer": page_of(error.customer) if error.customer else "",
        "to": error.assigned_to.get_username() if error.assigned_to else "",
    }  # fmt: skip


def _lines(asked: Asked) -> Iterator[str]:
    writer = csv.writer(Line(), lineterminator="\r\n")
    yield "\ufeff" + writer.writerow(COLUMNS)
    for one in asked.rows()[:MOST_LINES].iterator(chunk_size=1000):
        texts = (
            str(one.state), one.error_class, one.step, one.code, parts.masked(one.sentence), one.trace_key,
        )  # fmt: skip
        yield writer.writerow(
            [
                one.pk, *map(safe, texts), one.internal_id, safe(one.customer.external_id if one.customer else ""),
                one.run_id, stamp(one.created_at), safe(one.assigned_to.get_username() if one.assigned_to else ""),
                one.resolution, stamp(one.resolved_at),
            ]
        )  # fmt: skip


def _draw(site: Site, request: HttpRequest, error: SyncError, refusal: Refused | None = None) -> HttpResponse:
    user = cast(User, request.user)
    attempts = exchanges(error)
    page = Page(
        title=f"Sync error {error.pk}",
        sentence=cells.theirs(_sentence(request, error), 400),
        tag=tag(error),
        line=[
            ("Class", sync_pages.class_words(error.error_class)), ("Step", error.get_step_display()),
            ("Code", cells.code(error.code)), ("Opened", cells.ago(error.created_at)),
            ("Customer of the ERP", error.internal_id or cells.dash()),
            ("Customer", page_of(error.customer) if error.customer else cells.dash()),
            ("Assigned to", cells.theirs(error.assigned_to, 40) if error.assigned_to else cells.dash()),
        ],
        main=present(
            [
                parts.attempts(attempts, parts.list_of("sync_attempt")),
                *(_bodies(request, one) for one in attempts[:2]),
            ]
        ),
        side=present([_about(error), _candidates(error), _story(error)]),
        back=(reverse("admin:sync_errors"), "Sync errors"),
        template="console/sync_error.html",
        more={
            "error": error, "may": {verb: not errors.why_not(error, user, verb) for verb in errors.VERBS},
            "people": _people() if not errors.why_not(error, user, "assign") else [],
            "to": f"user:{error.assigned_to_id}",
        },
    )  # fmt: skip
    shown = {"title": page.title, "page": page, "refusal": refusal, "typed": request.POST.get("reason", "")}
    return site.draw(request, page.template, shown, refusal.status if refusal else None)


def _bodies(request: HttpRequest, one: Attempt) -> Block:
    """What was sent and answered, for those who may see personal data; keys of billing pages are never kept in it."""
    title = f"Attempt {one.pk}, {one.method} {one.status or one.error}"
    if not parts.may_see_personal(request):
        return Block(title, empty="Bodies can hold personal data. Your account may not see them.", wide=True)
    sent, said = (parts.laid_out(body) for body in (one.request_body, one.response_body))
    text = "\n\n".join(filter(None, (f"sent:\n{sent}" if sent else "", f"answered:\n{said}" if said else "")))
    return Block(title, text=text, empty="No body was kept.", wide=True)


def _about(error: SyncError) -> Block:
    pairs: list[tuple[str, Any]] = [
        ("Trace key", cells.code(error.trace_key)),
        ("Found by", cells.link(reverse("admin:sync_run", args=[error.run_id]), f"Run {error.run_id}")),
        ("Version of the source", error.source_version or "–"),
    ]
    if error.retried_in_id:
        run = reverse("admin:sync_run", args=[error.retried_in_id])
        pairs.append(("Read again by", cells.link(run, f"Run {error.retried_in_id}")))
    if error.resolved_at:
        who = "a later run" if error.resolution == "auto" else error.resolved_by and error.resolved_by.get_username()
        pairs.append(("Ended", cells.ago(error.resolved_at)))
        pairs.append(("By", cells.theirs(who or "–", 40)))
    return Block("Behind it", pairs=pairs)


def _candidates(error: SyncError) -> Block | None:
    """Whom a person may choose between; the choice is made on the run's page."""
    if not error.candidates:
        return None
    here = f"{reverse('admin:sync_run', args=[error.run_id])}?{urlencode({'code': error.code})}#rows"
    pairs = [(key, told) for key, told in map(sync_pages.candidate, error.candidates)]
    return Block("Candidates", pairs=pairs, more=("Choose on the run's page", here))


def _story(error: SyncError) -> Block:
    rows = LedgerRow.objects.filter(subject_kind="sync_error", subject_id=str(error.pk)).order_by("id")[: parts.MOST]
    return Block("Story", pairs=[(cells.moment(row.recorded_at), page_of(row, parts.said(row))) for row in rows])


def _people() -> list[tuple[str, str]]:
    found = User.objects.filter(is_active=True, is_staff=True).order_by("username")[:MOST_PEOPLE]
    return [(f"user:{one.pk}", one.get_username()) for one in found]


def _person(request: HttpRequest) -> User | None:
    """Whom the form names; nobody where it is left empty. Raises Refused 422."""
    given = form_fields.text(request, "to")
    if not given:
        return None
    found = User.objects.filter(pk=form_fields.key(given.removeprefix("user:")) or 0).first()
    if found is None:
        raise Refused(422, "to", "to: there is no such person; choose one of the list")
    return found


def _found(request: HttpRequest, error_id: int) -> SyncError:
    _permit(request)
    rows = SyncError.objects.select_related("customer", "assigned_to", "resolved_by", "run", "outcome")
    error = rows.filter(pk=error_id).first()
    if error is None:
        raise Http404("there is no such error")
    return error


def _permit(request: HttpRequest) -> None:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
