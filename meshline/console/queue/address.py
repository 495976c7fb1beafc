"""The address of the queue as a value: view, chips, search and page, read strictly and written in one way only."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from django.db.models import Q, QuerySet
from django.urls import reverse

from gates.models import ReviewItem
from ledger.models import Customer
from ledger.readonly import as_uuid
from meshline.console.queue import chips, tabs
from meshline.console.queue.chips import BadAddress

LONGEST = 500  # as long as a saved view can be
ITEM = re.compile(r"(?:rv-?)?([0-9]{1,18})", re.IGNORECASE)
MOST_FOUND = 500
KNOWN = ("tab", "q", "p", "group")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person looks at. `group` is the failure group that is unfolded, as `error:system:automation`."""

    user: Any = field(compare=False, repr=False)
    tab: str = ""
    set: tuple[tuple[str, str], ...] = ()
    q: str = ""
    page: int = 1
    group: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str], user: Any) -> Self:
        """From the parameters of an address. Raises BadAddress for anything that is not the queue's own."""
        tab = given.get("tab", "")
        if tab and tab not in tabs.TABS:
            raise BadAddress("there is no such view of the queue; nothing was searched")
        for name, value in given.items():
            if name not in KNOWN:
                chips.condition(name, value, user)
        chosen = tuple((name, given[name]) for name in chips.CHIPS if given.get(name))
        return cls(user, tab, chosen, given.get("q", "")[:255].strip(), page_number(given.get("p", "1")), _group(given))

    @classmethod
    def parse(cls, query: str, user: Any) -> Self:
        """From a query string, as a saved view or a form carries it."""
        if len(query) > LONGEST:
            raise BadAddress(f"the address of a view has at most {LONGEST} characters")
        return cls.read(dict(parse_qsl(query)), user)

    @property
    def query(self) -> str:
        """The same as a query string: the view without page and unfolded group."""
        parts = [("tab", self.tab), *self.set, ("q", self.q)]
        return urlencode([(name, value) for name, value in parts if value])

    @property
    def here(self) -> str:
        """The query string with page and unfolded group."""
        more = {"p": str(self.page) if self.page > 1 else "", "group": self.group}
        rest = urlencode({name: value for name, value in more.items() if value})
        return "&".join(part for part in (self.query, rest) if part)

    @property
    def url(self) -> str:
        """Where this can be seen."""
        address = reverse("admin:gates_reviewitem_changelist")
        return f"{address}?{self.here}" if self.here else address

    @property
    def values(self) -> dict[str, str]:
        """The chips that are set."""
        return dict(self.set)

    @property
    def is_ended(self) -> bool:
        """Whether settled items are asked for."""
        return self.values.get("state") in chips.ENDED

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the view narrows the list."""
        return bool(self.set or self.q)

    def at(self, page: int) -> Self:
        """Another page of it."""
        return replace(self, page=page)

    def unfolded(self, group: str) -> Self:
        """The same with a failure group unfolded, or folded again."""
        return replace(self, group="" if group == self.group else group, page=1)

    def with_tab(self, tab: str) -> Self:
        """Another view, nothing else set."""
        return type(self)(self.user, tab=tab)

    def choosing(self, name: str, value: str) -> Self:
        """The same with one chip set to a value, or taken away."""
        rest = {key: one for key, one in self.set if key != name} | ({name: value} if value else {})
        return replace(self, set=tuple((key, rest[key]) for key in chips.CHIPS if key in rest), page=1, group="")

    def condition(self) -> Q:
        """Everything that is asked for as one condition. Active items only, unless ended ones are asked for."""
        wanted = Q() if self.is_ended else chips.ACTIVE
        if self.tab:
            wanted &= tabs.TABS[self.tab].condition(self.user)
        for name, value in self.set:
            wanted &= chips.condition(name, value, self.user)
        return wanted & found(self.q) if self.q else wanted

    def items(self) -> QuerySet[ReviewItem]:
        """The items themselves, in no order."""
        return base().filter(self.condition())


def base() -> QuerySet[ReviewItem]:
    """Items with what conditions look at beyond their columns."""
    return ReviewItem.objects.alias(failed_with=chips.CODE)


def page_number(text: str) -> int:
    """The page that is asked for; nonsense is the first one."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def is_key(text: str) -> bool:
    """Whether the text can be the number of a row."""
    return text.isascii() and text.isdigit() and len(text) < 19


def found(term: str) -> Q:
    """Items with this number, correlation id or action, or of customers with this id or beginning of a name."""
    if "\x00" in term:
        return Q(pk__in=[])
    number = ITEM.fullmatch(term)
    if number:
        return Q(pk=int(number[1]))
    key: uuid.UUID | None = None
    try:
        key = as_uuid(term)
    except ValueError:
        pass
    if key:
        return Q(correlation_id=key) | Q(action=key)
    named = Customer.objects.filter(name__startswith=term).values_list("pk", flat=True)[:MOST_FOUND]
    known = Customer.objects.filter(external_id=term).values_list("pk", flat=True)
    return Q(customer__in=[*known, *named])


def _group(given: Mapping[str, str]) -> str:
    group = given.get("group", "")
    if group and (group.count(":") < 2 or "\x00" in group or len(group) > 200):
        raise BadAddress("there is no such group of failures")
    return group
