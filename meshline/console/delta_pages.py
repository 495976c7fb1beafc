"""A difference with both sides next to each other and what people do about it; a run with what it found."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from gates.stop import Refused
from ledger import cells
from ledger.models import LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import from_identifier, why_words
from meshline.console import doors, form_fields, parts
from meshline.console.page import Block, Page, Site, present
from sync.reconcile import checks, desk, ending, fixes, judging, runs, weekly, words
from sync.reconcile.admin import counts_words, owner_words, run_tag, state_tag
from sync.reconcile.models import Delta, ReconcileRun

VIEW, VIEW_RUNS = "sync.view_delta", "sync.view_reconcilerun"
LABELS = {
    "acknowledge": "Acknowledge", "resolve": "It was put right", "accept": "Accept as it is",
    "open_item": "Open review item",
}  # fmt: skip
FIXES = {"propose": "Ask for the fix", "fetch": "Fetch the event now"}  # shown where they fit
DONE = {
    "acknowledge": "{delta} is marked as seen.", "assign": "{delta} was handed on.",
    "accept": "{delta} is accepted. It comes back when one of the values changes.",
    "resolve": "{delta} is closed. The next run opens it again if it is still there.",
    "open_item": "{item} was opened about {delta}.",
    "propose": "The fix was asked for. It is judged by the gates like any other action.",
    "fetch": "The event was fetched into the inbox. The next run closes the difference.",
}  # fmt: skip
PERSONAL = ("email", "phone", "lastname", "firstname")
MOST_PEOPLE = 200


def delta(request: HttpRequest, record: Delta) -> Page:
    """The page of one difference."""
    one = Delta.objects.select_related("owner", "customer", "item", "first_run", "last_run", "closed_run").get(
        pk=record.pk
    )
    rows = list(LedgerRow.objects.filter(subject_kind="delta", subject_id=str(one.pk)).order_by("id")[: parts.MOST])
    return Page(
        title=f"{one} {words.title(one)}",
        sentence=cells.theirs(words.sentence(one), 400),
        tag=state_tag(one),
        line=[
            ("Owner", owner_words(one)), ("Since", cells.ago(one.first_seen_at)),
            ("Last found", cells.ago(one.last_seen_at)), ("Found", f"{one.times_seen}×"),
            ("Customer", page_of(one.customer, cells.theirs(one.customer, 60)) if one.customer else cells.dash()),
            ("Review item", page_of(one.item) if one.item else cells.dash()),
        ],
        main=[_both(request, one), parts.ledger_rows(rows, _ledger(one), "No ledger rows yet.")],
        side=present([_fix(one), _found_in(request, one)]),
        back=(reverse("admin:sync_delta_changelist"), "Differences"),
        template="console/delta.html",
        more=_verbs(request, one),
    )  # fmt: skip


def _ledger(one: Delta) -> str:
    return parts.list_of("ledger_ledgerrow", correlation=one.correlation_id)


def _both(request: HttpRequest, one: Delta) -> Block:
    """What each side says, and the records it says it of."""
    systems = checks.sides(one.check_name, one.field)
    columns = tuple(cells.system(name) + (", decides" if name == one.owner_system else "") for name in systems)
    values = [_value(request, one, value) for value in (one.left_value, one.right_value)]
    records = ("Records", *(_records(one, name) for name in systems))
    if systems[1] == "providers":  # several systems on that side
        records = ("Records", _records(one, "meshline"), _records(one, "providers", "stripe", "netsuite", "zendesk"))
    return Block(
        "Side by side",
        columns=("", *columns),
        rows=[records] if one.kind == Delta.Kind.DUPLICATE else [(_what(one), *values), records],
        note=cells.plain(one.key, 120),
        wide=True,
    )


def _what(one: Delta) -> str:
    return cells.plain(one.field, 60) if one.kind == Delta.Kind.FIELD_DIFFERS else "Name"


def _value(request: HttpRequest, one: Delta, value: str) -> SafeString:
    """A value; addresses and numbers of people only for those who may see them."""
    if not value:
        return cells.dash()
    if any(word in one.field.lower() for word in PERSONAL) and not parts.may_see_personal(request):
        return cells.theirs(cells.masked(value) if "@" in value else f"…{value[-2:]}", 100)
    return cells.theirs(value, 300)


def _records(one: Delta, *systems: str) -> SafeString:
    listed = [(name, kind, key) for name, kind, key in one.refs if name in systems]
    shown = [(from_identifier(kind).lower(), _door(name, kind, key)) for name, kind, key in listed]
    return format_html_join("; ", "{} {}", shown) if shown else cells.dash()


def _door(system: str, kind: str, key: str) -> SafeString:
    if system == "meshline" and judging.is_id(key):
        return format_html('<a href="{}">{}</a>', reverse("admin:ledger_action_change", args=[key]), f"…{key[-8:]}")
    url = doors.address(system, kind, key)
    if not url.startswith(doors.SAFE):
        return cells.code(key)
    return format_html('<a href="{}" rel="noopener noreferrer" target="_blank">{} ↗</a>', url, key)


def _fix(one: Delta) -> Block:
    more = None
    if one.kind == Delta.Kind.IDENTITY and one.customer_id:
        more = ("Confirm who it is", reverse("admin:customer_identity", args=[one.customer_id]))
    pairs = [("Suggested", capfirst(words.fix(one)))]
    if one.action_id:
        pairs.append(("Asked for", _door("meshline", "action", str(one.action_id))))
    if one.reason:
        pairs.append(("Said by a person", cells.theirs(one.reason, 300)))
    if one.accepted_until:
        pairs.append(("Accepted until", cells.moment(one.accepted_until)))
    return Block("What would put it right", pairs=pairs, more=more)


def _found_in(request: HttpRequest, one: Delta) -> Block | None:
    named = [("First found in", one.first_run), ("Last found in", one.last_run), ("Gone since", one.closed_run)]
    if not request.user.has_perm(VIEW_RUNS):
        return None
    pairs = [(name, page_of(run)) for name, run in named if run]
    return Block("Runs", pairs=pairs, empty="An event opened it, no run.")


def _verbs(request: HttpRequest, one: Delta) -> dict[str, Any]:
    """The buttons of this person, and whom it may be given to."""
    user = cast(User, request.user)
    fitting = {name: label for name, label in FIXES.items() if not desk.why_not(one, user, name)}
    fix = fixes.action_for(one)
    labels = {**fitting, **({"propose": fix.label} if fix and "propose" in fitting else {}), **LABELS}
    buttons = [
        {"name": name, "label": label, "why_not": desk.why_not(one, user, name)} for name, label in labels.items()
    ]
    why_not = desk.why_not(one, user, "assign")
    people = (
        User.objects.filter(is_active=True, is_staff=True).order_by("username") if not why_not else User.objects.none()
    )
    groups = Group.objects.order_by("name").values_list("name", flat=True) if not why_not else ()
    return {
        "delta": one, "buttons": buttons, "may_any": any(not button["why_not"] for button in buttons) or not why_not,
        "may_assign": not why_not, "people": [(f"user:{who.pk}", who.get_username()) for who in people[:MOST_PEOPLE]],
        "groups": list(groups),
    }  # fmt: skip


def act(site: Site, request: HttpRequest, delta_id: int, verb: str) -> HttpResponse:
    """Run one verb; by POST only."""
    if verb not in desk.VERBS:
        raise Http404("there is no such verb")
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    record = Delta.objects.filter(pk=delta_id).first()
    if record is None:
        raise Http404("there is no such difference")
    here = reverse("admin:sync_delta_change", args=[delta_id])
    if request.method != "POST":
        return HttpResponseRedirect(here)
    try:
        done = desk.VERBS[verb](delta_id, **_said(request, verb))
    except Refused as refusal:
        typed = form_fields.text(request, "reason")[:500]
        return site.show(request, record, status=refusal.status, refusal=refusal, typed=typed)
    messages.success(request, DONE[verb].format(delta=done, item=done.item))
    return HttpResponseRedirect(here)


def _said(request: HttpRequest, verb: str) -> dict[str, Any]:
    """What a verb takes. Raises Refused 422 naming the field."""
    said: dict[str, Any] = {"by": request.user, "version": form_fields.number(request, "version", most=10**9)}
    if verb in ("assign", "accept", "resolve", "propose"):
        said["reason"] = form_fields.text(request, "reason")
    if verb == "accept":
        said["until"] = _day_after(form_fields.text(request, "accepted_until"))
    if verb == "assign":
        kind, _, key = form_fields.text(request, "to").partition(":")
        said["to"] = User.objects.filter(pk=form_fields.key(key) or 0).first() if kind == "user" else None
        said["group"] = key if kind == "group" else form_fields.text(request, "group")
        if kind == "user" and said["to"] is None:
            raise Refused(422, "to", "to: there is no such person")
    return said


def _day_after(value: str) -> datetime | None:
    """The end of a day (UTC) from its date; None for none. Raises Refused 422."""
    if not value:
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise Refused(422, "until", "until: a day as year-month-day, such as 2026-12-31") from error
    return datetime.combine(day + timedelta(days=1), time(), UTC)


# --- runs


def run(request: HttpRequest, one: ReconcileRun) -> Page:
    """The page of one run: how far it is, or what came of it."""
    left, right = map(cells.system, checks.sides(one.check_name))
    is_over = one.outcome in ending.COMPARED
    found = Delta.objects.filter(last_run=one).select_related("owner", "customer") if is_over else Delta.objects.none()
    who = actor_names([one.started_by])[one.started_by]
    return Page(
        title=f"{checks.title(one.check_name)}, run {one.pk}",
        sentence=_sentence(one),
        tag=run_tag(one),
        line=[
            ("Started", cells.moment(one.started_at, seconds=True)), ("By", cells.theirs(who, 60)),
            ("Took", cells.length(one.finished_at - one.started_at) if one.finished_at else cells.dash()),
            (left, f"{one.left_rows:,} records"), (right, f"{one.right_rows:,} records"),
            ("Compared", f"{one.compared:,}" if is_over else cells.dash()),
            ("Differ", f"{one.differing:,} ({one.mismatch_permille / 10:.1f} %)" if is_over else cells.dash()),
        ],
        main=[*_totals(one), _found(request, list(found.order_by("-id")[: parts.MOST]), one)],
        side=[
            *_gaps(one),
            Block("By class", pairs=_classes(one), empty="No differences." if is_over else "Not compared."),
            Block(
                "What it changed",
                pairs=[("Opened", one.opened), ("Closed", one.closed), ("New customers in a week", one.new_customers)],
            ),
        ],
        back=(reverse("admin:sync_reconcilerun_changelist"), "Reconciliation runs"),
    )  # fmt: skip


def _sentence(one: ReconcileRun) -> str | SafeString:
    if one.finished_at is None:
        done = len(one.cursor.get("done", []))
        total = len(checks.CHECKS[one.check_name].lists) if one.check_name in checks.CHECKS else done
        waits = format_html(", waits until {}", cells.moment(one.available_at)) if one.tries else ""
        return format_html("{} of {} lists read{}. Load the page again to see how far it is.", done, total, waits)
    if one.outcome == ReconcileRun.Outcome.FAILED:
        said = cells.theirs(one.error, 300)
        return format_html("{}. Nothing was compared, and nothing was opened or closed.", said)
    told = f"{capfirst(counts_words(one))} among {one.compared:,} records."
    if one.outcome == ReconcileRun.Outcome.PARTIAL:
        return f"Partial: not everything could be compared, and nothing was closed. Found so far: {told}"
    return told


def _gaps(one: ReconcileRun) -> list[Block]:
    """What was not compared, and why."""
    rows = [(cells.plain(name, 40), cells.theirs(why, 300)) for name, why in one.gaps]
    return [Block("Not compared", columns=("List", "Why"), rows=rows)] if rows else []


def _totals(one: ReconcileRun) -> list[Block]:
    """What both sides come to, by kind and currency."""
    left, right = map(cells.system, checks.sides(one.check_name))
    rows = [(capfirst(what), *sides) for what, *sides in words.totals_cells(one.totals)]
    return [Block("Totals", columns=("", left, right, "Difference"), rows=rows, wide=True)] if rows else []


def _classes(one: ReconcileRun) -> list[tuple[str, int]]:
    return [
        (capfirst(words.class_words(kind, one.check_name, count)), count) for kind, count in sorted(one.counts.items())
    ]


def _found(request: HttpRequest, found: list[Delta], one: ReconcileRun) -> Block:
    empty = "Both sides agree." if one.outcome == "agree" else "None of them was last found in this run."
    if not request.user.has_perm(VIEW):
        found, empty = [], "Your account may not see differences."
    elif one.outcome not in ending.COMPARED:
        empty = "This run compared nothing."
    return table(found, "Differences found", empty, f"{reverse('admin:sync_delta_changelist')}?run={one.pk}")


def table(found: list[Delta], title: str, empty: str, more: str) -> Block:
    """Differences as a table."""
    return Block(
        title,
        columns=("Difference", "What", "Record", "State", "Owner", "Since"),
        rows=[
            (
                page_of(one), words.title(one),
                page_of(one.customer, cells.theirs(one.customer, 60)) if one.customer else cells.code(one.key, keep=12),
                state_tag(one), owner_words(one), cells.ago(one.first_seen_at),
            )
            for one in found
        ],
        empty=empty,
        more=("All of them", more) if found else None,
        wide=True,
    )  # fmt: skip


def of_customer(request: HttpRequest, customer_id: int) -> Block | None:
    """What differs about one customer; None where nothing does or the person may not see it."""
    if not request.user.has_perm(VIEW):
        return None
    found = Delta.objects.filter(customer=customer_id).exclude(state=Delta.State.RESOLVED)
    listed = list(found.select_related("owner", "customer").order_by("-id")[: parts.MOST])
    more = f"{reverse('admin:sync_delta_changelist')}?customer={customer_id}"
    return table(listed, "Differences between systems", "", more) if listed else None


def of_item(item: Any) -> Block | None:
    """What a review item of ours is about: the difference, the run, or the customer whose identity is asked for."""
    evidence = item.evidence if isinstance(item.evidence, dict) else {}
    if item.kind == "customer.identity" and item.customer_id:
        url = reverse("admin:customer_identity", args=[item.customer_id])
        pairs = [("Because", cells.plain(why_words(item.why), 120))]
        return Block("Who is this customer?", pairs=pairs, more=("Look at both sides and confirm", url), wide=True)
    if item.kind == desk.ITEM and "delta" in evidence:
        url = reverse("admin:sync_delta_change", args=[evidence["delta"]])
        pairs = [("Suggested", cells.theirs(item.reason, 300))]
        return Block("A difference between systems", pairs=pairs, more=("Look at both sides", url), wide=True)
    if item.kind == weekly.ITEM:
        pairs = [("", cells.theirs(line, 400)) for line in evidence.get("week", [])]
        more = ("Differences by field", reverse("admin:reconcile_groups"))
        return Block("The last seven days", pairs=pairs, more=more, wide=True)
    if item.kind.startswith("reconcile.") and "run" in evidence:
        url = reverse("admin:sync_reconcilerun_change", args=[evidence["run"]])
        told = "It is settled by itself as soon as a later run is fine again."
        return Block("A reconciliation run", pairs=[("Note", told)], more=("Look at the run", url), wide=True)
    return None


def run_now(site: Site, request: HttpRequest, check: str) -> HttpResponse:
    """Begin a run; by POST only."""
    if not request.user.has_perm(VIEW_RUNS):
        raise PermissionDenied
    if check not in checks.CHECKS:
        raise Http404("there is no such check")
    listing = reverse("admin:sync_reconcilerun_changelist")
    if request.method != "POST":
        return HttpResponseRedirect(listing)
    try:
        begun = runs.ask(check, by=cast(User, request.user))
    except Refused as refusal:
        if refusal.status == 403:
            raise PermissionDenied(refusal.message) from None
        messages.warning(request, capfirst(refusal.message))
        return HttpResponseRedirect(listing)
    messages.success(request, "The comparison has begun. This page shows how far it is.")
    return HttpResponseRedirect(reverse("admin:sync_reconcilerun_change", args=[begun.pk]))
