"""One customer side by side: what each system says of a field, whose word counts, and whether they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html

from ledger import cells
from ledger.models import ContextRecord, Contract, Customer, ExternalId
from meshline.console import doors, facts, parts, snapshot
from meshline.console.page import Block
from meshline.console.snapshot import Source
from sync import enrich

HERE = "meshline"
# Words that systems use for the same standing.
STANDING = {
    "trialing": "active", "active": "active", "past_due": "past due", "unpaid": "past due", "suspended": "suspended",
    "paused": "suspended", "cancelled": "cancelled", "canceled": "cancelled", "incomplete_expired": "cancelled",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One field: what each system says (shown), what is compared, and the system that owns the field."""

    name: str
    owner: str
    shown: Mapping[str, Any]
    compared: Mapping[str, str]

    @property
    def agree(self) -> tuple[str, str]:
        """`yes`, `DIFF` or nothing to compare, with how many agree with the owner of the field."""
        said = [value for value in self.compared.values() if value]
        if not self.compared:  # an id of its own in each system: nothing to agree about
            return "", ""
        if len(said) < 2:
            return "", "one says so" if said else "nobody says"
        if len(set(said)) == 1:
            return "yes", f"{len(said)} of {len(said)}"
        owned = self.compared.get(self.owner) or said[0]
        return "DIFF", f"{said.count(owned)} of {len(said)}"


def block(
    request: HttpRequest,
    customer: Customer,
    contracts: Sequence[Contract],
    links: Sequence[ExternalId],
    record: ContextRecord | None,
) -> Block:
    """The table: a part for the customer, and one for each contract that runs."""
    running = [one for one in contracts if one.state not in ("draft", "cancelled")] or list(contracts[:1])
    groups: list[tuple[str, list[Row], Mapping[str, Source]]] = [("", _of_customer(request, customer, links), {})]
    for contract in running[:3]:
        found = snapshot.sources(record, contract.pk)
        title = f"Contract {contract.external_id[-8:]}" if len(running) > 1 else ""
        groups.append((title, _of_contract(contract, links, found), found))
    systems = _systems(groups)
    shown = [
        {"title": title, "rows": [_drawn(row, systems) for row in rows], "ages": [one.age for one in found.values()]}
        for title, rows, found in groups
    ]
    differ = sum(1 for _, rows, _ in groups for row in rows if row.agree[0] == "DIFF")
    total = sum(1 for _, rows, _ in groups for row in rows if row.agree[0])
    note = f"{total - differ} of {total} compared fields agree" if total else "nothing to compare yet"
    data = {"systems": [cells.system(one) for one in systems], "groups": shown, "differ": differ}
    return Block("Side by side", template="console/side.html", data=data, note=note, wide=True)


def _systems(groups: Sequence[tuple[str, Sequence[Row], Any]]) -> list[str]:
    """Every system that says something, Meshline first."""
    named = [HERE, *enrich.PROVIDER_OF.values()]
    said = {name for _, rows, _ in groups for row in rows for name in row.shown}
    return [name for name in dict.fromkeys((*named, *sorted(said))) if name in said]


def _drawn(row: Row, systems: Sequence[str]) -> dict[str, Any]:
    verdict, detail = row.agree
    tag = cells.tag({"yes": "applied", "DIFF": "failed"}.get(verdict, ""), verdict) if verdict else ""
    return {
        "name": row.name,
        "values": [row.shown.get(name) or cells.dash() for name in systems],
        "owner": cells.system(row.owner) if row.owner else cells.dash(),
        "agree": format_html('{} <span class="quiet">{}</span>', tag, detail),
        "differs": verdict == "DIFF",
    }


def _of_customer(request: HttpRequest, customer: Customer, links: Sequence[ExternalId]) -> list[Row]:
    ids = {one.system: one for one in links if one.kind == "customer"}
    name = cells.theirs(customer.name, 80) if customer.name else ""
    email = parts.email(request, customer) if customer.email else ""
    return [
        Row("Name", "netsuite", {HERE: name}, {HERE: customer.name}),
        Row("E-mail", "netsuite", {HERE: email}, {HERE: customer.email}),
        Row(
            "Customer id", HERE,
            {HERE: cells.code(customer.external_id, keep=8), **{name: id_of(one) for name, one in ids.items()}}, {},
        ),
    ]  # fmt: skip


def _of_contract(contract: Contract, links: Sequence[ExternalId], found: Mapping[str, Source]) -> list[Row]:
    """Standing, plan and dates as the systems have them, and the ids that tie the records together."""
    billing, erp, desk = (found[name].block if name in found else {} for name in ("billing", "entitlement", "support"))
    own = [one for one in links if one.contract_id in (None, contract.pk)]
    return [
        _standing(contract, billing, erp),
        _row("Plan", "netsuite", {HERE: contract.plan, "netsuite": erp.get("plan")}),
        _row("Began", "netsuite", {HERE: _day(contract.started_at), "netsuite": _day(erp.get("started_at"))}),
        _row("Ends", "netsuite", {HERE: _day(contract.ends_at), "netsuite": _day(erp.get("ends_at"))}),
        _ids("Subscription", "stripe", "subscription", own, None),
        _ids("ERP record", "netsuite", "contract", own, erp.get("record")),
        _ids("Ticket", "zendesk", "ticket", own, desk.get("ticket")),
    ]


def _standing(contract: Contract, billing: Mapping[str, Any], erp: Mapping[str, Any]) -> Row:
    said = {HERE: contract.state, "stripe": billing.get("subscription_status"), "netsuite": erp.get("status")}
    words = {name: str(value) for name, value in said.items() if value}
    shown = {name: cells.tag(value, value.replace("_", " ")) for name, value in words.items()}
    return Row("Standing", "stripe", shown, {name: STANDING.get(value, value) for name, value in words.items()})


def _row(name: str, owner: str, said: Mapping[str, Any]) -> Row:
    words = {system: str(value) for system, value in said.items() if value}
    return Row(name, owner, {system: cells.theirs(value, 80) for system, value in words.items()}, words)


def _day(value: Any) -> str:
    """A date; systems keep contract dates by the day."""
    at = facts.instant(value) if isinstance(value, str) else value
    return f"{at:%Y-%m-%d}" if at else ""


def id_of(link: ExternalId) -> Any:
    """An id under its own system's heading, as a door where we know the address."""
    url = link.url or doors.address(link.system, link.kind, link.value)
    if not url.startswith(doors.SAFE):
        return cells.code(link.value, keep=14)
    shown = cells.code(link.value, keep=14)
    return format_html('<a href="{}" rel="noopener noreferrer" target="_blank">{} ↗</a>', url, shown)


def _ids(name: str, system: str, kind: str, links: Sequence[ExternalId], read: Any) -> Row:
    """An id as it is linked here, against the id in the record that was read."""
    link = next((one for one in links if (one.system, one.kind) == (system, kind)), None)
    shown = {HERE: "linked" if link else ""}
    if link:
        shown[system] = id_of(link)
    compared = {HERE: link.value if link else "", system: str(read or "")}
    return Row(name, system, shown, compared)
