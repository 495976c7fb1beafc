"""A check of lists that are streamed into the staging table: how a page is read and kept, and all of it compared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sync.reconcile import judging, matching, staging
from sync.reconcile.finding import Compared, Finding, Page
from sync.reconcile.matching import Leg
from sync.wiretypes import Exchange

OWN = "meshline"
Kept = dict[str, Any]
Rows = list[tuple[str, staging.Row]]  # the list that a row belongs to, and the row


@dataclass(frozen=True, slots=True)
class Window:
    """When the run began and, for checks of a time, what it covers; all UTC, so that no day has 23 or 25 hours."""

    started: datetime
    since: datetime
    until: datetime


# What is added up of a run: word, currency, records and minor units of the left side, of the right side.
Totals = list[tuple[str, str, int, int, int, int]]
Reader = Callable[[Window, str, list[Exchange]], tuple[Rows, str]]
# Own rows: run, window, and the lists that could not be read. Written by one statement, without a way through here.
Filler = Callable[[int, Window, Mapping[str, str]], int]


@dataclass(frozen=True, slots=True)
class Pairing:
    """One check. `readers` by list, in the order in which they are read; `fillers` are our own lists, read last.

    `feeds` says into which lists of the staging table a reader's rows go, where that is not its own name.
    """

    name: str
    title: str
    left: str
    right: str
    readers: Mapping[str, tuple[str, Reader]]
    fillers: Mapping[str, Filler]
    legs: tuple[Leg, ...]
    group: str = ""
    feeds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counts_doubles: tuple[str, ...] = ()
    is_window: bool = False
    also: Callable[[Window], list[Finding]] | None = None
    totals: Callable[[int], Totals] | None = None

    @property
    def providers(self) -> dict[str, str]:
        """From whom each list is."""
        return {name: provider for name, (provider, _) in self.readers.items()} | dict.fromkeys(self.fillers, OWN)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every class that it may find: what is not found again of these is closed."""
        return (*matching_kinds(self.legs), matching.DUPLICATE, judging.ECHO, judging.UNKNOWN)

    def read(self, name: str, cursor: str, kept: Kept, exchanges: list[Exchange]) -> Page:
        """One page of one list. Raises ProviderError."""
        if name in self.fillers:
            return Page([], "", {"own": name})
        rows, following = self.readers[name][1](window_of(kept), cursor, exchanges)
        return Page(rows, following)

    def store(self, run_id: int, name: str, page: Page, kept: Kept) -> tuple[int, int]:
        """Keep a page in the caller's transaction; how many records of the left and of the right side took part."""
        if name in self.fillers:
            count = self.fillers[name](run_id, window_of(kept), kept.get("unread", {}))
            counts = {name: count}
        else:
            by_list: dict[str, list[staging.Row]] = {}
            for into, row in page.rows:
                by_list.setdefault(into, []).append(row)
            counts = {into: staging.keep(run_id, into, rows) for into, rows in by_list.items()}
        return self._sides(counts)

    def kept(self, run_id: int) -> tuple[int, int]:
        """How many records of either side are there now."""
        return self._sides(staging.counted(run_id))

    def _counts(self, run_id: int, kept: Kept) -> dict[str, int]:
        """Rows of each list; of a check of two lists the run itself knows them."""
        if len(self.legs) == 1 and "rows" in kept:
            return dict(zip((self.legs[0].left, self.legs[0].right), kept["rows"], strict=True))
        return staging.counted(run_id)

    def _sides(self, counts: Mapping[str, int]) -> tuple[int, int]:
        lefts, rights = {one.left for one in self.legs}, {one.right for one in self.legs}
        left = sum(count for into, count in counts.items() if into in lefts)
        return left, sum(count for into, count in counts.items() if into in rights and into not in lefts)

    def compare(self, run_id: int, kept: Kept) -> Iterator[Compared]:
        """Duplicates, then leg by leg what differs. Of a list that was not read whole nothing is called missing."""
        unread, window, counts = self._unread(kept), window_of(kept), self._counts(run_id, kept)
        yield Compared(0, [], gaps=tuple(kept.get("unread", {}).items()))
        lists = sorted({one for leg in self.legs for one in (leg.left, leg.right)})
        places = {one.left: one.left_is for one in self.legs} | {one.right: one.right_is for one in self.legs}
        found, again = matching.doubled(run_id, self.counts_doubles or lists)
        yield Compared(0, judging.duplicates(found, places, self.group), gaps=_twice(again))
        doubles = [one.key for one in found]
        for leg in self.legs:
            yield from self._leg(run_id, leg, unread, doubles, window, counts)
        if self.also is not None:
            yield Compared(0, self.also(window))

    def _leg(
        self, run_id: int, leg: Leg, unread: set[str], doubles: Sequence[str], window: Window, counts: Mapping[str, int]
    ) -> Iterator[Compared]:  # fmt: skip
        lacking = {matching.LEFT: leg.left, matching.RIGHT: leg.right}
        kinds = [kind for kind in leg.kinds if lacking.get(kind) not in unread]
        pairs = matching.compare(run_id, leg, kinds, doubles)
        if len(pairs) > matching.MOST:
            told = f"more than {matching.MOST:,} records differ; the first ones are shown, look at the set-up"
            yield Compared(0, [], gaps=((leg.left, told),))
        yield Compared(_met(leg, kinds, pairs, counts), [])
        for part in judging.judged(leg, pairs[: matching.MOST], window.started):
            yield Compared(0, part.findings, part.skipped)

    def _unread(self, kept: Kept) -> set[str]:
        """The lists of the staging table that are not whole."""
        return {into for name in kept.get("unread", {}) for into in self.feeds.get(name, (name,))}


def matching_kinds(legs: Sequence[Leg]) -> tuple[str, ...]:
    """The classes of some legs, each once."""
    return tuple(dict.fromkeys(kind for leg in legs for kind in leg.kinds))


def window_of(kept: Kept) -> Window:
    """The window of a run, as it was set at its start (Unix seconds)."""
    started, since, until = (datetime.fromtimestamp(float(one), UTC) for one in kept["window"])
    return Window(started, since, until)


def window_for(started: datetime, covered_to: datetime | None, first: timedelta) -> list[float]:
    """What a new run covers: from where the last whole one ended, or `first` back, up to a moment before its start."""
    until = started - judging.AIR
    since = min(covered_to, until) if covered_to else until - first
    return [started.timestamp(), since.timestamp(), until.timestamp()]


def _met(leg: Leg, kinds: Sequence[str], pairs: Sequence[matching.Pair], counts: Mapping[str, int]) -> int:
    """How many records a leg compared: those of the side that is looked up, and what only the other one has."""
    left, right = counts.get(leg.left, 0), counts.get(leg.right, 0)
    if matching.RIGHT in kinds:
        return left + sum(1 for one in pairs if one.left is None)
    return right if matching.LEFT in kinds else min(left, right)


def _twice(again: int) -> tuple[tuple[str, str], ...]:
    if not again:
        return ()
    return (("order", f"{again} records came twice: the order changed while it was read, and others may be missing"),)
