"""The bytes of a delivery as people may look at them: a flat tree, plain text or hex, never anything that runs."""

import json
import re
from dataclasses import dataclass
from typing import Any

from ledger import cells

MOST_NODES, DEEPEST, LONGEST = 1500, 16, 400
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PERSONAL = frozenset(
    """name first_name last_name email phone address line1 line2 city postal_code customer_name customer_email
    customer_phone customer_address billing_details receipt_email ip description""".split()
)


@dataclass(frozen=True, slots=True)
class Node:
    """One member of a body: its path, its name, its depth and its value as text."""

    path: str
    name: str
    depth: int
    value: str
    kind: str


class Pairs(list[tuple[str, Any]]):
    """An object of a body as its pairs: repeated names stay visible, numbers keep every digit."""


def read(raw: bytes, *, mask: bool) -> tuple[list[Node], str]:
    """The body as a flat tree in its own order, and a word when it is cut or cannot be read."""
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=Pairs, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return [], "This is not readable as JSON. Look at the text or the bytes."
    nodes: list[Node] = []
    stack: list[tuple[str, str, int, Any, bool]] = [("", "", 0, document, False)]
    while stack and len(nodes) < MOST_NODES:
        path, name, depth, value, hidden = stack.pop()
        hide = hidden or (mask and name.lower() in PERSONAL)
        children = _children(value)
        if name:
            nodes.append(
                Node(
                    cells.plain(path, 300),
                    cells.plain(name, 80),
                    min(depth, DEEPEST),
                    _shown(value, children, mask, hide),
                    _kind(value),
                )
            )
        stack += [(f"{path}.{key}" if path else key, key, depth + 1, one, hide) for key, one in reversed(children)]
    return nodes, f"Only the first {MOST_NODES:,} members are shown." if stack else ""


def _children(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Pairs):
        return list(value)
    if isinstance(value, list):
        return [(str(index), one) for index, one in enumerate(value)]
    return []


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "group"
    return "text" if isinstance(value, str) else "word"


def _shown(value: Any, children: list[tuple[str, Any]], mask: bool, hide: bool) -> str:
    if isinstance(value, list):
        word = "member" if isinstance(value, Pairs) else "entry"
        return f"{len(children)} {word if len(children) == 1 else {'member': 'members', 'entry': 'entries'}[word]}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = str(value)
    if hide and text:
        return cells.masked(text) if EMAIL.fullmatch(text) else "•••"
    if mask:
        text = EMAIL.sub(lambda found: cells.masked(found.group()), text)
    return cells.plain(text, LONGEST)


def differing(trees: list[list[Node]]) -> set[tuple[str, str]]:
    """The (path, value) pairs that are not the same in every body."""
    if len(trees) < 2:
        return set()
    seen = [{(node.path, node.value) for node in tree if node.kind != "group"} for tree in trees]
    return set().union(*seen) - seen[0].intersection(*seen[1:])


def safe_text(raw: bytes, limit: int = 20_000) -> str:
    """Bytes as text, what is not UTF-8 made visible, cut with a word about it."""
    text = cells.plain(raw[:limit].decode("utf-8", "backslashreplace"), limit * 8)
    return text if len(raw) <= limit else f"{text}\n… cut here, {len(raw):,} bytes in all"


def hex_dump(raw: bytes) -> str:
    """Bytes as offset, hexadecimal and printable characters, sixteen a line."""
    lines = []
    for start in range(0, len(raw), 16):
        chunk = raw[start : start + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in chunk)
        lines.append(f"{start:08x}  {chunk.hex(' '):<47}  {shown}")
    return "\n".join(lines) + "\n"
