"""Trying a version of the mapping before it is used: the shipped cases, and the last stored deals sent by it on paper.

Nothing is written and nobody is asked: what is read is what was stored of each deal when it was read last.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger import sets
from sync import mappings
from sync.mappings import Artifact, Given, checking, named
from sync.onboarding import blocks

MOST_PAYLOADS, MOST_SHOWN = 200, 50
KNOWN_SOURCES = (
    "deal.id", "deal.amount", "deal.currency", "deal.subsidiary", "deal.payment_terms", "deal.csm",
    "deal.billing_owner", "deal.first_value_date", "custom.onboarding_package_code", "person.name",
    "person.primary_email", "person.phones", "organization.id", "organization.name", "organization.tax_id",
    "organization.country",
)  # fmt: skip
# Ours, so that rows of what Meshline itself says show up in a trial as well.
OURS = {
    "meshline_action": "(the action)", "meshline_today": "2026-01-01", "meshline_external_id": "(the external id)",
    "meshline_billing_status": "(the status)",
}  # fmt: skip
# The deals linked last, with what is cached of each and of its place in the ERP.
NEWEST = """
with newest as (
  select id, customer_id, contract_id from ledger_externalid
   where system = 'pipedrive' and kind = 'deal' and contract_id is not null order by id desc limit %(most)b::int)
select n.contract_id, x.blocks -> ('deal:' || n.contract_id), x.blocks -> ('account:' || n.contract_id)
  from newest n join ledger_contextrecord x on x.customer_id = n.customer_id
 where x.blocks -> ('deal:' || n.contract_id) -> 'source' is not null order by n.id desc"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of one signed deal."""

    contract_id: int
    deal: Mapping[str, Any]
    account: Mapping[str, Any]

    def given(self) -> Given:
        """What the mapping is filled from."""
        return blocks.given(self.deal, self.account, **OURS)


@dataclass(frozen=True, slots=True)
class Differs:
    """One field of one stored deal that would come out differently. Values may be personal."""

    contract_id: int
    to: str
    was: str
    becomes: str


@dataclass(slots=True)
class Result:
    """How a version did. `failing` are cases that do not hold and fields without a case."""

    version: int
    cases: int
    wrong: list[checking.Checked]
    uncovered: list[str]
    payloads: int = 0
    changed: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    sample: list[Differs] = field(default_factory=list)

    @property
    def failing(self) -> list[str]:
        """Names of what does not hold, as they are agreed to."""
        return [*(one.name for one in self.wrong), *self.uncovered]

    def counts(self) -> dict[str, int]:
        """For the ledger: no values."""
        return {
            "cases": self.cases, "cases_wrong": len(self.wrong), "fields_untested": len(self.uncovered),
            "payloads": self.payloads, "payloads_changed": self.changed,
        }  # fmt: skip


def run(artifact: Artifact, before: Artifact | None = None) -> Result:
    """Run the cases, and compare what would be sent for the last stored deals with what the version in force sends."""
    listed = checking.cases()
    wrong = [one for one in checking.check(listed, artifact) if one.wrong]
    result = Result(artifact.version, len(listed), wrong, checking.uncovered(listed, artifact))
    base = before or mappings.artifact()
    for one in stored():
        result.payloads += 1
        found = differing(one, base, artifact)
        result.changed += bool(found)
        result.fields.update(difference.to for difference in found)
        result.sample += found[: max(0, MOST_SHOWN - len(result.sample))]
    return result


def stored(most: int = MOST_PAYLOADS) -> list[Stored]:
    """The deals that were linked last and read since; one statement."""
    return [Stored(row[0], row[1], row[2] or {}) for row in sets.run(NEWEST, {"most": most})]


def differing(one: Stored, base: Artifact, artifact: Artifact) -> list[Differs]:
    """Every field that a new record of this deal would be sent otherwise."""
    given = one.given()
    places = {(row.system, named(row.system, row.record)) for row in (*base.rows, *artifact.rows)}
    found = []
    for system, record in sorted(places):
        was, becomes = _sent(system, record, given, base), _sent(system, record, given, artifact)
        for name in sorted({*was, *becomes}):
            if was.get(name) != becomes.get(name):
                told = was.get(name, "not sent"), becomes.get(name, "not sent")
                found.append(Differs(one.contract_id, f"{system}.{record}.{name}", *told))
    return found


def gone_fields(among: Sequence[Stored]) -> Counter[str]:
    """Custom fields that the CRM did not have any more when these deals were read, with how many miss them."""
    return Counter(str(name) for one in among for name in one.deal.get("gone_fields", ()))


def _sent(system: str, record: str, given: Given, by: Artifact) -> dict[str, str]:
    """What would be sent of each field, as text; a fault stands in its place."""
    fields, faults = mappings.fill(system, record, given, is_new=True, by=by)
    plain = {name: str(checking.plain(value)) for name, value in fields.items()}
    return plain | {name: f"refused: {fault}" for name, fault in faults}
