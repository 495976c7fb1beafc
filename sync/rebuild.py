"""Replaying the ledger: where its rows put each subject, against where the subject's own table has it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ledger import sets
from ledger.verify import Subject

MOST_LISTED = 10_000  # of one kind; what differs that often has one cause


@dataclass(frozen=True, slots=True)
class Difference:
    """A subject that does not stand where the ledger puts it. A state is `state, version N`, or None for not there.

    `row` is the last ledger row about it, None where no row is.
    """

    kind: str
    id: str
    by_ledger: str | None
    by_table: str | None
    row: int | None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a kind of subject came to: how many the ledger puts somewhere, how many differ, and these."""

    kind: str
    subjects: int
    rows: int
    differing: int
    differences: tuple[Difference, ...]


# Refusals and remarks (version 0) move nothing. One statement sees one moment, so nothing that moves meanwhile differs.
REPLAY = """
with rows as (
  select id, subject_id, post_state, state_version,
         row_number() over (partition by subject_id order by id desc) as back, count(*) over () as rows
    from ledger_ledgerrow where subject_kind = %(kind)b::text and state_version > 0 and outcome <> 'refused'),
last as (select * from rows where back = 1),
stands as (select ({key})::text as name, state, state_version as version from {table}),
judged as (
  select coalesce(s.name, l.subject_id) as name, l.post_state, l.state_version, s.state, s.version, l.id,
         case when l.id is null then not ({untold})
              when s.name is null then true
              else (l.post_state, l.state_version) is distinct from (s.state, s.version) end as differs
    from last l full join stands s on s.name = l.subject_id)
select (select count(*) from last), (select coalesce(max(rows), 0) from last),
       (select count(*) from judged where differs), j.name, j.post_state, j.state_version, j.state, j.version, j.id
  from (values (1)) v left join (
    select * from judged where differs order by id nulls last, name limit %(most)b) j on true"""
# A subject that nothing happened to stands at its beginning and has no row.
AT_START = "s.state = %(start)b and s.version = 0"


def replay(subjects: Mapping[str, Subject], begun_anywhere: Mapping[str, Subject]) -> Iterator[Rebuilt]:
    """Each kind of subject by the ledger and by its table.

    Of those `begun_anywhere` an installation makes some in the midst of their life, without a row: of them only what
    rows tell of is compared.
    """
    for kind, one in {**subjects, **begun_anywhere}.items():
        is_told_whole = kind not in begun_anywhere
        yield _replayed(kind, one, one.start if is_told_whole else None)


def _replayed(kind: str, subject: Subject, start: str | None) -> Rebuilt:
    sql = REPLAY.format(
        key=subject.key, table=subject.model._meta.db_table, untold=AT_START if start is not None else "true"
    )
    params = {"kind": kind, "most": MOST_LISTED} | ({} if start is None else {"start": start})
    found = sets.run(sql, params)
    told = tuple(
        Difference(kind, name, _said(post, post_version), _said(state, version), row)
        for _, _, _, name, post, post_version, state, version, row in found
        if name is not None
    )
    return Rebuilt(kind, found[0][0], found[0][1], found[0][2], told)


def _said(state: str | None, version: int | None) -> str | None:
    return None if state is None else f"{state}, version {version}"
