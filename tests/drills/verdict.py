"""What must be true after an onboarding drill, asked of the database and of the providers' own books."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.drills.stage import Stage
from tests.drills.town import Signing, Town

CUSTOMERS = "/services/rest/record/v1/customer/"
ITEMS = """select coalesce(a.params ->> 'deal', split_part(a.business_key, ':', 2), ''), i.reason, i.why, i.state
             from gates_reviewitem i left join ledger_action a on a.id = i.action_id"""
STATES = "select kind || ' ' || state, count(*) from ledger_action group by 1 order by 1"
FIGURES = """
select (select count(*) from ledger_event where source = 'pipedrive'),
       (select sum(deliveries) from ledger_event where source = 'pipedrive'),
       (select count(*) from sync_attempt),
       (select count(*) from sync_attempt where error <> '' or (status >= 400 and status <> 404)),
       (select count(*) from ledger_ledgerrow where subject_kind = 'action' and post_state = 'unknown'
           and prior_state <> 'unknown'),
       (select count(*) from sync_attempt where status = 202),
       (select count(*) from sync_attempt where status = 429)"""


@dataclass(frozen=True, slots=True)
class Books:
    """NetSuite's and the CRM's own word."""

    customers: list[dict[str, Any]]
    invoices: list[dict[str, Any]]
    created: dict[str, list[float]]  # NetSuite's id of a customer -> when it was made, by the provider's clock
    signed: dict[int, float]  # deal -> when it was moved to the signed stage, by the same clock
    invoiced: dict[str, list[float]]

    @classmethod
    def read(cls, stage: Stage) -> "Books":
        """All of it."""
        whole = stage.sandbox.books("netsuite")
        made: dict[str, dict[str, list[float]]] = {"customer": defaultdict(list), "invoice": defaultdict(list)}
        for write in whole["writes"]:
            record, _, number = str(write["object"]).partition("/")
            if record in made and write["summary"].startswith("created"):
                made[record][number].append(float(write["at"]))
        played = stage.books("pipedrive", "played")
        signed = {int(one["params"]["deal"]): float(one["at"]) for one in played if one["verb"] == "move_stage"}
        objects = whole["objects"]
        return cls(
            list(objects["customer"].values()), list(objects["invoice"].values()), made["customer"], signed,
            made["invoice"],
        )  # fmt: skip


def judge(stage: Stage, town: Town, books: Books) -> dict[str, int]:
    """Every count here must be 0."""
    valid, invalid = list(town.valid()), list(town.invalid())
    by_name = Counter(str(one["companyName"]) for one in books.customers)
    by_deal = Counter(str(one.get("otherRefNum")) for one in books.invoices)
    with stage.session() as session:
        items = _items(session)
    return {
        "customers missing": sum(1 for one in valid if not by_name[one.company]),
        "customers doubled": sum(count - 1 for count in by_name.values() if count > 1)
        + sum(len(times) - 1 for times in books.created.values()),
        "customers of invalid deals": sum(by_name[one.company] for one in invalid),
        "external ids doubled": _doubled(str(one.get("externalId")).lower() for one in books.customers),
        "invoices missing": sum(1 for one in valid if not by_deal[f"PD-{one.deal}"]),
        "invoices doubled": sum(count - 1 for count in by_deal.values() if count > 1)
        + sum(len(times) - 1 for times in books.invoiced.values()),
        "invoices of invalid deals": sum(by_deal[f"PD-{one.deal}"] for one in invalid),
        "invoices of the wrong customer": _wrong_customer(valid, books),
        "invalid deals without their item": sum(1 for one in invalid if not items.get(one.deal)),
        "invalid deals with several items": sum(1 for one in invalid if len(items.get(one.deal, [])) > 1),
        "items that do not name the field": sum(
            1 for one in invalid for reason, _ in items.get(one.deal, []) if one.names not in reason
        ),
        "items of valid deals": sum(len(items.get(one.deal, [])) for one in valid),
        "items of no deal": len(items.get(0, [])),
    }


def _items(session: psycopg.Connection) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for deal, reason, why, _state in session.execute(ITEMS):
        found[int(deal) if str(deal).isdigit() else 0].append((reason, why))
    return found


def _doubled(values: Iterable[str]) -> int:
    return sum(count - 1 for count in Counter(values).values() if count > 1)


def _wrong_customer(valid: list[Signing], books: Books) -> int:
    names = {str(one["id"]): str(one["companyName"]) for one in books.customers}
    billed = {str(one.get("otherRefNum")): names.get(str(one["entity"]["id"])) for one in books.invoices}
    return sum(1 for one in valid if f"PD-{one.deal}" in billed and billed[f"PD-{one.deal}"] != one.company)


def waits(town: Town, books: Books) -> list[float]:
    """Seconds of the provider's clock from signed to the customer's record, shortest first."""
    ids = {str(one["companyName"]): str(one["id"]) for one in books.customers}
    return sorted(
        min(books.created[ids[one.company]]) - books.signed[one.deal]
        for one in town.valid()
        if one.company in ids and books.created[ids[one.company]]
    )


def invoice_waits(town: Town, books: Books) -> list[float]:
    """The same until the invoice."""
    ids = {str(one.get("otherRefNum")): str(one["id"]) for one in books.invoices}
    return sorted(
        min(books.invoiced[ids[f"PD-{one.deal}"]]) - books.signed[one.deal]
        for one in town.valid()
        if f"PD-{one.deal}" in ids and books.invoiced[ids[f"PD-{one.deal}"]]
    )


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the sorted values do not exceed; infinite where there is none."""
    return values[max(0, math.ceil(len(values) * share) - 1)] if values else math.inf


def figures(stage: Stage) -> dict[str, Any]:
    """What the drill consisted of."""
    with stage.session() as session:
        row = session.execute(FIGURES).fetchone()
        states = session.execute(STATES).fetchall()
        whys = Counter(why for one in _items(session).values() for _, why in one)
    assert row is not None
    requests = stage.books("netsuite", "requests")
    rules = stage.sandbox.get("/_faults")["rules"]
    fired = {f"{one['kind']} {one['fired']}" for one in rules if one["kind"] != "latency"}
    names = ("events of the CRM", "deliveries of them", "provider calls", "failed, 404 apart", "times in doubt",
             "writes run as jobs", "calls refused for pace")  # fmt: skip
    return {
        **dict(zip(names, row, strict=True)),
        "most calls at once (NetSuite)": requests.get("max_in_flight", 0),
        "faults fired": ", ".join(sorted(fired)) or "-",
        "actions": ", ".join(f"{kind} {count}" for kind, count in states),
        "waiting for a person": ", ".join(f"{why} {count}" for why, count in whys.most_common()) or "nobody",
    }
