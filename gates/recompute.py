"""Judge again from what the ledger stored with a decision: the same inputs and versions give the same answer.

Facts are read by the types that they declare, so that a field added to them is read here without a further line.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from gates.decide import decide
from gates.types import Decision, Facts, Gate, Limits, Policy, Proposal

Reader = Callable[[Any], Any]


def again(proposal: Proposal, inputs: Mapping[str, Any], gate: Callable[[str, int], Gate]) -> Decision:
    """The decision on stored inputs; `gate` finds a gate by name and version."""
    kept = inputs["policy"]
    return decide(proposal, facts_of(inputs), policy_of(kept, gate), approved_rules=frozenset(kept["approved"]))


def facts_of(inputs: Mapping[str, Any]) -> Facts:
    """The facts as they were judged on. A field that is newer than the row has its default.

    Raises KeyError, TypeError, ValueError or AttributeError for what no facts can be made of.
    """
    found: Facts = _record(Facts)(inputs)
    return found


def policy_of(kept: Mapping[str, Any], gate: Callable[[str, int], Gate]) -> Policy:
    """The policy as it was in force."""
    limits = Limits(**{name: timedelta(seconds=seconds) for name, seconds in kept["limits"].items()})
    gates = tuple(gate(name, version) for name, version in kept["gates"])
    sensitive, may_resolve = frozenset(kept.get("sensitive", ())), bool(kept.get("may_resolve"))
    return Policy(gates, limits, kept["stage"], kept["automation"], kept["owned"], sensitive, may_resolve)


@cache
def _record(made: type[Any]) -> Reader:
    """Makes one of these from a stored object; members that are not known any more are passed over."""
    hints = get_type_hints(made)
    readers = [(one.name, _reader(hints[one.name]), _has_default(one)) for one in fields(made)]

    def read(stored: Mapping[str, Any]) -> Any:
        if not isinstance(stored, Mapping):
            raise TypeError(f"{made.__name__} is made of an object, not of {type(stored).__name__}")
        return made(**{
            name: reader(stored[name]) for name, reader, optional in readers if name in stored or not optional
        })  # fmt: skip

    return read


def _has_default(field: Any) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def _reader(hint: Any) -> Reader:
    """How a stored value becomes one of the declared type."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is datetime:
        return _time
    if is_dataclass(hint):
        return _record(hint)  # type: ignore[arg-type]
    if origin in (Union, UnionType) and NoneType in args:
        inner = _reader(next(one for one in args if one is not NoneType))
        return lambda value: None if value is None else inner(value)
    if origin is tuple and args[-1] is Ellipsis:
        each = _reader(args[0])
        return lambda value: tuple(each(one) for one in value)
    if origin is tuple:
        parts = tuple(_reader(one) for one in args)
        return lambda value: tuple(part(one) for part, one in zip(parts, value, strict=True))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        item = _reader(args[1])
        return lambda value: {name: item(one) for name, one in value.items()}
    if origin is frozenset:
        return frozenset
    return _plain


def _plain(value: Any) -> Any:
    return value


def _time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
