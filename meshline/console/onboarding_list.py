"""Which checklists are asked for by an address, a page of them, and what is waiting in each."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.utils.http import urlencode

from gates.models import Checklist, ChecklistStep, ReviewItem
from ledger.models import Action
from meshline.console import form_fields

PAGE, CARDS, MOST_CHOICES, MOST_REFUSED = 50, 6, 30, 100
TABS = {"": "Running", "board": "Board", "refused": "Refused", "ended": "Ended"}
FILTERS = ("late", "blocked", "owner", "package", "csm")
REFUSED_STATES = ("in_review", "failed", "rejected")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says; unknown values find nothing."""

    tab: str = ""
    q: str = ""
    late: str = ""
    blocked: str = ""
    owner: str = ""
    package: str = ""
    csm: str = ""
    before: int | None = None
    after: int | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "Asked":
        """Read the address."""
        given: dict[str, Any] = {
            name: request.GET.get(name, "").replace("\x00", "").strip()[:120] for name in ("tab", "q", *FILTERS)
        }
        given["tab"] = given["tab"] if given["tab"] in TABS else ""
        given |= {name: form_fields.key(request.GET.get(name)) for name in ("before", "after")}
        return cls(**given)

    def address(self, **changes: Any) -> str:
        """The same with something changed; a change of filters begins at the first page."""
        wanted = replace(self, **{"before": None, "after": None, **changes})
        pairs = [(name, getattr(wanted, name)) for name in ("tab", "q", *FILTERS, "before", "after")]
        return f"?{urlencode([(name, value) for name, value in pairs if value])}"

    @property
    def is_narrow(self) -> bool:
        """Whether anything is left out."""
        return any(getattr(self, name) for name in ("q", *FILTERS))

    def lists(self) -> QuerySet[Checklist]:
        """The checklists asked for, newest first."""
        found = Checklist.objects.select_related("customer")
        found = found.exclude(state="running") if self.tab == "ended" else found.filter(state="running")
        waiting = ChecklistStep.objects.filter(checklist=OuterRef("pk"), state="waiting")
        for name, narrowed in (
            ("late", waiting.filter(late=True)),
            ("blocked", waiting.filter(late=True, blocking=True)),
            ("owner", waiting.filter(key=OuterRef("stage"), owner_group=self.owner)),
        ):
            if getattr(self, name):
                found = found.filter(Exists(narrowed))
        for name in ("package", "csm"):
            if getattr(self, name):
                found = found.filter(**{name: getattr(self, name)})
        return found.filter(_search(self.q)) if self.q else found


def _search(term: str) -> Q:
    """By CL number, deal, our external id, or the beginning of the customer's name."""
    number = form_fields.key(term.upper().removeprefix("CL-"))
    wanted = Q(deal=term) | Q(customer__external_id=term) | Q(customer__name__startswith=term)
    return wanted | Q(pk=number) if number is not None else wanted


@dataclass(slots=True)
class Found:
    """A page of lists with their steps, and where the pages beside it are."""

    rows: list[Checklist]
    newer: str = ""
    older: str = ""
    steps: dict[int, list[ChecklistStep]] = field(default_factory=dict)


def page(asked: Asked) -> Found:
    """One page by key; nothing is counted. Three statements at most."""
    rows = asked.lists()
    if asked.after is not None:
        found = list(rows.filter(pk__gt=asked.after).order_by("pk")[: PAGE + 1])
        newer, older, found = len(found) > PAGE, True, found[:PAGE][::-1]
    else:
        narrowed = rows.filter(pk__lt=asked.before) if asked.before is not None else rows
        found = list(narrowed.order_by("-pk")[: PAGE + 1])
        newer, older, found = asked.before is not None, len(found) > PAGE, found[:PAGE]
    made = Found(found, steps=steps_of(found))
    if found:
        made.newer = asked.address(after=found[0].pk) if newer else ""
        made.older = asked.address(before=found[-1].pk) if older else ""
    return made


def steps_of(lists: Sequence[Checklist]) -> dict[int, list[ChecklistStep]]:
    """The steps of these lists in their order: one statement."""
    found: dict[int, list[ChecklistStep]] = {one.pk: [] for one in lists}
    for step in ChecklistStep.objects.select_related("owner").filter(checklist__in=list(found)).order_by("position"):
        found[step.checklist_id].append(step)
    return found


def cards(asked: Asked) -> list[Checklist]:
    """The oldest few lists of each stage."""
    place = Window(RowNumber(), partition_by=[F("stage")], order_by=[F("pk").asc()])
    return list(asked.lists().annotate(place=place).filter(place__lte=CARDS).order_by("pk"))


def refused() -> list[tuple[Action, ReviewItem | None]]:
    """Signed deals that got no checklist, since nothing may be made of them; the newest hundred."""
    listed = Checklist.objects.filter(contract=OuterRef("contract"))
    wanted = Action.objects.filter(kind="customer.create", state__in=REFUSED_STATES).select_related("customer")
    found = list(wanted.exclude(Exists(listed)).order_by("-pk")[:MOST_REFUSED])
    items = ReviewItem.objects.filter(action__in=[one.pk for one in found]).order_by("pk")
    by_action = {one.action_id: one for one in items}
    return [(one, by_action.get(one.pk)) for one in found]


def choices(name: str) -> list[str]:
    """What running lists have in a column, for its filter."""
    running = Checklist.objects.filter(state="running").exclude(**{name: ""})
    return list(running.order_by(name).values_list(name, flat=True).distinct()[:MOST_CHOICES])
