"""What Slack checks in messages and forms: lengths, counts, ids that occur once."""

from collections.abc import Iterator
from typing import Any

from sync.sandbox.wire import Json

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
TEXTS = {"header": 150, "section": 3000}
TYPES = ("header", "section", "context", "actions", "divider", "input")


def problems(blocks: Any, most: int) -> list[str]:
    """Everything that is wrong with a list of blocks, as Slack's messages about it."""
    if not isinstance(blocks, list) or not all(isinstance(one, dict) for one in blocks):
        return ["must be a list of blocks [json-pointer:/blocks]"]
    found = [f"no more than {most} items allowed [json-pointer:/blocks]"] if len(blocks) > most else []
    ids = [one["block_id"] for one in blocks if "block_id" in one]
    if len(set(ids)) < len(ids):
        found.append("block_id already exists [json-pointer:/blocks]")
    for place, block in enumerate(blocks):
        found += [f"{text} [json-pointer:/blocks/{place}]" for text in _block(block)]
    return found


def _block(block: Json) -> Iterator[str]:
    kind = block.get("type")
    if kind not in TYPES:
        yield f"unsupported type: {kind}"
        return
    yield from _longer(block.get("block_id", ""), 255)
    if kind in TEXTS and "text" in block:
        yield from _text(block["text"], TEXTS[kind], plain_only=kind == "header")
    elif kind == "header" or (kind == "section" and not block.get("fields")):
        yield "missing required field: text"
    yield from _many(block.get("fields", []), 10)
    for one in block.get("fields", []):
        yield from _text(one, 2000)
    if kind in ("actions", "context"):
        yield from _elements(block, 25 if kind == "actions" else 10)
    if kind == "input":
        yield from _text(block.get("label"), 2000, plain_only=True)


def _elements(block: Json, most: int) -> Iterator[str]:
    elements = block.get("elements") or []
    if not elements:
        yield "must provide at least one element"
    yield from _many(elements, most)
    names = [one.get("action_id") for one in elements if "action_id" in one]
    if len(set(names)) < len(names):
        yield "action_id already exists"
    for one in elements:
        if one.get("type") == "button":
            yield from _button(one)
        else:
            yield from _text(one, 2000)


def _button(button: Json) -> Iterator[str]:
    yield from _text(button.get("text"), 75, plain_only=True)
    for name, limit in (("value", 2000), ("url", 3000), ("action_id", 255)):
        yield from _longer(button.get(name, ""), limit)
    if button.get("style", "primary") not in ("primary", "danger"):
        yield f"invalid style: {button['style']}"


def _text(found: Any, limit: int, *, plain_only: bool = False) -> Iterator[str]:
    if not isinstance(found, dict) or found.get("type") not in ("plain_text", "mrkdwn"):
        yield "missing required field: text"
    elif plain_only and found["type"] != "plain_text":
        yield "must be plain_text"
    elif not found.get("text"):
        yield "must be more than 0 characters"
    else:
        yield from _longer(found["text"], limit)


def _longer(text: Any, limit: int) -> Iterator[str]:
    if not isinstance(text, str) or len(text) > limit:
        yield f"must be less than {limit + 1} characters"


def _many(found: Any, most: int) -> Iterator[str]:
    if len(found) > most:
        yield f"no more than {most} items allowed"


def view_problems(view: Any) -> list[str]:
    """Everything that is wrong with a form."""
    if not isinstance(view, dict) or view.get("type") != "modal":
        return ["invalid type: must be modal [json-pointer:/view/type]"]
    found = [f"{text} [json-pointer:/view/title]" for text in _text(view.get("title"), 24, plain_only=True)]
    if "submit" in view:
        found += [f"{text} [json-pointer:/view/submit]" for text in _text(view["submit"], 24, plain_only=True)]
    elif any(one.get("type") == "input" for one in view.get("blocks", [])):
        found.append("submit is required for views with inputs [json-pointer:/view]")
    found += [f"{text} [json-pointer:/view]" for text in _longer(view.get("private_metadata", ""), 3000)]
    return found + problems(view.get("blocks"), VIEW_BLOCKS)
