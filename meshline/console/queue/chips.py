"""The filters of the queue: each value of a chip, or of a link that sets one, as a condition on review items."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, NullIf

from gates import presets
from gates.models import ReviewItem
from ledger import cells, clock, money
from ledger.models import Action, Customer
from ledger.readonly import as_uuid
from ledger.words import from_identifier, kind_words, why_words

ACTIVE = ~Q(state=ReviewItem.State.RESOLVED)
ENDED = ("ended", "every")
TEXT = 60
BANDS = (50, 500, 5000)  # in whole units of the item's own currency
NUMBER = re.compile(r"[0-9]{1,18}")

CODE = Coalesce(NullIf("error_code", Value("")), F("why"))  # what failed


class BadAddress(ValueError):
    """The address of the queue asks for something that does not exist; the text says what, for people."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter. `condition` gives the Q of a value for a person, or raises KeyError or ValueError.

    `options` are its fixed choices in order; without them the choices are what active items carry, in `words`.
    A chip that is not `offered` is set by links only and shown while it is set.
    """

    label: str
    condition: Callable[[str, Any], Q]
    options: Mapping[str, str] = field(default_factory=dict)
    words: Callable[[str], str] = str
    offered: bool = True

    def shown(self, value: str) -> str:
        """The value as people read it."""
        return self.options.get(value) or cells.plain(self.words(value), 40)


def minor_below(major: int) -> Q:
    """Items about less than so many whole units of their own currency."""
    zero, three = sorted(money.ZERO_DECIMAL), sorted(money.THREE_DECIMAL)
    return (
        Q(currency__in=zero, amount_minor__lt=major)
        | Q(currency__in=three, amount_minor__lt=major * 1000)
        | (~Q(currency__in=[*zero, *three]) & Q(amount_minor__lt=major * 100))
    )


def amount(value: str, user: Any) -> Q:
    """The band of an amount."""
    low, middle, high = BANDS
    return {
        "none": Q(amount_minor=None),
        "low": minor_below(low),
        "middle": minor_below(middle) & ~minor_below(low),
        "high": minor_below(high) & ~minor_below(middle),
        "top": Q(amount_minor__isnull=False) & ~minor_below(high),
    }[value]


def due(value: str, user: Any) -> Q:
    """How much time is left; what rests is neither late nor due."""
    now = clock.now()
    resting = Q(paused_at__isnull=False)
    return {
        "late": Q(due_at__lt=now) & ~resting,
        "hour": Q(due_at__lt=now + cells.SOON) & ~resting,
        "day": Q(due_at__lt=now + timedelta(days=1)) & ~resting,
        "later": Q(due_at__gte=now + timedelta(days=1)) & ~resting,
        "paused": resting,
    }[value]


def owner(value: str, user: Any) -> Q:
    """Whose turn it is."""
    if value.startswith("team:"):
        return Q(owner_group=value[5:])
    groups = user.groups.values("name")
    return {
        "me": Q(owner=user),
        "group": Q(owner_group__in=groups),
        "nobody": Q(owner=None),
        "others": Q(owner__isnull=False) & ~Q(owner=user),
    }[value]


def state(value: str, user: Any) -> Q:
    """What the item waits for, or what its action turned out to be."""
    return {
        "open": Q(state="open"),
        "claimed": Q(state="claimed"),
        "waiting": Q(state="snoozed"),
        "unknown": ACTIVE & of_actions(state="unknown"),
        "failed": ACTIVE & of_actions(state="failed"),
        "ended": Q(state="resolved"),
        "every": Q(),
    }[value]


def number(name: str) -> Callable[[str, Any], Q]:
    """A condition on a key: only digits can be one."""

    def condition(value: str, user: Any) -> Q:
        if not NUMBER.fullmatch(value):
            raise ValueError(value)
        return Q(**{name: int(value)})

    return condition


def of_actions(**wanted: Any) -> Q:
    """Items about actions like these. Open actions have an index by state, so few of them are found at once."""
    return Q(action__in=Action.objects.filter(**wanted).order_by().values("pk"))


OWNERS = {"me": "Mine", "group": "My team's", "nobody": "Nobody yet", "others": "Somebody else"}
CHIPS: dict[str, Chip] = {
    "kind": Chip("Kind", lambda value, user: Q(kind=value), words=kind_words),
    "why": Chip("Why here", lambda value, user: Q(why=value), words=lambda why: why_words(why).capitalize()),
    "state": Chip(
        "State",
        state,
        {
            "open": "Open",
            "claimed": "Claimed",
            "waiting": "Waiting",
            "unknown": "Outcome unknown",
            "failed": "Failed",
            "ended": "Ended",
            "every": "All, ended ones too",
        },
    ),
    "owner": Chip("Owner", owner, OWNERS | {f"team:{name}": f"Team {name}" for name in presets.GROUPS}),
    "due": Chip(
        "SLA",
        due,
        {
            "late": "Late",
            "hour": "Late or due within 1 h",
            "day": "Late or due within 24 h",
            "later": "Later than that",
            "paused": "Paused",
        },
    ),
    "automation": Chip("Automation", lambda value, user: Q(automation=value), words=from_identifier),
    "amount": Chip(
        "Amount",
        amount,
        {
            "low": "Under 50",
            "middle": "50 to 500",
            "high": "500 to 5,000",
            "top": "5,000 and more",
            "none": "No amount",
        },
    ),
    "system": Chip(
        "System",
        lambda value, user: Q(provider=value),
        {name: name for name in settings.MESHLINE_PROVIDERS},
        cells.system,
    ),
    "tier": Chip("Tier", lambda value, user: Q(tier=Customer.Tier(value)), dict(Customer.Tier.choices)),
    "mode": Chip(
        "Mode", lambda value, user: Q(action__mode=Action.Mode(value)), {"live": "Live", "shadow": "Shadow suggestion"}
    ),
    "customer": Chip("Customer", number("customer_id"), offered=False),
    "person": Chip("Person", number("owner_id"), offered=False),
    "error": Chip("Error", lambda value, user: Q(failed_with=value), offered=False),
    "correlation": Chip("Correlation", lambda value, user: Q(correlation_id=as_uuid(value)), offered=False),
}


def condition(name: str, value: str, user: Any) -> Q:
    """The Q of one chip. Raises BadAddress for a filter or a value that does not exist."""
    chip = CHIPS.get(name)
    if chip is None:
        raise BadAddress(f"there is no filter “{cells.plain(name, 60)}” on this list; nothing was searched")
    if "\x00" in value or len(value) > TEXT:
        raise BadAddress(f"the filter {chip.label} has no such value; clear it and choose again")
    if chip.options and value not in chip.options:
        raise BadAddress(f"the filter {chip.label} has no value “{cells.plain(value, 60)}”; clear it and choose again")
    try:
        return chip.condition(value, user)
    except (KeyError, ValueError) as error:
        raise BadAddress(f"“{cells.plain(value, 60)}” cannot be a value of the filter {chip.label}") from error
