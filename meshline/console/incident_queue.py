"""A page of the outreach queue of an update, by place; nothing is counted."""

from dataclasses import dataclass, replace

from django.http import HttpRequest
from django.utils.http import urlencode

from gates.models import IncidentUpdate, Outreach
from ledger.models import Action
from meshline.console import form_fields

PAGE = 50
STATES = ("", *Outreach.State.values)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says; an unknown state finds all."""

    state: str = ""
    after: int | None = None
    before: int | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "Asked":
        """Read the address."""
        state = request.GET.get("state", "")
        places = {name: form_fields.key(request.GET.get(name)) for name in ("after", "before")}
        return cls(state if state in STATES else "", **places)

    def address(self, **changes: object) -> str:
        """The same with something changed."""
        wanted = replace(self, **{"after": None, "before": None, **changes})  # type: ignore[arg-type]
        pairs = [(name, getattr(wanted, name)) for name in ("state", "after", "before")]
        return f"?{urlencode([(name, value) for name, value in pairs if value])}#queue"


@dataclass(slots=True)
class Found:
    """Messages with their customers and actions, and where the pages beside them are."""

    rows: list[Outreach]
    actions: dict[object, Action]
    newer: str = ""
    older: str = ""


def page(update: IncidentUpdate, asked: Asked) -> Found:
    """One page in the order in which customers are written to. Two statements."""
    rows = Outreach.objects.filter(update=update).select_related("customer")
    if asked.state:
        rows = rows.filter(state=asked.state)
    if asked.before is not None:
        found = list(rows.filter(place__lt=asked.before).order_by("-place")[: PAGE + 1])
        newer, older, found = len(found) > PAGE, True, found[:PAGE][::-1]
    else:
        narrowed = rows.filter(place__gt=asked.after) if asked.after is not None else rows
        found = list(narrowed.order_by("place")[: PAGE + 1])
        newer, older, found = asked.after is not None, len(found) > PAGE, found[:PAGE]
    keys = [one.action_id for one in found if one.action_id is not None]
    made = Found(found, {one.pk: one for one in Action.objects.filter(pk__in=keys)} if keys else {})
    if found:
        made.newer = asked.address(before=found[0].place) if newer else ""
        made.older = asked.address(after=found[-1].place) if older else ""
    return made
