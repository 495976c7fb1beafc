"""What a body or an address may carry: named fields with a type and a limit. Nothing is guessed or turned into another.

A wrong field is refused with 422, naming the field and its rule; an unknown one with the names that are known.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from django.utils.dateparse import parse_datetime
from rest_framework import serializers

from meshline.api.errors import Problem

BIGGEST = 2**31 - 1
DIGITS = re.compile(r"-?[0-9]{1,19}")


class Ruled(Protocol):
    """A field that can say its rule."""

    def rule(self) -> str:
        """The rule in words."""
        ...


class Body(serializers.Serializer):
    """The fields of a body. `read` is the only way in."""

    from_text = False

    @classmethod
    def read(cls, sent: Any) -> dict[str, Any]:
        """The values, checked. Raises Problem."""
        reader = cls(data=sent)
        known = [name for name, field in reader.fields.items() if not field.read_only]
        for name in (str(one)[:60] for one in sent if one not in known):
            words = f"{name}: is not known here; known are {', '.join(known) or 'none'}"
            raise Problem(422, "unknown_field", words, name)
        if not reader.is_valid():
            name, said = next(iter(reader.errors.items()))
            raise Problem(422, "field", f"{name}: {_first(said)}", str(name))
        return dict(reader.validated_data)


class Query(Body):
    """The parameters of an address; the same rules, read from text."""

    from_text = True

    @classmethod
    def read(cls, sent: Any) -> dict[str, Any]:
        """The values, checked; one given twice is refused."""
        for name, values in sent.lists():
            if len(values) > 1:
                raise Problem(422, "field", f"{str(name)[:60]}: is given {len(values)} times", str(name)[:60])
        return super().read(sent.dict())


def _first(said: Any) -> str:
    while isinstance(said, (list, Mapping)) and said:
        said = next(iter(said.values())) if isinstance(said, Mapping) else said[0]
    return str(said)


def _wrong(field: Ruled) -> serializers.ValidationError:
    return serializers.ValidationError(f"must be {field.rule()}")


class _Field(serializers.Field, ABC):
    """Says its rule in every refusal."""

    @abstractmethod
    def rule(self) -> str:
        """The rule in words."""

    def fail(self, key: str, **kwargs: Any) -> Any:
        """Whatever the framework would say, the rule says more."""
        if key == "required":
            raise serializers.ValidationError(f"is required, {self.rule()}")
        raise _wrong(self)


class Text(_Field, serializers.CharField):
    """A text within limits, no number, no NUL, not stripped."""

    def __init__(self, most: int, *, least: int = 1, **more: Any) -> None:
        super().__init__(
            max_length=most, min_length=least or None, allow_blank=least == 0, trim_whitespace=False, **more
        )
        self.least, self.most = least, most

    def rule(self) -> str:
        """The rule in words."""
        return f"a text of {self.least} to {self.most:,} characters"

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Only a text is a text."""
        (is_empty, value) = self.validate_empty_values(data)
        if is_empty:
            return value
        if not isinstance(data, str) or not self.least <= len(data) <= self.most or "\x00" in data:
            raise _wrong(self)
        return data


class Choice(_Field, serializers.ChoiceField):
    """One of a few words."""

    def rule(self) -> str:
        """The rule in words."""
        return f"one of {', '.join(map(str, self.choices))}"

    def to_internal_value(self, data: Any) -> str:
        """Exactly one of them."""
        if not isinstance(data, str) or data not in self.choices:
            raise _wrong(self)
        return data


class Whole(_Field, serializers.IntegerField):
    """A whole number within limits; in an address, its digits."""

    def __init__(self, low: int = 0, high: int = BIGGEST, **more: Any) -> None:
        super().__init__(min_value=low, max_value=high, **more)
        self.low, self.high = low, high

    def rule(self) -> str:
        """The rule in words."""
        return f"a whole number from {self.low} to {self.high}"

    def to_internal_value(self, data: Any) -> int:
        """A JSON number without a fraction, or digits where all is text."""
        if getattr(self.root, "from_text", False) and isinstance(data, str) and DIGITS.fullmatch(data):
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int) or not self.low <= data <= self.high:
            raise _wrong(self)
        return data


class Share(_Field, serializers.FloatField):
    """A number from 0 to 1."""

    def __init__(self, **more: Any) -> None:
        super().__init__(min_value=0, max_value=1, **more)

    def rule(self) -> str:
        """The rule in words."""
        return "a number from 0 to 1"

    def to_internal_value(self, data: Any) -> float:
        """A JSON number; true and false are none, and neither is text."""
        if isinstance(data, bool) or not isinstance(data, int | float | Decimal) or not 0 <= data <= 1:
            raise _wrong(self)
        return float(data)


class Id(_Field, serializers.UUIDField):
    """A UUID as text."""

    def rule(self) -> str:
        """The rule in words."""
        return "a UUID"

    def to_internal_value(self, data: Any) -> Any:
        """No number is a UUID here."""
        if not isinstance(data, str):
            raise _wrong(self)
        return super().to_internal_value(data)


class Moment(_Field, serializers.DateTimeField):
    """An instant with its zone."""

    def rule(self) -> str:
        """The rule in words."""
        return "an instant with its zone, such as 2026-05-04T12:00:00Z"

    def to_internal_value(self, value: Any) -> datetime:
        """In UTC, whatever zone it came in."""
        try:
            at = parse_datetime(value) if isinstance(value, str) and len(value) <= 40 else None
            if at is not None and at.tzinfo is not None:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise _wrong(self)


class Members(_Field, serializers.DictField):
    """An object whose members somebody else checks."""

    def rule(self) -> str:
        """The rule in words."""
        return "an object"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """As it came."""
        if not isinstance(data, dict):
            raise _wrong(self)
        return data


class Empty(Body):
    """No body, or an empty object."""
