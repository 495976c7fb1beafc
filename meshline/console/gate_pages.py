"""Writing gates at the console: the form, the verbs of four eyes, and the quick test on stored decisions."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from gates import authoring
from gates.models import GateVersion
from gates.stop import Refused
from gates.types import Gate, Verdict
from meshline.console.gate_form import GateForm
from meshline.console.page import Site
from sync import backtest

VIEW = "gates.view_gateversion"
OPEN = ("draft", "submitted")


def new(site: Site, request: HttpRequest) -> HttpResponse:
    """Begin a gate."""
    _permit(request)
    form = GateForm.read(request.POST) if request.method == "POST" else GateForm()
    return _work(site, request, form, None)


def edit(site: Site, request: HttpRequest, key: int) -> HttpResponse:
    """Write on a draft, or begin the next version of a gate."""
    _permit(request)
    one = GateVersion.objects.filter(pk=key).first()
    if one is None:
        raise Http404("there is no such gate")
    if one.state != GateVersion.State.DRAFT:
        begun = GateVersion.objects.filter(name=one.name, state__in=OPEN).first()
        if begun is not None:
            messages.info(request, f"Version {begun.version} is open already: {begun.get_state_display().lower()}.")
            return HttpResponseRedirect(page_of(begun.pk))
    form = GateForm.of(one)
    if request.method == "POST":
        form = GateForm.read(request.POST)
        form.name = one.name
    return _work(site, request, form, one)


def _work(site: Site, request: HttpRequest, form: GateForm, one: GateVersion | None) -> HttpResponse:
    """One press of a button of the form; rows come and go without anything being stored."""
    shown: dict[str, Any] = {"form": form, "one": one, "title": _title(one)}
    do = request.POST.get("do", "refresh")
    if request.method != "POST":
        return site.draw(request, "console/gate_form.html", shown)
    try:
        if do == "save":
            made = _save(request, form, one)
            messages.success(request, f"{made} is kept as a draft. It judges nothing until another person agrees.")
            return HttpResponseRedirect(page_of(made.pk))
        if do == "test":
            shown["test"] = _tested(_gate(form))
        elif do == "add":
            form.add(request.POST.get("add-field", "").replace("\x00", ""))
        elif do.startswith("remove-") and do[7:].isdecimal():
            form.remove(int(do[7:]))
        form.fit()
    except Refused as refusal:
        form.fit()
        return site.draw(request, "console/gate_form.html", {**shown, "refusal": refusal}, refusal.status)
    return site.draw(request, "console/gate_form.html", shown)


def _title(one: GateVersion | None) -> str:
    if one is None:
        return "New gate"
    return f"Draft of {one}" if one.state == GateVersion.State.DRAFT else f"{one.title}: next version"


def _save(request: HttpRequest, form: GateForm, one: GateVersion | None) -> GateVersion:
    by: Any = request.user
    content = form.content()
    parts = [content.pop(name) for name in ("rows", "result", "message", "applies_to")]
    if one is not None and one.state == GateVersion.State.DRAFT:
        return authoring.change_draft(one.pk, *parts, by=by, version=_version(request), **content)
    return authoring.draft(form.name, *parts, by=by, **content)


def _gate(form: GateForm) -> Gate:
    """What stands in the form, as judgement would see it. Raises Refused 422."""
    content = form.content()
    rows, result, kinds = content["rows"], content["result"], content["applies_to"]
    authoring.checked(rows, result, form.message or "being written", kinds, title=form.title or "being written")
    return Gate(form.name or "new-gate", 0, tuple(rows), Verdict(result), form.message, frozenset(kinds))


def _tested(gate: Gate) -> dict[str, Any]:
    began = time.monotonic()
    result = backtest.rehearse(gate)
    steps = [(before, after, count) for (before, after), count in result.steps.most_common()]
    return {"result": result, "steps": steps, "seconds": f"{time.monotonic() - began:.1f}"}


def act(site: Site, request: HttpRequest, key: int, verb: str) -> HttpResponse:
    """Run one verb on one version. A link that leads here does nothing but show it."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    one = GateVersion.objects.filter(pk=key).first()
    if one is None or verb not in CALLS:
        raise Http404("there is no such gate or verb")
    if request.method != "POST":
        return HttpResponseRedirect(page_of(key))
    if verb == "test":
        return site.show(request, one, test=_tested(backtest.gate_of(one)))
    try:
        CALLS[verb](one, request)
    except Refused as refusal:
        fresh = GateVersion.objects.get(pk=key)
        typed = request.POST.get("reason", "")[:300]
        return site.show(request, fresh, status=refusal.status, refusal=refusal, refused_verb=verb, typed=typed)
    messages.success(request, DONE[verb].format(one=one))
    return HttpResponseRedirect(page_of(key))


def page_of(key: int) -> str:
    """The address of a version's page."""
    return reverse("admin:gates_gateversion_change", args=[key])


def _permit(request: HttpRequest) -> None:
    if not (request.user.has_perm(VIEW) and request.user.has_perm(authoring.EDIT)):
        raise PermissionDenied


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused(422, "version", "the page did not say which version you saw; reload it and try again")
    return int(text)


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "")


def _by(request: HttpRequest) -> Any:
    return request.user


def _now(one: GateVersion) -> str:
    """The gate's name, for verbs about the version in force. Raises Refused 409 where the page shows an older one."""
    newest = authoring.in_force(one.name)
    if newest is None or newest.pk != one.pk:
        raise Refused(409, "stale", f"{one} is not the version in force any more; open the newest one")
    return one.name


Call = Callable[[GateVersion, HttpRequest], Any]
CALLS: dict[str, Call] = {
    "submit": lambda one, request: authoring.submit(one.pk, by=_by(request), version=_version(request)),
    "approve": lambda one, request: authoring.approve(one.pk, by=_by(request), version=_version(request)),
    "take_back": lambda one, request: authoring.take_back(
        one.pk, by=_by(request), version=_version(request), reason=_reason(request)
    ),
    "withdraw": lambda one, request: authoring.withdraw(
        one.pk, by=_by(request), version=_version(request), reason=_reason(request)
    ),
    "ask_retire": lambda one, request: authoring.ask_retire(_now(one), by=_by(request), reason=_reason(request)),
    "keep": lambda one, request: authoring.keep(_now(one), by=_by(request), reason=_reason(request)),
    "retire": lambda one, request: authoring.retire(_now(one), by=_by(request)),
    "test": lambda one, request: None,
}
DONE = {
    "submit": "{one} waits for a second person. You cannot approve it yourself.",
    "approve": "{one} is in force from its time on.",
    "take_back": "{one} is a draft again.",
    "withdraw": "{one} is given up. It never judged.",
    "ask_retire": "You asked to retire {one}. It judges on until a second person agrees.",
    "keep": "{one} stays in force.",
    "retire": "{one} judges no more.",
}
