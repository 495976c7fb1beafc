"""What a person may fill in when asking for an action: named fields with a type and a limit, nothing else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """A text of 1 to `most` characters; of `choices` where there are some, and of `pattern` where there is one."""

    most: int = 255
    is_required: bool = True
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def rule(self) -> str:
        """The rule in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        shape = f" matching {self.pattern}" if self.pattern else ""
        return f"a text of 1 to {self.most} characters{shape}"

    def holds(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        if not isinstance(value, str) or not 0 < len(value.strip()) <= len(value) <= self.most or "\x00" in value:
            return False
        if self.choices and value not in self.choices:
            return False
        return not self.pattern or re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of 1 to `most` different texts."""

    one: Text
    most: int = 10
    is_required: bool = True

    def rule(self) -> str:
        """The rule in words."""
        return f"a list of 1 to {self.most} different entries, each {self.one.rule()}"

    def holds(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        if not isinstance(value, list) or not 0 < len(value) <= self.most:
            return False
        return all(self.one.holds(one) for one in value) and len(set(value)) == len(value)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int = 1
    most: int = 2**63 - 1
    is_required: bool = True

    def rule(self) -> str:
        """The rule in words."""
        return f"a whole number from {self.least} to {self.most}"

    def holds(self, value: Any) -> bool:
        """Whether a value keeps the rule."""
        return type(value) is int and self.least <= value <= self.most


Fields = Mapping[str, Text | Texts | Whole]


def problem(fields: Fields, params: Any) -> str:
    """The first thing wrong with what was filled in, naming field and rule; empty when all is well."""
    if not isinstance(params, Mapping):
        return "params: must be an object"
    unknown = sorted(str(name) for name in params if name not in fields)
    if unknown:
        known = ", ".join(fields) or "none"
        return f"params.{unknown[0][:60]}: is not known here; known are {known}"
    for name, rule in fields.items():
        if name not in params:
            if rule.is_required:
                return f"params.{name}: is required, {rule.rule()}"
        elif not rule.holds(params[name]):
            return f"params.{name}: must be {rule.rule()}"
    return ""
