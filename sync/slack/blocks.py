"""Blocks as plain objects, built from escaped text and held to Slack's limits before anything leaves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ledger import cells

Block = dict[str, Any]

# Longest texts and most elements that Slack takes.
HEADER, SECTION, FIELD, BUTTON, CONTEXT = 150, 3000, 2000, 75, 300
VALUE, URL, ID, METADATA = 2000, 3000, 255, 3000
TITLE, INPUT = 24, 500
FIELDS, ACTIONS, CONTEXTS, BLOCKS, VIEW_BLOCKS = 10, 25, 10, 50, 100
FALLBACK = 3000
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(value: Any, limit: int = SECTION) -> str:
    """Somebody's text as Slack must get it: `& < >` escaped, hiding characters shown; cut to fit, escapes whole."""
    text = cells.plain(value, limit)
    pieces = [_ESCAPED.get(char, char) for char in text]
    if sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    kept, room = [], limit - 1
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def plain(value: Any, limit: int = SECTION) -> Block:
    """A text object in which nothing is markup: no bold, no link, no mention, no picture of a word."""
    return {"type": "plain_text", "text": escaped(value, limit) or "-", "emoji": False}


def header(value: Any) -> Block:
    """The first line."""
    return {"type": "header", "text": plain(value, HEADER)}


def section(value: Any) -> Block:
    """A paragraph."""
    return {"type": "section", "text": plain(value, SECTION)}


def fields(pairs: Sequence[tuple[str, Any]]) -> Block:
    """Names with their values, two in a row."""
    return {"type": "section", "fields": [plain(f"{name}\n{value}", FIELD) for name, value in pairs[:FIELDS]]}


def context(*values: Any) -> Block:
    """Small print."""
    return {"type": "context", "elements": [plain(value, CONTEXT) for value in values[:CONTEXTS]]}


def button(action_id: str, label: str, value: str = "", *, style: str = "", url: str = "") -> Block:
    """A button that brings its value back, or that opens an address."""
    more = {"value": value, "style": style, "url": url}
    made = {"type": "button", "action_id": action_id, "text": plain(label, BUTTON)}
    return made | {name: what for name, what in more.items() if what}


def buttons(block_id: str, elements: Sequence[Block]) -> Block:
    """A row of buttons."""
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def reason_input(block_id: str, action_id: str, label: str) -> Block:
    """A field for several lines."""
    element = {"type": "plain_text_input", "action_id": action_id, "multiline": True, "max_length": INPUT}
    return {"type": "input", "block_id": block_id, "label": plain(label, 200), "element": element}


def faults(content: Mapping[str, Any]) -> list[str]:
    """What Slack would refuse in a message (text, blocks) or a form (title, submit, blocks, private_metadata)."""
    return list(_faults(content))


def _faults(content: Mapping[str, Any]) -> Iterator[str]:
    is_view, found = content.get("type") == "modal", content.get("blocks") or []
    if len(found) > (VIEW_BLOCKS if is_view else BLOCKS):
        yield f"{len(found)} blocks"
    ids = [block["block_id"] for block in found if "block_id" in block]
    if len(set(ids)) < len(ids):
        yield "a block_id twice"
    if not is_view and not content.get("text"):
        yield "no text"
    for name, limit in (("title", TITLE), ("submit", TITLE)):
        yield from _too_long(name, content[name]["text"] if name in content else "", limit)
    yield from _too_long("private_metadata", content.get("private_metadata", ""), METADATA)
    yield from _too_long("text", content.get("text", ""), FALLBACK)
    for place, block in enumerate(found):
        yield from (f"block {place}: {fault}" for fault in _block_faults(block))


def _block_faults(block: Block) -> Iterator[str]:
    yield from _too_long("block_id", block.get("block_id", ""), ID)
    if "text" in block:
        yield from _too_long("text", block["text"]["text"], HEADER if block["type"] == "header" else SECTION)
    elements = block.get("elements", [])
    if len(elements) > (ACTIONS if block["type"] == "actions" else CONTEXTS) or len(block.get("fields", [])) > FIELDS:
        yield "too many elements"
    for one in block.get("fields", []):
        yield from _too_long("field", one["text"], FIELD)
    for one in elements:
        if one["type"] == "button":
            yield from _too_long("button", one["text"]["text"], BUTTON)
            yield from _too_long("value", one.get("value", ""), VALUE)
            yield from _too_long("url", one.get("url", ""), URL)
            yield from _too_long("action_id", one["action_id"], ID)
        else:
            yield from _too_long("context", one["text"], CONTEXT)


def _too_long(name: str, text: str, limit: int) -> Iterator[str]:
    if len(text) > limit:
        yield f"{name} has {len(text)} characters, {limit} are allowed"
