"""Is the ledger intact: its guard in the database, every seal, step and chain, and where the chains end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import UUIDField

from ledger import sets
from ledger.book import TABLES
from ledger.models import Event
from ledger.offline_check import Seal
from ledger.seals import checking
from ledger.states import Stateful, edges_of

PAGE = 2000
END = 2**63 - 1
Finding = checking.Fault
REFUSE, EDGES = "meshline_refuse_change", "meshline_check_edges"
# Table, trigger, function, and when it fires (tgtype: row 1, before 2, insert 4, delete 8, update 16, truncate 32).
GUARD = (
    ("ledger_ledgerrow", "row_append_only", REFUSE, 27),
    ("ledger_ledgerrow", "row_no_truncate", REFUSE, 34),
    ("ledger_ledgerrow", "row_edges", EDGES, 4),
    ("ledger_ledgerseal", "seal_append_only", REFUSE, 27),
    ("ledger_ledgerseal", "seal_no_truncate", REFUSE, 34),
)
RIGHTS = {
    "ledger_ledgerrow": ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER"),
    "ledger_ledgerseal": ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER"),
    "ledger_edge": ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of subject of which every step leaves a row, and the column that rows know it by."""

    model: type[Stateful]
    key: str = "id"

    @property
    def start(self) -> str:
        """The state it begins in, before any row."""
        fields = {field.name: field for field in self.model._meta.fields}
        return str(fields["state"].default)


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and the first thing found wrong with the rows; the guard's faults are all listed.

    `seals` were looked at, which hold `sealed` rows, whole seals also where the range begins or ends within one.
    """

    rows: int
    guard: tuple[str, ...]
    broken: Finding | None
    seals: int = 0
    sealed: int = 0

    @property
    def is_intact(self) -> bool:
        """Whether nothing was found."""
        return not self.guard and self.broken is None


RECORDS: dict[str, Subject] = {name: Subject(model) for name, model in TABLES.items()}
# Their steps are the worker's own and leave no row; only what people do to them does.
UNCHAINED: dict[str, type[Stateful]] = {"event": Event}


def verify(
    subjects: Mapping[str, Subject],
    unchained: Mapping[str, type[Stateful]],
    *,
    first: int = 1,
    last: int | None = None,
    exported: Sequence[Seal] = (),
    progress: Callable[[int], None] = lambda rows: None,
) -> Report:
    """Check the guard, the seals and the rows from `first` to `last`; over the whole ledger also where chains end.

    With seals `exported` earlier it is the ledger that they know. The first row that is wrong is named, whatever
    found it: a seal knows the very row, a chain what is wrong with it.
    """
    graphs = {name: one.model for name, one in subjects.items()} | dict(unchained)
    faults = (*guard_faults(), *graph_faults(graphs))
    broken = checking.against(exported)
    seals = sealed = rows = 0
    if broken is None:
        for looked in checking.pages(first, END if last is None else last):
            seals, sealed, broken = seals + looked.seals, sealed + looked.rows, looked.fault
    upto = broken.row if broken is not None and broken.row is not None and first <= broken.row else last
    found = None
    for count, found in pages(subjects, first, upto):
        rows += count
        progress(rows)
        if found is not None:
            break
    broken = earlier(broken, found)
    if broken is None and first <= 1 and last is None:
        broken = next((found for name, one in subjects.items() for found in wrong_ends(name, one)), None)
    return Report(rows, faults, broken, seals, sealed)


def earlier(sealed: Finding | None, chained: Finding | None) -> Finding | None:
    """Of what the seals say and what the chains say, the one about the earlier row."""
    if sealed is None or chained is None:
        return sealed or chained
    if sealed.row is None or (chained.row is not None and chained.row < sealed.row):
        return chained
    return sealed


TRIGGERS = """
select c.relname, t.tgname, p.proname, t.tgtype::int, t.tgenabled from pg_trigger t
  join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
 where c.relnamespace = 'public'::regnamespace and c.relname = any(%(tables)b)"""
HELD = """
select v.name, v.bit, has_table_privilege(current_user, c.oid, v.bit)
       or (v.bit in ('INSERT', 'UPDATE') and has_any_column_privilege(current_user, c.oid, v.bit)) as held,
       pg_has_role(current_user, c.relowner, 'MEMBER') as owns
  from unnest(%(name)b::text[], %(bit)b::text[]) as v(name, bit)
  left join pg_class c on c.relname = v.name and c.relnamespace = 'public'::regnamespace"""
ROLE = """
select current_user::text, r.rolsuper, has_parameter_privilege(current_user, 'session_replication_role', 'SET')
  from pg_roles r where r.rolname = current_user"""


def guard_faults() -> list[str]:
    """What is missing of the database's own protection, as the role we work as sees it."""
    found = {
        (table, name): (function, when, enabled)
        for table, name, function, when, enabled in sets.run(TRIGGERS, {"tables": sorted({one[0] for one in GUARD})})
    }
    faults = []
    for table, name, function, when in GUARD:
        there = found.get((table, name))
        if there is None or there[:2] != (function, when):
            faults.append(f"trigger {name} on {table} is missing or is another one")
        elif there[2] not in ("O", "A"):
            faults.append(f"trigger {name} on {table} is disabled")
    return [*faults, *rights_faults()]


def rights_faults() -> list[str]:
    """What the role we work as could do to the ledger although it must not."""
    pairs = [(table, right) for table, rights in RIGHTS.items() for right in rights]
    rows = sets.run(HELD, {"name": [table for table, _ in pairs], "bit": [right for _, right in pairs]})
    role, is_superuser, may_replicate = sets.run(ROLE)[0]
    faults = [f"role {role} holds {right} on {table}" for table, right, held, _ in rows if held]
    faults += [f"role {role} owns {table}" for table in sorted({table for table, _, _, owns in rows if owns})]
    if is_superuser or may_replicate:
        faults.append(f"role {role} may switch triggers off (session_replication_role)")
    return faults


def graph_faults(models: Mapping[str, type[Stateful]]) -> list[str]:
    """Where the steps that the database accepts are not those of the state graphs in the code."""
    stored: dict[str, set[tuple[str, str]]] = {}
    for kind, prior, post in sets.run("select subject_kind, prior_state, post_state from ledger_edge"):
        stored.setdefault(kind, set()).add((prior, post))
    strange = sorted(stored.keys() - models.keys())
    faults = [f"ledger_edge knows steps of {kind!r}, which no record has" for kind in strange]
    for kind, model in models.items():
        wanted = {(prior, post) for prior, _, post in edges_of(model)}
        if stored.get(kind, set()) != wanted:
            faults.append(f"ledger_edge differs from the state graph of {kind}: run migrate")
    return faults


# The row before is the newest earlier one of the same subject that says where it stood; refusals say nothing new.
ROWS = """
with page as (
  select id, subject_kind, subject_id, prior_state, post_state, state_version,
         outcome = 'refused' or state_version = 0 as is_remark
    from ledger_ledgerrow where id > %(after)b and id <= %(last)b order by id limit %(page)b),
seen as (
  select r.*, s.start, q.id as before_id, q.post_state as before_state, q.state_version as before_version,
         r.prior_state = r.post_state or exists (
           select from ledger_edge e where e.subject_kind = r.subject_kind
              and e.prior_state = r.prior_state and e.post_state = r.post_state) as is_step
    from page r
    left join unnest(%(kinds)b::text[], %(starts)b::text[]) as s(kind, start) on s.kind = r.subject_kind
    left join lateral (
      select q.id, q.post_state, q.state_version from ledger_ledgerrow q
       where s.kind is not null and q.subject_kind = r.subject_kind and q.subject_id = r.subject_id and q.id < r.id
         and q.state_version > 0 and q.outcome <> 'refused' order by q.id desc limit 1) q on true),
judged as (
  select id, case
    when not is_step then format('%%s has no step %%s -> %%s', subject_kind, prior_state, post_state)
    when is_remark then case when prior_state <> post_state then 'a remark moves its subject' end
    when start is null then null
    when before_id is null and (prior_state <> start or state_version <> 1)
      then format('%%s %%s begins with %%s, version %%s', subject_kind, subject_id, prior_state, state_version)
    when before_state <> prior_state
      then format('it begins in %%s, but row %%s of the same %%s ended in %%s', prior_state, before_id, subject_kind,
                  before_state)
    when before_version + 1 <> state_version
      then format('version %%s follows version %%s of row %%s: rows are missing or were added', state_version,
                  before_version, before_id)
    end as problem from seen)
select count(*), max(id), min(id) filter (where problem is not null),
       (array_agg(problem order by id) filter (where problem is not null))[1] from judged"""


def pages(subjects: Mapping[str, Subject], first: int, last: int | None) -> Iterator[tuple[int, Finding | None]]:
    """Go through the rows in pages by id; each says how many it looked at and the first that is wrong."""
    ends = END if last is None else last
    params = {"kinds": list(subjects), "starts": [one.start for one in subjects.values()], "last": ends, "page": PAGE}
    after = first - 1
    while True:
        count, newest, row, problem = sets.run(ROWS, {**params, "after": after})[0]
        if not count:
            return
        yield count, Finding(problem, row) if row is not None else None
        after = newest


ENDS = """
with page as (select id, {key}::text as name, state, state_version from {table}
               where id > %(after)b::{id_type} order by id limit %(page)b)
select p.id::text, p.name, p.state, p.state_version, q.id, q.post_state, q.state_version
  from page p left join lateral (
    select r.id, r.post_state, r.state_version from ledger_ledgerrow r
     where r.subject_kind = %(kind)b and r.subject_id = p.name and r.state_version > 0 and r.outcome <> 'refused'
     order by r.id desc limit 1) q on true
 order by p.id"""


def wrong_ends(kind: str, subject: Subject) -> Iterator[Finding]:
    """Subjects whose present state is not what their last row says; read in pages, each of one moment."""
    id_type = "uuid" if isinstance(subject.model._meta.pk, UUIDField) else "bigint"
    sql = ENDS.format(key=subject.key, table=subject.model._meta.db_table, id_type=id_type)
    after = "00000000-0000-0000-0000-000000000000" if id_type == "uuid" else "0"
    while rows := sets.run(sql, {"after": after, "page": PAGE, "kind": kind}):
        for _, name, state, version, row, said, said_version in rows:
            if row is None and (state, version) != (subject.start, 0):
                yield Finding(f"{kind} {name} is {state}, version {version}, but no row says so")
            elif row is not None and (state, version) != (said, said_version):
                last = f"its last row says {said}, version {said_version}"
                yield Finding(f"{kind} {name} is {state}, version {version}, but {last}", row)
        after = rows[-1][0]
