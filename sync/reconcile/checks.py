"""What a check is: which lists it reads, how rows are kept, and how they are compared. The registry of all checks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from gates.stop import Refused
from sync.reconcile import customers, pairs
from sync.reconcile.finding import Compared, Page
from sync.reconcile.pairing import OWN, Pairing, Totals
from sync.wiretypes import Exchange

Kept = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of two systems.

    `lists` are read in their order, a page at a time, each from the system beside it; `read` runs outside of any
    transaction and `store` inside one. `compare` goes through what was stored by key, in pages.
    """

    name: str
    title: str
    left: str
    right: str
    lists: Mapping[str, str]
    kinds: tuple[str, ...]
    read: Callable[[str, str, Kept, list[Exchange]], Page]
    store: Callable[[int, str, Page, Kept], tuple[int, int]]
    compare: Callable[[int, Kept], Iterator[Compared]]
    sides: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # mark of a leg -> its two systems
    can_be_partial: bool = False  # a list that cannot be read takes only its own part away
    is_window: bool = False  # it covers a time, which goes on where the last whole run ended
    totals: Callable[[int], Totals] | None = None  # what is added up of a run, while its rows are there


def _of_pairing(one: Pairing) -> Check:
    return Check(
        one.name, one.title, one.left, one.right, one.providers, one.kinds, one.read, one.store, one.compare,
        {leg.mark: (leg.left_is[0], leg.right_is[0]) for leg in one.legs if leg.mark}, can_be_partial=True,
        is_window=one.is_window, totals=one.totals,
    )  # fmt: skip


CHECKS: Mapping[str, Check] = {
    "customers": Check(
        "customers", "Customers of the CRM and of the ERP", "pipedrive", "netsuite", customers.LISTS, customers.KINDS,
        customers.read, customers.store, customers.compare,
    ),
    **{one.name: _of_pairing(one) for one in pairs.PAIRINGS},
}  # fmt: skip


# What events open differences under, without a comparison: a title, and the two systems.
OF_EVENTS: Mapping[str, tuple[str, str, str]] = {
    "billing_customers": ("Customers at billing", "stripe", "netsuite"),
    "field_ownership": ("Writes to fields that another system owns", "meshline", "netsuite"),
}


def get(name: str) -> Check:
    """A check by its name. Raises Refused 422 that names those there are."""
    found = CHECKS.get(name)
    if found is None:
        raise Refused(422, "check", f"check: there is no check {name[:40]!r}; there are {', '.join(CHECKS)}")
    return found


def title(name: str) -> str:
    """A check in words, also one that this release does not have any more."""
    found = CHECKS.get(name)
    return found.title if found else OF_EVENTS.get(name, (name.capitalize(),))[0]


def possible() -> list[str]:
    """The checks whose systems are all connected here."""
    connected = {*settings.MESHLINE_PROVIDERS, OWN}
    return [name for name, check in CHECKS.items() if connected.issuperset(check.lists.values()) and not why_off(name)]


def why_off(name: str) -> str:
    """Why a check cannot be run here, as a clause; "" where it can."""
    if name == pairs.ACCOUNTING.name and not settings.MESHLINE_ACCOUNTING["on"]:
        return "accounting is off: set MESHLINE_ACCOUNTING=1 and its accounts"
    return ""


def sides(name: str, about: str = "") -> tuple[str, str]:
    """The two systems of a check, or of what events open differences under; of a leg by what the difference names."""
    found = CHECKS.get(name)
    if found:
        return found.sides.get(about.partition(".")[0], (found.left, found.right))
    return OF_EVENTS.get(name, ("", "pipedrive", "netsuite"))[1:]
