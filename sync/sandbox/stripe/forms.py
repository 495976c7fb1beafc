"""Form decoding as Stripe does it: brackets literal or encoded, arrays as `[]` or `[0]`, nested."""

import re
from typing import Any
from urllib.parse import parse_qsl

from sync.sandbox.stripe.errors import ApiError, invalid_integer
from sync.sandbox.wire import Json

PART = re.compile(r"\[([^\]]*)\]")


def decode(text: str) -> Json:
    """The nested parameters of a query string or a form body."""
    root: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True) if text else ():
        head = name.partition("[")[0]
        path = [head, *PART.findall(name[len(head) :])] if len(name) > len(head) else [head]
        _put(root, path, value)
    return {name: value if name == "metadata" else _lists(value) for name, value in root.items()}


def _put(node: Json, path: list[str], value: str) -> None:
    for place, part in enumerate(path[:-1]):
        key = part or str(len(node))
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise ApiError(400, f"Invalid parameter: {path[0]}", param=".".join(path[: place + 1]), executed=False)
        node = child
    node[path[-1] or str(len(node))] = value


def _lists(value: Any) -> Any:
    """Objects whose members are all numbers were arrays."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(child) for name, child in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def integer(params: Json, name: str) -> int | None:
    """A whole number, None when absent or empty."""
    value = params.get(name)
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,12}", value):
        raise invalid_integer(name, value)
    return int(value)


def boolean(params: Json, name: str) -> bool | None:
    """`true` or `false`, None when absent."""
    value = params.get(name)
    if value is None:
        return None
    if value not in ("true", "false"):
        raise ApiError(400, f"Invalid boolean: {value}", param=name, executed=False)
    return bool(value == "true")


def metadata(params: Json, current: Json) -> Json:
    """Metadata after a write: members are merged, an empty value removes one, an empty `metadata` removes all."""
    given = params.get("metadata")
    if given is None:
        return current
    if not isinstance(given, dict):
        return {}
    merged = {**current, **{str(name): str(value) for name, value in given.items()}}
    return {name: value for name, value in merged.items() if value != ""}
