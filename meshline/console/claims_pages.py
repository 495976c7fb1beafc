"""Claims: the list of texts that were looked at, one of them, and looking at a text on the page."""

from collections.abc import Iterable
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from gates.stop import Refused
from ledger import cells
from ledger.models import Action, LedgerRow
from ledger.readonly import page_of
from ledger.words import kind_words
from meshline.console import claims, form_fields
from meshline.console.form_fields import Field
from meshline.console.page import Block, Page, Site, present
from sync.claims import checking
from sync.claims.models import ClaimCheck

PAGE = 50
OPEN = ("unverified", "premature", "contradicted")
VIEWS = (("", "Not proved"), *((one, claims.WORDS[one]) for one in (*OPEN, "verified", "none")), ("all", "All"))


def listing(site: Site, request: HttpRequest) -> HttpResponse:
    """What was not proved, newest first; `?verdict=` others, `?source=` drafts, assistants or people."""
    permit(request)
    return _draw(site, request)


def verify(site: Site, request: HttpRequest) -> HttpResponse:
    """Look at a text; by POST only, and what was found is shown in the answer: the text is not kept."""
    permit(request)
    if request.method != "POST":
        return HttpResponseRedirect(f"{reverse('admin:claims')}#check")
    text = form_fields.text(request, "text").replace("\r\n", "\n")
    named = {name: form_fields.text(request, name).strip() for name in ("customer", "contract", "ticket")}
    try:
        outcome = checking.verify(text, by=cast(User, request.user), **named)
    except Refused as refusal:
        if refusal.status == 403:
            raise PermissionDenied(refusal.message) from None
        return _draw(site, request, refusal)
    return _draw(site, request, found=_found(text, outcome), check=outcome.check.pk)


def view(site: Site, request: HttpRequest, check_id: int) -> HttpResponse:
    """One look at one text."""
    permit(request)
    related = ("by", "customer", "contract")
    check = ClaimCheck.objects.select_related(*related).filter(pk=check_id).first()
    if check is None:
        raise Http404("there is no such check")
    action = Action.objects.filter(pk=check.action_id).first() if check.action_id else None
    text = claims.texts_of(action).get(check.param, "") if action else ""
    is_same = bool(text) and len(text) == check.length
    page = Page(
        title=f"Claim check {check.pk}", tag=claims.verdict_tag(str(check.verdict)),
        sentence="The text of a draft is read from its action." if is_same else "No word of the text was kept.",
        line=_line(check), back=(reverse("admin:claims"), "Claims"),
        main=present([_sentences(check, text if is_same else ""), _proof(check)]),
    )  # fmt: skip
    return site.draw(request, page.template, {"title": page.title, "page": page})


def permit(request: HttpRequest) -> None:
    """Raises PermissionDenied for who may not see claims."""
    if not request.user.has_perm(checking.VIEW):
        raise PermissionDenied("your account may not see claims")


def _draw(site: Site, request: HttpRequest, refusal: Refused | None = None, **found: Any) -> HttpResponse:
    verdict, source = request.GET.get("verdict", ""), request.GET.get("source", "")
    rows = ClaimCheck.objects.select_related("by", "customer")
    if verdict != "all":
        rows = rows.filter(verdict=verdict) if verdict in claims.WORDS else rows.filter(verdict__in=OPEN)
    if source in ClaimCheck.Source.values:
        rows = rows.filter(source=source)
    if before := form_fields.key(request.GET.get("before")):
        rows = rows.filter(pk__lt=before)
    seen = list(rows.order_by("-pk")[: PAGE + 1])
    kept: dict[str, str | int] = {name: value for name, value in (("verdict", verdict), ("source", source)) if value}
    may = request.user.has_perm(checking.PERMISSION)
    context = {
        "title": "Claims", "rows": [_row(one) for one in seen[:PAGE]], "refusal": refusal, "may": may,
        "older": f"?{urlencode({**kept, 'before': seen[PAGE - 1].pk})}" if len(seen) > PAGE else "",
        "views": [(f"?{urlencode({**kept, 'verdict': value})}" if value else "?", words, verdict == value)
                  for value, words in VIEWS],
        "sources": [(f"?{urlencode({**kept, 'source': value})}", words, source == value)
                    for value, words in ClaimCheck.Source.choices],
        "fields": form_fields.filled(_fields(), request, refusal) if may else None, **found,
    }  # fmt: skip
    return site.draw(request, "console/claims.html", context, refusal.status if refusal else None)


def _fields() -> list[Field]:
    one_of = "One of the three is enough."
    return [
        Field("text", "Text", kind="area", rows=4, longest=checking.LONGEST, help="It is compared and not kept."),
        Field("customer", "Customer", longest=64, required=False, help=f"External id. {one_of}"),
        Field("ticket", "Ticket", longest=64, required=False),
        Field("contract", "Contract", longest=64, required=False, help="Only what was done for it counts then."),
    ]


def _row(one: ClaimCheck) -> dict[str, Any]:
    told = [each for part in one.sentences for each in part["claims"] if each["verdict"] == one.verdict]
    return {
        "name": cells.link(reverse("admin:claim", args=[one.pk]), f"#{one.pk}"),
        "verdict": claims.verdict_tag(str(one.verdict)), "at": cells.ago(one.checked_at),
        "source": one.get_source_display(), "about": claims.about(one),
        "customer": page_of(one.customer) if one.customer else cells.dash(),
        "what": f"{told[0]['topic']} {claims.SENSES[told[0]['sense']]}: {told[0]['why']}" if told else "",
    }  # fmt: skip


def _found(text: str, outcome: checking.Outcome) -> list[tuple[Any, ...]]:
    return [
        (
            claims.highlighted(one.sentence.text, _places(one, text)), claims.verdict_tag(str(one.verdict)),
            "; ".join(dict.fromkeys(each.why for each in one.claims if each.why)),
            _rows(row for each in one.claims for row in each.rows),
        )
        for one in outcome.judged
    ]  # fmt: skip


def _places(one: Any, text: str) -> list[tuple[int, int]]:
    lead = len(text[one.sentence.start :]) - len(text[one.sentence.start :].lstrip())
    begin = one.sentence.start + lead
    return [(each.claim.start - begin, each.claim.end - begin) for each in one.claims]


def _rows(numbers: Iterable[int]) -> SafeString:
    """The first row as a link; the page of the check lists all of them."""
    found = list(dict.fromkeys(numbers))
    if not found:
        return cells.dash()
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return format_html("{}{}", page_of(LedgerRow(pk=found[0]), f"row {found[0]}"), more)


def _line(check: ClaimCheck) -> list[tuple[str, Any]]:
    line: list[tuple[str, Any]] = [
        ("Checked", cells.moment(check.checked_at)), ("Text of", check.get_source_display()),
        ("About", claims.about(check)), ("Length", f"{check.length:,} characters"),
    ]  # fmt: skip
    if check.customer:
        line.append(("Customer", page_of(check.customer)))
    if check.ticket:
        line.append(("Ticket", cells.code(check.ticket)))
    if check.kind:
        line.append(("Sent as", kind_words(check.kind)))
    if check.draft:
        line.append(("Draft", cells.theirs(check.draft, 80)))
    return [*line, ("SHA-256", cells.code(check.digest, keep=12))]


def _sentences(check: ClaimCheck, text: str) -> Block:
    rows = []
    for part in check.sentences:
        for one in part["claims"]:
            said = text[part["start"] : part["end"]]
            shown = (
                claims.highlighted(said, [(one["start"] - part["start"], one["end"] - part["start"])])
                if said
                else f"characters {part['start']} to {part['end']}"
            )
            rows.append(
                (shown, f"{one['topic']} {claims.SENSES[one['sense']]}", claims.verdict_tag(one["verdict"]), one["why"])
            )
    return Block("Claims", columns=("Sentence", "Says", "Verdict", "Why"), rows=rows, wide=True,
                 empty="The text claims nothing that could be proved or not.")  # fmt: skip


def _proof(check: ClaimCheck) -> Block:
    numbers = sorted({row for part in check.sentences for one in part["claims"] for row in one["rows"]})[:50]
    rows = [
        (page_of(one, f"row {one.pk}"), page_of(Action(pk=one.action_id), "action"), one.post_state,
         cells.amount(one.amount_minor, one.currency), cells.code(one.confirmation_id) if one.confirmation_id else "",
         cells.moment(one.recorded_at))
        for one in LedgerRow.objects.filter(pk__in=numbers).order_by("pk")
    ]  # fmt: skip
    return Block("Ledger rows", columns=("Row", "Of", "State", "Amount", "Confirmation", "When"), rows=rows, wide=True,
                 empty="No ledger row says anything about it.")  # fmt: skip
