"""Which customers a profile is about: typed rows, checked against the fields that the account has. Pure."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sync.customer_sync.fields import COLUMNS, SOURCES
from sync.providers.netsuite_customers import Condition, one_of

MOST_ROWS, MOST_VALUES, LONGEST = 20, 200, 200
ALIAS = re.compile(r"[a-z][a-z0-9_]{0,99}")

OPERATORS: Mapping[str, str] = {
    "is": "is", "is_not": "is not", "one_of": "is one of", "empty": "is empty", "not_empty": "is not empty",
    "begins_with": "begins with",
}  # fmt: skip
WITHOUT_VALUE = ("empty", "not_empty")


class BadProfile(ValueError):
    """A profile that cannot be run; `field` is the part of it that is wrong, the text says why and what would do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def check(
    criteria: Any, columns: Any, sources: Any, shared: str, known: Collection[str]
) -> tuple[list[dict[str, Any]], list[str], dict[str, str]]:
    """A profile's parts as they are stored. Raises BadProfile.

    `known` are the fields of the account's customer, in small letters.
    """
    rows = [_row(number, one, known) for number, one in enumerate(_list("criteria", criteria, MOST_ROWS), 1)]
    chosen = [str(one) for one in _list("columns", columns, len(COLUMNS))]
    for one in chosen:
        if one not in COLUMNS:
            raise BadProfile("columns", f"columns: {_unknown(one, COLUMNS)}; they are {', '.join(COLUMNS)}")
    if not chosen:
        raise BadProfile("columns", f"columns: choose at least one of {', '.join(COLUMNS)}")
    if not isinstance(sources, Mapping):
        raise BadProfile("sources", "sources: must name a field of the ERP for a column")
    named = {**SOURCES, **{str(name): str(value).strip().lower() for name, value in sources.items() if value}}
    for name, value in named.items():
        if name not in SOURCES:
            raise BadProfile("sources", f"sources: {_unknown(name, SOURCES)}; a field may be chosen for these only")
        _known_field("sources", value, known)
    if shared:
        _known_field("shared_payer_field", shared.strip().lower(), known)
    return rows, [one for one in COLUMNS if one in chosen], named


def conditions(criteria: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """The rows as conditions of a query; values never become part of its text."""
    return tuple(_MAKERS[one["op"]](str(one["field"]), one.get("value")) for one in criteria)


def in_words(criteria: Sequence[Mapping[str, Any]]) -> str:
    """The rows for a person."""
    if not criteria:
        return "all customers"
    return "; ".join(f"{one['field']} {OPERATORS[one['op']]} {_shown(one.get('value'))}".strip() for one in criteria)


def parsed(line: str) -> dict[str, Any]:
    """One typed line: `field operator value`, as `subsidiary one_of 1, 3` or `email not_empty`. Raises BadProfile."""
    words = line.split(None, 2)
    if len(words) < 2:
        raise BadProfile("criteria", f"criteria: {line[:60]!r} is no condition; write a field, an operator and a value")
    value: Any = words[2] if len(words) > 2 else ""
    if words[1].lower() == "one_of":
        value = [one.strip() for one in str(value).split(",") if one.strip()]
    return {"field": words[0].lower(), "op": words[1].lower(), "value": value}


def as_line(row: Mapping[str, Any]) -> str:
    """A row as it is typed."""
    return f"{row['field']} {row['op']} {_shown(row.get('value'))}".strip()


def nearest(name: str, known: Collection[str]) -> list[str]:
    """The known names most like this one; at most three."""
    return difflib.get_close_matches(name.lower(), sorted(known), n=3, cutoff=0.5)


def _row(number: int, one: Any, known: Collection[str]) -> dict[str, Any]:
    if not isinstance(one, Mapping):
        raise BadProfile("criteria", f"criteria: row {number} is no condition")
    field, op, value = str(one.get("field", "")).strip().lower(), str(one.get("op", "")), one.get("value", "")
    _known_field("criteria", field, known)
    if op not in OPERATORS:
        raise BadProfile("criteria", f"criteria: {_unknown(op, OPERATORS)}; operators are {', '.join(OPERATORS)}")
    if op in WITHOUT_VALUE:
        return {"field": field, "op": op}
    values = value if isinstance(value, list) else [value]
    texts = [str(each).strip() for each in values]
    if (op == "one_of") != isinstance(value, list) or not 1 <= len(texts) <= MOST_VALUES:
        raise BadProfile("criteria", f"criteria: {field} {op} needs {_needs(op)}")
    if any(not 1 <= len(each) <= LONGEST or not each.isprintable() for each in texts):
        raise BadProfile("criteria", f"criteria: {field}: a value has 1 to {LONGEST} characters")
    return {"field": field, "op": op, "value": texts if op == "one_of" else texts[0]}


def _needs(op: str) -> str:
    return f"1 to {MOST_VALUES} values, separated by commas" if op == "one_of" else "one value"


def _known_field(part: str, name: str, known: Collection[str]) -> None:
    if not ALIAS.fullmatch(name) or name not in known:
        raise BadProfile(part, f"{part}: the account has no field {_unknown(name, known, bare=True)}")


def _unknown(name: str, known: Collection[str], *, bare: bool = False) -> str:
    close = nearest(name, known)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"{name[:60]!r}{'' if bare else ' is not known'}{hint}"


def _list(part: str, value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise BadProfile(part, f"{part}: a list of at most {most}")
    return value


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")


_MAKERS: Mapping[str, Callable[[str, Any], Condition]] = {
    "is": lambda field, value: Condition(f"c.{field} = ?", (value,)),
    "is_not": lambda field, value: Condition(f"(c.{field} <> ? OR c.{field} IS NULL)", (value,)),
    "one_of": one_of,
    "empty": lambda field, _: Condition(f"c.{field} IS NULL"),
    "not_empty": lambda field, _: Condition(f"c.{field} IS NOT NULL"),
    "begins_with": lambda field, value: Condition(f"SUBSTR(c.{field}, 1, {len(value)}) = ?", (value,)),
}
