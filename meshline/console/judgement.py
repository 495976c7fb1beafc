"""Rules and gates as people check them: what was looked at, against which limit, in which version."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates.cells import OPERATORS
from gates.rules.typed import FIELDS
from gates.types import FOLLOWS, Risk
from ledger import cells, money
from ledger.models import Action
from ledger.words import rule_words
from meshline.console import facts
from meshline.console.page import Block
from sync import actions

RANK = {"block": 0, "review_two": 1, "review": 2, "hold": 3}
RESULTS = {
    "pass": "Passes",
    "hold": "Holds",
    "review": "Asks a person",
    "review_two": "Asks two people",
    "block": "Blocks",
}
# Fields of a gate that are kept in the facts under another name.
KEPT_AS = {"amount_30d": "amount_30d_minor"}
OF_PROPOSAL = frozenset({"kind", "automation", "confidence", "says_confidence", "agreed", "prior_disputes"})
NOT_KNOWN = "not known"
GateOf = Callable[[str, int], Mapping[str, Any] | None]


def block(action: Action, gate_of: GateOf) -> Block:
    """Every answer with the values behind it, the strictest first; what passes is folded away."""
    given = sorted(
        (one for one in action.answers if isinstance(one, Mapping)),
        key=lambda one: RANK.get(str(one.get("verdict")), 9),
    )
    asking = [_row(action, one, gate_of) for one in given if one.get("verdict") != "pass"]
    passing = [_row(action, one, gate_of) for one in given if one.get("verdict") == "pass"]
    return Block(
        "Rules and gates",
        template="console/gates.html",
        data={"asking": asking, "passing": passing} if given else None,
        empty="No rule has judged this yet.",
        note=f"{len(given)} asked, {len(passing)} pass" if given else "",
        wide=True,
    )


def _row(action: Action, answer: Mapping[str, Any], gate_of: GateOf) -> dict[str, Any]:
    """One answer: name, verdict, reason, until, and the rows of its gate with the value each was compared with."""
    name, version = str(answer.get("rule", "")), answer.get("version", 1)
    gate = gate_of(name, version) if isinstance(version, int) else None
    verdict = str(answer.get("verdict"))
    rows = [one for one in gate["rows"] if isinstance(one, Mapping)] if gate else []
    return {
        "name": cells.plain(gate["title"] if gate else rule_words(name), 120),
        "version": version,
        "tag": verdict_tag(verdict),
        "values": compared(action, rows),
        "reason": cells.theirs(answer.get("reason") or "", 300),
        "until": facts.value("until", answer.get("until")) if answer.get("until") else "",
        "gate": gate,
    }


def verdict_tag(verdict: str) -> SafeString:
    """A rule's answer in words."""
    return cells.tag(verdict, RESULTS.get(verdict, verdict))


def compared(action: Action, rows: Sequence[Mapping[str, Any]]) -> SafeString | str:
    """The rows of a gate as clauses with the value at the time: `open disputes of the customer: 1 (over 0)`."""
    clauses = []
    for row in rows:
        field = str(row.get("field"))
        label = FIELDS[field][2] if field in FIELDS else field
        operator = OPERATORS.get(str(row.get("op")), str(row.get("op")))
        seen = looked_at(action, field)
        clauses.append((label, shown(action, field, seen), operator, shown(action, field, row.get("value"))))
    return format_html_join(", ", '{} <b>{}</b> <span class="quiet">({} {})</span>', clauses)


def looked_at(action: Action, field: str) -> Any:
    """The value of a gate's field as this action was judged on it; None when it was not known."""
    if field in ("amount", "amount_minor"):
        return action.amount_minor
    if field == "currency":
        return action.currency
    if field in Risk.__dataclass_fields__:
        risk = actions.get(action.kind).risk if action.kind in actions.ACTIONS else Risk()
        return getattr(risk, field)
    kept = action.facts if isinstance(action.facts, Mapping) else {}
    if field in OF_PROPOSAL:
        return _of_proposal(action, field, kept)
    return kept.get(KEPT_AS.get(field, field))


def _of_proposal(action: Action, field: str, kept: Mapping[str, Any]) -> Any:
    """A value that the action itself says, or how sure the one was who suggested it, in a hundred."""
    params = action.params if isinstance(action.params, Mapping) else {}
    sure, said = params.get("confidence"), kept.get("confidence")
    if not isinstance(sure, int):
        sure = int(100 * said + 1e-9) if isinstance(said, int | float) else None
    return {
        "kind": action.kind, "automation": action.automation or kept.get("automation"), "confidence": sure,
        "says_confidence": sure is not None, "agreed": bool(params.get(FOLLOWS)),
        "prior_disputes": params.get("prior_disputes"),
    }[field]  # fmt: skip


def shown(action: Action, field: str, value: Any) -> Any:
    """A value of a gate's field, amounts in the action's currency."""
    if isinstance(value, Mapping):  # one amount for each currency
        value = value.get(action.currency)
        return cells.amount(value, action.currency) if isinstance(value, int) else "no limit set for this currency"
    if value is None or value == "":
        return NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and field.startswith("amount"):
        return money.display(value, action.currency)
    if isinstance(value, list):
        return cells.theirs(", ".join(map(str, value)), 200)
    return facts.value(field, value)


def limit_of(currency: str, gates: Sequence[Mapping[str, Any]]) -> int | None:
    """The lowest limit over 30 days that the gates set for a currency, in minor units; None where none does."""
    rows = [
        row for gate in gates for row in gate["rows"] if isinstance(row, Mapping) and row.get("field") == "amount_30d"
    ]
    found = [
        row["value"][currency] for row in rows if isinstance(row.get("value"), Mapping) and currency in row["value"]
    ]
    return min((one for one in found if isinstance(one, int)), default=None)


def headline(action: Action) -> SafeString | str:
    """Why a person is asked, in one clause: the strictest answer with its rule and version."""
    asking = [one for one in action.answers if isinstance(one, Mapping) and str(one.get("verdict")) in RANK]
    if not asking:
        return ""
    worst = min(asking, key=lambda one: RANK[str(one.get("verdict"))])
    name = rule_words(str(worst.get("rule", ""))).lower()
    return format_html(
        "{} <span class=\"quiet\">({} v{})</span>", cells.theirs(worst.get("reason") or "it asks", 300), name,
        worst.get("version", 1),
    )  # fmt: skip
