"""Who looks after which accounts, and what is an owner's say: the lines and forms of the page about ownership."""

from typing import Any

from django.http import HttpRequest
from django.utils.text import capfirst

from gates import accounts_edit, routing_edit
from gates.accounts_edit import CONDITIONS, HolderFields
from gates.cells import OPERATORS
from gates.models import AccountHolder, Automation, OwnerSensitive
from ledger import cells
from ledger.words import KINDS, kind_words
from meshline.console import form_fields, routing_forms
from meshline.console.form_fields import Field

MOST = 100  # lines of those named for a customer; all of them are found by the customer's own page


def holder_lines(present: frozenset[int]) -> list[dict[str, Any]]:
    """Who holds a role, those by conditions first, in the order in which they are asked."""
    rows = AccountHolder.objects.filter(retired_at=None).select_related("person", "customer")
    general = list(rows.filter(customer=None).order_by("role", "position", "id"))
    named = list(rows.exclude(customer=None).order_by("-id")[:MOST])
    return [
        {
            "one": one, "person": one.person.get_username(), "away": one.person_id not in present,
            "for": cells.plain(one.customer, 60) if one.customer else "; ".join(conditions(one)),
        }
        for one in (*general, *named)
    ]  # fmt: skip


def conditions(one: AccountHolder) -> list[str]:
    """What has to hold of an account, in words."""
    known = routing_edit.choices()
    heads = {
        "tiers": "the tier is", "regions": "the region is", "contract_states": "the contract is",
        "payment_states": "it is",
    }  # fmt: skip
    found = [
        f"{heads[name]} {' or '.join(_said(name, known[name].get(value, value)) for value in getattr(one, name))}"
        for name in CONDITIONS
        if getattr(one, name)
    ]
    if one.mrr_from_minor is not None:
        found.append(f"monthly revenue {OPERATORS['at_least']} {one.mrr_from_minor:,} minor units")
    return found


def _said(name: str, words: str) -> str:
    return words if name in ("tiers", "regions") else words.lower()


def sensitive_lines() -> list[dict[str, Any]]:
    """The kinds that are an owner's say, and the automations that may settle such things all the same."""
    return [{"one": one, "kind": kind_words(one.kind)} for one in OwnerSensitive.objects.order_by("kind")]


def allowed() -> list[str]:
    """The automations that may settle an owner's say by themselves."""
    return list(Automation.objects.filter(may_resolve=True).order_by("title").values_list("title", flat=True))


def holder_fields(one: AccountHolder) -> list[Field]:
    """The form of one entry."""
    known = routing_edit.choices()
    checks = [
        Field(
            name, routing_forms.LABELS[name], kind="checks", choices=list(known[name].items()),
            chosen=getattr(one, name),
        )
        for name in CONDITIONS
    ]  # fmt: skip
    mrr = "" if one.mrr_from_minor is None else str(one.mrr_from_minor)
    return [
        Field("role", "Role", one.role, kind="select", choices=routing_forms.role_choices()),
        Field(
            "person", "Who holds it", str(one.person_id or ""), kind="select", choices=routing_forms.people(),
            help="A role routes items; what somebody may decide, their groups say.",
        ),
        Field(
            "customer", "For this customer", one.customer.external_id if one.customer else "", longest=64,
            required=False, help="Our external id. Leave it empty to choose conditions instead.",
        ),
        *checks,
        Field(
            "mrr_from_minor", "Monthly revenue from", mrr, kind="number", required=False, least=1,
            most=routing_edit.MOST_MINOR, help="In minor units of the customer's own currency.",
        ),
        Field("reason", "Why?", longest=500, help=routing_forms.REASON),
        Field("version", "", str(routing_edit.version_of(one)), kind="hidden"),
    ]  # fmt: skip


def save_holder(request: HttpRequest, key: int | None, version: int) -> str:
    """Store what was typed."""
    said = HolderFields(
        form_fields.text(request, "role"),
        form_fields.maybe(request, "person", most=2**31 - 1),
        form_fields.text(request, "customer").strip(),
        **{name: form_fields.many(request, name) for name in CONDITIONS},
        mrr_from_minor=form_fields.maybe(
            request, "mrr_from_minor", most=routing_edit.MOST_MINOR, words="monthly revenue from"
        ),
        reason=form_fields.text(request, "reason"),
    )
    user: Any = request.user
    one = accounts_edit.save_holder(key, said, by=user, version=version)
    return f"Saved: {one.person.get_username()} is {one.role}. New items follow it."


def retire_holder(request: HttpRequest, key: int) -> str:
    """End an entry."""
    user: Any = request.user
    one = accounts_edit.retire_holder(key, by=user, reason=form_fields.text(request, "reason"))
    return f"Ended: {one.person.get_username()} is no {one.role} of these accounts any more."


def sensitive_fields(one: OwnerSensitive) -> list[Field]:
    """The form of one kind of action."""
    kinds = [(name, capfirst(words)) for name, words in KINDS.items() if not one.pk or name == one.kind]
    choices = [("yes", "Yes: no automation does it by itself"), ("no", "No: the automation's stage decides")]
    return [
        Field("kind", "Kind of action", one.kind, kind="select", choices=kinds),
        Field("on", "Is it an owner's say?", "yes" if one.is_on else "no", kind="select", choices=choices),
        Field("reason", "Why?", longest=500, help=routing_forms.REASON),
        Field("version", "", "0", kind="hidden"),
    ]


def save_sensitive(request: HttpRequest, key: int | None, version: int) -> str:
    """Store what was chosen."""
    user: Any = request.user
    on = form_fields.text(request, "on") != "no"
    reason = form_fields.text(request, "reason")
    one = accounts_edit.set_sensitive(form_fields.text(request, "kind"), on=on, by=user, reason=reason)
    return f"Saved: {kind_words(one.kind)} is {'an' if one.is_on else 'no'} owner's say."
