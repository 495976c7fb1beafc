"""Comparing two lists of the staging table: one full outer join for each set of fields, duplicates counted before it.

Amounts are whole minor units and never compared across currencies: another currency is a difference of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger import sets
from sync.reconcile.staging import BETWEEN, TABLE

TEXT, AMOUNT = "text", "amount"  # a value as it stands; "<minor units> <currency>"
CURRENCY = "currency"
LEFT, RIGHT, DIFFERS, DUPLICATE = "missing_left", "missing_right", "field_differs", "duplicate"
# More than this is no list of work but a mistake of the set-up: the run shows so many and says that there are more.
MOST = 100_000
WORK_MEM = "set local work_mem = '96MB'"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a row, in the order of `vals`. `owner` is the system whose word counts.

    `tolerance` is in minor units and only for amounts; an `optional` one is compared where both sides say something.
    """

    name: str
    sort: str = TEXT
    owner: str = ""
    tolerance: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """Two lists that are compared, and which classes count there.

    `left_is` and `right_is` name the records: (system, kind). `mark` tells the legs of one check apart; the first one
    has none. `writes` are the kinds of actions of ours that explain a difference while they are under way.
    """

    left: str
    right: str
    left_is: tuple[str, str]
    right_is: tuple[str, str]
    fields: tuple[Field, ...] = ()
    kinds: tuple[str, ...] = (LEFT, RIGHT, DIFFERS)
    mark: str = ""
    group: str = ""
    writes: tuple[str, ...] = ()
    excused: str = ""  # the first value of a record that the other side need not have
    is_echo: bool = False  # a record that names an action of ours only repeats what that one did

    def named(self, field: str) -> str:
        """What the difference is about, as it is stored."""
        return ".".join(filter(None, (self.mark, field)))


class Pair(NamedTuple):
    """One key that differs; None stands for a side that has no such record."""

    key: str
    left: str | None
    right: str | None
    left_vals: str | None
    right_vals: str | None
    left_about: str | None
    right_about: str | None
    left_changed: Any
    right_changed: Any
    fields: list[str]

    @property
    def kind(self) -> str:
        """Its class."""
        return LEFT if self.left is None else RIGHT if self.right is None else DIFFERS

    def value(self, side: str, place: int) -> str:
        """One value of a side, by its place among the leg's fields."""
        vals = self.left_vals if side == "left" else self.right_vals
        parts = (vals or "").split(BETWEEN)
        return parts[place] if place < len(parts) else ""


class Doubled(NamedTuple):
    """One key that a list has several records under."""

    among: str
    key: str
    records: list[str]
    abouts: list[str]


def doubled(run_id: int, lists: Sequence[str]) -> tuple[list[Doubled], int]:
    """Keys with several records in one list, and how many records came twice: the order changed while it was read.

    Of a record that came twice one row is kept.
    """
    asked = {"run": run_id, "lists": list(lists), "most": MOST}
    sets.run(WORK_MEM)
    hashes = sets.run(_OFTEN, asked)
    keys = sets.run(_KEYS, {**asked, "hashes": [one[0] for one in hashes]}) if hashes else []
    if not keys:
        return [], 0
    asked |= {"in": [one[0] for one in keys], "keys": [one[1] for one in keys]}
    again = len(sets.run(_AGAIN, asked))
    found = sets.run(_OF_KEYS, asked)
    return [Doubled(*row) for row in found], again


# Numbers are grouped at half the cost of texts; what only shares its number with another key is sorted out after.
_HASH = "hashtextextended(key, hashtext(list))"
_OFTEN = f"""
select {_HASH} from {TABLE} where run_id = %(run)b and list = any(%(lists)b::text[])
 group by 1 having count(*) > 1 limit %(most)b::int"""
_KEYS = f"""
select list, key from {TABLE}
 where run_id = %(run)b and list = any(%(lists)b::text[]) and {_HASH} = any(%(hashes)b::bigint[])
 group by list, key having count(*) > 1"""
_AGAIN = f"""
with often as (
  select t.ctid as at, row_number() over (partition by t.list, t.record order by t.ctid) as n
    from {TABLE} t join (select distinct * from unnest(%(in)b::text[], %(keys)b::text[]) as v(list, key)) v
      on t.list = v.list and t.key = v.key
   where t.run_id = %(run)b)
delete from {TABLE} t using often where t.ctid = often.at and often.n > 1 returning 1"""
_OF_KEYS = f"""
select t.list, t.key, array_agg(t.record order by t.record), array_agg(t.about order by t.record)
  from {TABLE} t join (select distinct * from unnest(%(in)b::text[], %(keys)b::text[]) as v(list, key)) v
    on t.list = v.list and t.key = v.key
 where t.run_id = %(run)b group by t.list, t.key having count(*) > 1 order by 1, 2"""


def compare(run_id: int, leg: Leg, kinds: Sequence[str], but: Sequence[str]) -> list[Pair]:
    """What differs between the two lists, `MOST` and one at most; only of these classes, keys in `but` left out."""
    params: dict[str, Any] = {
        "run": run_id, "left": leg.left, "right": leg.right, "u": BETWEEN, "but": list(but), "most": MOST + 1,
        "excused": leg.excused,
    }  # fmt: skip
    sets.run(WORK_MEM)
    return [Pair(*row) for row in sets.run(_sql(leg, kinds, has_but=bool(but)), params)]


def _sql(leg: Leg, kinds: Sequence[str], *, has_but: bool) -> str:
    """The statement for a leg's fields. All of it is made of constants of this file and of numbers."""
    fields = "array[]::text[]"
    if leg.fields and DIFFERS in kinds:
        cases = ", ".join(_case(place, one) for place, one in enumerate(leg.fields, start=1))
        fields = f"case when l.vals <> r.vals then array_remove(array[{cases}], null) else array[]::text[] end"
    needed = {side: f" and split_part({side}.vals, %(u)b, 1) <> %(excused)b" if leg.excused else "" for side in "lr"}
    wanted = {
        LEFT: f"(l.key is null{needed['r']})", RIGHT: f"(r.key is null{needed['l']})", DIFFERS: "l.vals <> r.vals",
    }  # fmt: skip
    tests = " or ".join(wanted[kind] for kind in wanted if kind in kinds)
    # Where only one side may lack a record, the cheaper join is enough.
    how = "full outer" if LEFT in kinds and RIGHT in kinds else "left" if RIGHT in kinds else "right"
    if LEFT not in kinds and RIGHT not in kinds:
        how = "inner"
    side = f"select key, record, vals, about, changed from {TABLE} where run_id = %(run)b and list = %({{}})b"
    without = " and coalesce(l.key, r.key) <> all(%(but)b::text[])" if has_but else ""
    return f"""
select * from (
  select coalesce(l.key, r.key) as key, l.record, r.record, l.vals, r.vals, l.about, r.about, l.changed, r.changed,
         {fields} as fields
    from ({side.format("left")}) l {how} join ({side.format("right")}) r on l.key = r.key
   where ({tests or "false"}){without}
) found(key, lr, rr, lv, rv, la, ra, lc, rc, fields)
 where lr is null or rr is null or cardinality(fields) > 0 limit %(most)b::int"""


def _case(place: int, field: Field) -> str:
    left, right = (f"split_part({side}.vals, %(u)b, {place})" for side in "lr")
    both = f"{left} <> '' and {right} <> '' and " if field.optional else ""
    if field.sort != AMOUNT:
        return f"case when {both}{left} <> {right} then '{field.name}' end"
    minor, other = (f"split_part({one}, ' ', 1)" for one in (left, right))
    whole = " and ".join(f"{one} ~ '^-?[0-9]{{1,18}}$'" for one in (minor, other))
    apart = (
        f"case when {whole} then abs({minor}::bigint - {other}::bigint) > {field.tolerance:d} "
        f"else {minor} <> {other} end"
    )
    return (
        f"case when {both}split_part({left}, ' ', 2) <> split_part({right}, ' ', 2) then '{CURRENCY}' "
        f"when {both}{apart} then '{field.name}' end"
    )
