"""A gate as a form of dropdowns: what was typed, read into typed rows, and shown again with what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from gates.authoring import MOST_ROWS
from gates.cells import OPERATORS as WORDS
from gates.models import GateVersion
from gates.rules.typed import FIELDS, OPERATORS
from gates.stop import Refused
from ledger import clock
from ledger.models import Contract, Customer
from ledger.money import Money, exponent
from ledger.words import KINDS, kind_words

KNOWN = {
    "tier": [value for value, _ in Customer.Tier.choices],
    "contract_state": [value for value, _ in Contract.State.choices],
    "currency": ["usd", "eur", "gbp", "jpy"],
}
HINTS = {
    int: "A whole number",
    str: "A text, exactly as it is stored",
    list: "Several, with a comma between",
    Money: "A limit for each currency, such as: usd 500, jpy 75000. A currency that is not listed is over.",
}


@dataclass(slots=True)
class FormRow:
    """One condition as it stands in the form."""

    number: int
    field: str
    op: str = ""
    value: str = ""
    error: str = ""

    @property
    def kind(self) -> type | None:
        """The type of its field."""
        return FIELDS[self.field][0] if self.field in FIELDS else None

    @property
    def ops(self) -> list[tuple[str, str]]:
        """The comparisons that fit its field."""
        return [(name, WORDS.get(name, name)) for name, (kinds, _) in OPERATORS.items() if self.kind in kinds]

    @property
    def is_yes_no(self) -> bool:
        """Whether the value is one of two."""
        return self.kind is bool

    @property
    def known(self) -> list[str]:
        """Values that are offered."""
        return KNOWN.get(self.field, [])

    @property
    def hint(self) -> str:
        """What the value has to look like."""
        return HINTS.get(list if self.op == "one_of" else self.kind or str, "")

    def typed(self) -> dict[str, Any]:
        """The row as it is stored. Raises Refused 422 with row, field and rule."""
        if self.kind is None:
            raise self._bad(f"field: choose what to look at, not {self.field[:60]!r}")
        return {"field": self.field, "op": self.op, "value": self._value()}

    def _value(self) -> Any:
        text = self.value.strip()
        if self.op == "one_of":
            return [part.strip() for part in text.split(",") if part.strip()]
        if self.kind is bool:
            return {"yes": True, "no": False}.get(text, text)
        if self.kind is Money:
            return self._limits(text)
        if self.kind is int:
            digits = text.removeprefix("-")
            if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
                raise self._bad(f"value: {self.field} needs a whole number, not {text[:60]!r}")
            return int(text)
        return text

    def _limits(self, text: str) -> dict[str, int]:
        """`usd 500.00, jpy 75000` as minor units of each currency."""
        found: dict[str, int] = {}
        for part in text.replace(";", ",").replace("\n", ",").split(","):
            words = part.split()
            if not words:
                continue
            code, amount = (words[0], words[-1]) if words[0].isalpha() else (words[-1], words[0])
            places = exponent(code)
            if len(words) != 2 or places is None or code.lower() in found:
                raise self._bad(f"value: {self.field}: {part.strip()[:60]!r} is no limit such as 'usd 500.00'")
            found[code.lower()] = self._minor(amount, places, code)
        return found

    def _minor(self, amount: str, places: int, code: str) -> int:
        whole, _, decimals = amount.partition(".")
        fits = (whole + decimals).isascii() and (whole + decimals).isdigit() and whole and len(decimals) <= places
        if not fits or len(whole) > 15:
            said = f"value: {self.field}: {amount[:40]!r} is no amount in {code.upper()}, which has {places} decimals"
            raise self._bad(said)
        return int(whole + decimals.ljust(places, "0"))

    def _bad(self, said: str) -> Refused:
        return Refused(422, "rows", f"row {self.number}, {said}")


@dataclass(slots=True)
class GateForm:
    """Everything that was typed, good or not."""

    name: str = ""
    title: str = ""
    result: str = GateVersion.Result.REVIEW.value
    message: str = ""
    applies_to: list[str] = field(default_factory=list)
    why: str = ""
    starts: str = ""
    rows: list[FormRow] = field(default_factory=list)

    @classmethod
    def of(cls, one: GateVersion) -> "GateForm":
        """A stored version, to be changed."""
        is_draft = one.state == GateVersion.State.DRAFT
        later = is_draft and one.valid_from > clock.now()
        rows = [FormRow(place, row["field"], row["op"], shown(row["value"])) for place, row in enumerate(one.rows, 1)]
        return cls(
            one.name, one.title, one.result, one.message, list(one.applies_to), one.why if is_draft else "",
            timezone.localtime(one.valid_from).strftime("%Y-%m-%dT%H:%M") if later else "", rows,
        )  # fmt: skip

    @classmethod
    def read(cls, sent: QueryDict) -> "GateForm":
        """What a page sent, at most as many rows as a gate may have."""

        def text(name: str) -> str:
            return sent.get(name, "").replace("\x00", "")

        numbers = [number for number in range(MOST_ROWS + 1) if f"field-{number}" in sent]
        rows = [(text(f"field-{n}"), text(f"op-{n}"), text(f"value-{n}")) for n in numbers]
        made = [FormRow(place, *row) for place, row in enumerate(rows, 1)]
        return cls(
            text("name"), text("title"), text("result"), text("message"),
            [kind.replace("\x00", "") for kind in sent.getlist("kind")], text("why"), text("starts"), made,
        )  # fmt: skip

    def add(self, name: str) -> None:
        """One more condition, with the first comparison that fits its field."""
        row = FormRow(len(self.rows) + 1, name)
        row.op = row.ops[0][0] if row.ops else ""
        self.rows.append(row)

    def remove(self, number: int) -> None:
        """Without this condition."""
        self.rows = [row for row in self.rows if row.number != number]
        for place, row in enumerate(self.rows, 1):
            row.number = place

    def fit(self) -> None:
        """Give rows whose field was changed a comparison that it has."""
        for row in self.rows:
            allowed = [name for name, _ in row.ops]
            if row.op not in allowed:
                row.op, row.value = (allowed[0] if allowed else ""), ""

    def content(self) -> dict[str, Any]:
        """What `gates.authoring` takes. Raises Refused 422."""
        return {
            "rows": [row.typed() for row in self.rows], "result": self.result, "message": self.message,
            "applies_to": self.applies_to, "why": self.why, "title": self.title, "valid_from": self._starts(),
        }  # fmt: skip

    def _starts(self) -> datetime | None:
        if not self.starts:
            return None
        try:
            return timezone.make_aware(datetime.strptime(self.starts, "%Y-%m-%dT%H:%M"))  # noqa: DTZ007
        except (ValueError, OverflowError) as error:
            raise Refused(422, "valid_from", "valid_from: needs a day and a time, such as 2026-12-01 08:00") from error

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Every field of the catalogue, in words."""
        return [(name, words[:1].upper() + words[1:]) for name, (_, _, words) in FIELDS.items()]

    @property
    def kinds(self) -> list[tuple[str, str, bool]]:
        """Every kind of action: name, words, whether the gate looks at it."""
        return [(kind, kind_words(kind), kind in self.applies_to) for kind in KINDS]

    @property
    def results(self) -> list[tuple[str, str]]:
        """What a gate can answer."""
        return [(str(value), str(label)) for value, label in GateVersion.Result.choices]

    @property
    def is_full(self) -> bool:
        """Whether no further condition fits."""
        return len(self.rows) >= MOST_ROWS


def shown(value: Any) -> str:
    """A stored value as it is typed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{currency} {_amount(int(minor), currency)}" for currency, minor in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _amount(minor: int, currency: str) -> str:
    places = exponent(currency) or 0
    whole, part = divmod(minor, 10**places)
    return f"{whole}.{part:0{places}d}" if places else str(whole)
