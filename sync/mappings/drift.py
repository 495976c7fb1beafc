"""Where the formats of other systems moved away from the mapping: fields that are gone, members that changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from ledger.models import Event
from sync.mappings import Row, rehearsal

PREFIX = "schema drift: "
MOST_PARKED = 200
# Which system a value comes from, by the first word of its name.
ORIGINS = {
    "deal": "pipedrive", "person": "pipedrive", "organization": "pipedrive", "custom": "pipedrive",
    "stripe": "stripe", "erp": "netsuite", "meshline": "meshline",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that moved: where, which member or field, what was said of it, and how often it was met."""

    system: str
    member: str
    said: str
    count: int

    def is_about(self, row: Row) -> bool:
        """Whether it is what a row is filled from."""
        last = row.source.rpartition(".")[2]
        return origin(row) == self.system and (last == self.member or last.endswith(f"_{self.member}"))


def origin(row: Row) -> str:
    """The system that a row's value comes from."""
    return ORIGINS.get(row.source.partition(".")[0], "")


def alerts() -> list[Alert]:
    """What is open now: events parked for drift among the newest parked ones, and fields the last deals missed.

    Two statements.
    """
    parked = Event.objects.filter(state="parked").order_by("-id").values_list("source", "verdict")[:MOST_PARKED]
    met: dict[tuple[str, str, str], int] = {}
    for source, verdict in parked:
        if PREFIX in verdict:
            member, _, said = verdict.partition(PREFIX)[2].partition(" ")
            key = source, member.rpartition(".")[2], said[:120]
            met[key] = met.get(key, 0) + 1
    gone = rehearsal.gone_fields(rehearsal.stored())
    found = [Alert(system, member, said, count) for (system, member, said), count in met.items()]
    words = _words()
    found += [
        Alert("pipedrive", words.get(name, name), f"{name}: no such field there any more", count)
        for name, count in gone.items()
    ]
    return sorted(found, key=lambda one: (one.system, one.member))


def _words() -> dict[str, str]:
    """Our word for each custom field by the name it is configured under."""
    config = settings.MESHLINE_PROVIDERS.get("pipedrive", {})
    named = {**config.get("deal_fields", {}), **config.get("organization_fields", {})}
    return {name: word for word, name in named.items()}


def of(row: Row, found: Sequence[Alert]) -> list[Alert]:
    """The alerts about one row."""
    return [one for one in found if one.is_about(row)]
