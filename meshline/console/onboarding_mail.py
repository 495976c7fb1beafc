"""The progress mail of a checklist: what would be sent, shown before it is asked for."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from gates.models import Checklist
from gates.stop import Refused
from ledger.words import state_words
from meshline.console import bar, form_fields, onboarding_page, onboarding_pages
from meshline.console.page import Site
from sync.onboarding import progress


def view(site: Site, request: HttpRequest, checklist_id: int) -> HttpResponse:
    """A POST with `preview` shows the mail and stores nothing; one with `send` asks for exactly that mail."""
    onboarding_pages.permit(request)
    one = onboarding_page.found(checklist_id)
    if request.method != "POST":
        return HttpResponseRedirect(f"{onboarding_pages.address(one)}?mail=1#mail")
    user: Any = request.user
    shown, refusal = onboarding_page.mail_form(one), None
    note = form_fields.text(request, "note")
    form_fields.filled(shown["fields"], request, None)
    try:
        if "send" in request.POST:
            return _sent(request, one, note)
        seen = progress.preview(one.pk, by=user, note=note)
        letter = {row["field"]: row for row in seen["preview"]}
        text = letter.pop("text", {}).get("after", "")  # as it will stand there, line by line
        shown |= {
            "rows": bar.preview_rows(list(letter.values())), "text": text, "failing": bar.failing(seen),
            "needed": seen["needed"], "recipient": seen["recipient"],
        }  # fmt: skip
    except Refused as no:
        if no.status == 404:
            raise Http404(no.message) from None
        refusal = no
    return onboarding_page.draw(site, request, one, refusal, mail=shown)


def _sent(request: HttpRequest, one: Checklist, note: str) -> HttpResponse:
    user: Any = request.user
    version = form_fields.number(request, "version", most=10**9)
    recipient = form_fields.text(request, "recipient")
    action = progress.send(one.pk, by=user, version=version, recipient=recipient, note=note)
    messages.success(request, f"Progress mail asked for; it is {state_words(action.state)}. It leaves in a moment.")
    return HttpResponseRedirect(onboarding_pages.address(one))
